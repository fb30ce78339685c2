//! ACK: a relay may delete a message that is stored here, and that the application has room for.

use super::backoff::Backoff;
use super::engine::Engine;
use super::held::Acknowledgement;
use super::session::CommandError;
use crate::id::ConnectionId;
use std::sync::Arc;

/// Tells the relay that a message is stored, or waits with that until the application has room.
pub(super) async fn acknowledge_or_hold(
    engine: &Arc<Engine>,
    connection: ConnectionId,
    room: bool,
    acknowledgement: Acknowledgement,
) {
    if room {
        return acknowledge(engine, &acknowledgement).await;
    }
    engine.held.add(connection, acknowledgement);
    // The application may have taken one in between.
    if engine.has_room(connection).await.unwrap_or(true) {
        acknowledge_held(engine, connection);
    }
}

/// ACK, until it is answered. If the session ends before, the next one brings the message again.
async fn acknowledge(engine: &Engine, acknowledgement: &Acknowledgement) {
    let Acknowledgement { session, queue, key, message } = acknowledgement;
    let timeouts = &engine.config.timeouts;
    let mut backoff = Backoff::new(timeouts.retry_first, timeouts.retry_longest);
    while let Err(CommandError::Again(_)) = session.acknowledge(queue, key, message).await {
        if session.has_ended() {
            break;
        }
        engine.pause(&mut backoff).await;
    }
}

/// Acknowledges what is held of a connection.
pub(super) fn acknowledge_held(engine: &Arc<Engine>, connection: ConnectionId) {
    for acknowledgement in engine.held.take(connection) {
        let engine_ = engine.clone();
        engine.spawn(async move { acknowledge(&engine_, &acknowledgement).await });
    }
}

/// The application has accepted or rejected a request to a contact address.
pub(super) async fn request_answered(engine: &Arc<Engine>, address: Option<ConnectionId>) {
    if let Some(address) = address
        && engine.has_room(address).await.unwrap_or(true)
    {
        acknowledge_held(engine, address);
    }
}
