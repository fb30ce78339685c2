//! SEND: one body after the other, so that none overtakes another.

use super::attempt::Later;
use super::engine::Engine;
use super::route::{Route, route};
use super::session::CommandError;
use super::update::{unless_gone, until_stored, update};
use crate::connection::{
    BodyId, Connection, Effects, Outgoing, OutgoingKind, Phase, Role, SendQueue, StateError,
};
use crate::error::{AgentError, ConnectionError, SendError};
use crate::event::Event;
use crate::id::ConnectionId;
use crate::session_key::Owner;
use crate::steps::Commit;
use crate::store::StoredOutgoing;
use crate::trace;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

/// Deliveries that may be on their way to the disk while the next body is sent. After a crash those are sent again, and the recipient
/// recognises them.
const MAX_UNSTORED: usize = 16;

/// The bodies of one connection on their way.
#[derive(Default)]
pub(super) struct Sending {
    unstored: VecDeque<Commit>,
    /// The database did not take a delivery: one at a time, or the recipient gets the same ones again and again.
    careful: bool,
}

impl Sending {
    /// Sends a body once, after the relay has taken the one before.
    pub(super) async fn send(
        &mut self,
        engine: &Arc<Engine>,
        owner: Owner,
        stored: &StoredOutgoing,
        queue: &SendQueue,
    ) -> Result<(), Later> {
        let id = owner.connection;
        let route = route(engine, owner, &queue.relay).await.map_err(|_| Later::Again)?;
        let body = body(engine, &stored.outgoing, queue).await;
        match send_once(&route, &stored.outgoing, queue, body).await {
            Ok(()) => match self.store_delivered(engine, id, stored).await {
                Ok(()) => {
                    trace::sent(stored.outgoing.kind.name());
                    Ok(())
                }
                Err(AgentError::UnknownConnection(_)) => Ok(()),
                Err(error) => {
                    self.careful = true;
                    self.unstored.clear();
                    engine.tell(Event::StorageFailed { reason: error.to_string() });
                    Err(Later::Again)
                }
            },
            Err(error) => refused(engine, id, stored, &error).await,
        }
    }

    async fn store_delivered(
        &mut self,
        engine: &Engine,
        id: ConnectionId,
        stored: &StoredOutgoing,
    ) -> Result<(), AgentError> {
        let delivered = engine.steps.step(id, |connection, request| {
            request.sent.push(stored.row);
            if connection.phase != Phase::Failed && !request.is_given_up(stored.row) {
                connection.queue_took();
                connection.delivered(&stored.outgoing, &mut request.effects);
            }
            Ok(())
        });
        let ((), commit) = delivered.await?;
        self.unstored.push_back(commit);
        while self.unstored.len() > if self.careful { 0 } else { MAX_UNSTORED } {
            if let Some(commit) = self.unstored.pop_front() {
                commit.durable().await?;
            }
        }
        self.careful = false;
        Ok(())
    }
}

/// The body of SEND. Part of it may be stored for many connections; what is not there any more was given up meanwhile.
async fn body(engine: &Engine, outgoing: &Outgoing, queue: &SendQueue) -> Result<Vec<u8>, StateError> {
    let shared = match outgoing.content.shared() {
        Some(id) => until_stored!(engine, shared_body(engine, id).await).ok_or(StateError)?,
        None => Zeroizing::default(),
    };
    outgoing.content.body(&shared, queue, &mut engine.rng())
}

async fn shared_body(engine: &Engine, id: BodyId) -> Result<Option<Zeroizing<Vec<u8>>>, AgentError> {
    Ok(engine.steps.store.shared_body(id).await?)
}

async fn send_once(
    route: &Route,
    outgoing: &Outgoing,
    queue: &SendQueue,
    body: Result<Vec<u8>, StateError>,
) -> Result<(), CommandError> {
    let body = body.map_err(|StateError| CommandError::Refused("the message is damaged".to_owned()))?;
    match route.send(queue, outgoing.authorized, outgoing.notify, &body).await {
        // An earlier attempt may have been taken without our seeing the answer, and the recipient has secured the queue
        // since: then the queue knows our key, and not otherwise.
        Err(CommandError::Auth) if !outgoing.authorized => {
            route.send(queue, true, outgoing.notify, &body).await
        }
        result => result,
    }
}

