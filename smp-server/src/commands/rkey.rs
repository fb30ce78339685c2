//! `RKEY`: replaces the recipient's keys of a contact queue, so that several owners can manage it.
//!
//! Every key makes commands about the queue more expensive, so that a list longer than the limit is refused.

use smp_protocol::{
    encoding::NonEmpty,
    error::{CommandError, ErrorType},
    key::RecipientAuthKey,
};

use super::{context::Context, outcome::CommandResult};
use crate::store::{QueueChange, QueueMode, QueueRecord};

pub(super) async fn run(
    cx: &Context<'_>,
    queue: &QueueRecord,
    keys: &NonEmpty<RecipientAuthKey>,
) -> CommandResult {
    if queue.mode != Some(QueueMode::Contact) {
        return Err(ErrorType::Auth);
    }
    if keys.as_slice().len() > cx.node.config().limits.max_recipient_keys {
        return Err(CommandError::Prohibited.into());
    }
    let keys = keys.as_slice().iter().map(|key| key.0).collect();
    cx.change_and_confirm(queue, QueueChange::RecipientKeys(keys)).await
}
