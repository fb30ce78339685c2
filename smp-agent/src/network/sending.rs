//! SEND: one body after the other, so that none overtakes another.

use super::session::{CommandError, Session};
use super::update::update;
use super::worker::{Later, gone};
use crate::connection::{Outgoing, OutgoingKind, Role, SendQueue};
use crate::core::Core;
use crate::error::{ConnectionError, SendError};
use crate::event::Event;
use crate::id::ConnectionId;
use crate::store::StoredOutgoing;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Bodies whose delivery is stored in one step, when that many wait.
pub(super) const SEND_BATCH: u32 = 16;
/// How long deliveries wait to be stored with those after them: not long, or short lives would make no progress.
const BATCH_TIME: Duration = Duration::from_millis(50);

/// Sends bodies in order, each after the relay has taken the one before. After a crash those whose delivery is not stored are
/// sent again, the same bytes; the recipient recognises repetitions.
pub(super) async fn send(
    core: &Arc<Core>,
    id: ConnectionId,
    batch: &[StoredOutgoing],
    queue: &SendQueue,
) -> Result<(), Later> {
    let session = core.relay(&queue.relay).session().await;
    let (begun, mut delivered) = (Instant::now(), 0);
    let mut failure = None;
    for stored in batch {
        if let Err(error) = send_once(&session, &stored.outgoing, queue).await {
            failure = Some((stored, error));
            break;
        }
        delivered += 1;
        if begun.elapsed() > BATCH_TIME {
            break;
        }
    }
    store_delivered(core, id, &batch[..delivered]).await;
    match failure {
        // What fails after a success is tried again at once, at the head of the next batch.
        Some((stored, error)) if delivered == 0 => refused(core, id, stored, &error).await,
        _ => Ok(()),
    }
}

async fn store_delivered(core: &Arc<Core>, id: ConnectionId, delivered: &[StoredOutgoing]) {
    if delivered.is_empty() {
        return;
    }
    let rows: Vec<_> = delivered.iter().map(|stored| stored.row).collect();
    update(core, id, &rows, &|connection, effects| {
        for stored in delivered {
            connection.delivered(&stored.outgoing, effects);
        }
        Ok(())
    })
    .await;
}

async fn send_once(session: &Session, outgoing: &Outgoing, queue: &SendQueue) -> Result<(), CommandError> {
    let damaged = |_| CommandError::Refused("the message is damaged".to_owned());
    let body = outgoing.content.body(queue, &mut rand::rng()).map_err(damaged)?;
    match session.send(queue, outgoing.authorized, outgoing.notify, &body).await {
        // An earlier attempt may have been taken without our seeing the answer, and the recipient has secured the queue
        // since: then the queue knows our key, and not otherwise.
        Err(CommandError::Auth) if !outgoing.authorized => {
            session.send(queue, true, outgoing.notify, &body).await
        }
        result => result,
    }
}

async fn refused(
    core: &Arc<Core>,
    id: ConnectionId,
    stored: &StoredOutgoing,
    error: &CommandError,
) -> Result<(), Later> {
    match error {
        CommandError::Again(_) => Err(Later::Again),
        CommandError::Quota if stored.outgoing.kind != OutgoingKind::Confirmation => Err(Later::Full),
        // Where the peer has just moved to, perhaps: it still reads where it was.
        CommandError::Auth if sends_as_before(core, id).await => Ok(()),
        error => {
            give_up(core, id, stored, error).await;
            Ok(())
        }
    }
}

async fn sends_as_before(core: &Arc<Core>, id: ConnectionId) -> bool {
    let before = AtomicBool::new(false);
    update(core, id, &[], &|connection, effects| {
        before.store(connection.send_as_before(effects), Ordering::Relaxed);
        Ok(())
    })
    .await;
    before.into_inner()
}

async fn give_up(core: &Arc<Core>, id: ConnectionId, stored: &StoredOutgoing, error: &CommandError) {
    update(core, id, &[stored.row], &|connection, effects| {
        connection.waiting.remove(stored.outgoing.kind);
        let auth = matches!(error, CommandError::Auth);
        match (stored.outgoing.kind, stored.outgoing.message) {
            // Nothing but these keys can be sent any more.
            (OutgoingKind::RatchetKey, _) if auth => connection.fail(ConnectionError::QueueGone, effects),
            (OutgoingKind::Confirmation | OutgoingKind::Hello, _) => {
                // Only others' confirmations can have filled the queue of an invitation.
                let full = matches!(error, CommandError::Quota) && connection.role == Role::Joiner;
                let error = if auth || full {
                    gone(connection.role)
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
        Ok(())
    })
    .await;
}
