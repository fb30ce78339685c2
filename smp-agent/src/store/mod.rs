//! The durable state: one SQLite database.
//!
//! One connection writes, in transactions of many steps (`write.rs`, driven by `steps::writer`); a few others read (`read.rs`).
//! Each step of a connection is stored as [`Changes`]: the new state, what is to be sent, what the application is to learn, together. The
//! network is touched only after they are committed, and everything that goes to the network is in the database before. So the agent may die at
//! any instruction, and goes on where the last commit left it.

mod changes;
mod columns;
mod deferred;
mod fault;
mod joins;
mod many;
mod read;
mod schema;
mod send_keys;
mod shared_bodies;
mod troubles;
mod users;
mod write;

pub(crate) use changes::{Changes, Lasting, QueueRow, RequestRow, SendKey, Upkeep};
pub(crate) use fault::Fault;
pub(crate) use many::AtAGlance;
pub(crate) use read::{DeletedQueue, Loaded, StoredEvent, StoredOutgoing, Subscription};
pub(crate) use send_keys::{Keyed, settled};
pub(crate) use shared_bodies::Sharing;
pub(crate) use troubles::TroubleChange;
pub(crate) use users::{StoredUser, UserChange};
pub(crate) use write::Writing;

use crate::error::StorageError;
use smp_sqlite::{DatabaseKey, Options};
use sqlx::SqliteConnection;
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use std::path::Path;

/// Connections that read.
const READERS: u32 = 2;
/// Statements that are kept prepared: several sizes of each.
const PREPARED: usize = 256;

/// The database, for reading what is committed.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    readers: SqlitePool,
    options: Options,
}

impl Store {
    /// Opens the database file, which must exist and is encrypted if there is a key, and makes the tables if it is empty. Returns the connection
    /// that writes, too. The log is moved into the database when it has `log_pages` pages.
    pub(crate) async fn open(
        path: &Path,
        key: Option<&DatabaseKey>,
        log_pages: u64,
    ) -> Result<(Self, SqliteConnection), StorageError> {
        Ok(Self::try_open(path, key.cloned(), log_pages).await?)
    }

    async fn try_open(
        path: &Path,
        key: Option<DatabaseKey>,
        log_pages: u64,
    ) -> Result<(Self, SqliteConnection), Fault> {
        let options = Options::new(path, key)
            .prepared(PREPARED)
            .pragma("auto_vacuum", "INCREMENTAL")
            .pragma("journal_mode", "WAL")
            // With FULL a commit survives a power cut, not only a kill.
            .pragma("synchronous", "FULL")
            // Keys and messages that were deleted are overwritten.
            .pragma("secure_delete", "ON")
            .pragma("wal_autocheckpoint", log_pages);
        let mut writer = options.connect().await?;
        schema::make_tables(&mut writer).await?;
        for tables in
            [troubles::TABLE, deferred::TABLE, joins::TABLE, send_keys::TABLE, shared_bodies::TABLES]
        {
            sqlx::raw_sql(tables).execute(&mut writer).await?;
        }
        write::remove_unfinished(&mut writer).await?;
        let pool = SqlitePoolOptions::new()
            .max_connections(READERS)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false);
        let readers = options.clone().pragma("query_only", "ON").pool(pool).await?;
        Ok((Self { readers, options }, writer))
    }

    /// The key of the database, if it is encrypted.
    pub(crate) fn key(&self) -> Option<&DatabaseKey> {
        self.options.key()
    }

    /// Closes the connections that read.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
    }

    /// The first thing that is wrong with the database. None if it is whole.
    pub(crate) async fn damage(&self) -> Result<Option<String>, Fault> {
        let said: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&self.readers).await?;
        Ok((said != "ok").then_some(said))
    }

    /// Copies all that is committed into an empty file, as encrypted as the database is. Nothing that was deleted is in it.
    pub(crate) async fn copy_to(&self, path: &Path) -> Result<(), Fault> {
        Ok(smp_sqlite::copy(&self.options, path, self.options.key()).await?)
    }

    #[cfg(test)]
    pub(crate) async fn execute(&self, sql: &str) {
        use sqlx::Connection as _;
        let mut connection = self.options.connect().await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}
