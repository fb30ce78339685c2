//! `Network`: looks names up and opens connections.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use tokio::net::{TcpStream, lookup_host};

use crate::socket;
use crate::stream::BoxedStream;

/// An answer of the network that takes its time.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// A network. [`Dialler`](crate::dial::Dialler) decides what it is asked for; it has no time limits of its own.
pub trait Network: Send + Sync + 'static {
    /// The addresses of a host, each with the port.
    fn look_up<'a>(&'a self, host: &'a str, port: u16) -> Pending<'a, Vec<SocketAddr>>;

    /// Connects to an address.
    fn connect(&self, to: SocketAddr) -> Pending<'_, BoxedStream>;
}

/// The network of this machine: its resolver, and TCP.
pub(super) fn machine() -> Arc<dyn Network> {
    Arc::new(Machine)
}

struct Machine;

impl Network for Machine {
    fn look_up<'a>(&'a self, host: &'a str, port: u16) -> Pending<'a, Vec<SocketAddr>> {
        Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
    }

    fn connect(&self, to: SocketAddr) -> Pending<'_, BoxedStream> {
        Box::pin(async move {
            let stream = TcpStream::connect(to).await?;
            socket::prepare(&stream)?;
            Ok(Box::new(stream) as BoxedStream)
        })
    }
}
