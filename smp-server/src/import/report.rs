//! `Report` and `ImportError`: the outcome of an import.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use smp_protocol::address::RelayAddress;
use smp_transport::identity::IdentityError;

use super::fields::Wrong;
use crate::{
    config::ConfigError,
    store::{OpenError, StoreCounts, StoreError},
};

/// Damaged places that a report names; further ones are only counted.
const NAMED: usize = 20;

/// The outcome of an import, or of a trial.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// The relay's address: the same as before.
    pub address: RelayAddress,
    /// Content of the new store.
    pub stored: StoreCounts,
    /// Records that were read.
    pub read: ReadCounts,
    /// Damaged records that were left out.
    pub damaged: Damaged,
    /// Notes for the operator, sentence by sentence: settings without a counterpart, a missing file.
    pub notes: Vec<String>,
    /// Whether the key of the offline certificate was there and was copied.
    pub has_authority_key: bool,
}

/// How much was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadCounts {
    /// Records of the store log.
    pub records: u64,
    /// Records about queues that were deleted, and of kinds that a relay does not keep.
    pub ignored_records: u64,
    /// Messages, quota markers included.
    pub messages: u64,
    /// Messages, or journals of messages, whose queue there is not.
    pub orphans: u64,
    /// Notifications that waited for a notification server.
    pub notifications: u64,
}

/// One damaged place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// Its fault, without its content.
    pub reason: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {}", self.file.display(), self.line, self.reason)
    }
}

/// Damaged places, and what to do about them.
#[derive(Debug, Default)]
pub struct Damaged {
    skip: bool,
    count: u64,
    first: Vec<Damage>,
}

impl Damaged {
    pub(super) fn new(skip: bool) -> Self {
        Self { skip, ..Self::default() }
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first of them.
    #[must_use]
    pub fn first(&self) -> &[Damage] {
        &self.first
    }

    /// Notes a damaged line, or ends the import.
    pub(super) fn note(
        &mut self,
        file: &Path,
        line: u64,
        reason: impl fmt::Display,
    ) -> Result<(), ImportError> {
        let damage = Damage { file: file.to_path_buf(), line, reason: reason.to_string() };
        if !self.skip {
            return Err(ImportError::Damaged(damage));
        }
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(damage);
        }
        Ok(())
    }

    /// As [`note`](Self::note), if there is something wrong.
    pub(super) fn check<T>(
        &mut self,
        file: &Path,
        line: u64,
        result: Result<T, Wrong>,
    ) -> Result<Option<T>, ImportError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(wrong) => self.note(file, line, wrong).map(|()| None),
        }
    }
}

/// Why nothing was imported. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// There is something where the new relay is to be.
    #[error("{0} is not empty, nothing was changed; choose another directory with --dir")]
    Exists(PathBuf),
    /// An earlier import was killed.
    #[error("{0} is left of an import that was cut off; remove it, then import again")]
    Unfinished(PathBuf),
    /// A file of the old relay cannot be read.
    #[error("cannot read {0}: {1}; check --from-config and --from-data, and who may read them")]
    Read(PathBuf, #[source] io::Error),
    /// A setting of the old relay cannot be used.
    #[error("{file}, line {line}: {message}", file = file.display())]
    Setting {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The fault, and advice.
        message: String,
    },
    /// A line cannot be understood.
    #[error("{0}; nothing was imported. To leave out what is damaged, import with --skip-damaged")]
    Damaged(Damage),
    /// There is nothing to import: the old relay's data are elsewhere, or were lost.
    #[error(
        "there are no queues in {0}, nothing was imported; check --from-data, and whether that directory is mounted. If the old \
         relay has none, import with --allow-empty"
    )]
    Empty(PathBuf),
    /// The queues of the old relay are in a PostgreSQL database.
    #[error(
        "{0} says `store_queues = database`; export the database with the old server's own command to a store log first, \
         see docs/migration.md"
    )]
    Database(PathBuf),
    /// The records of the old file relay are in a PostgreSQL database.
    #[error(
        "{0} says `store_files = database`; export the database with the old server's own command to a store log first, see \
         docs/migration.md"
    )]
    FileDatabase(PathBuf),
    /// The certificates or keys cannot be used.
    #[error("cannot use the identity of the old relay: {0}")]
    Identity(#[from] IdentityError),
    /// The settings make no relay.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The new store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The new store cannot be written.
    #[error("cannot write the new store: {0}; nothing was imported")]
    Store(#[from] StoreError),
    /// The records of files cannot be written.
    #[error("{0}; nothing was imported")]
    Records(String),
    /// The database for it cannot be used.
    #[cfg(feature = "postgres")]
    #[error("{0}; the old relay and the new directory are as they were")]
    Move(#[from] crate::migrate::MigrateError),
    /// A file or directory of the new relay cannot be written.
    #[error("cannot write {0}: {1}; nothing was imported")]
    Write(PathBuf, #[source] io::Error),
}
