//! Messages that came in the new queue of a move while the old one may hold some that were sent before: they wait for those.

use super::acknowledge::Acknowledgements;
use super::backoff::Backoff;
use super::inbox::{Outcome, receive_or_skip};
use super::relays::Relay;
use super::session::{CommandError, Session};
use super::update::until_stored;
use crate::connection::{OldQueue, ReceiveQueue};
use crate::core::Core;
use crate::error::AgentError;
use smp_protocol::id::{MessageId, RecipientId};
use std::sync::Arc;
use std::time::Duration;

/// Between the first two looks at the old queue; doubled after each.
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// The longest time between two looks.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// A message that nothing was done about: neither stored nor acknowledged.
pub(super) struct Early {
    pub(super) queue: RecipientId,
    pub(super) id: MessageId,
    pub(super) body: Vec<u8>,
}

/// Offers a message again until it is taken: after those that the old queue holds, or at once if its relay does not say what it
/// holds. If the session ends before, the next one brings the message again.
pub(super) async fn offer_again(
    core: Arc<Core>,
    relay: Arc<Relay>,
    session: Arc<Session>,
    acknowledgements: Acknowledgements,
    early: Early,
) {
    let Early { queue, id, body } = early;
    let mut backoff = Backoff::new(FIRST_LOOK, LONGEST_LOOK);
    while !session.has_ended() {
        let old = until_stored!(&core, old_queue(&core, &relay, &queue).await);
        let known = match &old {
            Some(old) => look(&core, old).await,
            None => OldQueue::Empty,
        };
        let outcome = until_stored!(&core, receive_or_skip(&core, &relay, &queue, &id, &body, known).await);
        match outcome {
            Outcome::Taken(key) => {
                acknowledgements.add(&core, &session, queue, *key, id);
                break;
            }
            Outcome::Ignored => break,
            Outcome::Early => backoff.pause().await,
        }
    }
}

async fn old_queue(
    core: &Core,
    relay: &Relay,
    queue: &RecipientId,
) -> Result<Option<ReceiveQueue>, AgentError> {
    let connection = core.step().await?.find_by_queue(&relay.address, queue).await?;
    Ok(connection.and_then(|connection| connection.receive))
}

/// What the old queue's relay says about it.
async fn look(core: &Arc<Core>, old: &ReceiveQueue) -> OldQueue {
    let Ok(session) = core.relay(&old.relay).session_or_error().await else { return OldQueue::Unreachable };
    match session.is_empty(old).await {
        Ok(true) => OldQueue::Empty,
        Ok(false) => OldQueue::Unknown,
        Err(CommandError::Again(_)) => OldQueue::Unreachable,
        // It is gone, and with it whatever was there.
        Err(_) => OldQueue::Empty,
    }
}
