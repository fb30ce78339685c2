//! Deliveries of relays: stored first, then acknowledged.

use super::acknowledging::acknowledge_or_hold;
use super::early;
use super::engine::Engine;
use super::held::Acknowledgement;
use super::relay_states::RelayState;
use super::relays::Relay;
use super::session::{Delivered, Deliveries, RelaySession};
use super::subscribing::{subscribe_again, subscribe_all, tell_stopped};
use super::update::{try_update, until_stored};
use crate::connection::{
    Connection, OldQueue, Opened, Origin, Place, ReceiveQueue, Received as Read, StateError, Unreadable,
};
use crate::error::{AgentError, ConnectionError, ReceiveError, RelayError, StorageError, SubscriptionError};
use crate::event::{Event, MessageTimes};
use crate::id::ConnectionId;
use crate::steps::Request;
use crate::trace;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use smp_crypto::PrivateAuthKey;
use smp_protocol::body::ReceivedBody;
use smp_protocol::id::{MessageId, RecipientId};
use std::sync::Arc;

/// Messages that are being stored or acknowledged in a session, above which no more queues are subscribed: each of these brings
/// at most one, and an acknowledgement brings the next one of the same queue.
const MAX_PROCESSING: usize = 512;

/// Takes everything that comes in a session, and subscribes to the queues of its relay, until it ends.
///
/// It never stops reading: answers may be behind messages.
pub(super) async fn receive_all(
    engine: &Arc<Engine>,
    relay: &Arc<Relay>,
    session: &Arc<RelaySession>,
    mut deliveries: Deliveries,
) -> RelayError {
    let mut processing: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
    let mut subscribing = std::pin::pin!(subscribe_all(engine, relay, session));
    let mut subscribed = false;
    loop {
        tokio::select! {
            delivered = deliveries.next() => match delivered {
                Ok(delivered) => processing.push(Box::pin(take(engine, relay, session, delivered))),
                Err(error) => return error,
            },
            Some(()) = processing.next() => {}
            () = &mut subscribing, if !subscribed && processing.len() < MAX_PROCESSING => {
                subscribed = true;
                engine.relay_is(relay, RelayState::Up);
                engine.tell(Event::RelayUp { relay: relay.name() });
            }
        }
    }
}

async fn take(engine: &Arc<Engine>, relay: &Arc<Relay>, session: &Arc<RelaySession>, delivered: Delivered) {
    match delivered {
        Delivered::Message(queue, message, body) => {
            let (mut old_queue, mut looks) = (OldQueue::Unknown, early::looks());
            let received = loop {
                let outcome = until_stored!(
                    engine,
                    receive_or_skip(engine, relay, &queue, &message, &body, old_queue).await
                );
                trace::received(outcome.name());
                match outcome {
                    Outcome::Received(received) => break received,
                    Outcome::Ignored => return,
                    Outcome::Early if session.has_ended() => return,
                    Outcome::Early => {
                        engine.pause(&mut looks).await;
                        old_queue = until_stored!(engine, early::look(engine, relay, &queue).await);
                    }
                }
            };
            drop(body);
            let session = session.clone();
            let acknowledgement = Acknowledgement { session, queue, key: received.key, message };
            acknowledge_or_hold(engine, received.connection, received.room, acknowledgement).await;
        }
        Delivered::Deleted(queue) => {
            until_stored!(engine, lost(engine, relay, &queue).await);
        }
        Delivered::Displaced(queue) => {
            let error = SubscriptionError::Taken;
            if let Some(queue) = until_stored!(engine, tell_stopped(engine, relay, &queue, &error).await) {
                subscribe_again(engine, relay, session, queue);
            }
        }
    }
}

/// Outcome of a message.
pub(super) enum Outcome {
    /// It is durable here.
    Received(Box<Received>),
    /// The queue is not ours, or cannot be read.
    Ignored,
    /// It waits for others. Nothing was stored.
    Early,
}

impl Outcome {
    fn name(&self) -> &'static str {
        match self {
            Self::Received(_) => "Received",
            Self::Ignored => "Ignored",
            Self::Early => "Early",
        }
    }
}

/// A message that is durable here.
pub(super) struct Received {
    pub(super) connection: ConnectionId,
    /// Signs its acknowledgement.
    pub(super) key: PrivateAuthKey,
    /// Whether the application may get more before it is done with what it has.
    pub(super) room: bool,
}

