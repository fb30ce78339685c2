//! What an operator does with queues: those that complaints are about.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smp_protocol::{
    error::BlockingInfo,
    id::{LinkId, SenderId},
};

use super::{QueueId, QueueOrder};
use crate::{
    broker::Broker,
    store::{self, QueueChange, QueueRecord, QueueStatus, StoreError},
};

/// What became of it. A queue that is as wanted already stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueAnswer {
    /// It is blocked now; before it was like this.
    Blocked(QueueState),
    /// It is not blocked now; before it was like this.
    Unblocked(QueueState),
    /// It is gone; it had so many messages.
    Deleted(u64),
    /// There is no such queue here.
    Unknown,
    /// The store has failed; the sentence says how.
    Failed(String),
}

/// How a queue is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueState {
    /// It accepts messages.
    Active,
    /// Its recipient has suspended it.
    Suspended,
    /// The operator has blocked it, for this reason and with this notice, as it is sent.
    Blocked(String),
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

/// Does it. Whoever is subscribed to the queue is told.
pub(super) async fn carry_out(broker: &Broker, id: &QueueId, order: &QueueOrder) -> QueueAnswer {
    match try_carry_out(broker, id, order).await {
        Ok(answer) => answer,
        // It has been deleted meanwhile.
        Err(StoreError::NotFound) => QueueAnswer::Unknown,
        Err(error) => QueueAnswer::Failed(error.to_string()),
    }
}

async fn try_carry_out(broker: &Broker, id: &QueueId, order: &QueueOrder) -> Result<QueueAnswer, StoreError> {
    let Some(queue) = find(broker, id).await? else { return Ok(QueueAnswer::Unknown) };
    match order {
        QueueOrder::Block(info) => block(broker, &queue, *info).await,
        QueueOrder::Unblock => unblock(broker, &queue).await,
        QueueOrder::Delete => delete(broker, &queue).await,
    }
}

async fn find(broker: &Broker, id: &QueueId) -> Result<Option<Arc<QueueRecord>>, StoreError> {
    // It cannot be longer than an ID.
    let (Ok(sender), Ok(link)) = (SenderId::new(id.as_bytes()), LinkId::new(id.as_bytes())) else {
        return Ok(None);
    };
    match broker.store.find_queue(store::QueueId::Sender(&sender)).await? {
        Some(queue) => Ok(Some(queue)),
        None => broker.store.find_queue(store::QueueId::Link(&link)).await,
    }
}

async fn block(broker: &Broker, queue: &QueueRecord, info: BlockingInfo) -> Result<QueueAnswer, StoreError> {
    let status = QueueStatus::Blocked(info.to_string().into_bytes().into());
    let updated = broker.store.update_queue(&queue.recipient_id, QueueChange::Status(status)).await?;
    if updated.before.status != updated.after.status {
        broker.queue_blocked(&updated.after, info);
        broker.metrics.queues_blocked.inc();
        tracing::info!("a queue was blocked by the operator");
    }
    Ok(QueueAnswer::Blocked((&updated.before.status).into()))
}

/// A blocked queue becomes active, as with the reference, whatever its recipient has said before or meanwhile; one that is only
/// suspended stays so.
async fn unblock(broker: &Broker, queue: &QueueRecord) -> Result<QueueAnswer, StoreError> {
    if matches!(queue.status, QueueStatus::Blocked(_)) {
        let change = QueueChange::Status(QueueStatus::Active);
        let updated = broker.store.update_queue(&queue.recipient_id, change).await?;
        // A service that has subscribed meanwhile has been told of no message.
        broker.message_sent(&updated.after);
        tracing::info!("a queue was unblocked by the operator");
    }
    Ok(QueueAnswer::Unblocked((&queue.status).into()))
}

async fn delete(broker: &Broker, queue: &QueueRecord) -> Result<QueueAnswer, StoreError> {
    let (record, messages) = broker.store.delete_queue(&queue.recipient_id).await?;
    broker.queue_deleted(&record, None);
    tracing::info!("a queue was deleted by the operator");
    Ok(QueueAnswer::Deleted(messages as u64))
}
