//! Opening the database: one process only, private files, pragmas, migrations.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use smp_transport::durable::{self, Access, Lock, with_end};
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use super::config::{DiskDurability, Presence, SqliteConfig};
use super::disk::Disk;
use super::migrations;
use super::presence::{self, Found};
use super::reader::Reader;
use crate::store::OpenError;

/// A message of 16 KB fills two such pages almost exactly (one of them an overflow page); with pages of 4 KB it takes
/// four, with 16 KB every change of an index writes 16 KB.
const PAGE_BYTES: u32 = 8192;
/// The log is copied into the database when it has so many pages (32 MiB). Messages that were acknowledged by then cost
/// the copying nothing but their freed pages.
const CHECKPOINT_PAGES: u32 = 4096;
/// The log file is cut to this size when it is reused.
const LOG_BYTES: u32 = 64 << 20;
/// Memory for pages, in KiB, of the connection that writes and of each that reads.
const WRITER_CACHE_KIB: u32 = 16 << 10;
const READER_CACHE_KIB: u32 = 4 << 10;

/// The parts of an open database. The lock must be released after the rest.
pub(super) struct Opened {
    pub(super) writer: SqliteConnection,
    pub(super) reader: Reader,
    pub(super) lock: Lock,
    pub(super) disk: Arc<Disk>,
    /// The ID of the store, in hexadecimal digits.
    pub(super) id: String,
}

pub(super) async fn open(config: &SqliteConfig) -> Result<Opened, OpenError> {
    let path = &config.path;
    let creates = may_create(config)?;
    let had_lock = with_end(path, LOCK).exists();
    let mut lock = lock(path)?;
    // Under the lock, as another process may have been faster.
    if creates && !matches!(presence::find(path), Ok(Found::Something)) {
        let created = create(config).await;
        if created.is_err() && !had_lock {
            // Else it would be taken for what is left of a store.
            let _ = std::fs::remove_file(with_end(path, LOCK));
        }
        created?;
    }
    let failed = |error: sqlx::Error| OpenError::of_database(path, &error);
    let disk = Arc::new(Disk::new(config));
    disk.prepare();
    let mut writer = writer_options(config, &disk).connect().await.map_err(failed)?;
    let id = match prepare(&mut writer, config, &mut lock).await {
        Ok(id) => id,
        Err(error) => {
            // Here and now, not when somebody has put back what is missing.
            let _ = writer.close().await;
            return Err(error);
        }
    };
    let reader = SqlitePoolOptions::new()
        .max_connections(config.readers.max(1))
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(reader_options(config))
        .await
        .map_err(failed)?;
    Ok(Opened { writer, reader: Reader::new(reader, config.readers), lock, disk, id })
}

/// Checks that everything is there, and brings the schema up to date. Returns the ID of the store.
async fn prepare(
    writer: &mut SqliteConnection,
    config: &SqliteConfig,
    lock: &mut File,
) -> Result<String, OpenError> {
    let path = &config.path;
    let failed = |error: sqlx::Error| OpenError::of_database(path, &error);
    if !presence::has_tables(writer).await.map_err(failed)? && config.presence != Presence::AcceptLoss {
        return Err(missing(path, WITHOUT_TABLES));
    }
    migrate(writer, path).await?;
    let accept_loss = matches!(config.presence, Presence::Restored | Presence::AcceptLoss);
    let rng = &mut config.surroundings.randomness.rng();
    presence::begin_session(writer, path, lock, accept_loss, rng).await?;
    presence::store_id(writer).await.map_err(failed)
}

/// Behind the name of the database: the file that is locked while a process uses it.
const LOCK: &str = ".lock";

/// Behind the name of a database that is being made.
const UNFINISHED: &str = ".new";

/// Behind the name of a log whose database is gone.
const LOST: &str = ".lost";

/// How a database is that holds nothing.
pub(super) const WITHOUT_TABLES: &str = "has no queues in it, not even tables for them";

/// Whether the database is to be made. Touches nothing.
pub(super) fn may_create(config: &SqliteConfig) -> Result<bool, OpenError> {
    let path = &config.path;
    let found = presence::find(path).map_err(|error| OpenError::of_file(path, error))?;
    match (found, config.presence) {
        (Found::Something, _) => Ok(false),
        (Found::Nothing, Presence::MayBeNew) | (_, Presence::AcceptLoss) => Ok(true),
        (Found::Nothing | Found::Traces, _) => Err(missing(path, "is not there")),
        (Found::Empty, _) => Err(missing(path, "is empty (0 bytes)")),
    }
}

fn missing(path: &Path, what: &'static str) -> OpenError {
    OpenError::Missing { path: path.to_owned(), what }
}

