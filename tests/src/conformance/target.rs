//! The relay that is checked.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use smp_protocol::address::{DEFAULT_PORT, RelayAddress};
use smp_protocol::version::{SmpVersion, VersionRange};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::client::Client;
use super::wire::Greeted;

/// How long a relay may take for anything, unless set otherwise. The reference implementation keeps notifications for
/// some seconds before it sends them.
const PATIENCE: Duration = Duration::from_secs(20);

/// The relay that is checked.
#[derive(Debug, Clone)]
pub struct Target {
    /// Where it is, who it is, and the password if it wants one.
    pub address: RelayAddress,
    /// A relay that it may forward commands to. Without one it is asked to forward to itself.
    pub destination: Option<RelayAddress>,
    /// How long it may take for anything.
    pub patience: Duration,
}

impl Target {
    /// The relay at this address.
    #[must_use]
    pub fn new(address: RelayAddress) -> Self {
        Self { address, destination: None, patience: PATIENCE }
    }

    /// The versions that the relay offers, and its destination if there is another one.
    ///
    /// # Errors
    /// If one of them cannot be connected to, or they have no version in common.
    pub(super) async fn offered_versions(&self) -> Result<VersionRange<SmpVersion>> {
        let offered = Greeted::connect(self, None).await.context("cannot connect")?.hello.versions;
        let Some(destination) = &self.destination else { return Ok(offered) };
        let destination = Self { address: destination.clone(), destination: None, ..self.clone() };
        let of_destination =
            Greeted::connect(&destination, None).await.context("cannot connect to the destination")?;
        let common = offered.intersect(&of_destination.hello.versions);
        common.context("the relay and its destination have no version in common")
    }

    /// Opens a TCP connection to the first host that can be reached.
    ///
    /// # Errors
    /// If none can.
    pub async fn open(&self) -> Result<TcpStream> {
        let port = self.address.port.unwrap_or(DEFAULT_PORT);
        for host in self.address.hosts.iter() {
            let host = host.to_string();
            if let Ok(Ok(stream)) = timeout(self.patience, TcpStream::connect((host.as_str(), port))).await {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
        }
        bail!("no host of the address can be reached on port {port}")
    }
}

/// What a check is given: the relay, and the version to speak.
#[derive(Debug, Clone)]
pub struct Context {
    /// The relay.
    pub target: Target,
    /// The version to check it in.
    pub version: SmpVersion,
}

impl Context {
    /// A new connection in the version of the check.
    ///
    /// # Errors
    /// If there is none, or the handshake fails.
    pub async fn connect(&self) -> Result<Client> {
        Client::connect(&self.target, self.version).await.context("connecting")
    }

    /// Two connections.
    ///
    /// # Errors
    /// As for [`Context::connect`].
    pub async fn connect_two(&self) -> Result<(Client, Client)> {
        Ok((self.connect().await?, self.connect().await?))
    }

    /// Whether the version is this one or a later one.
    #[must_use]
    pub fn since(&self, version: SmpVersion) -> bool {
        self.version >= version
    }
}
