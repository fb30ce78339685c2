//! `Forwarding`: counters of forwarding to other relays, those of the operator (`proxy.own_domains`) and all others apart, none by name.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use smp_protocol::error::{BrokerErrorType, ErrorType, ProxyError, TransportError};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Labels {
    relay: &'static str,
    outcome: &'static str,
}

/// Counts of `PRXY` and `PFWD`.
pub(crate) struct Forwarding {
    sessions: Family<Labels, Counter>,
    commands: Family<Labels, Counter>,
}

impl Forwarding {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let (sessions, commands) = (Family::default(), Family::default());
        let help = "Times that clients asked for a session with another relay";
        registry.register("proxy_sessions", help, sessions.clone());
        registry.register("proxy_commands", "Commands to be forwarded to another relay", commands.clone());
        Self { sessions, commands }
    }

    /// `PRXY` was answered.
    pub(crate) fn session<T>(&self, is_own: bool, answer: &Result<T, ErrorType>) {
        self.sessions.get_or_create(&labels(is_own, outcome(answer))).inc();
    }

    /// `PFWD` was answered. An error of the other relay is an answer, too.
    pub(crate) fn command<T>(&self, is_own: bool, answer: &Result<T, ErrorType>) {
        let outcome = match answer {
            Err(ErrorType::Proxy(error)) if matches!(**error, ProxyError::Protocol(_)) => OK,
            answer => outcome(answer),
        };
        self.commands.get_or_create(&labels(is_own, outcome)).inc();
    }
}

const OK: &str = "ok";

fn labels(is_own: bool, outcome: &'static str) -> Labels {
    Labels { relay: if is_own { "own" } else { "other" }, outcome }
}

fn outcome<T>(answer: &Result<T, ErrorType>) -> &'static str {
    let error = match answer {
        Ok(_) => return OK,
        Err(ErrorType::Proxy(error)) => error,
        Err(_) => return "failed",
    };
    match &**error {
        ProxyError::NoSession => "no_session",
        ProxyError::Broker(
            BrokerErrorType::Network(_) | BrokerErrorType::Timeout | BrokerErrorType::Host,
        ) => "unreachable",
        ProxyError::Broker(BrokerErrorType::Transport(
            TransportError::Version | TransportError::NoRelayAuth,
        )) => "incompatible",
        _ => "failed",
    }
}
