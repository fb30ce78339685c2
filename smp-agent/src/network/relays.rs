//! The relays that the agent talks to: one session each.

use super::session::RelaySession;
use crate::error::{AgentError, RelayError};
use crate::id::ConnectionId;
use crate::store::Store;
use smp_protocol::address::RelayAddress;
use smp_protocol::id::RecipientId;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc, watch};

/// Queues whose connections are remembered, so that most messages need no search for them.
const MAX_ROUTES: usize = 4096;
/// Why there is no session after the agent was shut down.
const AGENT_STOPPED: &str = "the agent stopped";

/// Relays by their addresses, without the passwords, and what is with each.
pub type RelayStates = BTreeMap<String, RelayState>;

/// Whether a relay is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayState {
    /// Nothing needs it now.
    Unused,
    /// The first attempt to connect is being made.
    Connecting,
    /// It is connected, and the queues on it are being subscribed.
    Subscribing,
    /// It is connected, and all queues on it are subscribed.
    Up,
    /// It is not connected. The agent tries again by itself.
    Down(RelayError),
    /// It is not connected because the agent was [paused](crate::Agent::pause).
    Paused,
}

/// All relays that were needed since the agent was opened.
pub(super) struct Relays {
    relays: Mutex<HashMap<RelayAddress, Arc<Relay>>>,
    pub(super) states: watch::Sender<RelayStates>,
    /// Those that are needed for the first time: what keeps their sessions up is started elsewhere.
    new: mpsc::UnboundedSender<Arc<Relay>>,
}

/// Relays that were needed for the first time.
pub(super) struct NewRelays(mpsc::UnboundedReceiver<Arc<Relay>>);

impl Relays {
    pub(super) fn new() -> (Self, NewRelays) {
        let (new, relays) = mpsc::unbounded_channel();
        (Self { relays: Mutex::default(), states: watch::Sender::default(), new }, NewRelays(relays))
    }

    /// The relay at an address. Its session is kept up from the first call on, as long as somebody needs it.
    pub(super) fn get(&self, address: &RelayAddress) -> Arc<Relay> {
        let address = address.without_password();
        let mut relays = self.relays.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(relay) = relays.get(&address) {
            return relay.clone();
        }
        let relay = Arc::new(Relay::new(address.clone()));
        relays.insert(address, relay.clone());
        if self.new.send(relay.clone()).is_err() {
            relay.stop();
        }
        relay
    }
}

impl NewRelays {
    /// The next one. None after the agent has stopped.
    pub(super) async fn next(&mut self) -> Option<Arc<Relay>> {
        self.0.recv().await
    }
}

impl Drop for NewRelays {
    /// Nobody connects those that are left.
    fn drop(&mut self) {
        self.0.close();
        while let Ok(relay) = self.0.try_recv() {
            relay.stop();
        }
    }
}

/// A relay and the session with it.
pub(crate) struct Relay {
    pub(crate) address: RelayAddress,
    session: watch::Sender<State>,
    /// Wakes the task that connects when nobody needed the relay.
    wanted: Notify,
    /// Ends the time between two attempts: a person waits.
    hurry: Notify,
    /// The connections that receive in queues.
    routes: Mutex<HashMap<RecipientId, ConnectionId>>,
}

/// State of the session.
#[derive(Clone)]
pub(super) enum State {
    Connecting,
    Up(Arc<RelaySession>),
    Down(RelayError),
}

impl Relay {
    fn new(address: RelayAddress) -> Self {
        Self {
            address,
            session: watch::Sender::new(State::Connecting),
            wanted: Notify::new(),
            hurry: Notify::new(),
            routes: Mutex::default(),
        }
    }

    /// The address as it is shown.
    pub(crate) fn name(&self) -> String {
        self.address.to_string()
    }

    /// The session, as soon as there is one. Queues of this relay may still have to be subscribed in it.
    pub(crate) async fn session(&self) -> Arc<RelaySession> {
        let mut state = self.session.subscribe();
        self.wanted.notify_one();
        loop {
            if let State::Up(session) = &*state.borrow_and_update() {
                return session.clone();
            }
            if state.changed().await.is_err() {
                // Never: the sender is in `self`.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The session, or why an attempt to connect fails for which nobody waited yet: for somebody who waits now.
    pub(crate) async fn session_now(&self) -> Result<Arc<RelaySession>, RelayError> {
        self.session.send_if_modified(|state| {
            let down = matches!(state, State::Down(_));
            if down {
                *state = State::Connecting;
                self.hurry.notify_one();
            }
            down
        });
        self.session_or_error().await
    }

    /// The session, or why the last attempt to connect failed.
    pub(super) async fn session_or_error(&self) -> Result<Arc<RelaySession>, RelayError> {
        let mut state = self.session.subscribe();
        self.wanted.notify_one();
        loop {
            match &*state.borrow_and_update() {
                State::Up(session) => return Ok(session.clone()),
                State::Down(error) => return Err(error.clone()),
                State::Connecting => {}
            }
            if state.changed().await.is_err() {
                return Err(RelayError::Unreachable(AGENT_STOPPED.to_owned()));
            }
        }
    }

    /// The connection that receives in a queue of this relay.
    pub(super) async fn connection_of(
        &self,
        store: &Store,
        queue: &RecipientId,
    ) -> Result<Option<ConnectionId>, AgentError> {
        if let Some(id) = self.known_connection(queue) {
            return Ok(Some(id));
        }
        let found = store.find_by_queue(&self.address, queue).await?;
        if let Some(id) = found {
            let mut routes = self.lock();
            if routes.len() >= MAX_ROUTES {
                // They are only a saving: those in use come back.
                routes.clear();
            }
            routes.insert(queue.clone(), id);
        }
        Ok(found)
    }

    /// The same, if it is in memory.
    pub(super) fn known_connection(&self, queue: &RecipientId) -> Option<ConnectionId> {
        self.lock().get(queue).copied()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RecipientId, ConnectionId>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what became of the session to those who wait for one.
    pub(super) fn is_now(&self, state: State) {
        self.session.send_replace(state);
    }

    /// The agent has stopped: ends the session, whoever else holds this.
    pub(super) fn stop(&self) {
        let stopped = RelayError::Unreachable(AGENT_STOPPED.to_owned());
        if let State::Up(session) = self.session.send_replace(State::Down(stopped)) {
            session.close();
        }
    }

    /// Waits until somebody needs the relay.
    pub(super) async fn needed(&self) {
        self.wanted.notified().await;
    }

    /// Waits until somebody is in a hurry to have it connected.
    pub(super) async fn hurried(&self) {
        self.hurry.notified().await;
    }

    /// Whether somebody waits for the session.
    pub(super) fn is_wanted(&self) -> bool {
        self.session.receiver_count() > 0
    }
}
