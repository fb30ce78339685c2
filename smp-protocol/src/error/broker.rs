//! Errors of a proxy on the way to a destination relay.

use thiserror::Error;

use super::{ErrorType, TransportError, after_space};
use crate::encoding::{Decode, DecodeError, Encode, Latin1Text, Reader};

/// Why a proxy did not get the answer of the destination relay.
///
/// Source: section 4.6 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProxyError {
    /// The destination relay answered with this error.
    #[error("PROTOCOL {0}")]
    Protocol(ErrorType),
    /// The destination relay could not be reached or used.
    #[error("BROKER {0}")]
    Broker(BrokerErrorType),
    /// The proxy wants another password.
    #[error("BASIC_AUTH")]
    BasicAuth,
    /// The proxy has no such session with a destination relay: ask for a new one with `PRXY`.
    #[error("NO_SESSION")]
    NoSession,
}

impl ProxyError {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            ProxyError::Protocol(error) => {
                out.extend_from_slice(b"PROTOCOL ");
                error.encode_unversioned(out);
            }
            ProxyError::Broker(error) => {
                out.extend_from_slice(b"BROKER ");
                error.encode(out);
            }
            ProxyError::BasicAuth => out.extend_from_slice(b"BASIC_AUTH"),
            ProxyError::NoSession => out.extend_from_slice(b"NO_SESSION"),
        }
    }

    pub(super) fn decode(input: &mut Reader<'_>, depth: usize) -> Result<Self, DecodeError> {
        Ok(match input.word() {
            b"PROTOCOL" => {
                let depth = depth.checked_sub(1).ok_or(DecodeError::Invalid("nesting of errors"))?;
                ProxyError::Protocol(ErrorType::decode_nested(after_space(input)?, depth)?)
            }
            b"BROKER" => ProxyError::Broker(after_space(input)?.read()?),
            b"BASIC_AUTH" => ProxyError::BasicAuth,
            b"NO_SESSION" => ProxyError::NoSession,
            _ => return Err(DecodeError::Invalid("proxy error")),
        })
    }
}

/// Why a relay could not be reached or used.
///
/// Source: section 4.6 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BrokerErrorType {
    /// Its answer cannot be read.
    #[error("RESPONSE {0}")]
    Response(Latin1Text),
    /// Its answer does not belong to the command.
    #[error("UNEXPECTED {0}")]
    Unexpected(Latin1Text),
    /// There is no connection. The details are read but never written.
    #[error("NETWORK")]
    Network(NetworkError),
    /// None of its hosts can be used, as onion hosts without Tor.
    #[error("HOST")]
    Host,
    /// The service is not available on this side.
    #[error("NO_SERVICE")]
    NoService,
    /// The connection or handshake failed.
    #[error("TRANSPORT {0}")]
    Transport(TransportError),
    /// It did not answer in time.
    #[error("TIMEOUT")]
    Timeout,
}

impl Encode for BrokerErrorType {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            BrokerErrorType::Response(text) => {
                out.extend_from_slice(b"RESPONSE ");
                text.encode(out);
            }
            BrokerErrorType::Unexpected(text) => {
                out.extend_from_slice(b"UNEXPECTED ");
                text.encode(out);
            }
            _ => super::write_text(self, out),
        }
    }
}

impl Decode<'_> for BrokerErrorType {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match input.word() {
            b"RESPONSE" => BrokerErrorType::Response(after_space(input)?.read()?),
            b"UNEXPECTED" => BrokerErrorType::Unexpected(after_space(input)?.read()?),
            b"NETWORK" if input.is_empty() => BrokerErrorType::Network(NetworkError::Failed),
            b"NETWORK" => BrokerErrorType::Network(after_space(input)?.read()?),
            b"HOST" => BrokerErrorType::Host,
            b"NO_SERVICE" => BrokerErrorType::NoService,
            b"TRANSPORT" => BrokerErrorType::Transport(after_space(input)?.read()?),
            b"TIMEOUT" => BrokerErrorType::Timeout,
            _ => return Err(DecodeError::Invalid("broker error")),
        })
    }
}

/// Why there is no connection.
///
/// Source: section 4.6 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// The host does not accept connections.
    #[error("CONNECT {0}")]
    Connect(Latin1Text),
    /// TLS failed.
    #[error("TLS {0}")]
    Tls(Latin1Text),
    /// The certificate is not signed by the identity in the address.
    #[error("UNKNOWNCA")]
    UnknownCa,
    /// Not said why.
    #[error("FAILED")]
    Failed,
    /// The host does not answer.
    #[error("TIMEOUT")]
    Timeout,
    /// The subscription failed.
    #[error("SUBSCRIBE {0}")]
    Subscribe(Latin1Text),
}

impl Decode<'_> for NetworkError {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match input.word() {
            b"CONNECT" => NetworkError::Connect(after_space(input)?.read()?),
            b"TLS" => NetworkError::Tls(after_space(input)?.read()?),
            b"UNKNOWNCA" => NetworkError::UnknownCa,
            b"FAILED" => NetworkError::Failed,
            b"TIMEOUT" => NetworkError::Timeout,
            b"SUBSCRIBE" => NetworkError::Subscribe(after_space(input)?.read()?),
            _ => return Err(DecodeError::Invalid("network error")),
        })
    }
}
