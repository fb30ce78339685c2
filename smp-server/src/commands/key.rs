//! `KEY`: the recipient secures the queue with the sender's key. The same key again is fine, another one is not.

use smp_protocol::key::SenderAuthKey;

use super::{context::Context, outcome::CommandResult};
use crate::store::{QueueChange, QueueRecord};

pub(super) async fn run(cx: &Context<'_>, queue: &QueueRecord, key: SenderAuthKey) -> CommandResult {
    cx.change_and_confirm(queue, QueueChange::Secure(key.0)).await
}
