//! What is given up after a long time.

use super::update::{until_stored, update};
use crate::connection::Phase;
use crate::core::{Core, now};
use crate::error::{AgentError, ConnectionError};
use crate::id::ConnectionId;
use std::sync::Arc;
use std::time::Duration;

/// How often to look.
const INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// How long hashes of messages are kept. Relays keep messages for 21 days at most by default.
const KEEP_HASHES: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long relays are asked to delete a queue. Those that have not answered by then are gone.
const KEEP_DELETED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Forgets hashes, queues to delete and connections, now and once a day.
pub(crate) async fn give_up_what_is_old(core: Arc<Core>) {
    loop {
        for connection in until_stored!(&core, forget(&core).await) {
            update(&core, connection, &[], &|connection, effects| {
                if connection.phase == Phase::AwaitingReply {
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
async fn forget(core: &Core) -> Result<Vec<ConnectionId>, AgentError> {
    let mut step = core.step().await?;
    step.forget_hashes(before(KEEP_HASHES)).await?;
    step.forget_deleted_queues(before(KEEP_DELETED)).await?;
    let overdue = step.joined_before(before(core.config.timeouts.accept)).await?;
    step.commit().await?;
    Ok(overdue)
}

fn before(age: Duration) -> i64 {
    now().saturating_sub(i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
}
