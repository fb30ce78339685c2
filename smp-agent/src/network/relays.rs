//! The relays that the agent talks to: one session each.

use super::backoff::Backoff;
use super::inbox;
use super::session::{CommandError, Deliveries, Session};
use super::update::until_stored;
use crate::connection::{CreatedQueue, ReceiveQueue};
use crate::core::Core;
use crate::error::{AgentError, RelayError, SubscriptionError};
use crate::event::Event;
use crate::store::Subscription;
use smp_protocol::address::RelayAddress;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{Notify, watch};

/// Queues that are subscribed at once.
const SUBSCRIBE_BATCH: usize = 512;
/// Why there is no session after the agent was shut down.
const AGENT_STOPPED: &str = "the agent stopped";

/// All relays that were needed since the agent was opened.
#[derive(Default)]
pub(crate) struct Relays {
    relays: Mutex<HashMap<RelayAddress, Arc<Relay>>>,
}

impl Relays {
    /// The relay at an address. Its session is kept up from the first call on, as long as somebody needs it.
    pub(crate) fn get(&self, core: &Arc<Core>, address: &RelayAddress) -> Arc<Relay> {
        let address = address.without_password();
        let mut relays = self.relays.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(relay) = relays.get(&address) {
            return relay.clone();
        }
        let relay = Arc::new(Relay::new(address.clone()));
        relays.insert(address, relay.clone());
        core.spawn(keep_connected(core.clone(), DownAtEnd(relay.clone())));
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
        core: &Arc<Core>,
        session: &Arc<Session>,
        queue: &ReceiveQueue,
        created: &CreatedQueue,
    ) {
        let (core_, relay, made_in) = (core.clone(), self.clone(), session.clone());
        let queue = Subscription {
            recipient_id: created.recipient_id.clone(),
            recipient_key: queue.recipient_key.clone(),
        };
        core.spawn(async move {
            let session = relay.session().await;
            if !Arc::ptr_eq(&session, &made_in) {
                subscribe(&core_, &relay, &session, vec![queue]).await;
            }
        });
    }

    /// Subscribes again to a queue that was taken from this session, after some time: another program that does the same must
    /// not be answered in the same instant.
    pub(super) fn subscribe_again(
        self: &Arc<Self>,
        core: &Arc<Core>,
        session: &Arc<Session>,
        queue: Subscription,
    ) {
        let (core_, relay, session) = (core.clone(), self.clone(), session.clone());
        core.spawn(async move {
            tokio::time::sleep(core_.config.timeouts.retry_longest).await;
            if !session.has_ended() {
                subscribe(&core_, &relay, &session, vec![queue]).await;
            }
        });
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
async fn keep_connected(core: Arc<Core>, relay: DownAtEnd) {
    let relay = &relay.0;
    let timeouts = &core.config.timeouts;
    let mut backoff = Backoff::new(timeouts.retry_first, timeouts.retry_longest);
    let mut told_down = false;
    loop {
        while !relay.is_wanted() && !until_stored!(&core, is_received(&core, relay).await) {
            // Why it was down last says nothing when it is needed next.
            relay.session.send_replace(State::Connecting);
            relay.wanted.notified().await;
        }
        let error = match Session::connect(&relay.address, &core.config).await {
            Ok((session, deliveries)) => {
                let begun = Instant::now();
                told_down = false;
                let session = Arc::new(session);
                relay.session.send_replace(State::Up(session.clone()));
                let error = run_session(&core, relay, &session, deliveries).await;
                backoff.reset_after(begun.elapsed());
                error
            }
            Err(error) => error,
        };
        relay.session.send_replace(State::Down(error.clone()));
        if !told_down {
            core.tell(Event::RelayDown { relay: relay.name(), error });
            told_down = true;
        }
        tokio::select! {
            () = backoff.pause() => {}
            () = relay.hurry.notified() => {}
        }
    }
}

async fn is_received(core: &Core, relay: &Relay) -> Result<bool, AgentError> {
    Ok(core.step().await?.receives_at(&relay.address).await?)
}

/// Subscribes and receives, until the session ends.
async fn run_session(
    core: &Arc<Core>,
    relay: &Arc<Relay>,
    session: &Arc<Session>,
    deliveries: Deliveries,
) -> RelayError {
    let receiving = inbox::receive_all(core, relay, session, deliveries);
    tokio::pin!(receiving);
    tokio::select! {
        error = &mut receiving => return error,
        () = subscribe_all(core, relay, session) => {}
    }
    core.tell(Event::RelayUp { relay: relay.name() });
    receiving.await
}

/// Subscribes to all queues on a relay. Does not return when the session ends before.
async fn subscribe_all(core: &Arc<Core>, relay: &Relay, session: &Session) {
    let mut queues = until_stored!(core, subscriptions(core, relay).await);
    let timeouts = &core.config.timeouts;
    let mut backoff = Backoff::new(timeouts.retry_first, timeouts.retry_longest);
    loop {
        queues = subscribe(core, relay, session, queues).await;
        if queues.is_empty() {
            return;
        }
        backoff.pause().await;
    }
}

async fn subscriptions(core: &Core, relay: &Relay) -> Result<Vec<Subscription>, AgentError> {
    Ok(core.step().await?.subscriptions(&relay.address).await?)
}

/// Why a queue will not be subscribed in this session. One such queue must not keep the others' relay from being up.
fn refusal(error: &CommandError) -> Option<SubscriptionError> {
    match error {
        CommandError::Again(_) => None,
        CommandError::Auth => Some(SubscriptionError::Unknown),
        error => Some(SubscriptionError::Refused(error.to_string())),
    }
}

/// Subscribes to queues. Returns those that have to be tried again.
async fn subscribe(
    core: &Arc<Core>,
    relay: &Relay,
    session: &Session,
    queues: Vec<Subscription>,
) -> Vec<Subscription> {
    let mut again = Vec::new();
    let mut queues = queues.into_iter();
    loop {
        let batch: Vec<_> = queues.by_ref().take(SUBSCRIBE_BATCH).collect();
        if batch.is_empty() {
            return again;
        }
        let results = session.subscribe(&batch).await;
        for (queue, result) in batch.into_iter().zip(results) {
            let Err(error) = result else { continue };
            match refusal(&error) {
                Some(error) => {
                    until_stored!(core, inbox::tell_stopped(core, relay, &queue.recipient_id, &error).await);
                }
                None => again.push(queue),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_temporary_errors_are_tried_again() {
        assert_eq!(refusal(&CommandError::Again(RelayError::Timeout)), None);
        assert_eq!(refusal(&CommandError::Auth), Some(SubscriptionError::Unknown));
        let refused = SubscriptionError::Refused("CMD PROHIBITED".to_owned());
        assert_eq!(refusal(&CommandError::Refused("CMD PROHIBITED".to_owned())), Some(refused));
    }
}
