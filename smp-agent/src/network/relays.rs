//! The relays that the agent talks to: one session each.

use super::backoff::Backoff;
use super::engine::Engine;
use super::inbox;
use super::session::Session;
use super::subscribing::subscribe;
use super::update::until_stored;
use crate::connection::{CreatedQueue, ReceiveQueue};
use crate::error::{AgentError, RelayError};
use crate::event::Event;
use crate::id::ConnectionId;
use crate::store::Subscription;
use smp_protocol::address::RelayAddress;
use smp_protocol::id::RecipientId;
use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, watch};

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
#[derive(Default)]
pub(crate) struct Relays {
    relays: Mutex<HashMap<RelayAddress, Arc<Relay>>>,
    pub(super) states: watch::Sender<RelayStates>,
}

impl Relays {
    /// The relay at an address. Its session is kept up from the first call on, as long as somebody needs it.
    pub(crate) fn get(&self, engine: &Arc<Engine>, address: &RelayAddress) -> Arc<Relay> {
        let address = address.without_password();
        let mut relays = self.relays.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(relay) = relays.get(&address) {
            return relay.clone();
        }
        let relay = Arc::new(Relay::new(address.clone()));
        relays.insert(address, relay.clone());
        engine.spawn(keep_connected(engine.clone(), DownAtEnd(relay.clone())));
        relay
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

#[derive(Clone)]
enum State {
    Connecting,
    Up(Arc<Session>),
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
    pub(crate) async fn session(&self) -> Arc<Session> {
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
    pub(crate) async fn session_now(&self) -> Result<Arc<Session>, RelayError> {
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
    pub(super) async fn session_or_error(&self) -> Result<Arc<Session>, RelayError> {
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

    /// Subscribes to a queue that was made in `session`, if that is not the present session any more. Those that come later
    /// find the queue in the database.
    pub(crate) fn subscribe_new(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        session: &Arc<Session>,
        queue: &ReceiveQueue,
        created: &CreatedQueue,
    ) {
        let (engine_, relay, made_in) = (engine.clone(), self.clone(), session.clone());
        let queue = Subscription {
            row: 0,
            recipient_id: created.recipient_id.clone(),
            recipient_key: queue.recipient_key.clone(),
        };
        engine.spawn(async move {
            let session = relay.session().await;
            if !Arc::ptr_eq(&session, &made_in) {
                subscribe(&engine_, &relay, &session, vec![queue]).await;
            }
        });
    }

    /// Subscribes again to a queue that was taken from this session, after some time: another program that does the same must
    /// not be answered in the same instant.
    pub(super) fn subscribe_again(
        self: &Arc<Self>,
        engine: &Arc<Engine>,
        session: &Arc<Session>,
        queue: Subscription,
    ) {
        let (engine_, relay, session) = (engine.clone(), self.clone(), session.clone());
        engine.spawn(async move {
            tokio::time::sleep(engine_.config.timeouts.retry_longest).await;
            if !session.has_ended() {
                subscribe(&engine_, &relay, &session, vec![queue]).await;
            }
        });
    }

    /// The connection that receives in a queue of this relay.
    pub(super) async fn connection_of(
        &self,
        engine: &Engine,
        queue: &RecipientId,
    ) -> Result<Option<ConnectionId>, AgentError> {
        if let Some(id) = self.routes.lock().unwrap_or_else(PoisonError::into_inner).get(queue) {
            return Ok(Some(*id));
        }
        let found = engine.steps.store.find_by_queue(&self.address, queue).await?;
        if let Some(id) = found {
            let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
            if routes.len() >= MAX_ROUTES {
                // They are only a saving: those in use come back.
                routes.clear();
            }
            routes.insert(queue.clone(), id);
        }
        Ok(found)
    }

    /// A queue is subscribed.
    pub(super) fn subscribed(&self, engine: &Engine, queue: &RecipientId) {
        if engine.is_any_stopped()
            && let Some(id) = self.routes.lock().unwrap_or_else(PoisonError::into_inner).get(queue)
        {
            engine.receiving(*id);
        }
    }

    fn is_wanted(&self) -> bool {
        self.session.receiver_count() > 0
    }
}

/// Ends the session when the agent stops, though events may still hold the relay.
struct DownAtEnd(Arc<Relay>);

impl Drop for DownAtEnd {
    fn drop(&mut self) {
        let stopped = RelayError::Unreachable(AGENT_STOPPED.to_owned());
        if let State::Up(session) = self.0.session.send_replace(State::Down(stopped)) {
            session.close();
        }
    }
}

/// Connects, subscribes, receives; and again after each failure, less and less often.
async fn keep_connected(engine: Arc<Engine>, relay: DownAtEnd) {
    let relay = &relay.0;
    let timeouts = &engine.config.timeouts;
    let mut backoff = Backoff::new(timeouts.retry_first, timeouts.retry_longest);
    let mut told_down = false;
    engine.relay_is(relay, RelayState::Connecting);
    loop {
        while !relay.is_wanted() && !until_stored!(&engine, is_received(&engine, relay).await) {
            engine.troubles.relay_up(&engine.steps, &relay.address);
            // Why it was down last says nothing when it is needed next.
            relay.session.send_replace(State::Connecting);
            engine.relay_is(relay, RelayState::Unused);
            relay.wanted.notified().await;
            engine.relay_is(relay, RelayState::Connecting);
        }
        if !engine.switch.is_on() {
            relay.session.send_replace(State::Connecting);
            engine.relay_is(relay, RelayState::Paused);
            engine.switch.on().await;
            engine.relay_is(relay, RelayState::Connecting);
        }
        let mut interrupted = pin!(engine.switch.interrupted());
        let connected = tokio::select! {
            connected = Session::connect(&engine, &relay.address) => connected,
            () = &mut interrupted => continue,
        };
        let error = match connected {
            Ok((session, deliveries)) => {
                let begun = engine.surroundings().time.monotonic();
                told_down = false;
                engine.troubles.relay_up(&engine.steps, &relay.address);
                let session = Arc::new(session);
                relay.session.send_replace(State::Up(session.clone()));
                engine.relay_is(relay, RelayState::Subscribing);
                let ended = tokio::select! {
                    error = inbox::receive_all(&engine, relay, &session, deliveries) => Some(error),
                    () = &mut interrupted => None,
                };
                let now = engine.surroundings().time.monotonic();
                backoff.reset_after(now.saturating_duration_since(begun));
                let Some(error) = ended else {
                    session.close();
                    relay.session.send_replace(State::Connecting);
                    engine.relay_is(relay, RelayState::Connecting);
                    continue;
                };
                error
            }
            Err(error) => error,
        };
        engine.troubles.relay_down(&engine.steps, &relay.address, engine.now(), &error);
        relay.session.send_replace(State::Down(error.clone()));
        engine.relay_is(relay, RelayState::Down(error.clone()));
        if !told_down {
            engine.tell(Event::RelayDown { relay: relay.name(), error });
            told_down = true;
        }
        tokio::select! {
            () = engine.pause(&mut backoff) => {}
            () = interrupted => {}
            () = relay.hurry.notified() => {}
        }
    }
}

async fn is_received(engine: &Engine, relay: &Relay) -> Result<bool, AgentError> {
    Ok(engine.steps.store.receives_at(&relay.address).await?)
}
