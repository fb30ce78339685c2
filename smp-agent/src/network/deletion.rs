//! Deletes the queues of deleted connections at their relays.

use super::backoff::Backoff;
use super::session::CommandError;
use super::update::until_stored;
use crate::core::Core;
use crate::error::AgentError;
use crate::store::DeletedQueue;
use std::collections::HashSet;
use std::sync::Arc;

/// Deletes all queues that are to be deleted. Each is tried until its relay answers.
pub(crate) async fn delete_queues(core: Arc<Core>) {
    let mut begun = HashSet::new();
    loop {
        core.queues_to_delete.notified().await;
        for queue in until_stored!(&core, deleted_queues(&core).await) {
            if begun.insert(queue.row) {
                core.spawn(delete(core.clone(), queue));
            }
        }
    }
}

async fn deleted_queues(core: &Core) -> Result<Vec<DeletedQueue>, AgentError> {
    Ok(core.step().await?.deleted_queues().await?)
}

async fn delete(core: Arc<Core>, queue: DeletedQueue) {
    let timeouts = &core.config.timeouts;
    let mut backoff = Backoff::new(timeouts.retry_first, timeouts.retry_longest);
    loop {
        let session = core.relay(&queue.relay).session().await;
        match session.delete(&queue.recipient_id, &queue.recipient_key).await {
            Err(CommandError::Again(_)) => backoff.pause().await,
            // With an error too: then it is not there, or nothing helps.
            _ => break,
        }
    }
    until_stored!(&core, forget(&core, queue.row).await);
}

async fn forget(core: &Core, row: i64) -> Result<(), AgentError> {
    let mut step = core.step().await?;
    step.remove_deleted_queue(row).await?;
    Ok(step.commit().await?)
}
