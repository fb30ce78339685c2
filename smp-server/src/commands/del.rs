//! `DEL`: deletes the queue with all its messages. Other sessions that are subscribed to it are told by `DELD`.

use super::{Context, Outcome};
use crate::{session::Answer, store::QueueRecord};

pub(super) async fn run(cx: &Context, queue: &QueueRecord) -> Outcome {
    cx.session.note_deleting(&queue.recipient_id, true);
    let outcome = delete(cx, queue).await;
    cx.session.note_deleting(&queue.recipient_id, false);
    outcome
}

async fn delete(cx: &Context, queue: &QueueRecord) -> Outcome {
    let deleted = cx.broker.store.delete_queue(&queue.recipient_id).await;
    let (record, _) = deleted?;
    cx.session.forget_got(&record.recipient_id);
    cx.broker.queue_deleted(&record, Some(&cx.session));
    Ok(Answer::ok())
}
