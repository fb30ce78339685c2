//! The relays that the agent talks to, each in the sessions that it may know of.

use super::relay_states::SessionStates;
use super::session::RelaySession;
use crate::error::{AgentError, RelayError};
use crate::id::ConnectionId;
use crate::session_key::SessionKey;
use crate::store::Store;
use smp_protocol::id::RecipientId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc, watch};

/// Queues whose connections are remembered, so that most messages need no search for them.
const MAX_ROUTES: usize = 4096;
/// Why there is no session after the agent was shut down.
const AGENT_STOPPED: &str = "the agent stopped";

/// All relays that were needed since the agent was opened, by the sessions with them.
pub(super) struct Relays {
    relays: Mutex<HashMap<SessionKey, Arc<Relay>>>,
    pub(super) states: SessionStates,
    /// Those that are needed for the first time: what keeps their sessions up is started elsewhere.
    new: mpsc::UnboundedSender<Arc<Relay>>,
}

/// Relays that were needed for the first time.
pub(super) struct NewRelays(mpsc::UnboundedReceiver<Arc<Relay>>);

impl Relays {
    pub(super) fn new() -> (Self, NewRelays) {
        let (new, relays) = mpsc::unbounded_channel();
        (Self { relays: Mutex::default(), states: SessionStates::default(), new }, NewRelays(relays))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Arc<Relay>>> {
        self.relays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The relay of a session, which is kept up from the first call on, as long as somebody needs it.
    pub(super) fn get(&self, session: SessionKey) -> Arc<Relay> {
        let mut relays = self.lock();
        if let Some(relay) = relays.get(&session) {
            return relay.clone();
        }
        let relay = Arc::new(Relay::new(session.clone()));
        relays.insert(session, relay.clone());
        if self.new.send(relay.clone()).is_err() {
            relay.stop();
        }
        relay
    }

    /// Has the sessions that may not be needed any more looked at.
    pub(super) fn look_at(&self, sessions: impl Fn(&SessionKey) -> bool) {
        let relays = self.lock();
        relays
            .values()
            .filter(|relay| sessions(&relay.session_key))
            .for_each(|relay| relay.look.notify_one());
    }

    /// Forgets a session that only the caller knows of. False if somebody else does.
    pub(super) fn remove(&self, relay: &Arc<Relay>) -> bool {
        let mut relays = self.lock();
        // The table's and the caller's: nobody else can get it as long as the table is locked.
        let is_last = Arc::strong_count(relay) <= 2;
        if is_last {
            relays.remove(&relay.session_key);
            self.states.set(&relay.session_key, None);
        }
        is_last
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

/// A relay and a session with it.
pub(crate) struct Relay {
    pub(crate) session_key: SessionKey,
    session: watch::Sender<State>,
    /// Wakes the task that connects when nobody needed the relay.
    wanted: Notify,
    /// Ends the time between two attempts: a person waits.
    hurry: Notify,
    /// Nobody may need the session any more.
    look: Notify,
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
    fn new(session_key: SessionKey) -> Self {
        Self {
            session_key,
            session: watch::Sender::new(State::Connecting),
            wanted: Notify::new(),
            hurry: Notify::new(),
            look: Notify::new(),
            routes: Mutex::default(),
        }
    }

    /// The address as it is shown.
    pub(crate) fn name(&self) -> String {
        self.session_key.relay.to_string()
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
        let found = store.find_by_queue(&self.session_key, queue).await?;
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

    /// Waits until there may be nobody any more who needs the session.
    pub(super) async fn looked(&self) {
        self.look.notified().await;
    }

    /// Whether somebody waits for the session.
    pub(super) fn is_wanted(&self) -> bool {
        self.session.receiver_count() > 0
    }
}
