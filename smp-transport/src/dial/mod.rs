//! [`Dialler`]: the way to a host, over the [`Network`] that is handed in.
//!
//! It decides for each host whether it is dialled directly or through a SOCKS5 proxy, which addresses are allowed,
//! how many are tried, and for how long. An onion host is never looked up here, nor dialled past the proxy.

mod networks;
mod socks;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use smp_protocol::address::Host;
use tokio::time::timeout;

pub use networks::is_public;
pub use socks::{Isolation, IsolationError, SocksError, SocksProxy, SocksReply};

use crate::stream::BoxedStream;
use crate::surroundings::Network;

/// How many addresses of a relay are tried, unless set otherwise. An address may name 255 hosts, and each of them any number of
/// addresses: who makes us connect to it must not make us search a network.
pub const MAX_ADDRESSES: usize = 8;

/// How long one of several addresses may take before the next is tried: it may be of the IP version that works.
pub const ADDRESS_TIMEOUT: Duration = Duration::from_secs(4);

/// Where a connection is about to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination<'a> {
    /// To this address.
    Address(SocketAddr),
    /// Through the SOCKS proxy to a name, which only the proxy looks up.
    Name(&'a str, u16),
}

/// Says which destinations are allowed.
pub type Filter = Arc<dyn Fn(Destination<'_>) -> bool + Send + Sync>;

/// Which hosts go through the SOCKS proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocksMode {
    /// Onion hosts only.
    Onion,
    /// All hosts.
    Always,
}

/// Connects to hosts.
#[derive(Clone)]
pub struct Dialler {
    /// Asked before each attempt; without one everything is allowed.
    pub filter: Option<Filter>,
    /// The SOCKS proxy, and what goes through it. Without one onion hosts cannot be reached.
    pub socks: Option<(SocksProxy, SocksMode)>,
    /// How many addresses of one relay are tried; a host that cannot be looked up counts as one.
    pub max_addresses: usize,
    /// How long each address may take, unless it is the last one of the last host.
    pub address_timeout: Duration,
}

impl Default for Dialler {
    /// Directly, to any address.
    fn default() -> Self {
        Self { filter: None, socks: None, max_addresses: MAX_ADDRESSES, address_timeout: ADDRESS_TIMEOUT }
    }
}

/// Why a host was not connected to.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// None of the host's addresses is allowed; nothing was dialled.
    #[error("connections to this address are not allowed")]
    NotAllowed,
    /// An onion host, and there is no SOCKS proxy.
    #[error("the host can only be reached through Tor")]
    OnionOnly,
    /// As many addresses as may be were tried before.
    #[error("too many addresses")]
    TooMany,
    /// The SOCKS proxy does not connect.
    #[error(transparent)]
    Socks(#[from] SocksError),
    /// The name cannot be looked up, or none of its addresses answers.
    #[error("{0}")]
    Io(Arc<io::Error>),
}

impl From<io::Error> for DialError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

enum Way<'a> {
    Direct,
    Socks(&'a SocksProxy),
}

impl Dialler {
    /// Whether there is a way to this host at all.
    #[must_use]
    pub fn reaches(&self, host: &Host) -> bool {
        self.way(host).is_some()
    }

    fn way(&self, host: &Host) -> Option<Way<'_>> {
        match &self.socks {
            Some((proxy, mode)) if host.is_onion() || *mode == SocksMode::Always => Some(Way::Socks(proxy)),
            _ if host.is_onion() => None,
            _ => Some(Way::Direct),
        }
    }

    /// Connects to a host. `addresses` is how many may still be tried; `is_last` says that no other host follows. Set a time
    /// limit around it.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn dial(
        &self,
        network: &dyn Network,
        host: &Host,
        port: u16,
        addresses: &mut usize,
        is_last: bool,
    ) -> Result<BoxedStream, DialError> {
        match self.way(host).ok_or(DialError::OnionOnly)? {
            Way::Direct => self.open(network, host, port, addresses, is_last).await,
            Way::Socks(proxy) => {
                take_one(addresses)?;
                self.open_through(network, proxy, host, port).await
            }
        }
    }

    async fn open(
        &self,
        network: &dyn Network,
        host: &Host,
        port: u16,
        addresses: &mut usize,
        is_last: bool,
    ) -> Result<BoxedStream, DialError> {
        let found: Vec<SocketAddr> = match ip(host) {
            Some(ip) => vec![SocketAddr::new(ip, port)],
            None => {
                let looked_up = network.look_up(&host.canonical().to_string(), port).await;
                looked_up.map_err(|error| unknown_name(addresses, &error))?
            }
        };
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the host has no address").into());
        }
        let allowed = found.into_iter().filter(|address| self.allows(Destination::Address(*address)));
        self.open_any(network, allowed, addresses, is_last).await
    }

    /// Connects to the first address that answers.
    async fn open_any(
        &self,
        network: &dyn Network,
        allowed: impl Iterator<Item = SocketAddr>,
        addresses: &mut usize,
        is_last: bool,
    ) -> Result<BoxedStream, DialError> {
        let mut allowed = allowed.peekable();
        let mut failure = DialError::NotAllowed;
        while let Some(address) = allowed.next() {
            if let Err(too_many) = take_one(addresses) {
                // what happened before says more
                return Err(if matches!(failure, DialError::NotAllowed) { too_many } else { failure });
            }
            let connecting = network.connect(address);
            let result = if is_last && (allowed.peek().is_none() || *addresses == 0) {
                connecting.await
            } else {
                timeout(self.address_timeout, connecting).await.unwrap_or_else(|late| Err(late.into()))
            };
            match result {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error.into(),
            }
        }
        Err(failure)
    }

    /// Names are the proxy's to look up.
    async fn open_through(
        &self,
        network: &dyn Network,
        proxy: &SocksProxy,
        host: &Host,
        port: u16,
    ) -> Result<BoxedStream, DialError> {
        let name = host.canonical().to_string();
        let destination = match ip(host) {
            Some(ip) => Destination::Address(SocketAddr::new(ip, port)),
            None => Destination::Name(&name, port),
        };
        if !self.allows(destination) {
            return Err(DialError::NotAllowed);
        }
        Ok(proxy.connect(network, destination).await?)
    }

    fn allows(&self, destination: Destination<'_>) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter(destination))
    }
}

