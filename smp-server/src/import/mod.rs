//! Takes over a relay of the reference implementation (spec chapter `10-versions.md` says which versions it speaks): its
//! identity, so that the address stays, its settings, queues, services and messages.
//!
//! | file of the old relay | read by |
//! |---|---|
//! | `smp-server.ini` | `ini`, `settings` |
//! | `ca.crt`, `server.crt`, `server.key`, `fingerprint`, `ca.key` if it is there | [`smp_transport::identity::files`] |
//! | `smp-server-store.log` | `store_log`, `queues` |
//! | `smp-server-messages.log` (messages in memory) | `message_log` |
//! | `messages/` (messages in journals) | `journal`, `queue_state` |
//! | `smp-server-ntfs.log` | `notification_log` |
//!
//! A file relay has other files, which `file_relay` reads.
//!
//! Files are read as streams; memory does not depend on their size. Everything is written to a directory beside the new
//! one, which gets its name when all is done: an import that fails leaves nothing behind, and never touches the old relay.

mod fields;
mod file_relay;
mod files;
mod ini;
mod journal;
mod lines;
mod message;
mod message_log;
mod messages;
mod notification_log;
mod queue_state;
mod queues;
mod report;
mod settings;
mod store_log;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use smp_transport::{durable, identity};
use time::OffsetDateTime;

pub use self::file_relay::{FilesReport, is_of_files};
pub use self::report::{Damage, Damaged, ImportError, ReadCounts, Report};
use self::settings::{MessageStore, Settings};
use crate::{
    config::{CONFIG_FILE, Config, ConfigError, DatabaseUrl, StoreKind},
    relay::DATABASE,
    served,
    store::{DiskDurability, EngineLimits, Maintenance as _, SqliteConfig, SqliteStore, StoreCounts},
};

/// Name of the old configuration file.
const INI: &str = "smp-server.ini";
/// Names of the old logs.
const STORE_LOG: &str = "smp-server-store.log";
const MESSAGE_LOG: &str = "smp-server-messages.log";
const NOTIFICATION_LOG: &str = "smp-server-ntfs.log";
/// Name of the directory of journals.
const JOURNALS: &str = "messages";
/// Behind the name of a store log that was being shortened when the relay died: the copy that counts.
const BEFORE_START: &str = ".start";
/// Behind the name of the new directory while it is not complete.
const UNFINISHED: &str = ".importing";

/// Source and destination of an import.
#[derive(Clone, Debug)]
pub struct Options {
    /// The old relay's configuration directory, usually `/etc/opt/simplex`.
    pub from_config: PathBuf,
    /// The old relay's data directory, usually `/var/opt/simplex`.
    pub from_data: PathBuf,
    /// The new relay's directory: does not exist, or is empty.
    pub dir: PathBuf,
    /// The database of PostgreSQL for queues and messages, which has none yet; a file in the directory if there is none. Nothing is done there
    /// if it is a dry run.
    pub database: Option<DatabaseUrl>,
    /// Leave out what is damaged and count it.
    pub skip_damaged: bool,
    /// Import also a relay that has no queues.
    pub allow_empty: bool,
    /// Do everything, report, and remove it again.
    pub dry_run: bool,
}

/// Imports a relay that is not running. Needs a tokio runtime.
///
/// # Errors
///
/// [`ImportError`]; then there is nothing new, and the old relay is as it was.
pub async fn import(options: &Options, now: OffsetDateTime) -> Result<Report, ImportError> {
    in_new_directory(options, async |dir| import_into(dir, options, now).await).await
}

/// Imports a file relay that is not running. Needs a tokio runtime.
///
/// # Errors
///
/// [`ImportError`]; then there is nothing new, and the old relay is as it was.
pub async fn import_files(options: &Options, now: OffsetDateTime) -> Result<FilesReport, ImportError> {
    in_new_directory(options, async |dir| file_relay::import_into(dir, options, now).await).await
}

/// Does it all beside the new directory, which gets its name at the end.
async fn in_new_directory<T>(
    options: &Options,
    work: impl AsyncFnOnce(&Path) -> Result<T, ImportError>,
) -> Result<T, ImportError> {
    if !is_free(&options.dir).map_err(|error| ImportError::Write(options.dir.clone(), error))? {
        return Err(ImportError::Exists(options.dir.clone()));
    }
    let unfinished = unfinished(&options.dir);
    if unfinished.symlink_metadata().is_ok() {
        return Err(ImportError::Unfinished(unfinished));
    }
    let result = work(&unfinished).await;
    if result.is_err() || options.dry_run {
        // If it cannot be removed the next import says so.
        let _ = fs::remove_dir_all(&unfinished);
        return result;
    }
    durable::rename(&unfinished, &options.dir)
        .map_err(|error| ImportError::Write(options.dir.clone(), error))?;
    result
}

/// Whether a directory does not exist or has nothing in it.
fn is_free(dir: &Path) -> io::Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        Err(error) => Err(error),
    }
}

fn unfinished(dir: &Path) -> PathBuf {
    // The current directory has no name of its own.
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    let mut name = dir.into_os_string();
    name.push(UNFINISHED);
    PathBuf::from(name)
}

