//! `SEND`: puts a message into the queue. `OK` means kept: it is durable, or its recipient has acknowledged it.

use std::sync::Arc;

use smp_crypto::Nonce;
use smp_protocol::{
    body::{self, NotificationMeta},
    command::MessageFlags,
    encoding::UnixSeconds,
    error::ErrorType,
    id::MessageId,
};

use super::{
    context::Context,
    outcome::{CommandResult, Effect, Outcome},
};
use crate::{
    broker::Notification,
    store::{Appended, Message, NewMessage, Notifier, QueueChange, QueueRecord},
};

pub(super) async fn run(
    cx: &Context<'_>,
    queue: &Arc<QueueRecord>,
    flags: MessageFlags,
    body: Vec<u8>,
) -> CommandResult {
    if body.len() > body::max_message_length(cx.version) {
        return Err(ErrorType::LargeMessage);
    }
    queue.status.refuse_inactive()?;
    // The first message of who has secured the queue: the link has served its purpose.
    if queue.link.is_some() && queue.is_secured_messaging() {
        cx.change(queue, QueueChange::ClearLink).await?;
    }
    let message = NewMessage {
        id: MessageId::generate(&mut cx.node.rng()),
        timestamp: cx.node.clock.now(),
        notification: flags.notification,
        body,
    };
    let appended = cx.node.store.append(&queue.recipient_id, message, cx.node.expire_before()).await;
    match appended? {
        Appended::Accepted(accepted) => {
            cx.node.metrics.messages_accepted.inc();
            cx.node.metrics.messages_expired.inc_by(accepted.expired);
            let notifier = queue.notifier.as_ref().filter(|_| flags.notification);
            let notification = notifier.and_then(|notifier| notification(cx, notifier, &accepted.message));
            Ok(Outcome::ok().when_durable(accepted.kept).then(Effect::Sent(queue.clone(), notification)))
        }
        Appended::QuotaExceeded => Err(ErrorType::Quota),
        Appended::NotActive(status) => {
            status.refuse_inactive()?;
            Err(ErrorType::Internal)
        }
    }
}

/// The notification that says which message has come; only the recipient can read it.
fn notification(cx: &Context<'_>, notifier: &Notifier, message: &Message) -> Option<Notification> {
    let nonce = Nonce::generate(&mut cx.node.rng());
    let time = UnixSeconds(i64::try_from(message.timestamp).unwrap_or(i64::MAX));
    let meta = NotificationMeta { message_id: message.id.clone(), time };
    // The ID has 24 bytes, so that it always fits.
    let meta = meta.seal(&notifier.dh.box_key(), &nonce).ok()?;
    Some(Notification { timestamp: message.timestamp, nonce, meta })
}
