//! How an agent reaches relays: through which proxies, and what each of them learns.

use smp_protocol::address::{Host, RelayAddress};
use smp_protocol::encoding::NonEmpty;
use smp_transport::dial::{Destination, Dialler, Filter, Isolation, SocksProxy, is_public};
use std::sync::Arc;

pub use smp_transport::dial::SocksMode;

/// How an agent reaches relays. By default directly.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct NetworkSettings {
    /// A SOCKS5 proxy, that of Tor above all.
    pub socks: Option<SocksSettings>,
    /// Which of a relay's hosts are used.
    pub onion: OnionHosts,
    /// When messages go through a relay of our own, so that the recipient's relay does not see our network address.
    pub routing: MessageRouting,
    /// The way to go when they should, and cannot.
    pub fallback: RoutingFallback,
    /// How far sessions with relays are shared.
    pub sessions: SessionMode,
    /// Whether relays of others may be on this machine, or in its own networks.
    pub local: LocalRelays,
}

/// A SOCKS5 proxy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SocksSettings {
    /// Where it is: `host:port`.
    pub proxy: String,
    /// Connections that go through it. By default all: then no name of a relay is looked up on this machine.
    pub mode: SocksMode,
    /// Whether [sessions](SessionMode) are kept apart by a user name and password of their own: Tor gives them different circuits. They
    /// are random ones that a session keeps when it is made anew, until the agent is opened the next time. On by default; a proxy that
    /// takes no user names is refused then.
    pub isolate: bool,
}

impl SocksSettings {
    /// Everything goes through this proxy, each session for itself.
    #[must_use]
    pub fn new(proxy: impl Into<String>) -> Self {
        Self { proxy: proxy.into(), mode: SocksMode::Always, isolate: true }
    }

    /// The same, for this.
    #[must_use]
    pub fn mode(self, mode: SocksMode) -> Self {
        Self { mode, ..self }
    }

    /// The same, with sessions kept apart or not.
    #[must_use]
    pub fn isolate(self, isolate: bool) -> Self {
        Self { isolate, ..self }
    }
}

/// How far sessions with relays are shared: SimpleX applications call this transport isolation. Nothing of two
/// [users](crate::UserId) ever shares one, and each session has a circuit of its own through [Tor](SocksSettings::isolate).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionMode {
    /// Those of all connections of a user. The relay sees which queues one of its clients has.
    #[default]
    User,
    /// Those of one connection. It costs a TLS session for each connection and relay: memory, traffic and time to connect, on both sides;
    /// relays limit how many sessions one network address may have.
    Connection,
}

/// Whether relays that others name, in an invitation for instance, may be on this machine or in its own networks: then whoever makes an
/// invitation can have this agent connect to ports there, though not more than to see whether a relay answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalRelays {
    /// They may: people who share a network use relays there.
    #[default]
    Any,
    /// Only those that are among ours, under the same address. Names that a SOCKS proxy looks up are not known here.
    Own,
}

/// Which of a relay's hosts are used. Onion hosts need a SOCKS proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnionHosts {
    /// All that can be reached, in the order of the address.
    #[default]
    AsListed,
    /// Onion hosts first. All hosts go through the SOCKS proxy.
    Preferred,
    /// Onion hosts only: relays that have none are not reached.
    Required,
}

/// When messages go through a relay of our own (`PRXY`, `PFWD`). It has to be one of [`AgentConfig::relays`](crate::AgentConfig::relays)
/// that is no other than the recipient's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageRouting {
    /// Never: each relay sees who sends to it.
    #[default]
    Never,
    /// To relays that are not among ours, unless the SOCKS proxy hides our address from them.
    Unprotected,
    /// To relays that are not among ours.
    Unknown,
    /// To all relays.
    Always,
}

/// The way to go when a message should go through a relay of our own, and none of them forwards it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoutingFallback {
    /// It waits.
    #[default]
    Wait,
    /// It goes directly where the SOCKS proxy hides our address, and waits otherwise.
    IfProtected,
    /// It goes directly.
    Direct,
}

impl NetworkSettings {
    /// Whether a relay does not see our network address when we connect to it.
    pub(crate) fn protects(&self, relay: &RelayAddress) -> bool {
        match (&self.socks, self.mode()) {
            (None, _) => false,
            (Some(_), SocksMode::Always) => true,
            // Any of its hosts may be the one that is reached.
            (Some(_), SocksMode::Onion) => relay.hosts.iter().all(Host::is_onion),
        }
    }

    /// Whether messages to a relay are to go through another one.
    pub(crate) fn routes(&self, relay: &RelayAddress, is_known: bool) -> bool {
        match self.routing {
            MessageRouting::Never => false,
            MessageRouting::Unprotected => !is_known && !self.protects(relay),
            MessageRouting::Unknown => !is_known,
            MessageRouting::Always => true,
        }
    }

    /// Whether messages that cannot be routed go to their relay directly.
    pub(crate) fn falls_back(&self, relay: &RelayAddress) -> bool {
        match self.fallback {
            RoutingFallback::Wait => false,
            RoutingFallback::IfProtected => self.protects(relay),
            RoutingFallback::Direct => true,
        }
    }

    /// The address with the hosts that are used, in the order in which they are tried. None if there are none.
    #[must_use]
    pub fn hosts(&self, relay: &RelayAddress) -> Option<RelayAddress> {
        let (onion, others): (Vec<_>, Vec<_>) = relay.hosts.iter().cloned().partition(Host::is_onion);
        let hosts = match self.onion {
            OnionHosts::AsListed => return Some(relay.clone()),
            OnionHosts::Preferred => [onion, others].concat(),
            OnionHosts::Required => onion,
        };
        Some(RelayAddress { hosts: NonEmpty::new(hosts)?, ..relay.clone() })
    }

    /// A preference for onion hosts looks no names up either.
    fn mode(&self) -> SocksMode {
        match (&self.socks, self.onion) {
            (Some(socks), OnionHosts::AsListed) => socks.mode,
            _ => SocksMode::Always,
        }
    }

    /// The dialler of a session with a relay, which is one of ours under this address (`is_own`) or not. Its streams have this user name and
    /// password in the SOCKS proxy.
    #[must_use]
    pub fn dialler(&self, is_own: bool, isolation: Option<Isolation>) -> Dialler {
        let public_only = self.local == LocalRelays::Own && !is_own;
        let filter = public_only.then(|| Arc::new(is_elsewhere) as Filter);
        let socks = self.socks.as_ref().map(|socks| {
            let isolation = isolation.filter(|_| socks.isolate);
            (SocksProxy::new(socks.proxy.clone(), isolation), self.mode())
        });
        Dialler { filter, socks, ..Dialler::default() }
    }
}

/// Whether a destination is on the internet at large, as far as can be told.
fn is_elsewhere(destination: Destination<'_>) -> bool {
    match destination {
        Destination::Address(address) => is_public(address.ip()),
        Destination::Name(..) => true,
    }
}
