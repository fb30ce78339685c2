//! Finding a way to a relay.

use std::io;
use std::net::SocketAddr;

use smp_protocol::address::RelayAddress;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::config::{ADDRESS_TIMEOUT, DEFAULT_PORTS, TCP_KEEP_ALIVE_IDLE, TCP_KEEP_ALIVE_INTERVAL};
use super::error::Attempt;
use super::{ClientConfig, ClientError};
use crate::connection::{ClientSide, Connection, ConnectionError, RelayConnector};

/// Tries the hosts of an address, each with all ports, until one is the relay.
///
/// That no host can be reached is reported only if nothing more telling happened.
pub(super) async fn dial(
    address: &RelayAddress,
    connector: &RelayConnector,
    config: &ClientConfig,
) -> Result<Connection<ClientSide>, ClientError> {
    let mut attempts = Vec::new();
    let mut telling = None;
    for (host, port) in targets(address) {
        // An IPv6 address would swallow the port.
        let name = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let error = match timeout(config.connect_timeout, dial_one(&host, port, connector)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => ClientError::Timeout(config.connect_timeout),
        };
        attempts.push(Attempt { host: name, reason: reason(&error) });
        if !error.is_temporary() {
            telling = Some(error);
        }
    }
    match telling {
        Some(error) => Err(error),
        None if attempts.is_empty() => Err(ClientError::OnionOnly),
        None => Err(ClientError::Unreachable(attempts)),
    }
}

/// Hosts with ports, in the order in which they are tried.
fn targets(address: &RelayAddress) -> Vec<(String, u16)> {
    let ports: &[u16] = match &address.port {
        Some(port) => std::slice::from_ref(port),
        None => &DEFAULT_PORTS,
    };
    let hosts = address.hosts.iter().filter(|host| !host.is_onion());
    hosts.flat_map(|host| ports.iter().map(|port| (host.to_string(), *port))).collect()
}

async fn dial_one(
    host: &str,
    port: u16,
    connector: &RelayConnector,
) -> Result<Connection<ClientSide>, ClientError> {
    let stream = open(host, port).await.map_err(|error| ClientError::Connection(error.into()))?;
    connector.connect(stream).await.map_err(|error| ClientError::from_connecting(error, host))
}

async fn open(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = connect_any(lookup_host((host, port)).await?).await?;
    // blocks are written whole: waiting for more only delays them
    stream.set_nodelay(true)?;
    let keep_alive =
        TcpKeepalive::new().with_time(TCP_KEEP_ALIVE_IDLE).with_interval(TCP_KEEP_ALIVE_INTERVAL);
    SockRef::from(&stream).set_tcp_keepalive(&keep_alive)?;
    Ok(stream)
}

/// Connects to the first address of a host that answers.
async fn connect_any(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut addresses = addresses.peekable();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    while let Some(address) = addresses.next() {
        let connecting = TcpStream::connect(address);
        let result = match addresses.peek() {
            None => connecting.await,
            Some(_) => timeout(ADDRESS_TIMEOUT, connecting).await.unwrap_or_else(|late| Err(late.into())),
        };
        match result {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn reason(error: &ClientError) -> String {
    match error {
        ClientError::Timeout(limit) => format!("no answer within {limit:?}"),
        ClientError::Connection(ConnectionError::Io(error)) => error.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(hosts: &str) -> RelayAddress {
        let text = format!("smp://tmJ4adaRel6G5gDls7oz4uREc6BhVHmRqI3VwjRE5Bs=@{hosts}");
        text.parse().unwrap()
    }

    #[test]
    fn hosts_are_tried_in_order_and_onions_are_left_out() {
        let named = |host: &str, port| (host.to_owned(), port);
        assert_eq!(
            targets(&address("a.example,b.example:1")),
            [named("a.example", 1), named("b.example", 1)]
        );
        assert_eq!(targets(&address("a.example")), [named("a.example", 5223), named("a.example", 443)]);
        assert_eq!(targets(&address("abcdef.onion")), []);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_does_not_answer_leaves_time_for_the_next() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let answers = listener.local_addr().unwrap();
        // addresses of documentation lead nowhere (RFC 5737, RFC 3849)
        let silent = ["192.0.2.1:9", "[2001:db8::1]:9"].map(|address| address.parse().unwrap());
        let stream = connect_any(silent.into_iter().chain([answers])).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), answers);
        assert!(connect_any(std::iter::empty()).await.is_err());
    }
}
