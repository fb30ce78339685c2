//! `StoreError`: failures of a store, and the `ERR` that a client gets for each.

use std::sync::Arc;

use smp_protocol::error::ErrorType;

use super::process::ProcessId;

/// An error of a store operation. No variant carries an identifier or a key, so each may be logged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// There is no such queue (any more), or no such service: answer `ERR AUTH`.
    #[error("no such queue")]
    NotFound,
    /// An ID of the new queue, notifier or link is taken: try again with other random IDs, or answer `ERR AUTH` if the
    /// client chose the ID.
    #[error("an ID is already taken")]
    Duplicate,
    /// The rules of the queue forbid this change (another sender key, another link ID, ...): answer `ERR AUTH`.
    #[error("the queue does not allow this change")]
    Refused,
    /// The certificate belongs to a service of another role: answer `ERR SERVICE`.
    #[error("the service has another role")]
    ServiceRole,
    /// Writing or reading failed; nothing was changed, neither on disk nor in memory. The same operation may succeed
    /// later (when there is space again, for instance): answer `ERR STORE`.
    #[error("the store is unavailable: {0}")]
    Unavailable(StorageFault),
    /// Another process of the relay has the queue: ask that one, or answer `ERR STORE`. Nothing was changed.
    #[error("process {0} of this relay has the queue")]
    Elsewhere(ProcessId),
    /// The store was closed: answer nothing, the relay is stopping.
    #[error("the store is closed")]
    Closed,
}

/// The text of `ERR STORE` for a queue of another process. It reaches a client only if the queue goes from hand to hand.
pub(crate) const MOVED: &str = "the queue is being moved";

/// The answer to a client. The text says nothing about queues.
impl From<StoreError> for ErrorType {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound | StoreError::Duplicate | StoreError::Refused => Self::Auth,
            StoreError::ServiceRole => Self::Service,
            StoreError::Unavailable(_) => Self::Store("unavailable".to_owned()),
            StoreError::Elsewhere(_) => Self::Store(MOVED.to_owned()),
            StoreError::Closed => Self::Internal,
        }
    }
}

/// Why reading or writing failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageFault {
    /// No space left for the database: free some; nothing has to be restarted.
    #[error("disk full")]
    Full,
    /// Input or output failed: check the disk and the permissions of the directory.
    #[error("input/output error: {0}")]
    Io(Arc<str>),
    /// The database holds something that this program does not write: restore it from a backup.
    #[error("damaged database: {0}")]
    Damaged(Arc<str>),
    /// Anything else that the database engine reports.
    #[error("{0}")]
    Other(Arc<str>),
}

