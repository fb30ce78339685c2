//! The durable state: one SQLite database, changed in steps.
//!
//! A [`Step`] is a transaction. It holds whatever belongs together: the new state of a connection, what is to be sent,
//! what the application is to learn. The network is touched only after its commit, and everything that goes to the network is
//! in the database before. So the agent may die at any instruction, and goes on where the last commit left it.
//!
//! There is one connection to the database and so one step at a time: steps never conflict.

mod columns;
mod connections;
mod deleted;
mod events;
mod outgoing;
mod queues;
mod skipped;
#[cfg(test)]
mod tests;

pub(crate) use connections::Subscription;
pub(crate) use deleted::DeletedQueue;
pub(crate) use events::StoredEvent;
pub(crate) use outgoing::StoredOutgoing;

use crate::error::StorageError;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Connection as _, Sqlite, SqliteConnection, Transaction};
use std::path::Path;
use std::time::Duration;

/// A step waits for its turn behind all others; it must not give up on a slow disk.
const TURN_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// The version of the tables, in SQLite's `user_version`.
const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = include_str!("schema.sql");

/// The database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: SqlitePool,
}

/// A transaction. Dropped without [`commit`](Step::commit) it changes nothing.
pub(crate) struct Step(Transaction<'static, Sqlite>);

impl Store {
    /// Opens the database file, which must exist, and brings its tables up to date.
    pub(crate) async fn open(path: &Path) -> Result<Self, StorageError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            // With FULL a commit survives a power cut, not only a kill.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // Keys and messages that were deleted are overwritten.
            .pragma("secure_delete", "ON");
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(TURN_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .after_release(|connection, _| Box::pin(is_between_steps(connection)))
            .connect_with(options)
            .await?;
        make_tables(&pool).await?;
        Ok(Self { pool })
    }

    /// Begins a step, after those before it have ended.
    pub(crate) async fn step(&self) -> Result<Step, StorageError> {
        Ok(Step(self.pool.begin_with("BEGIN IMMEDIATE").await?))
    }

    /// Waits for the running step, then closes the file.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    #[cfg(test)]
    pub(crate) async fn limit_pages(&self, pages: i64) {
        let options = (*self.pool.connect_options()).clone();
        self.pool.set_connect_options(options.pragma("max_page_count", pages.to_string()));
        self.execute(&format!("PRAGMA max_page_count = {pages}")).await;
    }

    #[cfg(test)]
    pub(crate) async fn execute(&self, sql: &str) {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&self.pool).await.unwrap();
    }
}

/// Makes the tables in an empty file; refuses those of another version.
async fn make_tables(pool: &SqlitePool) -> Result<(), StorageError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await?;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *transaction).await?;
    match (version, tables) {
        (SCHEMA_VERSION, _) => return Ok(()),
        (0, 0) => {}
        _ => return Err(StorageError::OtherVersion),
    }
    sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
    sqlx::query("PRAGMA user_version = 1").execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

/// Whether the next step would be a transaction. After a full disk SQLite undoes a transaction by itself, which sqlx does not
/// notice: it would take the next steps for parts of that one, and commit none of them. Such a connection is replaced.
async fn is_between_steps(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // The end of a dropped step is only on its way: wait for it.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

impl Step {
    /// Makes the step durable. After this, and only after this, its effects may leave the machine.
    pub(crate) async fn commit(self) -> Result<(), StorageError> {
        Ok(self.0.commit().await?)
    }

    fn db(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }
}
