//! Files: who may read them, who may use them, copies.

use std::os::unix::fs::PermissionsExt as _;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::sqlite_config;
use crate::store::fixture::{MustBeAccepted as _, id, new_queue, sent};
use crate::store::{
    Maintenance, Messages, NewMessage, OpenError, Presence, Queues, SqliteConfig, SqliteStore, StoreError,
};

#[tokio::test]
async fn are_private() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(sqlite_config(&directory)).await.unwrap();
    store.create_queue(new_queue(1)).await.unwrap();
    store.backup(&directory.path().join("copy.db")).await.unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["copy.db", "store.db", "store.db-shm", "store.db-wal", "store.db.lock"]);
    store.close().await.unwrap();
}

#[tokio::test]
async fn belong_to_one_store_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let first = SqliteStore::open(sqlite_config(&directory)).await.unwrap();
    let error = SqliteStore::open(sqlite_config(&directory)).await.unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }));
    assert!(error.to_string().starts_with("another smp-server is using "), "{error}");
    first.create_queue(new_queue(1)).await.unwrap();
    first.close().await.unwrap();
    SqliteStore::open(sqlite_config(&directory)).await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn that_are_not_ours_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = sqlite_config(&directory).path;
    std::fs::write(&path, "this is not a database, only a text of some length".repeat(100)).unwrap();
    let error = SqliteStore::open(sqlite_config(&directory)).await.unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");

    let missing = SqliteConfig::new(directory.path().join("missing").join("store.db"));
    let error = SqliteStore::open(missing).await.unwrap_err();
    assert!(matches!(error, OpenError::Open { .. }), "{error}");
}

#[tokio::test]
async fn of_a_newer_version_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    SqliteStore::open(sqlite_config(&directory)).await.unwrap().close().await.unwrap();
    let options = SqliteConnectOptions::new().filename(sqlite_config(&directory).path);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
               VALUES (9999, 'from the future', 1, x'00', 0)";
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let error = SqliteStore::open(sqlite_config(&directory)).await.unwrap_err();
    assert!(matches!(error, OpenError::Schema { .. }), "{error}");
    assert!(error.to_string().contains("9999"), "{error}");
}

#[tokio::test]
async fn a_copy_is_complete_and_can_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = sqlite_config(&directory);
    config.limits.quota = 100;
    let store = SqliteStore::open(config.clone()).await.unwrap();
    for queue in 1..=3 {
        store.create_queue(new_queue(queue)).await.unwrap();
        for number in 1..=20 {
            let message = NewMessage { body: vec![1; 10_000], ..sent(queue * 100 + number) };
            store.append(&id(queue, 0), message, None).await.unwrap().accepted().kept.await.unwrap();
        }
    }
    let path = directory.path().join("copy.db");
    store.backup(&path).await.unwrap();
    // The original goes on.
    store.delete_queue(&id(1, 0)).await.unwrap();
    assert!(
        matches!(store.backup(&path).await, Err(StoreError::Unavailable(_))),
        "must not overwrite a copy"
    );
    assert!(path.exists());
    store.close().await.unwrap();
    let log = std::fs::metadata(directory.path().join("store.db-wal"));
    assert!(log.map_or(0, |log| log.len()) == 0, "closing empties the log");

    let copy_config = SqliteConfig { path, ..config };
    SqliteStore::check(copy_config.clone()).await.unwrap();
    let copy = SqliteStore::open(copy_config).await.unwrap();
    assert_eq!((copy.counts().queues, copy.counts().messages), (3, 60));
    assert_eq!(copy.messages(&id(1, 0)).await.unwrap().len(), 20);
    copy.close().await.unwrap();
}

#[tokio::test]
async fn closed_stores_refuse_everything() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(sqlite_config(&directory)).await.unwrap();
    store.create_queue(new_queue(1)).await.unwrap();
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert!(matches!(store.create_queue(new_queue(2)).await, Err(StoreError::Closed)));
    assert!(matches!(store.append(&id(1, 0), sent(1), None).await, Err(StoreError::Closed)));
    assert!(matches!(store.first_message(&id(1, 0)).await, Err(StoreError::Closed)));
    assert!(matches!(store.delete_queue(&id(1, 0)).await, Err(StoreError::Closed)));
    assert!(matches!(store.queue_page(None, 1).await, Err(StoreError::Closed)));
}

