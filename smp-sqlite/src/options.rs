//! `Options`: how a file is opened.

use crate::DatabaseKey;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};
use std::fmt::{Display, Write as _};
use std::path::Path;

/// A file that is not encrypted, which must exist. Its statements, in which there may be IDs and keys, are never logged.
#[must_use]
pub fn file(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).disable_statement_logging()
}

/// How a file is opened: its key, and what SQLite is told then.
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    file: SqliteConnectOptions,
    key: Option<DatabaseKey>,
    settings: String,
}

impl Options {
    /// A file, which must exist, encrypted if there is a key.
    pub fn new(path: &Path, key: Option<DatabaseKey>) -> Self {
        let options = Self { file: file(path), key, settings: String::new() };
        // Temporary files would not be encrypted.
        if options.key.is_some() { options.pragma("temp_store", "MEMORY") } else { options }
    }

    /// The number of statements that are kept prepared.
    pub fn prepared(mut self, statements: usize) -> Self {
        self.file = self.file.statement_cache_capacity(statements);
        self
    }

    /// A setting of SQLite for each connection, in the order in which they are given. Those that matter before anything is in a file come first:
    /// `page_size`, `auto_vacuum`, `journal_mode`.
    pub fn pragma(mut self, name: &'static str, value: impl Display) -> Self {
        // Writing to a string cannot fail.
        let _ = write!(self.settings, "PRAGMA {name} = {value}; ");
        self
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> Option<&DatabaseKey> {
        self.key.as_ref()
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// Of SQLite: code 26, "file is not a database", if the key is another one, or the file is damaged.
    pub async fn connect(&self) -> sqlx::Result<SqliteConnection> {
        let mut db = self.file.connect().await?;
        self.set_up(&mut db).await?;
        Ok(db)
    }

    /// Opens a pool of connections.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn pool(&self, pool: SqlitePoolOptions) -> sqlx::Result<SqlitePool> {
        // A pool would try again and again, for as long as it waits for a connection.
        self.connect().await?.close().await?;
        let options = self.clone();
        let pool = pool.after_connect(move |db, _| {
            let options = options.clone();
            Box::pin(async move { options.set_up(db).await })
        });
        pool.connect_with(self.file.clone()).await
    }

    /// The key comes first: nothing of the file can be read before.
    async fn set_up(&self, db: &mut SqliteConnection) -> sqlx::Result<()> {
        if let Some(key) = &self.key {
            let sql = format!("PRAGMA cipher = 'chacha20'; PRAGMA key = '{}'", *key.to_text());
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *db).await?;
        }
        // The last one, so that a wrong key is known here.
        let sql = format!("{}SELECT count(*) FROM sqlite_schema", self.settings);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(db).await?;
        Ok(())
    }
}
