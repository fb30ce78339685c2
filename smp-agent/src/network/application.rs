//! Calls of the application: it is done with an event, it wants a connection no more.

use super::acknowledging::{acknowledge_held, request_answered};
use super::engine::Engine;
use super::requests;
use crate::connection::{Connection, StateError};
use crate::error::AgentError;
use crate::event::{Event, MessageOrigin};
use crate::id::ConnectionId;
use crate::steps::Commit;
use std::sync::Arc;

/// Receipts of a connection that wait to be sent. A peer that takes none gets no more: they fill the disk.
const MAX_WAITING_RECEIPTS: u32 = 256;
/// The same with a full disk.
const RECEIPTS_ON_FULL_DISK: u32 = 8;

/// Removes a connection. Its queues are deleted at their relays as soon as possible.
pub(crate) async fn remove(engine: &Arc<Engine>, id: ConnectionId) -> Result<(), AgentError> {
    let address = engine.steps.look(id, Connection::request_of).await?;
    let commit = engine.steps.remove(id).await?;
    engine.held.forget(id);
    commit.durable().await?;
    engine.routes.forget_connection(id);
    engine.queues_to_delete.notify_one();
    engine.look_at_sessions(id);
    request_answered(engine, address).await;
    Ok(())
}

/// The application is done with a stored event. Messages of its connection that are held back are acknowledged.
pub(crate) async fn done(
    engine: &Arc<Engine>,
    connection: ConnectionId,
    sequence: i64,
    event: &Event,
) -> Result<Commit, AgentError> {
    if let Event::Request { .. } = event {
        return requests::done(engine, connection, sequence).await;
    }
    match event {
        Event::Message { origin, .. } => messages_done(engine, connection, &[(sequence, *origin)]).await,
        _ => engine.steps.done(sequence),
    }
}

/// The application is done with messages of a connection.
pub(crate) async fn messages_done(
    engine: &Arc<Engine>,
    connection: ConnectionId,
    messages: &[(i64, MessageOrigin)],
) -> Result<Commit, AgentError> {
    let config = &engine.config;
    let is_full = engine.steps.reserve.is_given_up();
    let waiting_receipts = if is_full { RECEIPTS_ON_FULL_DISK } else { MAX_WAITING_RECEIPTS };
    let (sequences, origins): (Vec<i64>, Vec<MessageOrigin>) = messages.iter().copied().unzip();
    let step = engine.steps.step(connection, |connection, request| {
        connection.undelivered =
            connection.undelivered.saturating_sub(sequences.len().try_into().unwrap_or(u32::MAX));
        request.done = sequences;
        if config.receipts && connection.waiting.receipts < waiting_receipts {
            connection
                .send_receipts(&origins, config, &mut request.effects)
                .map_err(|StateError| AgentError::Encryption(connection.id))?;
        }
        Ok(connection.undelivered < engine.undelivered_limit())
    });
    let (room, commit) = step.await?;
    if room {
        acknowledge_held(engine, connection);
    }
    Ok(commit)
}
