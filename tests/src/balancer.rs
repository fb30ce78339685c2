//! `Balancer`: a TCP load balancer, which passes each connection on to one of several processes of a relay, by chance.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use rand::seq::SliceRandom as _;
use smp_protocol::address::RelayAddress;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

/// Passes connections on until it is dropped.
pub struct Balancer {
    port: u16,
    task: AbortHandle,
}

impl Balancer {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    /// If the system has none.
    pub async fn start(targets: Vec<SocketAddr>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let mut targets = targets.clone();
                targets.shuffle(&mut rand::rng());
                connections.spawn(pass_on(client, targets));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { port, task: task.abort_handle() })
    }

    /// The address of the relay behind it.
    #[must_use]
    pub fn address(&self, relay: &RelayAddress) -> RelayAddress {
        RelayAddress { port: Some(self.port), ..relay.clone() }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// To the first that accepts.
async fn pass_on(mut client: TcpStream, targets: Vec<SocketAddr>) {
    for target in targets {
        if let Ok(mut process) = TcpStream::connect(target).await {
            // As with every connection, whoever closes it first.
            let _ = copy_bidirectional(&mut client, &mut process).await;
            return;
        }
    }
}