/// As [`receive`]. A connection that cannot be read must not stop the others: its messages stay on the relay.
async fn receive_or_skip(
    engine: &Arc<Engine>,
    relay: &Relay,
    queue: &RecipientId,
    id: &MessageId,
    body: &[u8],
    old_queue: OldQueue,
) -> Result<Outcome, AgentError> {
    match receive(engine, relay, queue, id, body, old_queue).await {
        Err(AgentError::Storage(error @ StorageError::Damaged(_))) => {
            engine.tell(Event::StorageFailed { reason: error.to_string() });
            Ok(Outcome::Ignored)
        }
        result => result,
    }
}

/// Stores a message and what follows from it.
async fn receive(
    engine: &Arc<Engine>,
    relay: &Relay,
    queue: &RecipientId,
    id: &MessageId,
    body: &[u8],
    old_queue: OldQueue,
) -> Result<Outcome, AgentError> {
    let Some(connection) = relay.connection_of(&engine.steps.store, queue).await? else {
        return Ok(Outcome::Ignored);
    };
    let step = engine.steps.step(connection, |connection, request| {
        let Some((place, receiving)) = connection.receive_queue(queue) else { return Ok(None) };
        let (key, receiving) = (receiving.recipient_key.clone(), receiving.clone());
        let origin = Origin { place, old_queue };
        let body = open(connection, place, &receiving, id, body);
        let taken = take_body(engine, connection, request, origin, body);
        Ok(Some((key, taken, origin, request.effects.resume)))
    });
    let (taken, mut commit) = match step.await {
        Ok((Some(taken), commit)) => (taken, commit),
        Ok((None, _)) | Err(AgentError::UnknownConnection(_)) => return Ok(Outcome::Ignored),
        Err(error) => return Err(error),
    };
    let (key, taken, origin, resume) = taken;
    match taken {
        Handled::Early => return Ok(Outcome::Early),
        Handled::Done => {}
        Handled::Unreadable(hash, unreadable) => {
            // The one that it repeats may be on its way to the database, before this step.
            commit.durable().await?;
            let repeated = engine.steps.store.has_received(connection, &hash).await?;
            let ((), told) = engine
                .steps
                .step(connection, |connection, request| {
                    request.received = Some(hash);
                    let effects = &mut request.effects;
                    if repeated {
                        connection.repeated(origin, effects);
                    } else {
                        connection.receive_failed(unreadable, &engine.config, &mut engine.rng(), effects);
                    }
                    Ok(())
                })
                .await?;
            commit = told;
        }
    }
    commit.durable().await?;
    if origin.place == Place::Replacement {
        // The old queue, perhaps.
        engine.queues_to_delete.notify_one();
    }
    if resume {
        engine.resume(connection);
    }
    engine.receiving(connection);
    let room = engine.has_room(connection).await?;
    Ok(Outcome::Received(Box::new(Received { connection, key, room })))
}

/// Outcome of a step with a message.
enum Handled {
    /// All is done.
    Done,
    /// Nothing: it waits for others.
    Early,
    /// The ratchet cannot read it. If its hash is known the relay or the sender repeats it, and all is well.
    Unreadable([u8; 32], Unreadable),
}

fn take_body(
    engine: &Engine,
    connection: &mut Connection,
    request: &mut Request,
    origin: Origin,
    content: Result<Content, ReceiveError>,
) -> Handled {
    let config = &engine.config;
    let effects = &mut request.effects;
    match content {
        // A word of space is on its way already.
        Ok(Content::Quota) if connection.waiting.continues > 0 => effects.resume = true,
        Ok(Content::Quota) => {
            if let Err(StateError) = connection.queue_drained(origin.place, config, effects) {
                connection.fail(ConnectionError::Encryption, effects);
            }
        }
        Ok(Content::Message(opened, relay_time)) => {
            let hash = opened.hash();
            let times = MessageTimes { relay: relay_time, received: engine.now() };
            let rng = &mut engine.rng();
            match (connection.receive(opened, origin, times, config, rng, effects), hash) {
                (Ok(Read::Taken), hash) => request.received = hash,
                (Ok(Read::Early), _) => return Handled::Early,
                (Err(unreadable), Some(hash)) if unreadable.may_be_repeated() => {
                    return Handled::Unreadable(hash, unreadable);
                }
                (Err(unreadable), hash) => {
                    request.received = hash;
                    connection.receive_failed(unreadable, config, rng, effects);
                }
            }
        }
        Err(error) => connection.receive_failed(error, config, &mut engine.rng(), effects),
    }
    Handled::Done
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

/// The relay deleted our queue.
pub(super) async fn lost(engine: &Arc<Engine>, relay: &Relay, queue: &RecipientId) -> Result<(), AgentError> {
    let Some(id) = relay.connection_of(&engine.steps.store, queue).await? else { return Ok(()) };
    try_update(engine, id, &|connection, effects| {
        connection.fail(connection.lost(), effects);
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests;