async fn import_into(dir: &Path, options: &Options, now: OffsetDateTime) -> Result<Report, ImportError> {
    let ini = options.from_config.join(INI);
    let text = fs::read_to_string(&ini).map_err(|error| ImportError::Read(ini.clone(), error))?;
    let database = options.database.as_ref();
    let Settings { messages, toml, mut notes } =
        settings::read(&ini, &text, database.map(DatabaseUrl::expose))?;
    durable::make_dir(dir).map_err(|error| ImportError::Write(dir.to_path_buf(), error))?;
    let path = dir.join(CONFIG_FILE);
    files::write_new(&path, &toml)?;
    let config = configuration(&toml, dir)?;
    let identity = identity::files::load(&options.from_config, now)?;
    let has_authority_key = files::copy_identity(&options.from_config, &config.identity.path)?;
    let port = config.server.listen.first().map_or(0, std::net::SocketAddr::port);
    let address = config.address(identity.fingerprint(), port)?;
    let mut damaged = Damaged::new(options.skip_damaged);
    let source = Source { data: &options.from_data, messages, notes: &mut notes };
    let (read, stored) = import_data(source, &config, &mut damaged).await?;
    if stored.queues == 0 && !options.allow_empty {
        return Err(ImportError::Empty(store_log(&options.from_data)));
    }
    if let Some(database) = database.filter(|_| !options.dry_run) {
        into_database(&config, database).await?;
    }
    Ok(Report { address, stored, read, damaged, notes, has_authority_key })
}

/// Moves what was imported into a database. Should that be cut off, the next import goes on where it was.
#[cfg(feature = "postgres")]
async fn into_database(config: &Config, database: &DatabaseUrl) -> Result<(), ImportError> {
    use crate::migrate::{Target, migrate};
    let mut imported = config.clone();
    imported.store.kind = StoreKind::Sqlite;
    migrate(&imported, &Target::Postgres(database.clone())).await?;
    for end in ["", "-wal", "-shm"] {
        let file = config.store.path.join(format!("{DATABASE}{end}"));
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ImportError::Write(file, error));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(not(feature = "postgres"))]
async fn into_database(config: &Config, _: &DatabaseUrl) -> Result<(), ImportError> {
    // It says that this program is built without.
    let settings = Config {
        store: crate::config::StoreConfig { kind: StoreKind::Postgres, ..config.store.clone() },
        ..config.clone()
    };
    Ok(settings.validate()?)
}

/// The settings of the new relay, apart from the environment.
fn configuration(toml: &str, dir: &Path) -> Result<Config, ImportError> {
    let config = toml::from_str::<Config>(toml).map_err(|error| ConfigError::Invalid(error.to_string()));
    let mut config = config?;
    config.resolve_paths(dir);
    config.validate()?;
    Ok(config)
}

/// Where queues and messages come from.
struct Source<'a> {
    data: &'a Path,
    messages: MessageStore,
    notes: &'a mut Vec<String>,
}

async fn import_data(
    source: Source<'_>,
    config: &Config,
    damaged: &mut Damaged,
) -> Result<(ReadCounts, StoreCounts), ImportError> {
    let dir = &config.store.path;
    durable::make_dir(dir).map_err(|error| ImportError::Write(dir.clone(), error))?;
    let database = SqliteConfig {
        // Nobody is told anything before the end; closing flushes.
        durability: DiskDurability::Os,
        limits: EngineLimits {
            quota: config.queues.quota as usize,
            // Nothing is looked at twice.
            queue_cache_bytes: 8 << 20,
            body_cache_bytes: 1 << 20,
            pending_bytes: 16 << 20,
            ack_wait: Duration::ZERO,
        },
        ..SqliteConfig::new(dir.join(DATABASE))
    };
    let store = SqliteStore::open(database).await?;
    let result = read_all(source, &store, dir, damaged).await;
    let note = config.identity.path.join(served::NOTE);
    served::write(&config.identity.path, store.id()).map_err(|error| ImportError::Write(note, error))?;
    let counts = store.counts();
    store.close().await?;
    Ok((result?, counts))
}

async fn read_all(
    source: Source<'_>,
    store: &SqliteStore,
    store_dir: &Path,
    damaged: &mut Damaged,
) -> Result<ReadCounts, ImportError> {
    let Source { data, messages, notes } = source;
    let mut counts = queues::import(&store_log(data), store, damaged).await?;
    let path = match messages {
        MessageStore::Memory => data.join(MESSAGE_LOG),
        MessageStore::Journal => data.join(JOURNALS),
    };
    let read = match (path.exists(), messages) {
        (true, MessageStore::Memory) => message_log::import(&path, store, damaged).await?,
        (true, MessageStore::Journal) => journal::import(&path, store, damaged).await?,
        (false, _) => {
            notes.push(format!(
                "there is no {}: if the old relay had messages, it is still running or was not stopped properly",
                path.display()
            ));
            ReadCounts::default()
        }
    };
    counts.messages = read.messages;
    counts.orphans = read.orphans;
    let log = data.join(NOTIFICATION_LOG);
    counts.notifications = notification_log::import(&log, store, store_dir, damaged).await?;
    Ok(counts)
}

fn store_log(data: &Path) -> PathBuf {
    let before_start = data.join(format!("{STORE_LOG}{BEFORE_START}"));
    if before_start.exists() { before_start } else { data.join(STORE_LOG) }
}
