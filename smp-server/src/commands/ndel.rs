//! `NDEL`: forbids notifications for the queue; if they were not allowed there is nothing to do.

use super::{
    context::Context,
    outcome::{CommandResult, Outcome},
};
use crate::store::{QueueChange, QueueRecord};

pub(super) async fn run(cx: &Context<'_>, queue: &QueueRecord) -> CommandResult {
    let updated = cx.change(queue, QueueChange::ClearNotifier).await?;
    if let Some(previous) = &updated.before.notifier {
        cx.node.hub.notifier_deleted(previous, Some(&cx.caller.client));
    }
    Ok(Outcome::ok())
}
