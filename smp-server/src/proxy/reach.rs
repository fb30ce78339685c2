//! `Reach`: the addresses that a client may have this relay connect to.
//!
//! Anybody who may use the proxy says where it connects. So that nobody searches networks through it, or reaches what only this
//! machine and its neighbours should reach, it connects to public addresses and the usual ports only, unless the settings allow
//! more; and to itself it connects past all networks.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use smp_protocol::address::{Host, RelayAddress};
use smp_transport::{
    dial::{self, Destination, Dialler, Filter, SocksError, is_public},
    surroundings::Surroundings,
};
use tokio::time::{Instant, timeout};

use crate::{
    config::{self, SocksMode},
    sync::lock,
};

/// The operator is told no more often of the same thing.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(600);

/// How long it may take to look up the names of this relay.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// For how long what they were looked up as is taken for true.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(60);

/// The addresses that this relay may connect to.
pub(super) struct Reach {
    surroundings: Surroundings,
    own: OnceLock<Own>,
    own_addresses: Mutex<Option<(Instant, Arc<HashSet<IpAddr>>)>>,
    complaints: Arc<Complaints>,
}

/// This relay itself.
struct Own {
    fingerprint: [u8; 32],
    listener: SocketAddr,
    hosts: Vec<Host>,
}

#[derive(Default)]
struct Complaints {
    private: Mutex<Option<Instant>>,
    port: Mutex<Option<Instant>>,
    socks: Mutex<Option<Instant>>,
    this_machine: Mutex<Option<Instant>>,
}

/// The refusals in one attempt.
pub(super) struct Refused {
    private: Arc<AtomicBool>,
    port: Arc<AtomicBool>,
    complaints: Arc<Complaints>,
}

impl Reach {
    pub(super) fn new(surroundings: Surroundings) -> Self {
        Self {
            surroundings,
            own: OnceLock::new(),
            own_addresses: Mutex::default(),
            complaints: Arc::default(),
        }
    }

    fn now(&self) -> Instant {
        self.surroundings.time.monotonic()
    }

    /// This relay has this identity, listens here, and is known by these names.
    pub(super) fn set_own(&self, fingerprint: [u8; 32], listener: SocketAddr, hosts: Vec<Host>) {
        // Once, at the start.
        let _ = self.own.set(Own { fingerprint, listener: connectable(listener), hosts });
    }

    /// Where to connect to if the address is that of this relay, whatever hosts it names.
    pub(super) fn own_listener(&self, address: &RelayAddress) -> Option<SocketAddr> {
        self.own.get().filter(|own| own.fingerprint == address.fingerprint).map(|own| own.listener)
    }

    /// Connects to what the settings allow, and notes what they refuse.
    pub(super) async fn dialler(&self, settings: &config::Proxy) -> (Dialler, Refused) {
        let own = if settings.allow_private_hosts { Arc::default() } else { self.own_addresses().await };
        let refused =
            Refused { private: Arc::default(), port: Arc::default(), complaints: self.complaints.clone() };
        let (private, wrong_port) = (refused.private.clone(), refused.port.clone());
        let (allow_private, ports) = (settings.allow_private_hosts, settings.ports.clone());
        let filter: Filter = Arc::new(move |destination| {
            let port = match destination {
                Destination::Address(address) if !is_public(address.ip()) || own.contains(&address.ip()) => {
                    private.fetch_or(!allow_private, Ordering::Relaxed);
                    return allow_private;
                }
                Destination::Address(address) => address.port(),
                Destination::Name(_, port) => port,
            };
            let is_allowed = ports.is_empty() || ports.contains(&port);
            wrong_port.fetch_or(!is_allowed, Ordering::Relaxed);
            is_allowed
        });
        let socks = settings.socks.as_ref().map(|proxy| {
            let mode = match settings.socks_mode {
                SocksMode::Onion => dial::SocksMode::Onion,
                SocksMode::Always => dial::SocksMode::Always,
            };
            (dial::SocksProxy::new(proxy.as_str().to_owned(), None), mode)
        });
        (Dialler { filter: Some(filter), socks, ..Dialler::default() }, refused)
    }

    /// The addresses of this machine and those that its names have, which may be of a gateway in front of it.
    async fn own_addresses(&self) -> Arc<HashSet<IpAddr>> {
        if let Some((at, known)) = &*lock(&self.own_addresses)
            && self.now().duration_since(*at) < LOOKUP_INTERVAL
        {
            return known.clone();
        }
        let mut addresses = interfaces();
        for host in self.own.get().map_or(&[][..], |own| &own.hosts) {
            match host {
                Host::Ipv4(address) => drop(addresses.insert((*address).into())),
                Host::Ipv6(address) => drop(addresses.insert((*address).into())),
                Host::Onion(_) => {}
                Host::Domain(name) => {
                    let name = name.canonical();
                    let looking_up = self.surroundings.network.look_up(name.as_str(), 0);
                    if let Ok(Ok(found)) = timeout(LOOKUP_TIMEOUT, looking_up).await {
                        addresses.extend(found.iter().map(SocketAddr::ip));
                    }
                }
            }
        }
        let addresses = Arc::new(addresses);
        *lock(&self.own_addresses) = Some((self.now(), addresses.clone()));
        addresses
    }

