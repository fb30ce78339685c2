//! The session with a relay: connects, subscribes, receives; and again after each failure.

use super::backoff::Backoff;
use super::engine::Engine;
use super::inbox;
use super::relay_states::RelayState;
use super::relays::{Relay, State};
use super::session::{Deliveries, RelaySession};
use super::update::until_stored;
use crate::error::{AgentError, RelayError};
use crate::event::Event;
use crate::session_key::SessionKey;
use crate::trace;
use std::pin::pin;
use std::sync::Arc;

/// Ends the session when the agent stops, though events may still hold the relay.
pub(super) struct DownAtEnd(pub(super) Arc<Relay>);

impl Drop for DownAtEnd {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Connects, subscribes, receives; and again after each failure, less and less often.
pub(super) async fn keep_connected(engine: Arc<Engine>, relay: DownAtEnd) {
    let relay = &relay.0;
    let timeouts = &engine.config.timeouts;
    let mut backoff = Backoff::new(timeouts.retry_first, timeouts.retry_longest);
    let mut told_down = false;
    engine.relay_is(relay, RelayState::Connecting);
    loop {
        while !relay.is_wanted() && !until_stored!(&engine, is_used(&engine, relay).await) {
            engine.troubles.relay_up(&engine.steps, &relay.session_key);
            // Why it was down last says nothing when it is needed next.
            relay.is_now(State::Connecting);
            engine.relay_is(relay, RelayState::Unused);
            if is_for_a_while(&engine, relay) {
                if engine.ends(relay) {
                    return;
                }
                tokio::select! {
                    () = relay.needed() => {}
                    () = relay.looked() => {}
                    () = tokio::time::sleep(timeouts.retry_longest) => {}
                }
            } else {
                relay.needed().await;
            }
            engine.relay_is(relay, RelayState::Connecting);
        }
        if !engine.switch.is_on() {
            relay.is_now(State::Connecting);
            engine.relay_is(relay, RelayState::Paused);
            engine.switch.on().await;
            engine.relay_is(relay, RelayState::Connecting);
        }
        let mut interrupted = pin!(engine.switch.interrupted());
        let connected = tokio::select! {
            connected = connect(&engine, &relay.session_key) => connected,
            () = &mut interrupted => continue,
        };
        let error = match connected {
            Ok((session, deliveries)) => {
                let begun = engine.surroundings().time.monotonic();
                told_down = false;
                engine.troubles.relay_up(&engine.steps, &relay.session_key);
                trace::session_up();
                let session = Arc::new(session);
                relay.is_now(State::Up(session.clone()));
                engine.relay_is(relay, RelayState::Subscribing);
                let ended = tokio::select! {
                    error = inbox::receive_all(&engine, relay, &session, deliveries) => Some(error),
                    () = &mut interrupted => None,
                    () = is_over(&engine, relay) => None,
                };
                let now = engine.surroundings().time.monotonic();
                backoff.reset_after(now.saturating_duration_since(begun));
                let Some(error) = ended else {
                    trace::session_ended();
                    session.close();
                    relay.is_now(State::Connecting);
                    engine.relay_is(relay, RelayState::Connecting);
                    continue;
                };
                error
            }
            Err(error) => error,
        };
        engine.troubles.relay_down(&engine.steps, &relay.session_key, engine.now(), &error);
        trace::session_down(error.name());
        relay.is_now(State::Down(error.clone()));
        engine.relay_is(relay, RelayState::Down(error.clone()));
        if !told_down {
            engine.tell(Event::RelayDown { relay: relay.name(), error });
            told_down = true;
        }
        tokio::select! {
            () = engine.pause(&mut backoff) => {}
            () = interrupted => {}
            () = relay.hurried() => {}
        }
    }
}

async fn connect(engine: &Engine, session: &SessionKey) -> Result<(RelaySession, Deliveries), RelayError> {
    let isolation = engine.isolation(session);
    // Under another address it may be anything: fingerprints are no secrets.
    let own = engine.users.relays(session.user);
    let is_own = own.iter().any(|relay| relay.address.without_password() == session.relay);
    RelaySession::connect(&engine.config, engine.surroundings(), &session.relay, is_own, isolation).await
}

/// Whether queues are received in the session, or are to be deleted.
async fn is_used(engine: &Engine, relay: &Relay) -> Result<bool, AgentError> {
    Ok(engine.steps.store.uses(&relay.session_key).await?)
}

/// Whether the session is one that is forgotten as soon as nobody needs it: there may be any number of them.
fn is_for_a_while(engine: &Engine, relay: &Relay) -> bool {
    let session = &relay.session_key;
    session.connection.is_some() || engine.users.check(session.user).is_err()
}

/// Waits until the connection is gone, or the user, that the session was for.
async fn is_over(engine: &Arc<Engine>, relay: &Relay) {
    loop {
        relay.looked().await;
        if is_for_a_while(engine, relay) && !relay.is_wanted() && is_owner_gone(engine, relay).await {
            return;
        }
    }
}

async fn is_owner_gone(engine: &Arc<Engine>, relay: &Relay) -> bool {
    if until_stored!(engine, is_used(engine, relay).await) {
        return false;
    }
    match relay.session_key.connection {
        Some(connection) => {
            matches!(engine.owner(connection).await, Err(AgentError::UnknownConnection(_)))
        }
        None => true,
    }
}