/// Why a store could not be opened. Each message says what to do, it is meant for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the database.
    #[error("another smp-server is using {path}; stop it first, or choose another store path")]
    InUse {
        /// Path of the database file.
        path: std::path::PathBuf,
    },
    /// The relay has served from this database before, and it is not there, or has nothing in it. Without this error its
    /// clients would be told that their queues are gone, and would throw away what waits for them.
    #[error(
        "the store {path} {what}, although this relay has served from it; nothing was changed. Mount its directory, or restore it \
         from a backup (see `smp-server restore --help`). Only if it is lost for good: `smp-server start --new-store` begins with \
         an empty one, and everybody who has a queue here has to connect anew"
    )]
    Missing {
        /// Path of the database file.
        path: std::path::PathBuf,
        /// How it is.
        what: &'static str,
    },
    /// The last part of the database is not there.
    #[error(
        "the end of the store {path} is missing: it is an older copy, or its log ({path}-wal) was removed; nothing was changed. Put \
         the log back, or restore a backup (see `smp-server restore --help`). Only if it is lost for good: `smp-server start \
         --accept-loss` goes on with what is there"
    )]
    EndLost {
        /// Path of the database file.
        path: std::path::PathBuf,
    },
    /// The database is that of another relay.
    #[error(
        "the store {path} is another one than this relay has served from; nothing was changed. Check store.path and what is mounted \
         there. If it was moved here on purpose: `smp-server start --accept-loss` takes it over"
    )]
    OtherStore {
        /// Path of the database file.
        path: std::path::PathBuf,
    },
    /// There is no space left.
    #[error("cannot open the store {path}: the disk is full; free some space")]
    Full {
        /// Path of the database file.
        path: std::path::PathBuf,
    },
    /// The database is damaged.
    #[error(
        "the store {path} is damaged: {reason}; check the disk, and restore a backup (see `smp-server restore --help`)"
    )]
    Damaged {
        /// Path of the database file.
        path: std::path::PathBuf,
        /// The words of the database engine.
        reason: String,
    },
    /// The file cannot be opened or created.
    #[error("cannot open the store {path}: {reason}")]
    Open {
        /// Path of the file.
        path: std::path::PathBuf,
        /// The words of the operating system or the database engine.
        reason: String,
    },
    /// The address of a database cannot be read.
    #[error(
        "store.url is no address of a PostgreSQL database: {reason}; it looks like postgres://USER@HOST:5432/DATABASE"
    )]
    DatabaseUrl {
        /// The mistake in it.
        reason: String,
    },
    /// A database of a server cannot be used.
    #[error("cannot use the store {place}: {reason}")]
    Database {
        /// Host and name of the database.
        place: String,
        /// The words of the server, and what to do.
        reason: String,
    },
    /// Another process has the store, and goes on renewing its lease.
    #[error(
        "another smp-server serves from the store {place}; this one can take over as soon as that one has ended. Stop it, or start this one \
         again later, as a service manager does"
    )]
    Held {
        /// Host and name of the database.
        place: String,
    },
    /// The relay has served from this database before, and its tables are not there.
    #[error(
        "the store {place} has no queues in it, not even tables for them, although this relay has served from it; nothing was changed. Check \
         store.url, and restore the database from a backup. Only if it is lost for good: `smp-server start --new-store` begins with an empty \
         one, and everybody who has a queue here has to connect anew"
    )]
    NoTables {
        /// Host and name of the database.
        place: String,
    },
    /// The database is that of another relay.
    #[error(
        "the store {place} is another one than this relay has served from; nothing was changed. Check store.url. If it was moved there on \
         purpose: `smp-server start --accept-loss` takes it over"
    )]
    OtherDatabase {
        /// Host and name of the database.
        place: String,
    },
    /// The server's connections are handed out for a transaction at a time.
    #[error(
        "the store {place} is behind a pool that gives a connection to another client after each transaction (pgbouncer with pool_mode = \
         transaction): no process could keep others away from the store there. Use the server's own port in store.url, or pool_mode = session"
    )]
    TransactionPool {
        /// Host and name of the database.
        place: String,
    },
    /// The database was written by a newer version of this program, or is not one of ours.
    #[error(
        "cannot use the store {path}: {reason}; run the version of smp-server that wrote it, or restore a backup"
    )]
    Schema {
        /// Path of the database file.
        path: std::path::PathBuf,
        /// The mismatch.
        reason: String,
    },
}

/// The content of the database is not of this program.
pub(in crate::store) fn damaged(what: &'static str) -> StorageFault {
    StorageFault::Damaged(what.into())
}

impl OpenError {
    /// The file cannot be read or written.
    pub(crate) fn of_file(path: &std::path::Path, error: std::io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            std::io::ErrorKind::StorageFull => Self::Full { path },
            _ => {
                let reason = format!("{error}; {}", crate::advice::of_file(&path, &error));
                Self::Open { path, reason }
            }
        }
    }

    /// The store has failed before it was open.
    pub(crate) fn of_store(path: &std::path::Path, error: &StoreError) -> Self {
        let path = path.to_owned();
        match error {
            StoreError::Unavailable(StorageFault::Full) => Self::Full { path },
            StoreError::Unavailable(StorageFault::Damaged(reason)) => {
                Self::Damaged { path, reason: reason.to_string() }
            }
            error => Self::Open { path, reason: error.to_string() },
        }
    }
}
