//! `SqliteRecords`: records in a file of their own, beside the chunks.
//!
//! Invariant: one process has the file, and one task of it writes. A change is in the file, flushed if that was asked for, before it is
//! answered; changes that arrive while others are written share a transaction.

mod fault;
mod statements;
mod writer;

use std::path::Path;
use std::sync::Mutex;

use smp_protocol::id::ChunkSenderId;
use smp_sqlite::Options;
use smp_transport::durable::{self, Access, Lock, with_end};
use smp_transport::surroundings::Spawner;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{SqlSafeStr as _, SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::api::{Change, ChunkId, Found, Outcome, Records, RecordsError, RecordsFuture, Totals};
use crate::store::OpenError;
use crate::sync::lock;
use fault::unavailable;
use writer::{Writer, Written};

/// Behind the name of the database: the file that is locked while a process uses it.
const LOCK: &str = ".lock";

/// Connections that read.
const READERS: u32 = 4;

/// Statements that a connection keeps prepared: more than there are.
const PREPARED: usize = 32;

/// Changes that wait for the writer; who makes further ones waits.
const WAITING: usize = 1024;

/// Records in a file.
pub(crate) struct SqliteRecords {
    readers: SqlitePool,
    changes: Mutex<Option<mpsc::Sender<Written>>>,
    writing: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteRecords {
    /// Opens the file, and makes it if there is none. With `fsync` a change that was answered survives a power cut.
    pub(crate) async fn open(path: &Path, fsync: bool, spawner: &Spawner) -> Result<Self, OpenError> {
        let process_lock = take(path)?;
        let failed = |error: sqlx::Error| OpenError::of_database(path, &error);
        let options = options(path, fsync);
        let mut connection = options.connect().await.map_err(failed)?;
        migrate(&mut connection, path).await?;
        let readers = options.pragma("query_only", 1).pool(readers()).await.map_err(failed)?;
        let (sender, changes) = mpsc::channel(WAITING);
        let writer = Writer::new(connection, changes);
        let writing = spawner.spawn(async move {
            writer.run().await;
            drop(process_lock);
        });
        Ok(Self { readers, changes: Mutex::new(Some(sender)), writing: Mutex::new(Some(writing)) })
    }
}

impl Records for SqliteRecords {
    fn change(&self, change: Change) -> RecordsFuture<'_, Outcome> {
        let sender = lock(&self.changes).clone();
        Box::pin(async move {
            let sender = sender.ok_or(RecordsError::Closed)?;
            let (answer, answered) = oneshot::channel();
            sender.send(Written { change, answer }).await.map_err(|_| RecordsError::Closed)?;
            drop(sender);
            answered.await.map_err(|_| RecordsError::Closed)?
        })
    }

    fn find<'a>(&'a self, id: ChunkId<'a>) -> RecordsFuture<'a, Option<Found>> {
        Box::pin(
            async move { statements::find(&self.readers, id).await.map_err(|error| unavailable(&error)) },
        )
    }

    fn removed(&self, before: u64, at_most: usize) -> RecordsFuture<'_, Vec<ChunkSenderId>> {
        Box::pin(async move {
            let removed = statements::removed(&self.readers, before, at_most).await;
            removed.map_err(|error| unavailable(&error))
        })
    }

    fn totals(&self) -> RecordsFuture<'_, Totals> {
        Box::pin(async move { statements::totals(&self.readers).await.map_err(|error| unavailable(&error)) })
    }

    fn close(&self) -> RecordsFuture<'_, ()> {
        lock(&self.changes).take();
        let writing = lock(&self.writing).take();
        Box::pin(async move {
            self.readers.close().await;
            if let Some(writing) = writing {
                let _ = writing.await;
            }
            Ok(())
        })
    }
}

/// Makes the file if there is none, and keeps other processes away from it.
fn take(path: &Path) -> Result<Lock, OpenError> {
    let lock_path = with_end(path, LOCK);
    let locked = durable::lock(&lock_path).map_err(|error| OpenError::of_file(&lock_path, error))?;
    let locked = locked.ok_or_else(|| OpenError::InUse { path: path.to_owned() })?;
    if !path.exists() {
        let created = durable::create_new(path, Access::Owner).and_then(|_| durable::sync_name(path));
        created.map_err(|error| OpenError::of_file(path, error))?;
    }
    Ok(locked)
}

fn options(path: &Path, fsync: bool) -> Options {
    Options::new(path, None)
        .prepared(PREPARED)
        .pragma("journal_mode", "WAL")
        .pragma("synchronous", if fsync { "FULL" } else { "NORMAL" })
        // macOS only: there fsync alone does not reach the disk.
        .pragma("fullfsync", 1)
        .pragma("temp_store", "MEMORY")
        .pragma("secure_delete", "FAST")
}

fn readers() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
}

async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    // Never changed: its hash is in the databases that have it.
    let sql = include_str!("0001_chunks.sql");
    let chunks = Migration::new(1, "chunks".into(), MigrationType::Simple, sql.into_sql_str(), false);
    let migrated = Migrator::with_migrations(vec![chunks]).run(connection).await;
    migrated.map_err(|error| OpenError::Schema { path: path.to_owned(), reason: error.to_string() })
}
