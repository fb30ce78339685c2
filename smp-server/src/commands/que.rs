//! `QUE`: the state of the queue, for people who look for faults.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use smp_protocol::{
    encoding::UtcTime,
    id::MessageId,
    message::{BrokerMessage, MessageInfo, MessageKind, QueueInfo, SubscriptionInfo, SubscriptionThread},
};

use super::{context::Context, outcome::CommandResult};
use crate::{
    broker::DeliveryState,
    store::{self, QueueRecord},
};

/// Unlike the rest of the protocol, IDs in this JSON are written in the standard alphabet.
fn id_text(id: &MessageId) -> String {
    STANDARD.encode(id.as_bytes())
}

pub(super) async fn run(cx: &Context<'_>, queue: &QueueRecord) -> CommandResult {
    let content = cx.node.store.queue_content(&queue.recipient_id).await?;
    let info = QueueInfo {
        sender_secured: queue.sender_key.is_some(),
        notifications: queue.notifier.is_some(),
        subscription: subscription(cx, queue),
        size: i64::try_from(content.size).unwrap_or(i64::MAX),
        message: content.first.as_ref().and_then(message),
    };
    Ok(BrokerMessage::QueueInfo(Box::new(info)).into())
}

fn subscription(cx: &Context<'_>, queue: &QueueRecord) -> Option<SubscriptionInfo> {
    let id = &queue.recipient_id;
    let (thread, delivered) = match cx.node.hub.subscriptions.delivery(id, &cx.caller.client) {
        Some(DeliveryState::Delivered(message)) => (SubscriptionThread::NoSub, Some(message)),
        Some(DeliveryState::Idle) => (SubscriptionThread::NoSub, None),
        Some(DeliveryState::Scheduled | DeliveryState::Loading { .. }) => {
            (SubscriptionThread::SubPending, None)
        }
        None => (SubscriptionThread::ProhibitSub, cx.caller.got(id)?),
    };
    let delivered = delivered.as_ref().map(id_text);
    Some(SubscriptionInfo { thread, delivered })
}

fn message(first: &store::MessageInfo) -> Option<MessageInfo> {
    let time = UtcTime::new(i64::try_from(first.timestamp).ok()?, 0)?;
    Some(MessageInfo {
        id: id_text(&first.id),
        time,
        kind: match first.kind {
            store::MessageKind::Sent { .. } => MessageKind::Message,
            store::MessageKind::QuotaMarker => MessageKind::Quota,
        },
    })
}
