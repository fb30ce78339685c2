//! Messages that came in the new queue of a move while the old one may hold some that were sent before: they wait for those.

use super::backoff::Backoff;
use super::engine::Engine;
use super::relays::Relay;
use super::session::CommandError;
use super::update::unless_gone;
use crate::connection::{OldQueue, ReceiveQueue};
use crate::error::AgentError;
use crate::session_key::Owner;
use smp_protocol::id::RecipientId;
use std::sync::Arc;
use std::time::Duration;

/// Between the first two looks at the old queue; doubled after each.
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// The longest time between two looks.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// When to look at the old queue again.
pub(super) fn looks() -> Backoff {
    Backoff::new(FIRST_LOOK, LONGEST_LOOK)
}

/// State of the queue that a connection is about to leave, when a message has come too early in `new`.
pub(super) async fn look(
    engine: &Arc<Engine>,
    relay: &Relay,
    new: &RecipientId,
) -> Result<OldQueue, AgentError> {
    let Some(id) = relay.connection_of(&engine.steps.store, new).await? else { return Ok(OldQueue::Empty) };
    let old = engine
        .steps
        .look(id, |connection| connection.receive.clone().map(|old| (connection.owner(), old)))
        .await;
    match unless_gone(old)?.flatten() {
        Some((owner, old)) => Ok(ask(engine, owner, &old).await),
        None => Ok(OldQueue::Empty),
    }
}

async fn ask(engine: &Arc<Engine>, owner: Owner, old: &ReceiveQueue) -> OldQueue {
    let Ok(session) = engine.relay(owner, &old.relay).session_or_error().await else {
        return OldQueue::Unreachable;
    };
    match session.is_empty(old).await {
        Ok(true) => OldQueue::Empty,
        Ok(false) => OldQueue::Unknown,
        // It is gone, and with it whatever was there.
        Err(CommandError::Auth) => OldQueue::Empty,
        Err(_) => OldQueue::Unreachable,
    }
}
