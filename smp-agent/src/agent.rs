//! The public interface.

mod builder;
mod handle;
mod many;
mod user;

pub use builder::AgentBuilder;
pub use handle::ConnectionHandle;
pub use many::KeyedMessage;
pub use user::{UserHandle, UserSummary};

use crate::config::AgentConfig;
use crate::error::{AgentError, StorageError};
use crate::events::Events;
use crate::id::{ConnectionId, UserId};
use crate::key_file::application_key;
use crate::network;
use crate::network::{Engine, RelayStates};
use crate::relay_set::RelayEntry;
use crate::summary::{ConnectionSummary, Invitation};
use smp_protocol::link::ConnectionLink;
use smp_sqlite::DatabaseKey;
use smp_transport::surroundings::Surroundings;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// An agent: the connections in one data directory, and the tasks that keep them going.
///
/// Clones share it. When the last one is dropped the tasks stop wherever they are, as after a crash; this loses nothing, but
/// only [`shutdown`](Self::shutdown) waits until the data directory can be opened again.
#[derive(Clone)]
pub struct Agent {
    engine: Arc<Engine>,
    _stop: Arc<StopAtEnd>,
}

/// Ends the agent with its last handle.
struct StopAtEnd(Arc<Engine>);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Agent {
    /// Opens a data directory, or makes one, and goes on with whatever was going on in it.
    ///
    /// # Errors
    /// [`AgentError::DataDirectory`], [`AgentError::InUse`], [`AgentError::Secret`], [`AgentError::Storage`]. Relays that cannot be reached are no
    /// error here: the agent keeps trying, and tells by [`Event::RelayDown`](crate::Event::RelayDown).
    ///
    /// # Cancel safety
    /// When it is dropped the directory is given back. Work in it may have gone on.
    pub async fn open(config: AgentConfig) -> Result<(Self, Events), AgentError> {
        AgentBuilder::from(config).open().await
    }

    /// Settings of an agent for a data directory, to change before it is opened.
    pub fn builder(data_dir: impl Into<PathBuf>) -> AgentBuilder {
        AgentConfig::new(data_dir, Vec::<RelayEntry>::new()).into()
    }

    pub(crate) async fn open_in(
        config: AgentConfig,
        surroundings: Surroundings,
    ) -> Result<(Self, Events), AgentError> {
        let (engine, wanted) = Engine::open(config, surroundings).await?;
        let stop = Arc::new(StopAtEnd(engine.clone()));
        let events = Events::new(engine.clone());
        network::start(&engine, wanted).await?;
        Ok((Self { engine, _stop: stop }, events))
    }

    /// Makes a queue on one of the relays, and an invitation to it for one person.
    ///
    /// # Errors
    /// [`AgentError::NoRelay`]; [`AgentError::Relay`] with the last relay that was tried if none makes a queue now;
    /// [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped the invitation is deleted again.
    pub async fn create_invitation(&self) -> Result<(ConnectionId, ConnectionLink), AgentError> {
        self.user(UserId::DEFAULT).create_invitation().await
    }

    /// As [`create_invitation`](Self::create_invitation), with a short link besides the full one if the relay can do it.
    ///
    /// The short link shows `shown` before joining, at most 13,709 bytes; the relay cannot read it. SimpleX
    /// applications put the profile there, as JSON: `{"profile":{…},"business":false}`. It may be empty.
    ///
    /// # Errors
    /// As [`create_invitation`](Self::create_invitation); [`AgentError::TooLarge`].
    ///
    /// # Cancel safety
    /// When it is dropped the invitation is deleted again.
    pub async fn create_short_invitation(
        &self,
        shown: &[u8],
    ) -> Result<(ConnectionId, Invitation), AgentError> {
        self.user(UserId::DEFAULT).create_short_invitation(shown).await
    }

    /// Joins an invitation, or asks the owner of a contact address to connect, by a text with the full or the short link, as people paste it ([`smp_protocol::pasted::link`]). The connection is stored, and is made in the background:
    /// [`Event::Connected`](crate::Event::Connected) or [`Event::ConnectionFailed`](crate::Event::ConnectionFailed) tells
    /// what came of it. `own_info` is what the other side gets to know. A request to a contact address waits for its owner.
    /// Of an invitation that was joined before, by the same form of its link, this is the connection that came of it, unless it has failed: a
    /// program that was killed can join once more.
    ///
    /// The data of a short link is fetched in the background too. The link may leave out the fingerprint of its relay: then
    /// the relay must be among those that are configured.
    ///
    /// # Errors
    /// [`AgentError::Link`], [`AgentError::NoRelay`], [`AgentError::TooLarge`], [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped the connection is stored or not: [`connections`](Self::connections) tells.
    pub async fn join(&self, link: &str, own_info: &[u8]) -> Result<ConnectionId, AgentError> {
        self.user(UserId::DEFAULT).join(link, own_info).await
    }

