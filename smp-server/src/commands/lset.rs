//! `LSET`: attaches the data of a short link to the queue, or replaces the part of them that may change.

use smp_protocol::{command, error::ErrorType, id::LinkId};

use super::{Context, Outcome, is_secured_messaging};
use crate::store::{LinkData, QueueChange, QueueRecord};

pub(super) async fn run(
    cx: &Context,
    queue: &QueueRecord,
    id: LinkId,
    data: command::LinkData<'_>,
) -> Outcome {
    if is_secured_messaging(queue) {
        return Err(ErrorType::Auth);
    }
    let data = LinkData { fixed: data.fixed.as_bytes().to_vec(), user: data.user.as_bytes().to_vec() };
    cx.change_and_confirm(queue, QueueChange::SetLink(id, data)).await
}
