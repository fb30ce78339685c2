//! Advice about a relay that cannot be reached: each cause has its own.

use std::io;

use rustls::{AlertDescription, Error as RustlsError};

use super::ClientError;
use crate::connection::ConnectionError;
use crate::dial::SocksError;
use crate::identity::ChainError;
use crate::tls::TlsError;

const CLOCK: &str =
    "check the clock of this machine; if it is right, the relay's operator has to renew its certificate";
const NAMES: &str = "check the name for mistypings, and whether this machine can look names up";
const NETWORK: &str = "check the network of this machine";

impl ClientError {
    /// The advice; empty if there is nothing but to try again.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::Unreachable(attempts) => {
                let mut advice: Vec<&str> = Vec::new();
                for attempt in attempts {
                    let its = of(&attempt.error);
                    if !its.is_empty() && !advice.contains(&its) {
                        advice.push(its);
                    }
                }
                advice.join("; ")
            }
            other => of(other).to_owned(),
        }
    }

    /// Advice about a cause that is most likely on this side: there is no network, or the clock is wrong. None if it may as well be the
    /// relay's.
    #[must_use]
    pub fn own_advice(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable(attempts) => {
                let mut own = attempts.iter().map(|attempt| attempt.error.own_advice());
                let first = own.next()??;
                own.all(|other| other == Some(first)).then_some(first)
            }
            Self::Connection(ConnectionError::Io(error)) => match error.kind() {
                io::ErrorKind::NetworkDown
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::AddrNotAvailable => Some(NETWORK),
                _ => None,
            },
            Self::Connection(ConnectionError::Tls(TlsError::Certificate(ChainError::NotYetValid(_)))) => {
                Some(CLOCK)
            }
            _ => None,
        }
    }
}

fn of(error: &ClientError) -> &'static str {
    match error {
        ClientError::OnionOnly => "set a SOCKS proxy, that of Tor, or ask for an address with another host",
        ClientError::NotAllowed => "ask for an address with a public host",
        ClientError::TooManyAddresses => "ask for an address with fewer hosts",
        ClientError::Socks(error) => of_socks(error),
        ClientError::WrongRelay { .. } => {
            "compare the address with what the relay's operator gives out; if it is the same, somebody is in between"
        }
        ClientError::Version { .. } => "update the older side",
        ClientError::Timeout(_) => {
            "the relay may be off, or a firewall drops what is sent to it; try another network, or ask its operator"
        }
        ClientError::NotResponding => "check the network of this machine; it is tried again",
        ClientError::Connection(error) => of_connection(error),
        _ => "",
    }
}

fn of_socks(error: &SocksError) -> &'static str {
    match error {
        SocksError::Unreachable(..) => "start it, or correct its address",
        SocksError::Ended(_) | SocksError::NotSocks5 => "check its address",
        SocksError::NotIsolated => "let it take user names (Tor does)",
        SocksError::PasswordWanted | SocksError::PasswordRefused => "set the right user name and password",
        // The sentence says it.
        SocksError::Refused(_) => "",
    }
}

fn of_connection(error: &ConnectionError) -> &'static str {
    match error {
        ConnectionError::Io(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                "the relay is not running there, or a firewall refuses; check host and port, or ask its operator"
            }
            io::ErrorKind::NotFound => NAMES,
            io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable => {
                "the relay may be off, or a firewall drops what is sent to it; try another network, or ask its operator"
            }
            io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable => NETWORK,
            io::ErrorKind::PermissionDenied => "a firewall of this machine forbids it",
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => ENDED,
            _ => NETWORK,
        },
        ConnectionError::Tls(error) => of_tls(error),
        ConnectionError::HandshakeTimeout(_) => {
            "the relay is overloaded, or something on the way holds TLS back; try later, or another network"
        }
        ConnectionError::Handshake(_) => {
            "what answers there is no SMP relay, or a damaged one; check host and port, or ask its operator"
        }
        ConnectionError::Closed | ConnectionError::Truncated | ConnectionError::SlowBlock => ENDED,
        _ => "",
    }
}

/// Of connections that begin and end.
const ENDED: &str = "the relay restarts, or turns clients away (too many connections), or something on the way ends them; try later, or another network";

