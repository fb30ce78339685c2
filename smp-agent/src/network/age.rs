//! Daily clean-up: hashes of messages, queues to delete, joins that were never accepted.

use super::deletion::KEEP_DELETED;
use super::engine::Engine;
use super::update::{until_stored, update};
use crate::error::{AgentError, ConnectionError};
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
        tokio::time::sleep(INTERVAL).await;
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
