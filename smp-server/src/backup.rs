//! Copies of a relay: its configuration file, its identity and its database, in a directory of their own.
//!
//! ```text
//! <copy>/smp-server.toml            as it is
//! <copy>/identity/...               as it is, with the key of the authority if that is still there
//! <copy>/data/smp-server.sqlite     as it was at one moment, also of a relay that is running
//! ```
//!
//! Only the owner can read the copy (0700, 0600), which has the relay's key.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use smp_transport::{
    durable::{self, Access, with_end},
    identity::{IdentityError, files},
};
use time::OffsetDateTime;

use crate::{
    advice,
    config::{CONFIG_FILE, Config, ConfigError, load_into},
    relay::{DATABASE, sqlite_config},
    served,
    store::{OpenError, Presence, SqliteConfig, SqliteStore, StoreCounts, StoreError},
};

/// Directories in a copy.
const IDENTITY: &str = "identity";
const DATA: &str = "data";

/// Added to the name of a copy until it is complete.
const UNFINISHED: &str = ".unfinished";

/// Files that SQLite keeps beside a database; those of another one would damage it.
const BESIDE_DATABASE: [&str; 3] = ["", "-wal", "-shm"];

/// The file beside a database that says who uses it.
const LOCK: &str = ".lock";

/// Files of an identity.
const IDENTITY_FILES: [&str; 6] = [
    files::CA_CERTIFICATE,
    files::CA_KEY,
    files::SERVER_CERTIFICATE,
    files::SERVER_KEY,
    files::FINGERPRINT,
    served::NOTE,
];

