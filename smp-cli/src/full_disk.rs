//! A full disk, met by the agent's file or by this program's own: nothing that came is given up for it.

use std::time::Duration;

use smp_agent::{AgentError, StorageError};

/// SQLite's result codes for a full disk, and for an index of the log that cannot grow.
const SQLITE_CODES: [&str; 2] = ["13", "4874"];

/// Between attempts to store what came.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// Whether there was no space to do something, so that it may be done later.
pub(crate) fn is_cause(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        if let Some(AgentError::Storage(error)) = cause.downcast_ref() {
            return is_no_space(error);
        }
        match cause.downcast_ref() {
            Some(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| SQLITE_CODES.contains(&&*code))
            }
            _ => false,
        }
    })
}

fn is_no_space(error: &StorageError) -> bool {
    // A step that is undone with one that had no space has none either.
    matches!(error, StorageError::DiskFull | StorageError::NoSpace { .. } | StorageError::Undone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_disk_is_recognised_wherever_it_was_met() {
        let folder = tempfile::tempdir().unwrap();
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(folder.path().join("book"))
            .create_if_missing(true)
            .pragma("max_page_count", "1");
        let mut file = sqlx::ConnectOptions::connect(&options).await.unwrap();
        let made = sqlx::query("CREATE TABLE t (a)").execute(&mut file).await.map_err(anyhow::Error::from);
        assert!(is_cause(&made.unwrap_err().context("the book")));
        assert!(is_cause(&AgentError::from(StorageError::DiskFull).into()));
        let no_space = StorageError::NoSpace { needed: 1, directory: folder.path().to_owned() };
        assert!(is_cause(&AgentError::from(no_space).into()));
        let syntax = sqlx::query("nonsense").execute(&mut file).await.map_err(anyhow::Error::from);
        assert!(!is_cause(&syntax.unwrap_err()));
        assert!(!is_cause(&AgentError::NoRelay.into()));
    }
}
