//! Opening an agent: settings, and the machine that it runs on.

use super::Agent;
use crate::config::{AgentConfig, Limits, Timeouts};
use crate::error::AgentError;
use crate::events::Events;
use crate::network_settings::NetworkSettings;
use crate::relay_set::RelayEntry;
use crate::secret::Secret;
use smp_transport::surroundings::{Network, Randomness, Spawner, Surroundings, Time};
use std::sync::Arc;

/// Settings of an agent that is about to be opened. See [`Agent::builder`].
///
/// ```no_run
/// # async fn example(relay: smp_agent::RelayAddress) -> Result<(), smp_agent::AgentError> {
/// let (agent, events) = smp_agent::Agent::builder("/home/alice/.local/share/smp")
///     .relays([relay])
///     .receipts(true)
///     .limits(|limits| limits.waiting = 100)
///     .open()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is opened before open() is called"]
pub struct AgentBuilder {
    config: AgentConfig,
    time: Option<Time>,
    randomness: Option<Randomness>,
    dialler: Option<Dialling>,
    spawner: Option<Spawner>,
}

/// The network that was handed in.
#[derive(Clone, derive_more::Debug)]
struct Dialling(#[debug(skip)] Arc<dyn Network>);

impl From<AgentConfig> for AgentBuilder {
    fn from(config: AgentConfig) -> Self {
        Self { config, time: None, randomness: None, dialler: None, spawner: None }
    }
}

impl AgentBuilder {
    /// The secret under which the data directory is encrypted. See [`AgentConfig::secret`].
    pub fn secret(mut self, secret: Secret) -> Self {
        self.config.secret = Some(secret);
        self
    }

    /// A passphrase under which the data directory is encrypted, for people. Opening takes some tenths of a second longer.
    pub fn passphrase(self, passphrase: impl Into<String>) -> Self {
        self.secret(Secret::passphrase(passphrase))
    }

    /// 32 random bytes under which the data directory is encrypted, for programs that keep them elsewhere.
    pub fn key(self, key: [u8; 32]) -> Self {
        self.secret(Secret::key(key))
    }

    /// The relays on which queues are made, and through which messages are sent. See [`AgentConfig::relays`].
    pub fn relays(mut self, relays: impl IntoIterator<Item = impl Into<RelayEntry>>) -> Self {
        self.config.relays = relays.into_iter().map(Into::into).collect();
        self
    }

    /// Whether connections use the post-quantum key agreement where the other side can. See [`AgentConfig::pq`].
    pub fn pq(mut self, pq: bool) -> Self {
        self.config.pq = pq;
        self
    }

    /// Whether the sender of a message is told when the application acknowledged it. See [`AgentConfig::receipts`].
    pub fn receipts(mut self, receipts: bool) -> Self {
        self.config.receipts = receipts;
        self
    }

    /// Whether the encryption of a connection is renewed without asking. See [`AgentConfig::resynchronize`].
    pub fn resynchronize(mut self, resynchronize: bool) -> Self {
        self.config.resynchronize = resynchronize;
        self
    }

    /// How relays are reached. See [`AgentConfig::network`].
    pub fn network(mut self, change: impl FnOnce(&mut NetworkSettings)) -> Self {
        change(&mut self.config.network);
        self
    }

    /// How much may wait. See [`AgentConfig::limits`].
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.config.limits);
        self
    }

    /// How long to wait for what. See [`AgentConfig::timeouts`].
    pub fn timeouts(mut self, change: impl FnOnce(&mut Timeouts)) -> Self {
        change(&mut self.config.timeouts);
        self
    }

    /// The clocks that the agent reads, instead of those of this machine.
    pub fn time(mut self, time: Time) -> Self {
        self.time = Some(time);
        self
    }

    /// Where the agent takes random bytes from, instead of the operating system. Keys are made of them.
    pub fn randomness(mut self, randomness: Randomness) -> Self {
        self.randomness = Some(randomness);
        self
    }

    /// The network: it looks names up and opens connections, instead of the resolver and TCP of this machine: a way to relays of one's own, a
    /// simulated network. A [SOCKS proxy](NetworkSettings::socks) is dialled by it.
    pub fn dialler(mut self, dialler: Arc<dyn Network>) -> Self {
        self.dialler = Some(Dialling(dialler));
        self
    }

    /// The runtime of the agent's tasks, instead of the one in which it is opened.
    pub fn spawner(mut self, spawner: Spawner) -> Self {
        self.spawner = Some(spawner);
        self
    }

    /// Opens the agent's data directory, or makes one, and goes on with whatever was going on in it.
    ///
    /// # Errors
    /// As [`Agent::open`].
    ///
    /// # Cancel safety
    /// As [`Agent::open`].
    pub async fn open(self) -> Result<(Agent, Events), AgentError> {
        let machine = Surroundings::machine();
        let surroundings = Surroundings {
            time: self.time.unwrap_or(machine.time),
            randomness: self.randomness.unwrap_or(machine.randomness),
            network: self.dialler.map_or(machine.network, |Dialling(network)| network),
            spawner: self.spawner.unwrap_or(machine.spawner),
        };
        Agent::open_in(self.config, surroundings).await
    }
}
