//! `GET`: one message without a subscription; the answer is `OK` if there is none.

use smp_protocol::error::CommandError;

use super::{
    context::Context,
    outcome::{CommandResult, Outcome},
};
use crate::store::QueueRecord;

pub(super) async fn run(cx: &Context<'_>, queue: &QueueRecord) -> CommandResult {
    let id = &queue.recipient_id;
    if cx.node.hub.subscriptions.delivery(id, &cx.caller.client).is_some() {
        return Err(CommandError::Prohibited.into());
    }
    // From now on it cannot be subscribed here, whether there is a message or not.
    cx.caller.note_got(id, None);
    let first = cx.node.store.first_message(id).await?;
    Ok(match first {
        Some(message) => {
            cx.caller.note_got(id, Some(message.id.clone()));
            Outcome::delivery(queue.recipient_dh.clone(), message)
        }
        None => Outcome::ok(),
    })
}
