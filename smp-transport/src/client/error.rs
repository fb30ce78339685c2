//! `ClientError`: failures of a client to connect, and of requests to be answered.

use std::time::Duration;
use std::{fmt, io};

use rustls::Error as RustlsError;
use smp_protocol::error::{BrokerErrorType, ErrorType, ProxyError, TransportError};
use smp_protocol::version::{SmpVersion, VersionRange};

use crate::connection::ConnectionError;
use crate::dial::SocksError;
use crate::identity::ChainError;
use crate::tls::TlsError;

/// Why a client cannot connect, or a request has no answer. Errors of a connection go to all requests that waited.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address has onion hosts only, which need a SOCKS proxy: that of Tor.
    #[error("the relay can only be reached through Tor")]
    OnionOnly,
    /// No address of the relay is one that may be connected to; nothing was dialled.
    #[error("the relay has no address that may be connected to")]
    NotAllowed,
    /// As many addresses of the relay as may be were tried.
    #[error("too many addresses were tried before")]
    TooManyAddresses,
    /// The SOCKS proxy does not connect.
    #[error(transparent)]
    Socks(SocksError),
    /// No host of the address answers: check the network, or try again later.
    #[error("the relay cannot be reached: {}", Attempts(.0))]
    Unreachable(Vec<Attempt>),
    /// Another relay answered than the address names: the address is wrong, or somebody is in between. Do not retry.
    #[error(
        "the relay at {host} is not the one that the address names: its certificate has another fingerprint"
    )]
    WrongRelay {
        /// Which host of the address.
        host: String,
    },
    /// The relay speaks other versions: the older side must be upgraded.
    #[error("the relay speaks SMP versions {} to {}, we speak {} to {}",
        .relay.min().0, .relay.max().0, .ours.min().0, .ours.max().0)]
    Version {
        /// Versions of the relay.
        relay: VersionRange<SmpVersion>,
        /// Our versions.
        ours: VersionRange<SmpVersion>,
    },
    /// The connection is lost; whether the relay received the request is unknown. Connect again.
    #[error(transparent)]
    Connection(ConnectionError),
    /// The relay does not answer `PING` any more. Connect again.
    #[error("the relay does not respond")]
    NotResponding,
    /// The relay says that what we sent is not what it should be, or sent something unreadable: a fault of either
    /// program. Connect again.
    #[error("the relay and we do not understand each other: {0}")]
    Protocol(ErrorType),
    /// This client was closed on our side.
    #[error("the connection was closed on our side")]
    Closed,
    /// No answer in time; whether the relay received the request is unknown. The answer may still come as a late event.
    #[error("the relay did not answer within {0:?}")]
    Timeout(Duration),
    /// The request does not fit into a block: send less.
    #[error("the request is too large for a block")]
    TooLarge,
    /// The request cannot be authorized with this key: the relay has sent no key for X25519.
    #[error("the request cannot be authorized: {0}")]
    Authorization(TransportError),
    /// The given correlation ID is that of a request that waits for its answer. They must never repeat.
    #[error("the correlation ID is in use")]
    CorrelationIdInUse,
    /// The relay answered with an error.
    #[error("the relay answered {0}")]
    Relay(ErrorType),
    /// The proxy does not forward. After `NO_SESSION` open the way through it again; after errors of the network the destination
    /// may be reached later, or directly.
    #[error("the proxy answered {0}")]
    Proxy(Box<ProxyError>),
    /// The answer cannot be read.
    #[error("the relay's answer cannot be read: {0}")]
    UnreadableAnswer(ErrorType),
    /// The answer names another queue than the request.
    #[error("the relay's answer is for another queue")]
    UnexpectedEntity,
}

impl ClientError {
    /// Whether trying again later may help without anything having been changed.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::Socks(_)
            | Self::TooManyAddresses
            | Self::Connection(_)
            | Self::NotResponding
            | Self::Protocol(_)
            | Self::Closed
            | Self::Timeout(_) => true,
            Self::Proxy(error) => match &**error {
                ProxyError::NoSession => true,
                ProxyError::Broker(error) => matches!(
                    error,
                    BrokerErrorType::Network(_)
                        | BrokerErrorType::Timeout
                        | BrokerErrorType::Host
                        | BrokerErrorType::Transport(TransportError::Version)
                ),
                ProxyError::Protocol(_) | ProxyError::BasicAuth => false,
            },
            Self::Relay(error) => {
                matches!(error, ErrorType::Quota | ErrorType::Store(_) | ErrorType::Internal)
            }
            _ => false,
        }
    }

    /// Sorts out what happened when a connection to `host` was made.
    pub(super) fn from_connecting(error: ConnectionError, host: &str) -> Self {
        match error {
            ConnectionError::Tls(TlsError::Certificate(ChainError::Fingerprint)) => {
                Self::WrongRelay { host: host.to_owned() }
            }
            ConnectionError::Version { relay, ours } => Self::Version { relay, ours },
            other => Self::Connection(other),
        }
    }
}

/// A host that was tried in vain.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Host and port.
    pub host: String,
    /// The error, as a sentence.
    pub reason: String,
    /// The error.
    pub error: Box<ClientError>,
}

impl Attempt {
    pub(super) fn new(host: String, error: ClientError) -> Self {
        let reason = match &error {
            ClientError::Timeout(limit) => format!("no answer within {limit:?}"),
            ClientError::Connection(ConnectionError::Io(error)) => of_io(error),
            // It comes from several layers, and says the same in each.
            ClientError::Connection(ConnectionError::Tls(TlsError::Io(error))) => {
                format!("the TLS handshake was ended ({})", of_io(error))
            }
            ClientError::Connection(ConnectionError::Tls(TlsError::Protocol(
                RustlsError::AlertReceived(alert),
            ))) => {
                format!("the TLS handshake was refused ({alert:?})")
            }
            other => other.to_string(),
        };
        Self { host, reason, error: Box::new(error) }
    }
}

fn of_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        io::ErrorKind::UnexpectedEof => "the other side closed the connection".to_owned(),
        io::ErrorKind::ConnectionReset => "the other side reset the connection".to_owned(),
        io::ErrorKind::TimedOut => "no answer".to_owned(),
        io::ErrorKind::HostUnreachable => "there is no way to the host".to_owned(),
        io::ErrorKind::NetworkUnreachable => "there is no way to its network".to_owned(),
        _ => error.to_string(),
    }
}

struct Attempts<'a>(&'a [Attempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, attempt) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", attempt.host, attempt.reason)?;
        }
        Ok(())
    }
}
