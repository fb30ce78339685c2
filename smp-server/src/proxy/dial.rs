//! Connecting to other relays, but not to whatever else is in the networks of this one.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use smp_protocol::address::{DEFAULT_PORT, Host, RelayAddress};
use smp_transport::{
    client::{ClientConfig, ClientError, RelayClient, RelayEvents},
    connection::ConnectionError,
};
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};

use super::{networks::is_public, socks::Socks};
use crate::config::{self, HostMode, SocksMode};

/// Tried in this order if the address has no port.
const PORTS: [u16; 2] = [DEFAULT_PORT, 443];

/// Why there is no session.
#[derive(Debug)]
pub(super) enum DialError {
    /// The relay has no host that this one may connect to.
    Host,
    /// None of them works.
    Client(ClientError),
}

/// How to get to a host.
#[derive(Clone, Copy)]
enum Way<'a> {
    Direct,
    Socks(&'a Socks),
}

/// Connects to the first host of the address that works.
pub(super) async fn dial(
    address: &RelayAddress,
    settings: &config::Proxy,
    socks: Option<&Socks>,
) -> Result<(RelayClient, RelayEvents), DialError> {
    let deadline = Instant::now() + settings.timeout;
    match timeout_at(deadline, dial_hosts(address, settings, socks)).await {
        Ok(result) => result,
        Err(_) => Err(DialError::Client(ClientError::Timeout(settings.timeout))),
    }
}

async fn dial_hosts(
    address: &RelayAddress,
    settings: &config::Proxy,
    socks: Option<&Socks>,
) -> Result<(RelayClient, RelayEvents), DialError> {
    let ports: &[u16] = address.port.as_ref().map_or(&PORTS, std::slice::from_ref);
    let mut failure = DialError::Host;
    for host in hosts(address, settings) {
        let Some(way) = way(host, settings, socks) else { continue };
        for port in ports {
            match dial_host(host, *port, way, address.fingerprint, settings).await {
                Ok(connected) => return Ok(connected),
                Err(error) => failure = DialError::Client(error),
            }
        }
    }
    Err(failure)
}

/// The hosts that may be tried, in this order.
fn hosts<'a>(address: &'a RelayAddress, settings: &config::Proxy) -> Vec<&'a Host> {
    let onions_first = settings.host_mode == HostMode::Onion;
    let (mut hosts, others): (Vec<_>, Vec<_>) =
        address.hosts.iter().partition(|host| host.is_onion() == onions_first);
    if !settings.required_host_mode {
        hosts.extend(others);
    }
    hosts
}

/// An onion host is nothing that this machine could look up: without a SOCKS proxy there is no way to it.
fn way<'a>(host: &Host, settings: &config::Proxy, socks: Option<&'a Socks>) -> Option<Way<'a>> {
    match socks {
        Some(socks) if host.is_onion() || settings.socks_mode == SocksMode::Always => Some(Way::Socks(socks)),
        _ if host.is_onion() => None,
        _ => Some(Way::Direct),
    }
}

async fn dial_host(
    host: &Host,
    port: u16,
    way: Way<'_>,
    fingerprint: [u8; 32],
    settings: &config::Proxy,
) -> Result<(RelayClient, RelayEvents), ClientError> {
    let stream = match way {
        Way::Direct => open(host, port, settings).await,
        Way::Socks(socks) => open_through(socks, host, port, settings).await,
    };
    let stream = stream.map_err(|error| ClientError::Connection(ConnectionError::from(error)))?;
    RelayClient::connect_over(stream, fingerprint, client_config(settings.timeout)).await
}

async fn open(host: &Host, port: u16, settings: &config::Proxy) -> io::Result<TcpStream> {
    let host = host.to_string();
    let addresses = lookup_host((host.as_str(), port)).await?;
    let allowed: Vec<SocketAddr> = addresses.filter(|address| is_allowed(address.ip(), settings)).collect();
    let stream = TcpStream::connect(allowed.as_slice()).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Names are the SOCKS proxy's to look up, so that only it can say which networks they may lead to.
async fn open_through(
    socks: &Socks,
    host: &Host,
    port: u16,
    settings: &config::Proxy,
) -> io::Result<TcpStream> {
    let ip: Option<IpAddr> = match host {
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some((*address).into()),
        Host::Onion(_) | Host::Domain(_) => None,
    };
    if ip.is_some_and(|ip| !is_allowed(ip, settings)) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    socks.open(&host.to_string(), port).await
}

fn is_allowed(address: IpAddr, settings: &config::Proxy) -> bool {
    settings.allow_private_hosts || is_public(address)
}

fn client_config(timeout: Duration) -> ClientConfig {
    ClientConfig {
        proxy: true,
        response_timeout: timeout,
        connect_timeout: timeout,
        ..ClientConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SocksProxy;

    fn address(hosts: &str) -> RelayAddress {
        format!("smp://{}@{hosts}", smp_crypto::base64url::encode(&[7; 32])).parse().unwrap()
    }

    fn tried(settings: &config::Proxy, hosts_: &str) -> Vec<String> {
        let address = address(hosts_);
        let socks = settings.socks.clone().map(Socks::new);
        let found = hosts(&address, settings).into_iter().filter_map(|host| {
            let way = match way(host, settings, socks.as_ref())? {
                Way::Direct => "direct",
                Way::Socks(_) => "socks",
            };
            Some(format!("{host} {way}"))
        });
        found.collect()
    }

    #[test]
    fn hosts_are_tried_as_the_settings_say() {
        let none = config::Proxy::default();
        assert_eq!(tried(&none, "a.onion,b"), ["b direct"]);
        assert_eq!(tried(&none, "a.onion"), [""; 0]);
        let socks = config::Proxy { socks: SocksProxy::parse("127.0.0.1:9050").ok(), ..none };
        assert_eq!(tried(&socks, "a.onion,b"), ["b direct", "a.onion socks"]);
        let always = config::Proxy { socks_mode: SocksMode::Always, ..socks.clone() };
        assert_eq!(tried(&always, "a.onion,b"), ["b socks", "a.onion socks"]);
        let onion = config::Proxy { host_mode: HostMode::Onion, ..socks.clone() };
        assert_eq!(tried(&onion, "b,a.onion"), ["a.onion socks", "b direct"]);
        let required = config::Proxy { required_host_mode: true, ..onion };
        assert_eq!(tried(&required, "b,a.onion"), ["a.onion socks"]);
        assert_eq!(tried(&required, "b"), [""; 0]);
        let public = config::Proxy { required_host_mode: true, ..socks };
        assert_eq!(tried(&public, "a.onion"), [""; 0]);
    }

    #[tokio::test]
    async fn private_addresses_are_not_asked_of_the_socks_proxy() {
        let settings = config::Proxy::default();
        let socks = Socks::new(SocksProxy::parse("127.0.0.1:1").unwrap());
        for host in ["127.0.0.1", "10.0.0.1", "::1"] {
            let error = open_through(&socks, &host.parse().unwrap(), 5223, &settings).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{host}");
        }
    }
}
