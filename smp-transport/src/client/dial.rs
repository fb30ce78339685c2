//! The way to a relay: through a proxy, or to one of its hosts.

use smp_protocol::address::{Host, RelayAddress};
use tokio::time::timeout;

use super::config::DEFAULT_PORTS;
use super::error::Attempt;
use super::{ClientConfig, ClientError};
use crate::connection::{ClientSide, Connection, ConnectionError, RelayConnector};
use crate::dial::{DialError, Dialler};

/// Tries the hosts of an address, each with all ports, until one is the relay.
///
/// That no host can be reached is reported only if nothing more telling happened.
pub(super) async fn dial(
    address: &RelayAddress,
    connector: &RelayConnector,
    config: &ClientConfig,
) -> Result<Connection<ClientSide>, ClientError> {
    let (mut attempts, mut telling, mut refused) = (Vec::new(), None, false);
    let mut addresses = config.dialler.max_addresses;
    let mut targets = targets(address, &config.dialler).peekable();
    while let Some((host, port)) = targets.next() {
        let is_last = targets.peek().is_none();
        let dialling = dial_one(host, port, connector, config, &mut addresses, is_last);
        let error = match timeout(config.connect_timeout, dialling).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(ClientError::NotAllowed)) => {
                refused = true;
                continue;
            }
            Ok(Err(error)) => error,
            Err(_) => ClientError::Timeout(config.connect_timeout),
        };
        if !error.is_temporary() {
            telling = Some(error.clone());
        }
        // An IPv6 address would swallow the port.
        let name = host.canonical().to_string();
        let host = if name.contains(':') { format!("[{name}]:{port}") } else { format!("{name}:{port}") };
        attempts.push(Attempt::new(host, error));
        if addresses == 0 {
            break;
        }
    }
    match telling {
        Some(error) => Err(error),
        None if !attempts.is_empty() => Err(ClientError::Unreachable(attempts)),
        None if refused => Err(ClientError::NotAllowed),
        None => Err(ClientError::OnionOnly),
    }
}

/// Hosts that there is a way to, with ports, in the order in which they are tried.
fn targets<'a>(address: &'a RelayAddress, dialler: &Dialler) -> impl Iterator<Item = (&'a Host, u16)> {
    let ports: &[u16] = match &address.port {
        Some(port) => std::slice::from_ref(port),
        None => &DEFAULT_PORTS,
    };
    let hosts = address.hosts.iter().filter(|host| dialler.reaches(host));
    hosts.flat_map(|host| ports.iter().map(move |port| (host, *port)))
}

async fn dial_one(
    host: &Host,
    port: u16,
    connector: &RelayConnector,
    config: &ClientConfig,
    addresses: &mut usize,
    is_last: bool,
) -> Result<Connection<ClientSide>, ClientError> {
    let network = &*config.surroundings.network;
    let dialled = config.dialler.dial(network, host, port, addresses, is_last).await;
    let stream = dialled.map_err(|error| match error {
        DialError::NotAllowed => ClientError::NotAllowed,
        DialError::OnionOnly => ClientError::OnionOnly,
        DialError::Socks(error) => ClientError::Socks(error),
        DialError::Io(error) => ClientError::Connection(ConnectionError::Io(error)),
        DialError::TooMany => ClientError::TooManyAddresses,
    })?;
    let connected = connector.connect(stream).await;
    connected.map_err(|error| ClientError::from_connecting(error, &host.canonical().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dial::{SocksMode, SocksProxy};

    fn named(hosts: &str, dialler: &Dialler) -> Vec<String> {
        let address = format!("smp://tmJ4adaRel6G5gDls7oz4uREc6BhVHmRqI3VwjRE5Bs=@{hosts}").parse().unwrap();
        targets(&address, dialler).map(|(host, port)| format!("{host}:{port}")).collect()
    }

    #[test]
    fn hosts_are_tried_in_order_and_onions_only_through_a_proxy() {
        let direct = Dialler::default();
        assert_eq!(named("a.example,b.example:1", &direct), ["a.example:1", "b.example:1"]);
        assert_eq!(named("a.example", &direct), ["a.example:5223", "a.example:443"]);
        assert_eq!(named("abcdef.onion", &direct), [""; 0]);
        let socks = Some((SocksProxy::new("127.0.0.1:9050".to_owned(), None), SocksMode::Onion));
        let through = Dialler { socks, ..direct };
        assert_eq!(named("abcdef.onion,a.example:1", &through), ["abcdef.onion:1", "a.example:1"]);
    }
}
