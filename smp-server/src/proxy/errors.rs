//! Errors for clients when another relay cannot be used. They say nothing about the network of this relay.

use smp_protocol::{
    encoding::Latin1Text,
    error::{BrokerErrorType, ErrorType, NetworkError, ProxyError, TransportError},
};
use smp_transport::{client::ClientError, connection::ConnectionError};

fn broker(error: BrokerErrorType) -> ErrorType {
    ErrorType::Proxy(Box::new(ProxyError::Broker(error)))
}

/// There is no connection.
pub(super) fn network() -> ErrorType {
    broker(BrokerErrorType::Network(NetworkError::Failed))
}

/// The connection or the handshake is not as it has to be.
pub(super) fn transport(error: TransportError) -> ErrorType {
    broker(BrokerErrorType::Transport(error))
}

/// The other relay does not answer what it was asked.
pub(super) fn unexpected() -> ErrorType {
    broker(BrokerErrorType::Unexpected(Latin1Text::default()))
}

/// Why there is no session. After `HOST` an app may connect directly, if its user allows it.
pub(super) fn of_connecting(error: &ClientError) -> ErrorType {
    match error {
        ClientError::NotAllowed | ClientError::OnionOnly => broker(BrokerErrorType::Host),
        // Senders try again after this error. After one of the handshake they give their message up, although another
        // relay may only stand in for the right one for a while.
        ClientError::WrongRelay { .. } => network(),
        ClientError::Version { .. } => transport(TransportError::Version),
        ClientError::Connection(ConnectionError::Handshake(error)) => transport(*error),
        ClientError::Timeout(_) => broker(BrokerErrorType::Timeout),
        // The last one says as much as the others.
        ClientError::Unreachable(attempts) => {
            attempts.last().map_or_else(network, |attempt| of_connecting(&attempt.error))
        }
        _ => network(),
    }
}

/// Why there is no answer.
pub(super) fn of_forwarding(error: &ClientError) -> ErrorType {
    match error {
        ClientError::Relay(error) | ClientError::Protocol(error) => {
            ErrorType::Proxy(Box::new(ProxyError::Protocol(error.clone())))
        }
        ClientError::Timeout(_) | ClientError::NotResponding => broker(BrokerErrorType::Timeout),
        ClientError::TooLarge => transport(TransportError::LargeMessage),
        ClientError::UnreadableAnswer(_) => broker(BrokerErrorType::Response(Latin1Text::default())),
        ClientError::UnexpectedEntity => unexpected(),
        _ => network(),
    }
}
