//! The relay that is measured.

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use serde::Serialize;
use smp_protocol::address::RelayAddress;
use smp_protocol::version::{SmpVersion, VersionRange};
use smp_transport::connection::{ConnectorSettings, RelayConnector};
use tokio::net::TcpStream;

use super::link::{BlockCounts, Link};

/// Kind of key that authorizes the commands of queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthKind {
    /// Authenticators, as current apps use them.
    #[default]
    X25519,
    /// Signatures.
    Ed25519,
}

/// A relay, and how to speak to it.
#[derive(Debug, Clone)]
pub struct Target {
    /// How results name it.
    pub name: String,
    /// Where it is; with the password for new queues, if it wants one.
    pub address: RelayAddress,
    /// The SMP versions to accept.
    pub versions: VersionRange<SmpVersion>,
    /// Kind of the queues' keys.
    pub auth: AuthKind,
    /// Its process, if it runs on this machine.
    pub pid: Option<u32>,
    /// Whether queues are to be deleted after a scenario, because the relay outlives it.
    pub clean_up: bool,
    connector: RelayConnector,
}

impl Target {
    /// A relay that was given by its address.
    ///
    /// # Errors
    /// If TLS cannot be configured, which no address causes.
    pub fn new(name: String, address: RelayAddress, versions: VersionRange<SmpVersion>) -> Result<Self> {
        let settings = ConnectorSettings { versions, ..ConnectorSettings::default() };
        let connector = RelayConnector::new(address.fingerprint, settings)?;
        Ok(Self { name, address, versions, auth: AuthKind::default(), pid: None, clean_up: true, connector })
    }

    /// Connects: TCP, TLS, SMP handshake. Blocks are counted in `counts`.
    ///
    /// # Errors
    /// If no host of the address can be connected to, or another relay answers.
    pub async fn connect(&self, counts: &BlockCounts) -> Result<Link> {
        let stream = self.tcp().await?;
        let connection = self.connector.connect(stream).await.context("cannot connect to the relay")?;
        Ok(Link::new(connection, counts.clone()))
    }

    /// The newest kind of keys that the relay takes, as far as it says so: old ones have no key for authenticators.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn best_auth(&self) -> Result<AuthKind> {
        let link = self.connect(&BlockCounts::default()).await?;
        Ok(if link.session.relay_key.is_some() { AuthKind::X25519 } else { AuthKind::Ed25519 })
    }

    async fn tcp(&self) -> Result<TcpStream> {
        let port = self.address.port_or_default();
        let mut last = None;
        for host in self.address.hosts.iter().filter(|host| !host.is_onion()) {
            match TcpStream::connect((host.to_string(), port)).await {
                Ok(stream) => {
                    smp_transport::socket::send_blocks(&stream)?;
                    return Ok(stream);
                }
                Err(error) => last = Some((host, error)),
            }
        }
        match last {
            Some((host, error)) => Err(error).context(format!("cannot reach {host}:{port}")),
            None => bail!("the address has no host that can be reached without Tor"),
        }
    }
}