/// The resolver's errors have no kind of their own.
fn unknown_name(addresses: &mut usize, error: &io::Error) -> io::Error {
    *addresses = addresses.saturating_sub(1);
    let reason = error.to_string();
    let reason = reason.strip_prefix("failed to lookup address information: ").unwrap_or(&reason);
    io::Error::new(io::ErrorKind::NotFound, format!("the name cannot be looked up ({reason})"))
}

fn take_one(addresses: &mut usize) -> Result<(), DialError> {
    *addresses = addresses.checked_sub(1).ok_or(DialError::TooMany)?;
    Ok(())
}

fn ip(host: &Host) -> Option<IpAddr> {
    match host {
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some((*address).into()),
        Host::Onion(_) | Host::Domain(_) => None,
    }
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialler")
            .field("filter", &self.filter.is_some())
            .field("socks", &self.socks)
            .field("max_addresses", &self.max_addresses)
            .field("address_timeout", &self.address_timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surroundings::Surroundings;

    fn network() -> Arc<dyn Network> {
        Surroundings::machine().network
    }

    async fn listener() -> (tokio::net::TcpListener, SocketAddr) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    // addresses of documentation lead nowhere (RFC 5737, RFC 3849)
    fn silent() -> [SocketAddr; 2] {
        ["192.0.2.1:9", "[2001:db8::1]:9"].map(|address| address.parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_does_not_answer_leaves_time_for_the_next() {
        let (listener, answers) = listener().await;
        let addresses = silent().into_iter().chain([answers]);
        let stream = Dialler::default().open_any(&*network(), addresses, &mut 3, true).await.unwrap();
        listener.accept().await.unwrap();
        drop(stream);
        let none = Dialler::default().open_any(&*network(), std::iter::empty(), &mut 3, true).await;
        assert!(matches!(none, Err(DialError::NotAllowed)));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_addresses_are_tried_than_may_be() {
        let (_listener, answers) = listener().await;
        let addresses = || silent().into_iter().chain([answers]);
        let mut left = 2;
        let error = Dialler::default().open_any(&*network(), addresses(), &mut left, false).await;
        assert!(matches!(error, Err(DialError::Io(_))), "{error:?}");
        assert_eq!(left, 0);
        let error = Dialler::default().open_any(&*network(), addresses(), &mut left, false).await;
        assert!(matches!(error, Err(DialError::TooMany)), "{error:?}");
    }

    #[tokio::test]
    async fn nothing_is_dialled_that_is_not_allowed() {
        let (_listener, answers) = listener().await;
        let filter: Filter = Arc::new(move |destination| destination != Destination::Address(answers));
        let dialler = Dialler { filter: Some(filter), ..Dialler::default() };
        for host in ["127.0.0.1", "localhost"] {
            let error = dialler.dial(&*network(), &host.parse().unwrap(), answers.port(), &mut 8, true).await;
            // `localhost` may have another address, where nobody listens
            assert!(matches!(error, Err(DialError::NotAllowed | DialError::Io(_))), "{host}: {error:?}");
        }
        let error =
            dialler.dial(&*network(), &"127.0.0.1".parse().unwrap(), answers.port(), &mut 8, true).await;
        assert!(matches!(error, Err(DialError::NotAllowed)));
    }

    /// However it is written, with and without a proxy.
    #[tokio::test]
    async fn an_onion_host_goes_nowhere_but_to_the_proxy() {
        let filter: Filter = Arc::new(|destination| match destination {
            Destination::Name(name, 5223) => name != "abc.onion",
            other => panic!("{other:?}"),
        });
        let proxy = SocksProxy::new("127.0.0.1:9050".to_owned(), None);
        for host in ["abc.onion", "ABC.Onion", "abc.ONION."] {
            let host: Host = host.parse().unwrap();
            for mode in [SocksMode::Onion, SocksMode::Always] {
                let dialler = Dialler {
                    filter: Some(filter.clone()),
                    socks: Some((proxy.clone(), mode)),
                    ..Dialler::default()
                };
                let error = dialler.dial(&*network(), &host, 5223, &mut 8, true).await;
                assert!(matches!(error, Err(DialError::NotAllowed)), "{host}: {error:?}");
            }
            assert!(!Dialler::default().reaches(&host));
            let error = Dialler::default().dial(&*network(), &host, 5223, &mut 8, true).await;
            assert!(matches!(error, Err(DialError::OnionOnly)));
        }
    }
}
