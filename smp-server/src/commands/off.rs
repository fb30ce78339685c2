//! `OFF`: the queue accepts no more messages; those that it has can still be received. Can be repeated. A queue that the
//! operator has blocked stays blocked.

use super::{context::Context, outcome::CommandResult};
use crate::store::{QueueChange, QueueRecord, QueueStatus};

pub(super) async fn run(cx: &Context<'_>, queue: &QueueRecord) -> CommandResult {
    cx.change_and_confirm(queue, QueueChange::Status(QueueStatus::Suspended)).await
}
