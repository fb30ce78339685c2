//! `NDEL`: forbids notifications for the queue; if they were not allowed there is nothing to do.

use super::{Context, Outcome};
use crate::{
    session::Answer,
    store::{QueueChange, QueueRecord},
};

pub(super) async fn run(cx: &Context, queue: &QueueRecord) -> Outcome {
    let updated = cx.change(queue, QueueChange::ClearNotifier).await?;
    if let Some(previous) = &updated.before.notifier {
        cx.broker.notifier_deleted(previous, Some(&cx.session));
    }
    Ok(Answer::ok())
}