/// Why a copy was not made, or not restored. Each says what to do; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It would overwrite something.
    #[error("{0} exists already, nothing was changed; choose another directory, or move it away")]
    Exists(PathBuf),
    /// There is nothing to restore.
    #[error("{0} is not a copy that `smp-server backup` has made: it has no smp-server.toml")]
    NoCopy(PathBuf),
    /// A file cannot be read.
    #[error("cannot read {0}: {1}; nothing was changed; {advice}", advice = advice::of_file(.0, .1))]
    Read(PathBuf, #[source] io::Error),
    /// A file or directory cannot be written.
    #[error("cannot write {0}: {1}; nothing was changed; {advice}", advice = advice::of_file(.0, .1))]
    Write(PathBuf, #[source] io::Error),
    /// The relay that is to be copied has lost its store: a copy would only look like one.
    #[error("there would be no queues in the copy, nothing was copied: {0}")]
    Missing(#[source] OpenError),
    /// The copy has no database, although the relay that was copied had served from one.
    #[error("{0} is not whole, nothing was restored: the relay had queues, and there is no {1} in it")]
    WithoutStore(PathBuf, PathBuf),
    /// The database cannot be copied.
    #[error("cannot copy the store: {0}")]
    Store(#[from] StoreError),
    /// The copy has a configuration file that cannot be used.
    #[error("the copy cannot be used: {0}")]
    Config(#[from] ConfigError),
    /// The copy has certificates or keys that cannot be used.
    #[error("the copy cannot be used: {0}; {advice}", advice = advice::of_identity(.0))]
    Identity(#[from] IdentityError),
    /// The copy has a database that is damaged, or of a newer version.
    #[error("the copy cannot be used, nothing was restored: {0}")]
    Damaged(#[from] OpenError),
}

/// Content of a copy, or the part of it that was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// How many queues and messages; `None` if the relay keeps them in memory or was never started.
    pub database: Option<StoreCounts>,
    /// The key of the certificate authority.
    pub authority_key: bool,
}

/// Copies a relay, running or not, to a directory that does not exist yet or is empty.
///
/// # Errors
///
/// [`BackupError`]; then there is no copy.
pub async fn create(
    config: &Config,
    config_file: &Path,
    to: &Path,
    now: OffsetDateTime,
) -> Result<Copied, BackupError> {
    if fs::read_dir(to).map_or_else(|_| to.exists(), |mut entries| entries.next().is_some()) {
        return Err(BackupError::Exists(to.to_path_buf()));
    }
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(UNFINISHED);
    let unfinished = to.with_file_name(name);
    if unfinished.exists() {
        return Err(BackupError::Exists(unfinished));
    }
    let copied = match copy_all(config, config_file, &unfinished, now).await {
        Ok(copied) => {
            durable::rename(&unfinished, to).map(|()| copied).map_err(|e| BackupError::Write(to.into(), e))
        }
        Err(error) => Err(error),
    };
    if copied.is_err() {
        // A part of a copy is no copy.
        let _ = fs::remove_dir_all(&unfinished);
    }
    copied
}

async fn copy_all(
    config: &Config,
    config_file: &Path,
    to: &Path,
    now: OffsetDateTime,
) -> Result<Copied, BackupError> {
    let (identity, data) = (to.join(IDENTITY), to.join(DATA));
    for dir in [to, &identity, &data] {
        make_dir(dir)?;
    }
    let mut database = None;
    if let Some(sqlite) = store_of(config)? {
        let copy = data.join(DATABASE);
        SqliteStore::copy_database(&sqlite, &copy).await?;
        sync(&copy)?;
        database = Some(SqliteStore::count(&copy).await.map_err(BackupError::Missing)?);
    }
    copy(config_file, &to.join(CONFIG_FILE))?;
    // The copy has the files by their names only.
    files::finish_rotation(&config.identity.path)?;
    for name in present(&config.identity.path) {
        copy(&config.identity.path.join(name), &identity.join(name))?;
    }
    // Nobody needs a copy that does not start.
    files::load(&identity, now)?;
    for dir in [&identity, &data, to] {
        sync(dir)?;
    }
    Ok(Copied { database, authority_key: files::has_authority_key(&identity) })
}

/// The store of a relay that is to be copied; `None` if it keeps everything in memory, or has never had one.
fn store_of(config: &Config) -> Result<Option<SqliteConfig>, BackupError> {
    let Some(sqlite) = sqlite_config(config) else { return Ok(None) };
    let identity = &config.identity.path;
    let noted = served::read(identity).map_err(|e| BackupError::Read(identity.join(served::NOTE), e))?;
    let presence = if noted.is_some() { Presence::Required } else { Presence::MayBeNew };
    let sqlite = SqliteConfig { presence, ..sqlite };
    let is_there = SqliteStore::is_there(&sqlite).map_err(BackupError::Missing)?;
    Ok(is_there.then_some(sqlite))
}

/// Puts a copy where a relay in the directory `dir` has its files, and checks all of it.
///
/// # Errors
///
/// [`BackupError`]; then nothing is restored. Files that exist are never overwritten.
pub async fn restore(from: &Path, dir: &Path, now: OffsetDateTime) -> Result<Copied, BackupError> {
    if !from.join(CONFIG_FILE).exists() {
        return Err(BackupError::NoCopy(from.to_path_buf()));
    }
    let config = load_into(&from.join(CONFIG_FILE), dir)?;
    files::load(&from.join(IDENTITY), now)?;
    let config_file = dir.join(CONFIG_FILE);
    let noted = from.join(IDENTITY).join(served::NOTE);
    let source = from.join(DATA).join(DATABASE);
    let database = sqlite_config(&config).filter(|_| source.exists());
    if sqlite_config(&config).is_some() && noted.exists() && !source.exists() {
        return Err(BackupError::WithoutStore(from.to_path_buf(), source));
    }
    let mut taken = vec![config_file.clone()];
    taken.extend(IDENTITY_FILES.map(|name| config.identity.path.join(name)));
    if let Some(sqlite) = &database {
        taken.extend(BESIDE_DATABASE.map(|end| with_end(&sqlite.path, end)));
    }
    if let Some(path) = taken.iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(BackupError::Exists(path.clone()));
    }
    // Another process that uses the database has it; the check of the database makes it.
    let lock = database.as_ref().map(|sqlite| with_end(&sqlite.path, LOCK));
    taken.extend(lock.filter(|lock| lock.symlink_metadata().is_err()));
    let restored = restore_all(from, dir, &config).await;
    if restored.is_err() {
        for path in &taken {
            // It was not there before.
            let _ = fs::remove_file(path);
        }
    }
    restored
}

async fn restore_all(from: &Path, dir: &Path, config: &Config) -> Result<Copied, BackupError> {
    make_dir(dir)?;
    let source = from.join(DATA).join(DATABASE);
    let mut database = None;
    if let Some(sqlite) = sqlite_config(config).filter(|_| source.exists()) {
        make_dir(&config.store.path)?;
        copy(&source, &sqlite.path)?;
        database = Some(SqliteStore::check(sqlite).await?);
    }
    let (identity, target) = (from.join(IDENTITY), &config.identity.path);
    make_dir(target)?;
    for name in present(&identity) {
        copy(&identity.join(name), &target.join(name))?;
    }
    if let Some((id, _)) = &database {
        // A copy of an earlier version has no note.
        served::write(target, id).map_err(|error| BackupError::Write(target.join(served::NOTE), error))?;
    }
    for written in database.iter().map(|_| &config.store.path).chain([target]) {
        sync(written)?;
    }
    // Last, so that there is no relay until everything is in place.
    copy(&from.join(CONFIG_FILE), &dir.join(CONFIG_FILE))?;
    sync(dir)?;
    let database = database.map(|(_, counts)| counts);
    Ok(Copied { database, authority_key: files::has_authority_key(target) })
}

fn present(identity: &Path) -> impl Iterator<Item = &'static str> {
    IDENTITY_FILES.into_iter().filter(|name| identity.join(name).exists())
}

fn make_dir(path: &Path) -> Result<(), BackupError> {
    durable::make_dir(path).map_err(|error| BackupError::Write(path.to_path_buf(), error))
}

/// Makes the content of a file, or the names in a directory, durable.
fn sync(path: &Path) -> Result<(), BackupError> {
    durable::sync(path).map_err(|error| BackupError::Write(path.to_path_buf(), error))
}

/// Copies a file, durably, to a new one that only its owner can read.
fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let mut source = fs::File::open(from).map_err(|error| BackupError::Read(from.to_path_buf(), error))?;
    let written = durable::create_new(to, Access::Owner).and_then(|mut target| {
        io::copy(&mut source, &mut target)?;
        target.sync_all()
    });
    written.map_err(|error| BackupError::Write(to.to_path_buf(), error))
}
