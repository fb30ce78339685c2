//! The sockets of listeners, opened.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 1_024;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program listens there.
    #[error(
        "{0} is in use: stop the program that uses it, or set another port with --listen, server.listen or page.listen"
    )]
    InUse(SocketAddr),
    /// Low ports are for privileged programs.
    #[error("may not listen on {0}: choose a port from 1024 on, or allow low ports (CAP_NET_BIND_SERVICE)")]
    Denied(SocketAddr),
    /// It is no address of this machine.
    #[error("cannot listen on {0}: it is not an address of this machine; see server.listen and page.listen")]
    NotLocal(SocketAddr),
    /// There is no IPv6 on this machine, and nothing else to listen on, or the address was meant.
    #[error(
        "cannot listen on {0}: this machine has no IPv6; give IPv4 addresses such as \"0.0.0.0:5223\" in server.listen"
    )]
    WithoutIpv6(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {0}: {1}")]
    Other(SocketAddr, #[source] io::Error),
}

/// Listens on all addresses. IPv6 sockets take no IPv4 connections, so that both can be listed. A machine without IPv6
/// may have the unspecified IPv6 address in its list.
///
/// # Errors
///
/// [`BindError`] for the first address that does not work.
pub(crate) fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, BindError> {
    bind_by(addresses, listen)
}

fn bind_by<T>(
    addresses: &[SocketAddr],
    listen: impl Fn(SocketAddr) -> io::Result<T>,
) -> Result<Vec<T>, BindError> {
    let mut listeners = Vec::with_capacity(addresses.len());
    let mut without_ipv6 = None;
    for address in addresses {
        match listen(*address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if is_without_ipv6(*address, &error) => {
                tracing::info!("this machine has no IPv6");
                without_ipv6 = Some(BindError::WithoutIpv6(*address));
            }
            Err(error) => return Err(explain(*address, error)),
        }
    }
    match without_ipv6 {
        // There was nothing else in the list.
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Else a restarted relay would have to wait until connections of the one before are forgotten.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn is_without_ipv6(address: SocketAddr, error: &io::Error) -> bool {
    let unsupported = error.kind() == io::ErrorKind::AddrNotAvailable
        || matches!(error.raw_os_error(), Some(code) if code == EAFNOSUPPORT);
    matches!(address.ip(), IpAddr::V6(ip) if ip.is_unspecified()) && unsupported
}

/// The address family is not supported (Linux); it has no [`io::ErrorKind`].
const EAFNOSUPPORT: i32 = 97;

fn explain(address: SocketAddr, error: io::Error) -> BindError {
    match error.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(address),
        io::ErrorKind::PermissionDenied => BindError::Denied(address),
        io::ErrorKind::AddrNotAvailable => BindError::NotLocal(address),
        _ if address.is_ipv6() && error.raw_os_error() == Some(EAFNOSUPPORT) => {
            BindError::WithoutIpv6(address)
        }
        _ => BindError::Other(address, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_named() {
        let first = bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let taken = first[0].local_addr().unwrap();
        let error = bind(&[taken]).unwrap_err();
        assert!(matches!(error, BindError::InUse(address) if address == taken));
        assert!(error.to_string().contains("in use"));
    }

    #[test]
    fn a_machine_without_ipv6_listens_on_the_rest_in_any_order() {
        let [v4, v6, foreign]: [SocketAddr; 3] =
            ["0.0.0.0:7", "[::]:7", "[2001:db8::1]:7"].map(|address| address.parse().unwrap());
        for error in [io::Error::from_raw_os_error(EAFNOSUPPORT), io::ErrorKind::AddrNotAvailable.into()] {
            let listen = |address: SocketAddr| match address {
                SocketAddr::V4(_) => Ok(address),
                SocketAddr::V6(_) => Err(match error.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => error.kind().into(),
                }),
            };
            for list in [[v4, v6], [v6, v4]] {
                assert_eq!(bind_by(&list, listen).unwrap(), [v4]);
            }
            let alone = bind_by(&[v6], listen).unwrap_err();
            assert!(matches!(alone, BindError::WithoutIpv6(_)), "{alone}");
            let meant = bind_by(&[v4, foreign], listen).unwrap_err();
            assert!(
                matches!(meant, BindError::WithoutIpv6(at) | BindError::NotLocal(at) if at == foreign),
                "{meant}"
            );
        }
    }

    #[tokio::test]
    async fn foreign_addresses_are_refused() {
        let error = bind(&["192.0.2.1:0".parse().unwrap()]).unwrap_err();
        assert!(matches!(error, BindError::NotLocal(_)), "{error}");
    }
}