async fn refused(
    engine: &Arc<Engine>,
    id: ConnectionId,
    stored: &StoredOutgoing,
    error: &CommandError,
) -> Result<(), Later> {
    trace::not_sent(stored.outgoing.kind.name(), error.name());
    match error {
        CommandError::Again(_) => Err(Later::Again),
        CommandError::Quota
            if waits_for_space(stored.outgoing.kind)
                && !is_answered(engine, id, stored.outgoing.kind).await =>
        {
            Err(Later::Full)
        }
        // Where the peer has just moved to, perhaps: it still reads where it was.
        CommandError::Auth if sends_as_before(engine, id).await => Ok(()),
        CommandError::Auth if is_tried_again(engine, id).await => Err(Later::Refused),
        error => {
            give_up(engine, id, stored, error).await;
            Ok(())
        }
    }
}

/// Whether a body is one that a full queue may keep back: a confirmation is not, its queue is full of others'.
fn waits_for_space(kind: OutgoingKind) -> bool {
    kind != OutgoingKind::Confirmation
}

/// Whether a request need not be sent any more: its owner has it, and has answered.
async fn is_answered(engine: &Engine, id: ConnectionId, kind: OutgoingKind) -> bool {
    let requesting = engine.steps.look(id, |connection| connection.phase == Phase::Requesting);
    kind == OutgoingKind::Request && !requesting.await.unwrap_or(true)
}

async fn sends_as_before(engine: &Engine, id: ConnectionId) -> bool {
    let before = AtomicBool::new(false);
    update(engine, id, &|connection, effects| {
        before.store(connection.send_as_before(effects), Ordering::Relaxed);
        Ok(())
    })
    .await;
    before.into_inner()
}

/// Whether a queue that is not there any more may come back: its relay may have lost its disk, and get a backup. It is asked for a day if the
/// connection was made.
async fn is_tried_again(engine: &Engine, id: ConnectionId) -> bool {
    let (now, limit) =
        (engine.now(), i64::try_from(engine.config.timeouts.refused.as_secs()).unwrap_or(i64::MAX));
    update(engine, id, &|connection, effects| {
        if connection.phase == Phase::Connected && connection.condition.refused(now) {
            effects.events.push(Event::QueueRefused { connection: connection.id });
        }
        Ok(())
    })
    .await;
    let since = engine.steps.look(id, |connection| {
        connection.condition.refused_since.filter(|_| connection.phase == Phase::Connected)
    });
    // The clock may have been set back since.
    since.await.ok().flatten().is_some_and(|since| (now - since).max(0) < limit)
}

async fn give_up(engine: &Engine, id: ConnectionId, stored: &StoredOutgoing, error: &CommandError) {
    let give_up = |connection: &mut Connection, effects: &mut Effects| {
        connection.waiting.remove(stored.outgoing.kind);
        let auth = matches!(error, CommandError::Auth);
        match (stored.outgoing.kind, stored.outgoing.message) {
            // Nothing but these keys can be sent any more.
            (OutgoingKind::RatchetKey, _) if auth => connection.fail(ConnectionError::QueueGone, effects),
            (OutgoingKind::Request, _) if connection.phase != Phase::Requesting => {
                connection.request_delivered();
            }
            (OutgoingKind::Request | OutgoingKind::Confirmation | OutgoingKind::Hello, _) => {
                // Only others' confirmations can have filled the queue of an invitation.
                let full = matches!(error, CommandError::Quota) && connection.role == Role::Joiner;
                let error = if auth || full {
                    connection.gone()
                } else {
                    ConnectionError::Refused(error.to_string())
                };
                connection.fail(error, effects);
            }
            (OutgoingKind::Message, Some(id)) => {
                let error = if auth { SendError::QueueGone } else { SendError::Refused(error.to_string()) };
                effects.events.push(Event::SendFailed { connection: connection.id, id, error });
            }
            _ => {}
        }
    };
    until_stored!(engine, {
        let step = engine.steps.step(id, |connection, request| {
            request.sent.push(stored.row);
            if connection.phase != Phase::Failed && !request.is_given_up(stored.row) {
                give_up(connection, &mut request.effects);
            }
            Ok(())
        });
        match unless_gone(step.await) {
            Ok(Some(((), commit))) => commit.durable().await,
            done => done.map(drop),
        }
    });
}
