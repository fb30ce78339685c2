//! `LSET`: attaches the data of a short link to the queue, or replaces the part of them that may change.

use smp_protocol::{command, error::ErrorType, id::LinkId};

use super::{context::Context, outcome::CommandResult};
use crate::store::{LinkData, QueueChange, QueueRecord};

pub(super) async fn run(
    cx: &Context<'_>,
    queue: &QueueRecord,
    id: LinkId,
    data: command::LinkData<'_>,
) -> CommandResult {
    if queue.is_secured_messaging() {
        return Err(ErrorType::Auth);
    }
    let data = LinkData { fixed: data.fixed.as_bytes().to_vec(), user: data.user.as_bytes().to_vec() };
    cx.change_and_confirm(queue, QueueChange::SetLink(id, data)).await
}
