//! `LDEL`: deletes the queue's short link; without one there is nothing to do.

use super::{Context, Outcome};
use crate::{
    session::Answer,
    store::{QueueChange, QueueRecord},
};

pub(super) async fn run(cx: &Context, queue: &QueueRecord) -> Outcome {
    if queue.link.is_none() {
        return Ok(Answer::ok());
    }
    cx.change_and_confirm(queue, QueueChange::ClearLink).await
}
