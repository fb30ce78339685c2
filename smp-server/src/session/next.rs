//! What a subscribed queue has for its recipient.

use std::{sync::Arc, time::Duration};

use smp_protocol::{
    id::{CorrelationId, RecipientId},
    message::BrokerMessage,
};

use super::{
    Session,
    reply::{Content, Delivery, Reply},
};
use crate::{broker::Broker, store::StoreError};

/// After how long it is tried again to load a message if the store has failed.
const RETRY: Duration = Duration::from_secs(1);

/// The first message of a scheduled queue, if there is one and the session is still subscribed. `DELD` if there is no such
/// queue: it was deleted after `SUB` had found it, and before the subscription was there.
pub(super) async fn next_of(session: &Arc<Session>, broker: &Broker, queue: &RecipientId) -> Option<Reply> {
    let subscriptions = &broker.subscriptions;
    let ticket = subscriptions.take(queue, session)?;
    match broker.store.first_message(queue).await {
        Ok(first) => {
            let deliver = subscriptions.loaded(queue, &ticket, first.as_ref().map(|first| &first.id));
            let message = first.filter(|_| deliver)?;
            let content = Content::Delivery(Delivery { recipient_dh: ticket.recipient_dh, message });
            Some(Reply {
                corr_id: CorrelationId::empty(),
                entity_id: queue.into(),
                content,
                permit: None,
                timer: None,
            })
        }
        Err(StoreError::NotFound) => {
            // Who deletes a queue is not told. Asked first, as the command may be done in a moment.
            let by_itself = session.is_deleting(queue);
            let told = subscriptions.gone(queue, &ticket) && !by_itself;
            told.then(|| Reply::event(queue, BrokerMessage::Deleted))
        }
        Err(_) => {
            subscriptions.failed(queue, ticket);
            let (session, queue) = (session.clone(), queue.clone());
            tokio::spawn(async move {
                tokio::time::sleep(RETRY).await;
                session.outbox.schedule(queue);
            });
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{broker::Subscriber as _, session::reply::Content, testing};

    /// Another session deletes the queue after `SUB` has found it, before the subscription is there.
    #[tokio::test]
    async fn who_subscribes_to_a_queue_while_it_is_deleted_is_told() {
        let broker = testing::broker();
        let (alice, phone) = (testing::session(&broker), testing::session(&broker));
        let queue = testing::queue(&broker).await;
        let id = &queue.recipient_id;
        broker.store.delete_queue(id).await.unwrap();
        broker.queue_deleted(&queue, Some(&phone));
        broker.subscribe(&queue, None, None, &alice).unwrap();
        let told = next_of(&alice, &broker, id).await.unwrap();
        assert_eq!(told.entity_id, id.into());
        assert!(matches!(told.content, Content::Message(BrokerMessage::Deleted)));
        assert!(broker.subscriptions.delivery(id, &alice).is_none());
        assert!(alice.joined().0.is_empty());
        assert!(next_of(&alice, &broker, id).await.is_none(), "once");
    }

    #[tokio::test]
    async fn who_deletes_its_queue_is_not_told() {
        let broker = testing::broker();
        let alice = testing::session(&broker);
        let queue = testing::queue(&broker).await;
        let id = &queue.recipient_id;
        broker.subscribe(&queue, None, None, &alice).unwrap();
        alice.note_deleting(id, true);
        broker.store.delete_queue(id).await.unwrap();
        alice.schedule(id.clone());
        assert!(next_of(&alice, &broker, id).await.is_none());
        assert!(broker.subscriptions.delivery(id, &alice).is_none());
    }
}
