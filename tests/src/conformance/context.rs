//! `Context`: the surroundings of one check.

use anyhow::{Context as _, Result};
use smp_protocol::version::SmpVersion;

use super::client::Client;
use super::target::Target;

/// Surroundings of a check: the relay, and the version to speak.
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
