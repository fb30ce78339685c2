//! Errors of archives.

use crate::error::AgentError;
use crate::secret::SecretError;
use smp_crypto::passphrase::CostError;
use std::io;
use std::path::{Path, PathBuf};

/// Why an archive was not made or not restored. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// No secret was given, or too many.
    #[error("an archive needs one to eight secrets that open it; give a passphrase or a recovery phrase")]
    Secrets,
    /// There are too many files of the application, or one has no name or a very long one.
    #[error("an archive has at most 16 files of the application, each with a name of 1 to 255 bytes")]
    Files,
    /// Another archive of this agent is being made, or the last attempt died: opening the agent again removes what is left.
    #[error("an archive of this agent is being made already; wait until it is finished")]
    Busy,
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file is no archive.
    #[error("{} is no archive; give the file that was exported", .0.display())]
    NotAnArchive(PathBuf),
    /// The archive was made by a newer program.
    #[error("the archive is of version {0}, which this program does not know; use a newer one")]
    Version(u8),
    /// The archive asks for more memory or time than is given to a passphrase.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// The archive cannot be opened by this secret: it is another one, or mistyped.
    #[error("the archive is not opened by this {0}; check it for mistypings")]
    WrongSecret(&'static str),
    /// The archive is cut off, or was changed.
    #[error("the archive is damaged or not complete; use another copy")]
    Damaged,
    /// The data directory has an agent already.
    #[error("{} has an agent already; choose an empty directory", .0.display())]
    Occupied(PathBuf),
    /// The agent, or its data directory.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

impl From<SecretError> for ArchiveError {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Count => Self::Secrets,
            SecretError::Cost(error) => Self::Cost(error),
            error => Self::Agent(error.into()),
        }
    }
}

/// For `map_err`: an error about this file.
pub(super) fn about(path: &Path) -> impl Fn(io::Error) -> ArchiveError {
    move |source| ArchiveError::File { path: path.to_owned(), source }
}