/// Makes a database, which is complete when it gets its name.
async fn create(config: &SqliteConfig) -> Result<(), OpenError> {
    let path = &config.path;
    let unfinished = with_end(path, UNFINISHED);
    let io_failed = |error| OpenError::of_file(path, error);
    let failed = |error: sqlx::Error| OpenError::of_database(path, &error);
    for end in ["", "-wal", "-shm"] {
        durable::remove(&with_end(&unfinished, end)).map_err(io_failed)?;
    }
    // SQLite gives the files it adds the mode of the database.
    durable::create_new(&unfinished, Access::Owner).map_err(io_failed)?;
    let of_new = SqliteConfig { path: unfinished.clone(), ..config.clone() };
    let mut connection = writer_options(&of_new, &Disk::new(&of_new)).connect().await.map_err(failed)?;
    migrate(&mut connection, path).await?;
    connection.close().await.map_err(failed)?;
    sync_file(&unfinished).map_err(io_failed)?;
    // SQLite would apply the log of a database that is gone to this one.
    let log = with_end(path, "-wal");
    if log.exists() {
        std::fs::rename(&log, with_end(&log, LOST)).map_err(io_failed)?;
    }
    durable::remove(&with_end(path, "-shm")).map_err(io_failed)?;
    durable::rename(&unfinished, path).map_err(io_failed)
}

/// A file beside the database that is locked while a process uses it. SQLite's own locks come and go with each
/// transaction, and two relays with caches of one database would contradict each other.
fn lock(path: &Path) -> Result<Lock, OpenError> {
    let lock_path = with_end(path, LOCK);
    let failed = |error| OpenError::of_file(&lock_path, error);
    durable::lock(&lock_path).map_err(failed)?.ok_or_else(|| OpenError::InUse { path: path.to_owned() })
}

fn common_options(config: &SqliteConfig) -> SqliteConnectOptions {
    smp_sqlite::file(&config.path).foreign_keys(false).pragma("temp_store", "MEMORY")
}

fn writer_options(config: &SqliteConfig, disk: &Disk) -> SqliteConnectOptions {
    // With a write-ahead log, FULL flushes the log at each commit: what is answered survives a power cut. NORMAL flushes
    // at checkpoints only: a power cut may take the last transactions back, in order, and never damages the database.
    let synchronous = match config.durability {
        DiskDurability::Fsync => SqliteSynchronous::Full,
        DiskDurability::Os => SqliteSynchronous::Normal,
    };
    // FAST zeroes deleted content where that costs no extra write (keys, IDs, short bodies); ON does always.
    let secure_delete = if config.overwrite_deleted { "ON" } else { "FAST" };
    common_options(config)
        .page_size(PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        // macOS only: there fsync alone does not reach the disk.
        .pragma("fullfsync", "1")
        .pragma("wal_autocheckpoint", disk.log_pages(PAGE_BYTES, CHECKPOINT_PAGES).to_string())
        .pragma("journal_size_limit", LOG_BYTES.to_string())
        .pragma("cache_size", format!("-{WRITER_CACHE_KIB}"))
        .pragma("secure_delete", secure_delete)
}

/// A connection that can copy the database, which one that only reads cannot.
pub(super) async fn connect_for_backup(config: &SqliteConfig) -> Result<SqliteConnection, sqlx::Error> {
    common_options(config).connect().await
}

/// Size of the database and of its log.
pub(super) fn disk_bytes(path: &Path) -> u64 {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    size(path) + size(&with_end(path, "-wal"))
}

/// Makes a new file durable, and its name.
pub(super) fn sync_file(path: &Path) -> std::io::Result<()> {
    durable::sync(path)?;
    durable::sync_name(path)
}

fn reader_options(config: &SqliteConfig) -> SqliteConnectOptions {
    common_options(config).pragma("query_only", "1").pragma("cache_size", format!("-{READER_CACHE_KIB}"))
}

async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    connection.ping().await.map_err(|error| OpenError::of_database(path, &error))?;
    migrations::all().run(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => {
            schema(path, format!("it has schema version {version}, which this program does not know"))
        }
        MigrateError::VersionMismatch(version) => {
            schema(path, format!("its schema version {version} is another than ours"))
        }
        MigrateError::Dirty(version) => {
            schema(path, format!("the change to schema version {version} was cut off"))
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            OpenError::of_database(path, &error)
        }
        error => OpenError::Open { path: path.to_owned(), reason: error.to_string() },
    })
}

fn schema(path: &Path, reason: String) -> OpenError {
    OpenError::Schema { path: path.to_owned(), reason }
}
