//! Errors of SQLite, as the agent tells them.

use crate::error::{AgentError, StorageError};
use crate::stored::NotStored;

/// An error of the database on its way out of the store: no type of the database library leaves it.
#[derive(Clone, Debug)]
pub(crate) struct Fault(pub(crate) StorageError);

/// SQLite's primary result code for a full disk.
const SQLITE_FULL: &str = "13";
/// The index of the log cannot grow, for which there is no other reason.
const SQLITE_IOERR_SHMSIZE: &str = "4874";

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self(match &error {
            sqlx::Error::Database(database)
                if matches!(database.code().as_deref(), Some(SQLITE_FULL | SQLITE_IOERR_SHMSIZE)) =>
            {
                StorageError::DiskFull
            }
            sqlx::Error::PoolClosed => StorageError::Closed,
            _ => StorageError::Database(error.to_string()),
        })
    }
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        Self(error)
    }
}

impl From<NotStored> for Fault {
    fn from(_: NotStored) -> Self {
        Self(StorageError::Damaged("state"))
    }
}

impl From<Fault> for StorageError {
    fn from(Fault(error): Fault) -> Self {
        error
    }
}

impl From<Fault> for AgentError {
    fn from(Fault(error): Fault) -> Self {
        match error {
            StorageError::Closed => Self::ShutDown,
            error => Self::Storage(error),
        }
    }
}
