//! `DEL`: deletes the queue with all its messages. Other sessions that are subscribed to it are told by `DELD`.

use super::{
    context::Context,
    outcome::{CommandResult, Outcome},
};
use crate::store::QueueRecord;

pub(super) async fn run(cx: &Context<'_>, queue: &QueueRecord) -> CommandResult {
    cx.caller.client.note_deleting(&queue.recipient_id, true);
    let outcome = delete(cx, queue).await;
    cx.caller.client.note_deleting(&queue.recipient_id, false);
    outcome
}

async fn delete(cx: &Context<'_>, queue: &QueueRecord) -> CommandResult {
    let deleted = cx.node.store.delete_queue(&queue.recipient_id).await;
    let (record, _) = deleted?;
    cx.caller.forget_got(&record.recipient_id);
    cx.node.hub.queue_deleted(&record, Some(&cx.caller.client));
    Ok(Outcome::ok())
}
