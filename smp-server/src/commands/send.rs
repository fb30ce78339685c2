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

use super::{Context, Outcome, blocked, is_secured_messaging};
use crate::{
    broker::{Notification, now},
    session::{Answer, Then, store_error},
    store::{Appended, Message, NewMessage, Notifier, QueueChange, QueueRecord, QueueStatus},
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
    refuse_inactive(&queue.status)?;
    // The first message of who has secured the queue: the link has served its purpose.
    if queue.link.is_some() && is_secured_messaging(queue) {
        cx.change(queue, QueueChange::ClearLink).await.map_err(|error| store_error(&error))?;
    }
    let now = now();
    let message = NewMessage {
        id: MessageId::generate(&mut rand::rng()),
        timestamp: now,
        notification: flags.notification,
        body,
    };
    let appended = cx.broker.store.append(&queue.recipient_id, message, cx.broker.expire_before(now)).await;
    match appended.map_err(|error| store_error(&error))? {
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
            refuse_inactive(&status)?;
            Err(ErrorType::Internal)
        }
    }
}

fn refuse_inactive(status: &QueueStatus) -> Result<(), ErrorType> {
    match status {
        QueueStatus::Active => Ok(()),
        QueueStatus::Suspended => Err(ErrorType::Auth),
        QueueStatus::Blocked(info) => Err(blocked(info)),
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
