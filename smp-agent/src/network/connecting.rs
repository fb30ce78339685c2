//! The session with a relay: connects, subscribes, receives; and again after each failure.

use super::backoff::Backoff;
use super::engine::Engine;
use super::inbox;
use super::relays::{Relay, RelayState, State};
use super::session::RelaySession;
use super::update::until_stored;
use crate::error::AgentError;
use crate::event::Event;
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
        while !relay.is_wanted() && !until_stored!(&engine, is_received(&engine, relay).await) {
            engine.troubles.relay_up(&engine.steps, &relay.address);
            // Why it was down last says nothing when it is needed next.
            relay.is_now(State::Connecting);
            engine.relay_is(relay, RelayState::Unused);
            relay.needed().await;
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
            connected = RelaySession::connect(&engine.config, engine.surroundings(), &relay.address) => connected,
            () = &mut interrupted => continue,
        };
        let error = match connected {
            Ok((session, deliveries)) => {
                let begun = engine.surroundings().time.monotonic();
                told_down = false;
                engine.troubles.relay_up(&engine.steps, &relay.address);
                let session = Arc::new(session);
                relay.is_now(State::Up(session.clone()));
                engine.relay_is(relay, RelayState::Subscribing);
                let ended = tokio::select! {
                    error = inbox::receive_all(&engine, relay, &session, deliveries) => Some(error),
                    () = &mut interrupted => None,
                };
                let now = engine.surroundings().time.monotonic();
                backoff.reset_after(now.saturating_duration_since(begun));
                let Some(error) = ended else {
                    session.close();
                    relay.is_now(State::Connecting);
                    engine.relay_is(relay, RelayState::Connecting);
                    continue;
                };
                error
            }
            Err(error) => error,
        };
        engine.troubles.relay_down(&engine.steps, &relay.address, engine.now(), &error);
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

async fn is_received(engine: &Engine, relay: &Relay) -> Result<bool, AgentError> {
    Ok(engine.steps.store.receives_at(&relay.address).await?)
}
