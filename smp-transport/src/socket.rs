//! Options of the TCP connections between clients and relays.

use std::io;
use std::time::Duration;

use smp_crypto::block_chain::BLOCK_SIZE;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// Keep-alive: first probe after this time without traffic.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(30);

/// Keep-alive: time between probes.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Bytes that may wait in the socket until the network takes them: about one block. Nothing can join a block there: on a slow
/// link each small transmission would take a whole block for itself.
const MAX_UNSENT: u32 = BLOCK_SIZE as u32;

/// Sets the options of a client's connection.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE_IDLE).with_interval(KEEP_ALIVE_INTERVAL);
    SockRef::from(stream).set_tcp_keepalive(&keep_alive)?;
    send_blocks(stream)
}

/// Prepares a connection, of a client or of a relay, for blocks: they are written whole, so waiting for more only delays them; and
/// only about one of them waits in the socket.
///
/// # Errors
/// If the system refuses an option.
pub fn send_blocks(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "android", target_os = "linux"))]
    SockRef::from(stream).set_tcp_notsent_lowat(MAX_UNSENT)?;
    Ok(())
}