/// A process that was killed while it wrote.
async fn killed(directory: &tempfile::TempDir) -> std::path::PathBuf {
    let config = SqliteConfig { durability: crate::store::DiskDurability::Fsync, ..sqlite_config(directory) };
    let store = SqliteStore::open(config.clone()).await.unwrap();
    store.create_queue(new_queue(1)).await.unwrap();
    let left = directory.path().join("killed");
    std::fs::create_dir(&left).unwrap();
    for end in ["", "-wal", ".lock"] {
        let name = format!("store.db{end}");
        std::fs::copy(directory.path().join(&name), left.join(&name)).unwrap();
    }
    store.close().await.unwrap();
    left.join("store.db")
}

#[tokio::test]
async fn what_is_missing_is_not_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let config = sqlite_config(&directory);
    let required = SqliteConfig { presence: Presence::Required, ..config.clone() };
    let refused = async |config: &SqliteConfig| match SqliteStore::open(config.clone()).await {
        Err(OpenError::Missing { .. }) => {}
        other => panic!("{other:?}"),
    };
    refused(&required).await;
    assert!(
        std::fs::read_dir(directory.path()).unwrap().next().is_none(),
        "nothing is left where a disk is missing"
    );
    let store = SqliteStore::open(config.clone()).await.unwrap();
    let id = store.id().to_owned();
    store.create_queue(new_queue(1)).await.unwrap();
    store.close().await.unwrap();
    let whole = std::fs::read(&config.path).unwrap();

    // A trace of it is enough, whatever anybody knows of it.
    std::fs::remove_file(&config.path).unwrap();
    refused(&required).await;
    refused(&config).await;
    std::fs::write(&config.path, "").unwrap();
    refused(&required).await;
    refused(&config).await;
    assert_eq!(std::fs::metadata(&config.path).unwrap().len(), 0, "it was not touched");
    // Without the last byte that is not zero: zeros at the end are read as if they were there.
    let last = whole.iter().rposition(|byte| *byte != 0).unwrap();
    for length in [10, 100, 8192, whole.len() / 2, last] {
        std::fs::write(&config.path, &whole[..length]).unwrap();
        assert!(SqliteStore::open(required.clone()).await.is_err(), "{length} of {} bytes", whole.len());
    }

    std::fs::write(&config.path, whole).unwrap();
    let store = SqliteStore::open(required.clone()).await.unwrap();
    assert_eq!((store.id(), store.counts().queues), (id.as_str(), 1));
    store.close().await.unwrap();
    for remove in [true, false] {
        if remove {
            std::fs::remove_file(&config.path).unwrap();
        } else {
            std::fs::write(&config.path, "").unwrap();
        }
        let accepted = SqliteConfig { presence: Presence::AcceptLoss, ..config.clone() };
        let store = SqliteStore::open(accepted).await.unwrap();
        assert_eq!(store.counts().queues, 0);
        assert_ne!(store.id(), id);
        store.close().await.unwrap();
        SqliteStore::open(required.clone()).await.unwrap().close().await.unwrap();
    }
}

/// The last writes are in the log: without it a database is one of another time.
#[tokio::test]
async fn a_missing_log_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = killed(&directory).await;
    let config = SqliteConfig { path: path.clone(), ..sqlite_config(&directory) };
    let log = path.with_file_name("store.db-wal");
    let kept = std::fs::read(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    let error = SqliteStore::open(config.clone()).await.unwrap_err();
    assert!(matches!(error, OpenError::EndLost { .. }), "{error}");
    std::fs::write(&log, "").unwrap();
    let error = SqliteStore::open(config.clone()).await.unwrap_err();
    assert!(matches!(error, OpenError::EndLost { .. }), "{error}");
    std::fs::write(&log, kept).unwrap();
    let store = SqliteStore::open(config.clone()).await.unwrap();
    assert_eq!(store.counts().queues, 1);
    // However it ends: what closes the database last moves the log into it.
    store.abandon().await.unwrap();
    SqliteStore::open(config.clone()).await.unwrap().close().await.unwrap();

    let older = std::fs::read(&path).unwrap();
    SqliteStore::open(config.clone()).await.unwrap().close().await.unwrap();
    SqliteStore::open(config.clone()).await.unwrap().close().await.unwrap();
    std::fs::write(&path, older).unwrap();
    let error = SqliteStore::open(config.clone()).await.unwrap_err();
    assert!(matches!(error, OpenError::EndLost { .. }), "{error}");
    let accepted = SqliteConfig { presence: Presence::AcceptLoss, ..config.clone() };
    SqliteStore::open(accepted).await.unwrap().close().await.unwrap();
    SqliteStore::open(config).await.unwrap().close().await.unwrap();
}
