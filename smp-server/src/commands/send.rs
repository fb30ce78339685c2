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

use super::{Context, Outcome, is_secured_messaging};
use crate::{
    broker::{Notification, now},
    session::{Answer, Then},
    store::{Appended, Message, NewMessage, Notifier, QueueChange, QueueRecord},
};

pub(super) async fn run(
    cx: &Context,
    queue: &Arc<QueueRecord>,
    flags: MessageFlags,
    body: Vec<u8>,
) -> Outcome {
    if body.len() > body::max_message_length(cx.version) {
        return Err(ErrorType::LargeMessage);
    }
    queue.status.refuse_inactive()?;
    // The first message of who has secured the queue: the link has served its purpose.
    if queue.link.is_some() && is_secured_messaging(queue) {
        cx.change(queue, QueueChange::ClearLink).await?;
    }
    let now = now();
    let message = NewMessage {
        id: MessageId::generate(&mut rand::rng()),
        timestamp: now,
        notification: flags.notification,
        body,
    };
    let appended = cx.broker.store.append(&queue.recipient_id, message, cx.broker.expire_before(now)).await;
    match appended? {
        Appended::Accepted(accepted) => {
            cx.broker.metrics.messages_accepted.inc();
            cx.broker.metrics.messages_expired.inc_by(accepted.expired);
            if let Some(notifier) = queue.notifier.as_ref().filter(|_| flags.notification) {
                notify(cx, notifier, &accepted.message);
            }
            Ok(Answer::ok().when_kept(accepted.kept).then(Then::Tell(queue.clone())))
        }
        Appended::QuotaExceeded => Err(ErrorType::Quota),
        Appended::NotActive(status) => {
            status.refuse_inactive()?;
            Err(ErrorType::Internal)
        }
    }
}

/// Tells the notifier which message has come; only the recipient can read it.
fn notify(cx: &Context, notifier: &Notifier, message: &Message) {
    let nonce = Nonce::generate(&mut rand::rng());
    let time = UnixSeconds(i64::try_from(message.timestamp).unwrap_or(i64::MAX));
    let meta = NotificationMeta { message_id: message.id.clone(), time };
    // The ID has 24 bytes, so that it always fits.
    if let Ok(meta) = meta.seal(&notifier.dh.box_key(), &nonce) {
        let notification = Notification { timestamp: message.timestamp, nonce, meta };
        cx.broker.notify(notifier, notification);
    }
}