fn of_tls(error: &TlsError) -> &'static str {
    match error {
        TlsError::Certificate(ChainError::Expired(_) | ChainError::NotYetValid(_)) => CLOCK,
        TlsError::Certificate(ChainError::Fingerprint) => {
            "compare the address with what the relay's operator gives out"
        }
        TlsError::Certificate(_) => {
            "what answers there is no SMP relay, a web server perhaps, or something in between; check host and port"
        }
        TlsError::Protocol(RustlsError::AlertReceived(alert)) => of_alert(*alert),
        TlsError::Protocol(RustlsError::PeerIncompatible(_)) => {
            "it speaks an older TLS than 1.3, or none that relays speak: it is no SMP relay, or something in between; check host and port"
        }
        TlsError::Protocol(RustlsError::InvalidMessage(_)) => {
            "what answers there does not speak TLS; check the port"
        }
        TlsError::Protocol(_) => "what answers there is no SMP relay; check host and port",
        TlsError::Io(error) => match error.kind() {
            io::ErrorKind::InvalidData => "what answers there does not speak TLS; check the port",
            _ => ENDED,
        },
        TlsError::NoChannelBinding => "",
    }
}

/// The meaning of the other side's refusal.
fn of_alert(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::ProtocolVersion
        | AlertDescription::HandshakeFailure
        | AlertDescription::InsufficientSecurity => {
            "it speaks no TLS 1.3 as relays do: it is no SMP relay, or something in between; check host and port"
        }
        AlertDescription::NoApplicationProtocol | AlertDescription::UnrecognisedName => {
            "what answers there is a server for something else, or a proxy in front of several; check host and port, or ask its operator"
        }
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => {
            "it lets in only those whom it knows; it is no public relay: check host and port, or ask its operator"
        }
        AlertDescription::CertificateExpired => CLOCK,
        AlertDescription::InternalError => "something is wrong on the other side; ask its operator",
        _ => {
            "what answers there refuses us: it is no SMP relay, or something in between; check host and port"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Attempt;
    use std::sync::Arc;

    fn io(kind: io::ErrorKind) -> ClientError {
        ClientError::Connection(ConnectionError::Io(Arc::new(kind.into())))
    }

    fn tls(error: RustlsError) -> ClientError {
        ClientError::Connection(ConnectionError::Tls(TlsError::Protocol(error)))
    }

    #[test]
    fn each_cause_has_its_own_advice() {
        let errors = [
            io(io::ErrorKind::ConnectionRefused),
            io(io::ErrorKind::NotFound),
            io(io::ErrorKind::NetworkUnreachable),
            io(io::ErrorKind::TimedOut),
            io(io::ErrorKind::ConnectionReset),
            io(io::ErrorKind::PermissionDenied),
            ClientError::OnionOnly,
            ClientError::WrongRelay { host: "a".into() },
            ClientError::Connection(ConnectionError::HandshakeTimeout(std::time::Duration::ZERO)),
            ClientError::Connection(ConnectionError::Tls(TlsError::Certificate(ChainError::Expired(0)))),
            ClientError::Connection(ConnectionError::Tls(TlsError::Certificate(ChainError::Length(1)))),
            tls(RustlsError::AlertReceived(AlertDescription::ProtocolVersion)),
            tls(RustlsError::AlertReceived(AlertDescription::NoApplicationProtocol)),
            tls(RustlsError::InvalidMessage(rustls::InvalidMessage::InvalidContentType)),
        ];
        let mut advice: Vec<String> = errors.iter().map(ClientError::advice).collect();
        assert!(advice.iter().all(|advice| !advice.is_empty()));
        let count = advice.len();
        advice.sort();
        advice.dedup();
        assert_eq!(advice.len(), count);
    }

    #[test]
    fn of_several_hosts_each_advice_is_given_once() {
        let attempt = |kind| Attempt::new("a:1".into(), io(kind));
        let refused = io::ErrorKind::ConnectionRefused;
        let same = ClientError::Unreachable(vec![attempt(refused), attempt(refused)]);
        assert_eq!(same.advice(), io(refused).advice());
        assert_eq!(same.own_advice(), None);
        let network = io::ErrorKind::NetworkUnreachable;
        let both = ClientError::Unreachable(vec![attempt(refused), attempt(network)]);
        assert!(both.advice().contains("; check the network"), "{}", both.advice());
        assert_eq!(both.own_advice(), None);
        assert_eq!(ClientError::Unreachable(vec![attempt(network)]).own_advice(), Some(NETWORK));
    }
}
