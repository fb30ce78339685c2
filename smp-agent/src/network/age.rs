//! Daily clean-up: hashes of messages, queues to delete, joins that were never accepted, messages that cannot be delivered.

use super::deletion::KEEP_DELETED;
use super::engine::Engine;
use super::update::{unless_gone, until_stored, update};
use crate::connection::{OutgoingKind, Phase};
use crate::error::{AgentError, ConnectionError, SendError};
use crate::event::Event;
use crate::id::ConnectionId;
use crate::store::Upkeep;
use std::sync::Arc;
use std::time::Duration;

/// A day in seconds.
const DAY: u64 = 24 * 60 * 60;
/// How often to look.
const INTERVAL: Duration = Duration::from_secs(DAY);
/// How long hashes of messages are kept, in days of the agent. Relays keep messages for 21 days at most by default.
const KEEP_HASHES: i64 = 30;
/// Messages that are looked at together.
const EXPIRED_AT_ONCE: u32 = 500;

/// Forgets hashes, queues to delete and connections, now and once a day.
pub(super) async fn give_up_what_is_old(engine: Arc<Engine>) {
    loop {
        for connection in until_stored!(&engine, forget(&engine).await) {
            update(&engine, connection, &|connection, effects| {
                if connection.waits_for_acceptance() {
                    connection.fail(ConnectionError::NotAccepted, effects);
                }
                Ok(())
            })
            .await;
        }
        until_stored!(&engine, expire(&engine).await);
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Gives up the messages that have waited for too long, each connection's first ones first: what waits behind something that has not, such as keys
/// for another queue, waits on.
pub(crate) async fn expire(engine: &Engine) -> Result<(), AgentError> {
    let Some(limit) = engine.config.timeouts.undeliverable else { return Ok(()) };
    let steps = &engine.steps;
    let days = i64::try_from(limit.as_secs() / DAY).unwrap_or(i64::MAX).min(KEEP_HASHES - 1);
    let mut last = 0;
    loop {
        let waiting = steps.store.waiting_since(steps.day() - days, last, EXPIRED_AT_ONCE).await?;
        let mut commits = Vec::with_capacity(waiting.len());
        for (row, id, message) in &waiting {
            last = *row;
            // It is loaded with this, if it was not.
            let first = unless_gone(steps.next_outgoing(*id).await)?.flatten();
            if first.is_none_or(|first| first.row != *row) {
                continue;
            }
            let step = steps.step(*id, |connection, request| {
                if connection.phase != Phase::Failed && request.is_first(*row) {
                    connection.waiting.remove(OutgoingKind::Message);
                    request.sent.push(*row);
                    let (connection, error) = (connection.id, SendError::Expired);
                    request.effects.events.push(Event::SendFailed { connection, id: *message, error });
                }
                Ok(())
            });
            commits.extend(unless_gone(step.await)?.map(|((), commit)| commit));
        }
        // Many of them are written together.
        for commit in commits {
            commit.durable().await?;
        }
        if waiting.is_empty() {
            return Ok(());
        }
    }
}

/// Forgets hashes and queues. Returns the joined connections whose time is over.
async fn forget(engine: &Engine) -> Result<Vec<ConnectionId>, AgentError> {
    let steps = &engine.steps;
    steps.begin_day(engine.now()).await?;
    let day = steps.day();
    let upkeep = Upkeep::Forget { hashes: day - KEEP_HASHES, deleted: day - KEEP_DELETED };
    steps.upkeep(upkeep)?.durable().await?;
    let accept = i64::try_from(engine.config.timeouts.accept.as_secs() / DAY).unwrap_or(i64::MAX);
    Ok(steps.store.joined_until(day.saturating_sub(accept)).await?)
}
