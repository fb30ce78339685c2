//! `TlsError`: failures of a TLS handshake.

use std::io;
use std::sync::Arc;

use crate::identity::ChainError;

/// Why a TLS session cannot be established.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The peer's certificates are not acceptable. With [`ChainError::Fingerprint`] it is not the relay that the
    /// address names: do not try again with the same address and host.
    #[error("the peer's certificates are refused: {0}")]
    Certificate(#[source] ChainError),
    /// The peer does not speak TLS as relays and their clients do, or refused us.
    #[error("TLS: {0}")]
    Protocol(#[source] rustls::Error),
    /// The connection broke during the handshake: try again later.
    #[error("connection lost during the TLS handshake: {0}")]
    Io(#[source] Arc<io::Error>),
    /// The handshake succeeded without its channel binding having been seen, so there is no session ID. A fault of
    /// this program: the handshake ran outside of its scope.
    #[error("the channel binding of the TLS session is unknown")]
    NoChannelBinding,
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        if let rustls::Error::InvalidCertificate(rustls::CertificateError::Other(reason)) = &error
            && let Some(reason) = reason.0.downcast_ref::<ChainError>()
        {
            return Self::Certificate(*reason);
        }
        Self::Protocol(error)
    }
}

impl From<io::Error> for TlsError {
    fn from(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => tls.clone().into(),
            None => Self::Io(Arc::new(error)),
        }
    }
}