    /// As [`join`](Self::join), but the owner of a contact address gets `request` with the request to connect, and `own_info` when they
    /// have accepted it. SimpleX applications send `x.contact` and `x.info` (section 9.4 of the specification).
    ///
    /// # Errors
    /// As [`join`](Self::join).
    ///
    /// # Cancel safety
    /// As [`join`](Self::join).
    pub async fn ask(&self, link: &str, own_info: &[u8], request: &[u8]) -> Result<ConnectionId, AgentError> {
        self.user(UserId::DEFAULT).ask(link, own_info, request).await
    }

    /// The connection with a number, for everything that is done with one.
    #[must_use]
    pub fn connection(&self, id: ConnectionId) -> ConnectionHandle {
        ConnectionHandle::new(self.clone(), id)
    }

    /// All connections, those of all users, in the order in which they were made.
    ///
    /// # Errors
    /// [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn connections(&self) -> Result<Vec<ConnectionSummary>, AgentError> {
        self.summaries(self.engine.steps.store.connection_ids().await?).await
    }

    async fn summaries(&self, ids: Vec<ConnectionId>) -> Result<Vec<ConnectionSummary>, AgentError> {
        let engine = &self.engine;
        let summaries = engine.steps.look_at_all(&ids, |connection| engine.summary(connection)).await?;
        Ok(summaries.into_iter().flatten().collect())
    }

    /// The relays that were needed since the agent was opened, by their addresses without the passwords, and whether they are
    /// connected. The receiver always has the present state: nothing of it is missed by looking late.
    #[must_use]
    pub fn relays(&self) -> watch::Receiver<RelayStates> {
        self.engine.relay_states()
    }

    /// Why nothing new is begun: [`StorageError::NoSpace`] while the disk is full. Receiving, acknowledging and deleting go on.
    #[must_use]
    pub fn no_space(&self) -> Option<StorageError> {
        self.engine.steps.reserve.check().err()
    }

    /// The first thing that is wrong with the database, after a look at all of it. None if it is whole.
    ///
    /// # Errors
    /// [`AgentError::Storage`] if it cannot be looked at.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn damage(&self) -> Result<Option<String>, AgentError> {
        Ok(self.engine.steps.store.damage().await?)
    }

    /// For an application with files of its own on the same disk, one of which has met that it is full: gives the agent's reserve
    /// up ([`Limits::reserve`](crate::Limits::reserve)), as the agent does itself. Whether there is space now that was not there before.
    ///
    /// # Cancel safety
    /// When it is dropped the reserve may be given up; it is made again as soon as there is space.
    pub async fn met_full_disk(&self) -> bool {
        let reserve = self.engine.steps.reserve.clone();
        self.engine.blocking(move || reserve.met_full()).await.unwrap_or(false)
    }

    /// The machine is on another network: all sessions with relays are made anew at once, and what waits to be tried
    /// again is tried. Sessions that still work are made anew too; it costs little. That the machine was asleep is noticed without this.
    pub fn network_changed(&self) {
        self.engine.network_changed();
    }

    /// Ends all sessions with relays until [`resume`](Self::resume): an application that is in the background, or was told to be off
    /// line. Everything else goes on: messages can be sent, and wait. Not kept over a restart.
    pub fn pause(&self) {
        self.engine.switch.set_paused(true);
    }

    /// Uses the network again after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.engine.switch.set_paused(false);
    }

    /// Uses the network for a time, also while it is [paused](Self::pause): for an application that is woken for some seconds. Returns
    /// the state of the relays at the end: those that are [`Up`](crate::RelayState::Up) have been asked for everything.
    ///
    /// # Cancel safety
    /// When it is dropped the time is over.
    pub async fn receive_for(&self, time: Duration) -> RelayStates {
        let _on = self.engine.switch.keep_on();
        tokio::time::sleep(time).await;
        self.relays().borrow().clone()
    }

    /// A key for a file of the application's own, beside the agent's: the same for the same purpose as long as the data directory is encrypted, whatever
    /// the secret is. [`change_database_key`](crate::change_database_key) encrypts one that is there. None if it is not encrypted.
    #[must_use]
    pub fn application_key(&self, purpose: &str) -> Option<DatabaseKey> {
        self.engine.steps.store.key().map(|key| application_key(key, purpose))
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Stops all tasks and gives the data directory back. All other calls end with [`AgentError::ShutDown`].
    ///
    /// # Cancel safety
    /// When it is dropped the agent stops all the same; only when the directory is free is not known. It may be called again.
    pub async fn shutdown(&self) {
        self.engine.shutdown().await;
    }
}
