//! The SOCKS5 proxy (RFC 1928) through which onion hosts are reached.

use std::{
    io,
    sync::Mutex,
    time::{Duration, Instant},
};

use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;

use crate::{config::SocksProxy, sync::lock};

/// The operator is told no more often that the proxy does not answer.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(600);

/// A proxy that asks for no password.
pub(super) struct Socks {
    proxy: SocksProxy,
    complained: Mutex<Option<Instant>>,
}

impl Socks {
    pub(super) fn new(proxy: SocksProxy) -> Self {
        Self { proxy, complained: Mutex::default() }
    }

    /// A connection to a host, which the proxy looks up.
    pub(super) async fn open(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let stream = match TcpStream::connect(self.proxy.as_str()).await {
            Ok(stream) => stream,
            Err(error) => {
                self.complain(&error);
                return Err(error);
            }
        };
        stream.set_nodelay(true)?;
        let connected = Socks5Stream::connect_with_socket(stream, (host, port)).await;
        connected.map(Socks5Stream::into_inner).map_err(io::Error::other)
    }

    fn complain(&self, error: &io::Error) {
        let mut complained = lock(&self.complained);
        if complained.is_none_or(|at| at.elapsed() >= COMPLAINT_INTERVAL) {
            *complained = Some(Instant::now());
            tracing::warn!("the SOCKS proxy at {} does not answer: {error}; see proxy.socks", self.proxy);
        }
    }
}
