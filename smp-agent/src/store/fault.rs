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

/// The lowest byte of SQLite's codes for a file that is not as it was written, and for one that is no database.
const SQLITE_CORRUPT: u32 = 11;
const SQLITE_NOTADB: u32 = 26;

/// Whether a result code says that the file is damaged.
fn is_damage(code: &str) -> bool {
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, SQLITE_CORRUPT | SQLITE_NOTADB))
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self(match &error {
            sqlx::Error::Database(database)
                if matches!(database.code().as_deref(), Some(SQLITE_FULL | SQLITE_IOERR_SHMSIZE)) =>
            {
                StorageError::DiskFull
            }
            sqlx::Error::Database(database) if database.code().as_deref().is_some_and(is_damage) => {
                StorageError::Damaged("its file")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::AgentConfig;
    use crate::data_dir::DATABASE;
    use crate::{Agent, RelayEntry};

    #[tokio::test]
    async fn a_damaged_file_is_named_so() {
        let dir = tempfile::tempdir().unwrap();
        let config = || AgentConfig::new(dir.path(), Vec::<RelayEntry>::new());
        let (agent, events) = Agent::open(config()).await.unwrap();
        agent.shutdown().await;
        drop((agent, events));
        let path = dir.path().join(DATABASE);
        let whole = std::fs::read(&path).unwrap();
        let malformed = [&whole[..4096], &vec![b'x'; whole.len() - 4096]].concat();
        for damaged in [b"no database at all, but of some length".repeat(100), malformed] {
            std::fs::write(&path, damaged).unwrap();
            let error = Agent::open(config()).await.err().unwrap();
            assert!(matches!(error, AgentError::Storage(StorageError::Damaged(_))), "{error}");
            assert!(error.to_string().contains("restore a backup"), "{error}");
        }
    }
}
