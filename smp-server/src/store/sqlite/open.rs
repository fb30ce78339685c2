//! Opening the database: one process only, private files, pragmas, migrations.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use super::config::{DiskDurability, SqliteConfig};
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

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("src/store/sqlite/migrations");

/// What an open database consists of. The lock must be released after the rest.
pub(super) struct Opened {
    pub(super) writer: SqliteConnection,
    pub(super) reader: Reader,
    pub(super) lock: File,
}

pub(super) async fn open(config: &SqliteConfig) -> Result<Opened, OpenError> {
    let lock = lock(&config.path)?;
    create_private(&config.path).map_err(|error| failed(&config.path, error))?;
    let mut writer = writer_options(config).connect().await.map_err(|error| failed(&config.path, error))?;
    migrate(&mut writer, &config.path).await?;
    let reader = SqlitePoolOptions::new()
        .max_connections(config.readers.max(1))
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(reader_options(config))
        .await
        .map_err(|error| failed(&config.path, error))?;
    Ok(Opened { writer, reader: Reader::new(reader), lock })
}

fn failed(path: &Path, reason: impl ToString) -> OpenError {
    OpenError::Open { path: path.to_owned(), reason: reason.to_string() }
}

/// A file beside the database that is locked while a process uses it. SQLite's own locks come and go with each
/// transaction, and two relays with caches of one database would contradict each other.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock_path = PathBuf::from(name);
    let file = create_private(&lock_path).map_err(|error| failed(&lock_path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed(&lock_path, error)),
    }
}

/// Opens a file; creates it for nobody but its owner. SQLite gives the files it adds the mode of the database.
fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let existed = path.exists();
    let file = options.open(path)?;
    if !existed {
        sync_directory(path)?;
    }
    Ok(file)
}

/// Creates a new file for nobody but its owner.
pub(super) fn create_new_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Makes the entry of a new file durable.
fn sync_directory(path: &Path) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

fn common_options(config: &SqliteConfig) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&config.path)
        .foreign_keys(false)
        .pragma("temp_store", "MEMORY")
        // Statements carry IDs: never into a log.
        .disable_statement_logging()
}

fn writer_options(config: &SqliteConfig) -> SqliteConnectOptions {
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
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
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
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    size(path) + size(Path::new(&log))
}

/// Makes a new file durable, and its name.
pub(super) fn sync_file(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()?;
    sync_directory(path)
}

fn reader_options(config: &SqliteConfig) -> SqliteConnectOptions {
    common_options(config).pragma("query_only", "1").pragma("cache_size", format!("-{READER_CACHE_KIB}"))
}

async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    connection.ping().await.map_err(|error| failed(path, error))?;
    MIGRATIONS.run(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => {
            schema(path, format!("it has schema version {version}, which this program does not know"))
        }
        MigrateError::VersionMismatch(version) => {
            schema(path, format!("its schema version {version} is another than ours"))
        }
        MigrateError::Dirty(version) => {
            schema(path, format!("the change to schema version {version} was cut off"))
        }
        error => failed(path, error),
    })
}

fn schema(path: &Path, reason: String) -> OpenError {
    OpenError::Schema { path: path.to_owned(), reason }
}
