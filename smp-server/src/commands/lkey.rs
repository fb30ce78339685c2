//! `LKEY`: the sender secures the queue of a one-time link with its key, and gets the data of the link.

use smp_protocol::key::SenderAuthKey;

use super::{context::Context, lget, outcome::CommandResult};
use crate::store::{QueueChange, QueueRecord};

pub(super) async fn run(cx: &Context<'_>, queue: &QueueRecord, key: SenderAuthKey) -> CommandResult {
    cx.change(queue, QueueChange::Secure(key.0)).await?;
    lget::run(cx, queue).await
}
