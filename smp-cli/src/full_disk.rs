//! A full disk, met by the agent's file or by this program's own: nothing that came is given up for it.

use std::time::Duration;

use smp_agent::{AgentError, StorageError};
use smp_chat::BookError;

/// Between attempts to store what came.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// Whether there was no space to do something, so that it may be done later.
pub(crate) fn is_cause(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        if let Some(AgentError::Storage(error)) = cause.downcast_ref() {
            return is_no_space(error);
        }
        cause.downcast_ref().is_some_and(BookError::is_no_space)
    })
}

fn is_no_space(error: &StorageError) -> bool {
    // A step that is undone with one that had no space has none either.
    matches!(error, StorageError::DiskFull | StorageError::NoSpace { .. } | StorageError::Undone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_recognised_wherever_it_was_met() {
        assert!(is_cause(&AgentError::from(StorageError::DiskFull).into()));
        let no_space = StorageError::NoSpace { needed: 1, directory: "/".into() };
        assert!(is_cause(&anyhow::Error::from(AgentError::from(no_space)).context("the agent")));
        assert!(!is_cause(&AgentError::NoRelay.into()));
        assert!(!is_cause(&BookError::NoContacts.into()));
    }
}
