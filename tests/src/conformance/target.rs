//! The relay that is checked.

use std::time::Duration;

use anyhow::{Result, bail};
use smp_protocol::address::{DEFAULT_PORT, RelayAddress};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a relay may take for anything, unless set otherwise. The reference implementation keeps notifications for
/// some seconds before it sends them.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The relay that is checked.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it is, who it is, and the password if it wants one.
    pub address: RelayAddress,
    /// A relay that it may forward commands to. Without one it is asked to forward to itself.
    pub destination: Option<RelayAddress>,
    /// How long it may take for anything.
    pub timeout: Duration,
}

impl Target {
    /// The relay at this address.
    #[must_use]
    pub fn new(address: RelayAddress) -> Self {
        Self { address, destination: None, timeout: TIMEOUT }
    }

    /// Opens a TCP connection to the first host that can be reached.
    ///
    /// # Errors
    /// If none can.
    pub async fn open(&self) -> Result<TcpStream> {
        let port = self.address.port.unwrap_or(DEFAULT_PORT);
        for host in self.address.hosts.iter() {
            let host = host.to_string();
            if let Ok(Ok(stream)) = timeout(self.timeout, TcpStream::connect((host.as_str(), port))).await {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
        }
        bail!("no host of the address can be reached on port {port}")
    }
}
