//! `NSUB`: delivers the notifications of a queue to this session.
//!
//! In a session of a service the notifier becomes the service's, otherwise nobody's.

use smp_protocol::{
    error::ErrorType,
    id::{NotifierId, ServiceId},
    message::BrokerMessage,
};

use super::{
    context::Context,
    outcome::{CommandResult, Effect, Outcome},
};
use crate::{
    cluster::Request,
    store::{QueueChange, QueueId, QueueRecord, StoreError},
};

pub(super) async fn run(cx: &Context<'_>, queue: &QueueRecord) -> CommandResult {
    let (notifier, previous) = associate(cx, queue).await?;
    subscribe(cx, &notifier, previous.as_ref()).await
}

/// Associates the notifier with the service that the client is, or with none. Returns its ID and the service that had it before.
pub(super) async fn associate(
    cx: &Context<'_>,
    queue: &QueueRecord,
) -> Result<(NotifierId, Option<ServiceId>), ErrorType> {
    let notifier = queue.notifier.as_ref().ok_or(ErrorType::Auth)?;
    cx.keep_service().await?;
    // Also if it seems to be so already: `queue` is as it was before, and others subscribe at the same time.
    let change = QueueChange::NotifierService(cx.service_id().cloned());
    let updated = cx.change(queue, change).await?;
    let before = updated.before.notifier.as_ref().filter(|before| before.id == notifier.id);
    Ok((notifier.id.clone(), before.and_then(|before| before.service.clone())))
}

/// Subscribes the client, which is connected to this process, wherever the queue is.
pub(super) async fn subscribe(
    cx: &Context<'_>,
    notifier: &NotifierId,
    previous: Option<&ServiceId>,
) -> CommandResult {
    let service = cx.service_id();
    let subscribed = cx.node.hub.subscribe_notifications(notifier, previous, service, &cx.caller.client);
    subscribed.map_err(|_| ErrorType::Internal)?;
    // It may have been deleted before the subscription was there, so that this session was not told.
    match cx.node.store.find_queue(QueueId::Notifier(notifier)).await {
        Ok(Some(_)) | Err(StoreError::Elsewhere(_)) => {}
        Ok(None) => {
            cx.node.hub.leave_notifications(notifier, previous, service, &cx.caller.client);
            return Err(ErrorType::Auth);
        }
        Err(error) => return Err(error.into()),
    }
    if let Some(cluster) = &cx.node.cluster {
        let notifiers = vec![notifier.clone()];
        let claimed =
            cluster.claim_notifications(Request::ClaimNotifications { notifiers, subscribed: true });
        for (notifier, notification) in claimed.await {
            cx.node.hub.notifications.bring(&notifier, notification);
        }
    }
    Ok(Outcome::from(BrokerMessage::Subscribed(service.cloned())).then(Effect::Notify(notifier.clone())))
}

#[cfg(test)]
mod tests {
    use crate::testing;

    use super::*;

    /// Another client deletes the queue after `NSUB` has found it, before the subscription is there.
    #[tokio::test]
    async fn a_notifier_that_is_deleted_meanwhile_is_unknown() {
        let node = testing::node();
        let (alice, phone) = (testing::caller(), testing::client());
        let queue = testing::queue(&node).await;
        let notifier = &queue.notifier.as_ref().unwrap().id;
        node.store.delete_queue(&queue.recipient_id).await.unwrap();
        node.hub.queue_deleted(&queue, Some(&phone));
        let outcome = run(&testing::context(&node, &alice, notifier), &queue).await;
        assert!(matches!(outcome, Err(ErrorType::Auth)));
        assert!(alice.client.memberships().1.is_empty());
        assert!(node.hub.notifications.remove(notifier).is_none());
    }
}
