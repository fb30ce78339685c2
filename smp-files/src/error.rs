//! `FileRelayError` and `FileError`: failures of one command, and of a whole transfer.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use smp_crypto::TooLongError;
use smp_protocol::encoding::TooLong;
use smp_protocol::error::TransportError;
use smp_protocol::xftp::description::DescriptionError;
use smp_protocol::xftp::error::XftpError;
use smp_transport::client::ClientError;

/// Why a command to a file relay has no good answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FileRelayError {
    /// The relay cannot be reached, or is another one.
    #[error(transparent)]
    Connect(Arc<ClientError>),
    /// There is a server, but it does not speak the protocol of file relays: compare address and port.
    #[error("this server is no file relay")]
    NoFileRelay,
    /// The handshake failed: somebody is in between, or one side is too old.
    #[error("the handshake with the file relay failed: {0}")]
    Handshake(#[from] TransportError),
    /// The relay refuses.
    #[error("the file relay refuses: {0}")]
    Refused(XftpError),
    /// The answer is none to the command: a fault of the relay.
    #[error("the file relay's answer is not understood ({0})")]
    Answer(&'static str),
    /// The chunk that came is not the one that was sent: damaged on the relay or on the way.
    #[error("the file relay sent a damaged chunk")]
    Damaged,
    /// Nothing moved for so long: try again.
    #[error("the file relay does not go on for {0:?}")]
    Timeout(Duration),
    /// The connection broke: try again.
    #[error("the connection to the file relay broke: {0}")]
    Broken(Arc<h2::Error>),
    /// Too many recipients at once.
    #[error(transparent)]
    TooLong(TooLongError),
    /// The file on this machine cannot be read or written.
    #[error("the file cannot be read or written: {0}")]
    Local(Arc<io::Error>),
}

impl FileRelayError {
    /// Whether the same command may succeed a little later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_temporary(),
            Self::Timeout(_) | Self::Broken(_) => true,
            Self::Refused(error) => matches!(
                error,
                XftpError::Internal
                    | XftpError::Timeout
                    | XftpError::FileIo
                    | XftpError::Session
                    | XftpError::Crypto
            ),
            _ => false,
        }
    }

    /// Whether the connection is of no use any more.
    pub(crate) fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::Timeout(_)
                | Self::Broken(_)
                | Self::Answer(_)
                | Self::Refused(XftpError::Session | XftpError::Block)
        )
    }

    /// Next steps, if there are any but to try again.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::Connect(error) => error.advice(),
            Self::NoFileRelay => {
                "compare the address and its port with those that its operator gives out".to_owned()
            }
            Self::Refused(XftpError::Quota) => {
                "it has no room; take another relay, or try again later".to_owned()
            }
            Self::Refused(XftpError::Size) => {
                "it does not take chunks of this size; take another relay".to_owned()
            }
            Self::Refused(XftpError::Auth) => {
                "the file was deleted, or is older than the relay keeps it (usually 48 hours)".to_owned()
            }
            Self::Refused(XftpError::Blocked(_)) => "its operator has blocked the file".to_owned(),
            Self::Damaged => "ask for the file again".to_owned(),
            _ => String::new(),
        }
    }
}

impl From<ClientError> for FileRelayError {
    fn from(error: ClientError) -> Self {
        Self::Connect(Arc::new(error))
    }
}

impl From<h2::Error> for FileRelayError {
    fn from(error: h2::Error) -> Self {
        Self::Broken(Arc::new(error))
    }
}

impl From<io::Error> for FileRelayError {
    fn from(error: io::Error) -> Self {
        Self::Local(Arc::new(error))
    }
}

/// Why a file was not sent, received or deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A file of this machine.
    #[error("{} cannot be read or written", .path.display())]
    Local {
        /// Which one.
        path: PathBuf,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// The file has other content or another size than at the beginning: send it again.
    #[error("{} was changed while it was read", .0.display())]
    Changed(PathBuf),
    /// The file is larger than files can be.
    #[error("the file is too large: {0}")]
    TooLarge(#[from] TooLong),
    /// There is no relay to put it on.
    #[error("there is no file relay to send through")]
    NoRelays,
    /// No relay takes a chunk, or none that has it gives it. Run the transfer again: it goes on where it was.
    #[error("{relay}: {error}")]
    Relay {
        /// The relay that was tried last, without its password.
        relay: String,
        /// Its error.
        #[source]
        error: FileRelayError,
    },
    /// All chunks came, but together they are not the file of the description: its sender made a mistake, or deceives.
    #[error("the file does not have the digest that its description says; nothing of it was kept")]
    Digest,
    /// The encrypted file was changed, or the key is another one.
    #[error("the file cannot be decrypted; nothing of it was kept")]
    Undecryptable,
    /// A description that leads to another one, which is not what the first one said.
    #[error("the description of the file leads to something else: {0}")]
    Redirect(&'static str),
    /// The description.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// The journal of an upload is none, or from a later version.
    #[error("{} is not the journal of an upload that can be gone on with; remove its directory", .0.display())]
    Journal(PathBuf),
    /// More recipients than can be.
    #[error("a file has 1 to {0} recipients")]
    Recipients(usize),
}

impl FileError {
    /// Of the system, about this file.
    pub(crate) fn local(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |error| Self::Local { path, error }
    }
}
