//! `ConnectionError`: failures of connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use smp_protocol::error::TransportError;
use smp_protocol::version::{SmpVersion, VersionRange};

use crate::tls::TlsError;

/// Why a connection cannot be made, or is of no more use.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The TLS handshake failed.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The peer did not finish the handshakes in time. A client may try again later.
    #[error("the handshake did not finish within {0:?}")]
    HandshakeTimeout(Duration),
    /// The two sides have no version in common: the older one must be upgraded.
    #[error("the relay speaks SMP versions {relay}, we speak {ours}")]
    Version {
        /// Versions that the relay offered.
        relay: VersionRange<SmpVersion>,
        /// Versions that we would have accepted.
        ours: VersionRange<SmpVersion>,
    },
    /// The SMP handshake failed: what the peer sent is damaged or not trustworthy, or it refused us.
    #[error("SMP handshake: {0}")]
    Handshake(TransportError),
    /// The peer closed the connection, between two blocks.
    #[error("the peer closed the connection")]
    Closed,
    /// The connection ended in the middle of a block.
    #[error("the connection ended in the middle of a block")]
    Truncated,
    /// The peer began a block and took too long to send the rest.
    #[error("the peer sends a block too slowly")]
    SlowBlock,
    /// A block is damaged, or was not meant to come now.
    #[error("a block cannot be read")]
    UnreadableBlock,
    /// More content than fits into a block was to be sent; nothing was sent, and the connection can still be used.
    #[error("content of {length} bytes does not fit into a block, {limit} do")]
    TooLong {
        /// Bytes of the content.
        length: usize,
        /// The most that would have fitted.
        limit: usize,
    },
    /// The connection is lost.
    #[error("the connection is lost: {0}")]
    Io(#[source] Arc<io::Error>),
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        match TlsError::from(error) {
            TlsError::Io(error) => Self::Io(error),
            other => Self::Tls(other),
        }
    }
}

impl From<TransportError> for ConnectionError {
    fn from(error: TransportError) -> Self {
        Self::Handshake(error)
    }
}
