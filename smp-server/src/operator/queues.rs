//! Orders of an operator about queues: `block`, `unblock` and `delete`.

use std::sync::Arc;

use smp_protocol::{
    error::BlockingInfo,
    id::{LinkId, SenderId},
};

use crate::{
    control::{QueueAnswer, QueueId, QueueOrder, QueueState},
    node::Node,
    store::{self, ProcessId, QueueChange, QueueRecord, QueueStatus, StoreError},
};

/// Carries an order out, and tells the queue's subscriber.
///
/// # Errors
///
/// The process of this relay that has the queue, if that is another one.
pub(crate) async fn carry_out(
    node: &Node,
    id: &QueueId,
    order: &QueueOrder,
) -> Result<QueueAnswer, ProcessId> {
    match try_carry_out(node, id, order).await {
        Ok(answer) => Ok(answer),
        // It has been deleted meanwhile.
        Err(StoreError::NotFound) => Ok(QueueAnswer::Unknown),
        Err(StoreError::Elsewhere(process)) => Err(process),
        Err(error) => Ok(QueueAnswer::Failed(error.to_string())),
    }
}

async fn try_carry_out(node: &Node, id: &QueueId, order: &QueueOrder) -> Result<QueueAnswer, StoreError> {
    let Some(queue) = find(node, id).await? else { return Ok(QueueAnswer::Unknown) };
    match order {
        QueueOrder::Block(info) => block(node, &queue, *info).await,
        QueueOrder::Unblock => unblock(node, &queue).await,
        QueueOrder::Delete => delete(node, &queue).await,
    }
}

async fn find(node: &Node, id: &QueueId) -> Result<Option<Arc<QueueRecord>>, StoreError> {
    // It cannot be longer than an ID.
    let (Ok(sender), Ok(link)) = (SenderId::new(id.as_bytes()), LinkId::new(id.as_bytes())) else {
        return Ok(None);
    };
    match node.store.find_queue(store::QueueId::Sender(&sender)).await? {
        Some(queue) => Ok(Some(queue)),
        None => node.store.find_queue(store::QueueId::Link(&link)).await,
    }
}

async fn block(node: &Node, queue: &QueueRecord, info: BlockingInfo) -> Result<QueueAnswer, StoreError> {
    let status = QueueStatus::Blocked(info.to_string().into_bytes().into());
    let updated = node.store.update_queue(&queue.recipient_id, QueueChange::Status(status)).await?;
    if updated.before.status != updated.after.status {
        node.hub.queue_blocked(&updated.after, info);
        node.metrics.queues_blocked.inc();
        tracing::info!("a queue was blocked by the operator");
    }
    Ok(QueueAnswer::Blocked((&updated.before.status).into()))
}

/// A blocked queue becomes active, as with the reference, whatever its recipient has said before or meanwhile; one that is only
/// suspended stays so.
async fn unblock(node: &Node, queue: &QueueRecord) -> Result<QueueAnswer, StoreError> {
    if matches!(queue.status, QueueStatus::Blocked(_)) {
        let change = QueueChange::Status(QueueStatus::Active);
        let updated = node.store.update_queue(&queue.recipient_id, change).await?;
        // A service that has subscribed meanwhile has been told of no message.
        node.hub.message_sent(&updated.after);
        tracing::info!("a queue was unblocked by the operator");
    }
    Ok(QueueAnswer::Unblocked((&queue.status).into()))
}

async fn delete(node: &Node, queue: &QueueRecord) -> Result<QueueAnswer, StoreError> {
    let (record, messages) = node.store.delete_queue(&queue.recipient_id).await?;
    node.hub.queue_deleted(&record, None);
    tracing::info!("a queue was deleted by the operator");
    Ok(QueueAnswer::Deleted(messages as u64))
}

impl From<&QueueStatus> for QueueState {
    fn from(status: &QueueStatus) -> Self {
        match status {
            QueueStatus::Active => Self::Active,
            QueueStatus::Suspended => Self::Suspended,
            QueueStatus::Blocked(info) => Self::Blocked(String::from_utf8_lossy(info).into_owned()),
        }
    }
}
