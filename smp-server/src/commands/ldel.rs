//! `LDEL`: deletes the queue's short link; without one there is nothing to do.

use super::{
    context::Context,
    outcome::{CommandResult, Outcome},
};
use crate::store::{QueueChange, QueueRecord};

pub(super) async fn run(cx: &Context<'_>, queue: &QueueRecord) -> CommandResult {
    if queue.link.is_none() {
        return Ok(Outcome::ok());
    }
    cx.change_and_confirm(queue, QueueChange::ClearLink).await
}
