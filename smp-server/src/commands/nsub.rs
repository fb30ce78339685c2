//! `NSUB`: delivers the notifications of a queue to this session.
//!
//! In a session of a service the notifier becomes the service's, otherwise nobody's.

use smp_protocol::{error::ErrorType, message::BrokerMessage};

use super::{Context, Outcome};
use crate::{
    session::{Answer, Then},
    store::{QueueChange, QueueId, QueueRecord},
};

pub(super) async fn run(cx: &Context, queue: &QueueRecord) -> Outcome {
    let notifier = queue.notifier.as_ref().ok_or(ErrorType::Auth)?;
    let service = cx.service_id();
    cx.keep_service().await?;
    // Also if it seems to be so already: `queue` is as it was before, and others subscribe at the same time.
    let change = QueueChange::NotifierService(service.cloned());
    let updated = cx.change(queue, change).await?;
    let before = updated.before.notifier.as_ref().filter(|before| before.id == notifier.id);
    let previous = before.and_then(|before| before.service.as_ref());
    let subscribed = cx.broker.subscribe_notifications(notifier, previous, service, &cx.session);
    subscribed.map_err(|_| ErrorType::Internal)?;
    // It may have been deleted before the subscription was there, so that this session was not told.
    let found = cx.broker.store.find_queue(QueueId::Notifier(&notifier.id)).await;
    if found?.is_none() {
        cx.broker.leave_notifications(notifier, previous, service, &cx.session);
        return Err(ErrorType::Auth);
    }
    Ok(Answer::from(BrokerMessage::Subscribed(service.cloned())).then(Then::Notify(notifier.id.clone())))
}

#[cfg(test)]
mod tests {
    use crate::testing;

    use super::*;

    /// Another session deletes the queue after `NSUB` has found it, before the subscription is there.
    #[tokio::test]
    async fn a_notifier_that_is_deleted_meanwhile_is_unknown() {
        let broker = testing::broker();
        let (alice, phone) = (testing::session(&broker), testing::session(&broker));
        let queue = testing::queue(&broker).await;
        let notifier = &queue.notifier.as_ref().unwrap().id;
        broker.store.delete_queue(&queue.recipient_id).await.unwrap();
        broker.queue_deleted(&queue, Some(&phone));
        let outcome = run(&testing::context(&broker, &alice, notifier), &queue).await;
        assert!(matches!(outcome, Err(ErrorType::Auth)));
        assert!(alice.joined().1.is_empty());
        assert!(broker.notifications.remove(notifier).is_none());
    }
}