    /// The SOCKS proxy does not answer.
    pub(super) fn complain_of_socks(&self, error: &SocksError) {
        if is_due(&self.complaints.socks, self.now()) {
            tracing::warn!("{error}; see proxy.socks");
        }
    }

    /// No relay can be reached, whichever a client asks for, or those of one kind (of IPv6, say).
    pub(super) fn complain_of_this_machine(&self, advice: &str) {
        if is_due(&self.complaints.this_machine, self.now()) {
            tracing::warn!("a relay that a client asks to forward to cannot be reached from here: {advice}");
        }
    }
}

impl Refused {
    /// Tells the operator, not too often, which setting has refused a relay. Not which relay.
    pub(super) fn complain(&self, now: Instant) {
        if self.private.load(Ordering::Relaxed) && is_due(&self.complaints.private, now) {
            tracing::warn!(
                "clients ask to forward to a relay at a private address or one of this machine, which \
                 proxy.allow_private_hosts = false forbids; if it is in your own network, see \"Relays in one LAN\" in \
                 docs/operating.md"
            );
        }
        if self.port.load(Ordering::Relaxed) && is_due(&self.complaints.port, now) {
            tracing::warn!(
                "clients ask to forward to a relay at a port that proxy.ports does not list; if that is wanted, add it, or \
                 allow all by proxy.ports = []"
            );
        }
    }
}

fn is_due(complained: &Mutex<Option<Instant>>, now: Instant) -> bool {
    let mut complained = lock(complained);
    let is_due = complained.is_none_or(|at| now.duration_since(at) >= COMPLAINT_INTERVAL);
    if is_due {
        *complained = Some(now);
    }
    is_due
}

/// An address at which this machine reaches what listens there.
fn connectable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

#[cfg(unix)]
fn interfaces() -> HashSet<IpAddr> {
    let addresses = nix::ifaddrs::getifaddrs().into_iter().flatten().filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    });
    addresses.collect()
}

#[cfg(not(unix))]
fn interfaces() -> HashSet<IpAddr> {
    HashSet::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn allowed(reach: &Reach, settings: &config::Proxy, destination: Destination<'_>) -> bool {
        let (dialler, _) = reach.dialler(settings).await;
        dialler.filter.is_some_and(|filter| filter(destination))
    }

    fn address(text: &str) -> Destination<'static> {
        Destination::Address(text.parse().unwrap())
    }

    #[tokio::test]
    async fn public_addresses_and_usual_ports_are_allowed() {
        let (reach, settings) = (Reach::new(Surroundings::machine()), config::Proxy::default());
        reach.set_own([1; 32], "0.0.0.0:5223".parse().unwrap(), vec!["8.8.4.4".parse().unwrap()]);
        for (destination, expected) in [
            (address("8.8.8.8:5223"), true),
            (address("8.8.8.8:443"), true),
            (address("[2606:4700::1]:443"), true),
            (address("8.8.8.8:25"), false),
            (address("10.0.0.1:5223"), false),
            (address("127.0.0.1:5223"), false),
            (address("[::1]:5223"), false),
            (address("198.18.0.1:443"), false),
            (address("8.8.4.4:443"), false),
            (Destination::Name("relay.example", 5223), true),
            (Destination::Name("abc.onion", 25), false),
        ] {
            assert_eq!(allowed(&reach, &settings, destination).await, expected, "{destination:?}");
        }
        let lan = config::Proxy { allow_private_hosts: true, ..settings.clone() };
        for destination in ["10.0.0.1:5999", "127.0.0.1:1", "8.8.8.8:5223"] {
            assert!(allowed(&reach, &lan, address(destination)).await, "{destination}");
        }
        assert!(!allowed(&reach, &lan, address("8.8.8.8:25")).await);
        let any = config::Proxy { ports: Vec::new(), ..settings };
        assert!(allowed(&reach, &any, address("8.8.8.8:25")).await);
    }

    #[test]
    fn the_own_relay_is_reached_past_all_networks() {
        let reach = Reach::new(Surroundings::machine());
        reach.set_own([1; 32], "0.0.0.0:7".parse().unwrap(), Vec::new());
        let of = |byte: u8| {
            let key = smp_crypto::base64url::encode(&[byte; 32]);
            reach.own_listener(&format!("smp://{key}@relay.example:99").parse().unwrap())
        };
        assert_eq!((of(1), of(2)), ("127.0.0.1:7".parse().ok(), None));
    }

    #[cfg(unix)]
    #[test]
    fn this_machine_has_addresses() {
        assert!(interfaces().iter().any(IpAddr::is_loopback));
    }
}
