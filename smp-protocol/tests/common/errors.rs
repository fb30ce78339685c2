//! Errors as they stand in the vectors.

use serde_json::Value;
use smp_protocol::encoding::Latin1Text;
use smp_protocol::error::{
    BlockingInfo, BlockingReason, BrokerErrorType, ClientNotice, CommandError, ErrorType, HandshakeError,
    NetworkError, ProxyError, TransportError,
};

use super::{number, optional, text};

pub fn error(value: &Value) -> ErrorType {
    match text(&value["type"]) {
        "BLOCK" => ErrorType::Block,
        "SESSION" => ErrorType::Session,
        "CMD" => ErrorType::Command(command_error(text(&value["command_error"]))),
        "PROXY" => ErrorType::Proxy(Box::new(proxy_error(&value["proxy_error"]))),
        "AUTH" => ErrorType::Auth,
        "BLOCKED" => ErrorType::Blocked(blocking_info(value)),
        "SERVICE" => ErrorType::Service,
        "CRYPTO" => ErrorType::Crypto,
        "QUOTA" => ErrorType::Quota,
        "STORE" => ErrorType::Store(text(&value["text"]).to_owned()),
        "NO_MSG" => ErrorType::NoMessage,
        "LARGE_MSG" => ErrorType::LargeMessage,
        "EXPIRED" => ErrorType::Expired,
        "INTERNAL" => ErrorType::Internal,
        "DUPLICATE_" => ErrorType::Duplicate,
        other => panic!("unknown error {other}"),
    }
}

/// An error that a relay answers with, as text: `CMD SYNTAX`, `BLOCK`, ..
pub fn error_name(name: &str) -> ErrorType {
    match name {
        "BLOCK" => ErrorType::Block,
        "SESSION" => ErrorType::Session,
        name => ErrorType::Command(command_error(name.strip_prefix("CMD ").unwrap())),
    }
}

pub fn command_error(name: &str) -> CommandError {
    match name {
        "UNKNOWN" => CommandError::Unknown,
        "SYNTAX" => CommandError::Syntax,
        "PROHIBITED" => CommandError::Prohibited,
        "NO_AUTH" => CommandError::NoAuth,
        "HAS_AUTH" => CommandError::HasAuth,
        "NO_ENTITY" => CommandError::NoEntity,
        other => panic!("unknown command error {other}"),
    }
}

pub fn transport_error(name: &str) -> TransportError {
    match name {
        "BLOCK" => TransportError::BadBlock,
        "VERSION" => TransportError::Version,
        "LARGE_MSG" => TransportError::LargeMessage,
        "SESSION" => TransportError::BadSession,
        "NO_AUTH" => TransportError::NoRelayAuth,
        "HANDSHAKE PARSE" => HandshakeError::Parse.into(),
        "HANDSHAKE IDENTITY" => HandshakeError::Identity.into(),
        "HANDSHAKE BAD_AUTH" => HandshakeError::BadAuth.into(),
        "HANDSHAKE BAD_SERVICE" => HandshakeError::BadService.into(),
        other => panic!("unknown transport error {other}"),
    }
}

fn blocking_info(value: &Value) -> BlockingInfo {
    let reason = match text(&value["reason"]) {
        "spam" => BlockingReason::Spam,
        "content" => BlockingReason::Content,
        other => panic!("unknown reason {other}"),
    };
    let notice = optional(&value["notice"], |notice| ClientNotice { ttl: optional(&notice["ttl"], number) });
    BlockingInfo { reason, notice }
}

fn proxy_error(value: &Value) -> ProxyError {
    match text(&value["type"]) {
        "BASIC_AUTH" => ProxyError::BasicAuth,
        "NO_SESSION" => ProxyError::NoSession,
        "PROTOCOL" => ProxyError::Protocol(error(&value["error"])),
        "BROKER" => ProxyError::Broker(broker_error(&value["broker_error"])),
        other => panic!("unknown proxy error {other}"),
    }
}

fn broker_error(value: &Value) -> BrokerErrorType {
    match text(&value["type"]) {
        "RESPONSE" => BrokerErrorType::Response(latin1(&value["text"])),
        "UNEXPECTED" => BrokerErrorType::Unexpected(latin1(&value["text"])),
        "NETWORK" => BrokerErrorType::Network(network_error(&value["network_error"])),
        "HOST" => BrokerErrorType::Host,
        "NO_SERVICE" => BrokerErrorType::NoService,
        "TIMEOUT" => BrokerErrorType::Timeout,
        "TRANSPORT" => BrokerErrorType::Transport(transport_error(text(&value["transport_error"]))),
        other => panic!("unknown broker error {other}"),
    }
}

fn network_error(value: &Value) -> NetworkError {
    match text(&value["type"]) {
        "CONNECT" => NetworkError::Connect(latin1(&value["text"])),
        "TLS" => NetworkError::Tls(latin1(&value["text"])),
        "SUBSCRIBE" => NetworkError::Subscribe(latin1(&value["text"])),
        "UNKNOWNCA" => NetworkError::UnknownCa,
        "FAILED" => NetworkError::Failed,
        "TIMEOUT" => NetworkError::Timeout,
        other => panic!("unknown network error {other}"),
    }
}

fn latin1(value: &Value) -> Latin1Text {
    Latin1Text::new(text(value)).unwrap()
}
