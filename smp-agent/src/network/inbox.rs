//! What relays deliver: stored first, then acknowledged.

use super::acknowledge::Acknowledgements;
use super::early::{Early, offer_again};
use super::relays::Relay;
use super::session::{Delivered, Deliveries, Session};
use super::update::until_stored;
use crate::connection::{
    Connection, Effects, OldQueue, Opened, Origin, Place, ReceiveQueue, Received, StateError,
};
use crate::core::{Core, now};
use crate::error::{AgentError, ConnectionError, ReceiveError, RelayError, StorageError, SubscriptionError};
use crate::event::{Event, MessageTimes};
use crate::id::ConnectionId;
use crate::store::{Step, Subscription};
use smp_crypto::PrivateAuthKey;
use smp_protocol::body::ReceivedBody;
use smp_protocol::id::{MessageId, RecipientId};
use std::sync::Arc;

/// Takes everything that comes in a session, until it ends.
///
/// It never waits for an answer of the relay: answers may be behind messages that wait for it.
pub(super) async fn receive_all(
    core: &Arc<Core>,
    relay: &Arc<Relay>,
    session: &Arc<Session>,
    mut deliveries: Deliveries,
) -> RelayError {
    let acknowledgements = Acknowledgements::default();
    loop {
        match deliveries.next().await {
            Ok(Delivered::Message(queue, id, body)) => {
                let unknown = OldQueue::Unknown;
                let outcome =
                    until_stored!(core, receive_or_skip(core, relay, &queue, &id, &body, unknown).await);
                match outcome {
                    Outcome::Taken(key) => acknowledgements.add(core, session, queue, *key, id),
                    Outcome::Ignored => {}
                    Outcome::Early => {
                        let early = Early { queue, id, body };
                        let acknowledgements = acknowledgements.clone();
                        let offer = offer_again(
                            core.clone(),
                            relay.clone(),
                            session.clone(),
                            acknowledgements,
                            early,
                        );
                        core.spawn(offer);
                    }
                }
            }
            Ok(Delivered::Deleted(queue)) => {
                until_stored!(core, lost(core, relay, &queue, &ConnectionError::QueueGone).await);
            }
            Ok(Delivered::Taken(queue)) => {
                let error = SubscriptionError::Taken;
                if let Some(queue) = until_stored!(core, tell_stopped(core, relay, &queue, &error).await) {
                    relay.subscribe_again(core, session, queue);
                }
            }
            Err(error) => return error,
        }
    }
}

/// As [`receive`]. A connection that cannot be read must not stop the others: its messages stay on the relay.
pub(super) async fn receive_or_skip(
    core: &Arc<Core>,
    relay: &Relay,
    queue: &RecipientId,
    id: &MessageId,
    body: &[u8],
    old_queue: OldQueue,
) -> Result<Outcome, AgentError> {
    match receive(core, relay, queue, id, body, old_queue).await {
        Err(AgentError::Storage(error @ StorageError::Damaged(_))) => {
            core.tell(Event::StorageFailed { reason: error.to_string() });
            Ok(Outcome::Ignored)
        }
        result => result,
    }
}

/// What became of a message.
pub(super) enum Outcome {
    /// It is stored; the key to acknowledge it with.
    Taken(Box<PrivateAuthKey>),
    /// The queue is not ours, or cannot be read.
    Ignored,
    /// It has to wait for others. Nothing was stored.
    Early,
}

/// Stores a message and what follows from it.
async fn receive(
    core: &Arc<Core>,
    relay: &Relay,
    queue: &RecipientId,
    id: &MessageId,
    body: &[u8],
    old_queue: OldQueue,
) -> Result<Outcome, AgentError> {
    let mut step = core.step().await?;
    let Some(mut connection) = step.find_by_queue(&relay.address, queue).await? else {
        return Ok(Outcome::Ignored);
    };
    let Some((place, receiving)) = connection.receive_queue(queue) else { return Ok(Outcome::Ignored) };
    let origin = Origin { place, old_queue };
    let key = receiving.recipient_key.clone();
    let mut effects = Effects::default();
    match open(&connection, place, receiving, id, body) {
        // Relays may say so again; the peer needs to know once.
        Ok(Content::Quota) if connection.waiting.continues > 0 => {
            effects.resume = true;
        }
        Ok(Content::Quota) => {
            let drained = connection.queue_drained(place, &core.config, &mut effects);
            drained.or_else(|StateError| broken(&mut connection, &mut effects))?;
        }
        Ok(Content::Message(opened, relay_time)) => {
            if is_repeated(&mut step, connection.id, &opened).await? {
                connection.repeated(origin, &mut effects);
            } else {
                let times = MessageTimes { relay: relay_time, received: now() };
                let received =
                    connection.receive(opened, origin, times, &core.config, &mut rand::rng(), &mut effects);
                if received == Received::Early {
                    return Ok(Outcome::Early);
                }
            }
        }
        Err(error) => connection.receive_failed(error, &mut effects),
    }
    let resume = effects.resume;
    core.save(step, &connection, &effects).await?;
    if resume {
        core.resume(connection.id);
    }
    Ok(Outcome::Taken(Box::new(key)))
}

fn broken(connection: &mut Connection, effects: &mut Effects) -> Result<(), AgentError> {
    connection.fail(ConnectionError::Encryption, effects);
    Ok(())
}

enum Content {
    /// The queue was full.
    Quota,
    /// A message, with the relay's time.
    Message(Opened, i64),
}

fn open(
    connection: &Connection,
    place: Place,
    queue: &ReceiveQueue,
    id: &MessageId,
    body: &[u8],
) -> Result<Content, ReceiveError> {
    let box_key = queue.created.as_ref().ok_or(ReceiveError::Unexpected)?.relay_secret.box_key();
    match ReceivedBody::open(&box_key, id, body).map_err(|_| ReceiveError::Decryption)? {
        ReceivedBody::Quota { .. } => Ok(Content::Quota),
        ReceivedBody::Message { time, body, .. } => {
            Ok(Content::Message(connection.open(place, &body)?, time.0))
        }
    }
}

async fn is_repeated(step: &mut Step, id: ConnectionId, opened: &Opened) -> Result<bool, AgentError> {
    match opened {
        Opened::Message(message) => Ok(step.is_repeated(id, &message.hash(), now()).await?),
        _ => Ok(false),
    }
}

/// Tells the application that nothing comes in a queue. Returns the queue if it is ours still.
pub(super) async fn tell_stopped(
    core: &Arc<Core>,
    relay: &Relay,
    queue: &RecipientId,
    error: &SubscriptionError,
) -> Result<Option<Subscription>, AgentError> {
    let mut step = core.step().await?;
    let Some(connection) = step.find_by_queue(&relay.address, queue).await? else { return Ok(None) };
    core.tell(Event::ReceivingStopped { connection: connection.id, error: error.clone() });
    let recipient_id = queue.clone();
    let key = connection.receive.map(|queue| queue.recipient_key);
    Ok(key.map(|recipient_key| Subscription { recipient_id, recipient_key }))
}

/// The relay deleted our queue.
pub(super) async fn lost(
    core: &Arc<Core>,
    relay: &Relay,
    queue: &RecipientId,
    error: &ConnectionError,
) -> Result<(), AgentError> {
    let mut step = core.step().await?;
    let Some(mut connection) = step.find_by_queue(&relay.address, queue).await? else { return Ok(()) };
    let mut effects = Effects::default();
    connection.fail(error.clone(), &mut effects);
    Ok(core.save(step, &connection, &effects).await?)
}

#[cfg(test)]
mod tests;
