//! Files with and without a key.

use super::*;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Connection as _, SqliteConnection};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use zeroize::Zeroizing;

const MARKER: &str = "a text that must not be found";

fn key(byte: u8) -> DatabaseKey {
    DatabaseKey::new(Zeroizing::new([byte; KEY_SIZE]))
}

fn options(path: &Path, key: Option<DatabaseKey>) -> Options {
    if !path.exists() {
        std::fs::write(path, "").unwrap();
    }
    Options::new(path, key).pragma("auto_vacuum", "INCREMENTAL").pragma("journal_mode", "WAL")
}

async fn fill(db: &mut SqliteConnection) {
    let sql = "CREATE TABLE texts (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT UNIQUE); PRAGMA user_version = 7";
    sqlx::raw_sql(sql).execute(&mut *db).await.unwrap();
    for n in 0..100 {
        let text = format!("{MARKER} {n} {}", "x".repeat(1000));
        sqlx::query("INSERT INTO texts (text) VALUES (?)").bind(text).execute(&mut *db).await.unwrap();
    }
    sqlx::query("DELETE FROM texts WHERE id > 90").execute(db).await.unwrap();
}

async fn check(options: &Options) {
    let mut db = options.connect().await.unwrap();
    let sql = "SELECT count(*) FROM texts WHERE text LIKE ? || '%'";
    let count: i64 = sqlx::query_scalar(sql).bind(MARKER).fetch_one(&mut db).await.unwrap();
    assert_eq!(count, 90);
    for (pragma, expected) in [("user_version", 7_i64), ("auto_vacuum", 2)] {
        let sql = sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"));
        let value: i64 = sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap();
        assert_eq!(value, expected, "{pragma}");
    }
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'texts'";
    let last: i64 = sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap();
    assert_eq!(last, 100);
    let whole: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut db).await.unwrap();
    assert_eq!(whole, "ok");
    db.close().await.unwrap();
}

/// Whether the marker is in any file of a directory.
fn is_found(dir: &Path) -> bool {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let contents: Vec<_> = files.map(|file| std::fs::read(file).unwrap()).collect();
    contents.iter().any(|content| content.windows(MARKER.len()).any(|part| part == MARKER.as_bytes()))
}

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    // Characters that mean something in a URI.
    let path = dir.path().join("a %?#&'ä b");
    (dir, path)
}

#[tokio::test]
async fn with_a_key_nothing_can_be_read_in_database_and_log() {
    for (key, found) in [(None, true), (Some(key(1)), false)] {
        let (dir, path) = place();
        let options = options(&path, key.clone());
        let mut db = options.connect().await.unwrap();
        fill(&mut db).await;
        assert!(std::fs::read_dir(dir.path()).unwrap().count() > 1, "there is a log");
        assert_eq!(is_found(dir.path()), found);
        db.close().await.unwrap();
        assert_eq!(is_found(dir.path()), found);
        assert_eq!(content(&path).unwrap(), if key.is_some() { Content::Sealed } else { Content::Plain });
        check(&options).await;
    }
}

#[tokio::test]
async fn another_key_opens_nothing() {
    let (_dir, path) = place();
    let mut db = options(&path, Some(key(1))).connect().await.unwrap();
    fill(&mut db).await;
    db.close().await.unwrap();
    for wrong in [Some(key(2)), None] {
        let error = options(&path, wrong.clone()).connect().await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "26");
        let pool = SqlitePoolOptions::new().max_connections(2);
        let error = options(&path, wrong).pool(pool).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "26");
    }
    check(&options(&path, Some(key(1)))).await;
    let pool = SqlitePoolOptions::new().max_connections(2);
    let pool = options(&path, Some(key(1))).pragma("query_only", "ON").pool(pool).await.unwrap();
    assert!(sqlx::query("DELETE FROM texts").execute(&pool).await.is_err());
    pool.close().await;
    // Pages that were changed are not taken for what they were.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096..].chunks_mut(4096).for_each(|page| page[100] ^= 1);
    std::fs::write(&path, bytes).unwrap();
    let mut db = options(&path, Some(key(1))).connect().await.unwrap();
    assert!(sqlx::query("SELECT text FROM texts").fetch_all(&mut db).await.is_err());
}

#[tokio::test]
async fn a_copy_has_the_key_that_it_is_given() {
    let (dir, path) = place();
    let mut db = options(&path, None).connect().await.unwrap();
    fill(&mut db).await;
    db.close().await.unwrap();
    let keys = [None, Some(key(1)), Some(key(2)), Some(key(2)), None, None];
    let mut from = options(&path, None);
    for (n, key) in keys.iter().enumerate() {
        let folder = dir.path().join(n.to_string());
        std::fs::create_dir(&folder).unwrap();
        let to = folder.join("copy of %?#&'ä");
        copy(&from, &to, key.as_ref()).await.unwrap();
        assert_eq!(is_found(&folder), key.is_none(), "{n}");
        from = options(&to, key.clone());
        check(&from).await;
        assert_eq!(is_found(&folder), key.is_none(), "{n}");
        if let Some(key) = key {
            let wrong = options(&to, Some(self::key(key.as_bytes()[0] + 1)));
            assert!(wrong.connect().await.is_err());
        }
    }
    assert!(copy(&from, &path, None).await.is_err(), "it exists");
    check(&options(&path, None)).await;
}

#[test]
fn keys_are_not_printed() {
    let options = Options::new(Path::new("x"), Some(key(0xab)));
    let printed = format!("{options:?} {:?}", key(0xab));
    assert!(!printed.contains("abab") && !printed.contains("171, 171"), "{printed}");
}

#[tokio::test]
async fn the_library_is_the_one_that_is_compiled_here() {
    let (_dir, path) = place();
    let mut db = options(&path, None).connect().await.unwrap();
    let sql = "SELECT sqlite_version() || ' ' || sqlite3mc_version()";
    let version: String = sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap();
    assert!(version.starts_with("3.53.4 ") && version.ends_with("2.5.1"), "{version}");
}
