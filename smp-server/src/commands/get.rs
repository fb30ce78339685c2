//! `GET`: one message without a subscription; the answer is `OK` if there is none.

use smp_protocol::error::CommandError;

use super::{Context, Outcome};
use crate::{session::Answer, store::QueueRecord};

pub(super) async fn run(cx: &Context, queue: &QueueRecord) -> Outcome {
    let id = &queue.recipient_id;
    if cx.broker.subscriptions.delivery(id, &cx.session).is_some() {
        return Err(CommandError::Prohibited.into());
    }
    // From now on it cannot be subscribed here, whether there is a message or not.
    cx.session.note_got(id, None);
    let first = cx.broker.store.first_message(id).await?;
    Ok(match first {
        Some(message) => {
            cx.session.note_got(id, Some(message.id.clone()));
            Answer::delivery(queue.recipient_dh.clone(), message)
        }
        None => Answer::ok(),
    })
}
