//! Delivery to a service after `SUBS` or `NSUBS`: its queues page by page, as fast as it reads.

use std::sync::Arc;

use futures_util::future::join_all;
use smp_protocol::{
    error::ErrorType,
    id::{EntityId, RecipientId, ServiceId},
    message::BrokerMessage,
    version::SmpVersion,
};

use super::state::Session;
use crate::{
    client::Client,
    cluster::{Place, Reply, Request},
    node::Node,
    store::{QueueId, QueueRecord, ServiceRole, StoreError},
};

/// Queues that are looked at before what they have is sent.
const PAGE: usize = 100;

/// Delivers what is in the queues of a service, and says when that is done. A queue that cannot be looked at gets `ERR`; then,
/// or if no more queues can be found, the service can subscribe again in the same session.
pub(super) async fn deliver_all(session: Arc<Session>, node: Arc<Node>, service: ServiceId) {
    let client = session.client();
    let mut pages = Pages::new(service, ServiceRole::Messaging);
    loop {
        match pages.next(&node, client).await {
            Ok(Some(queues)) => {
                bring_queues(&node, &pages.service, &queues).await;
                for queue in queues {
                    if let Err(error) = queue.status.refuse_blocked() {
                        client.event(&queue.recipient_id, error.into());
                    } else if let Err(error) = deliver(&node, &queue).await {
                        pages.incomplete(&node, client);
                        client.event(&queue.recipient_id, error.into());
                    }
                }
            }
            Ok(None) => break,
            Err(error) => {
                pages.incomplete(&node, client);
                return client.event(EntityId::empty(), ErrorType::from(error).into());
            }
        }
        if !client.mailbox.drained().await {
            return;
        }
    }
    if session.parameters.version >= SmpVersion::SERVICE_SUBSCRIPTIONS && pages.serves(&node, client) {
        client.event(EntityId::empty(), BrokerMessage::AllDelivered);
    }
}

/// How often a queue is asked for that goes from process to process.
const ATTEMPTS: usize = 3;

/// Has other processes give queues of a service to this one. Those that they keep get `ERR` when they are looked at.
async fn bring_queues(node: &Node, service: &ServiceId, queues: &[Arc<QueueRecord>]) {
    let Some(cluster) = &node.cluster else { return };
    let bring = async |queue: &Arc<QueueRecord>| {
        let id = QueueId::Recipient(&queue.recipient_id);
        for _ in 0..ATTEMPTS {
            let Ok(Place::At(link)) = cluster.place(id).await else { return };
            let (queue, service) = (queue.recipient_id.clone(), service.clone());
            let given = link.ask(&Request::Give { to: cluster.own, queue, service }).await;
            cluster.forget(id);
            if matches!(given, Ok(Reply::Given)) {
                return;
            }
        }
    };
    join_all(queues.iter().map(bring)).await;
}

/// Brings the notifications that wait in other processes for notifiers of a service.
async fn bring_notifications(node: &Node, queues: &[Arc<QueueRecord>]) {
    let Some(cluster) = &node.cluster else { return };
    let notifiers = queues.iter().filter_map(|queue| Some(queue.notifier.as_ref()?.id.clone())).collect();
    let request = Request::ClaimNotifications { notifiers, subscribed: false };
    for (notifier, notification) in cluster.claim_notifications(request).await {
        node.hub.notifications.bring(&notifier, notification);
    }
}

/// Starts the delivery of a queue that has a message.
async fn deliver(node: &Node, queue: &QueueRecord) -> Result<(), ErrorType> {
    match node.store.first_message(&queue.recipient_id).await {
        Ok(Some(_)) => node.hub.deliver_to_service(queue),
        // It may have been deleted meanwhile.
        Ok(None) | Err(StoreError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Sends the notifications that waited for a service. If the store fails, those that were not come to are sent when the
/// service subscribes again.
pub(super) async fn notify_all(session: Arc<Session>, node: Arc<Node>, service: ServiceId) {
    let client = session.client();
    let mut pages = Pages::new(service, ServiceRole::Notifier);
    loop {
        match pages.next(&node, client).await {
            Ok(Some(queues)) => {
                bring_notifications(&node, &queues).await;
                for queue in queues {
                    node.hub.flush_notifications(&queue);
                }
            }
            Ok(None) => return,
            Err(_) => return pages.incomplete(&node, client),
        }
        if !client.mailbox.drained().await {
            return;
        }
    }
}

/// The queues of a service, a page at a time.
struct Pages {
    service: ServiceId,
    role: ServiceRole,
    after: Option<RecipientId>,
    is_done: bool,
}

impl Pages {
    fn new(service: ServiceId, role: ServiceRole) -> Self {
        Self { service, role, after: None, is_done: false }
    }

    /// `None` after the last one, and when the client does not serve any more.
    async fn next(
        &mut self,
        node: &Node,
        client: &Client,
    ) -> Result<Option<Vec<Arc<QueueRecord>>>, StoreError> {
        if self.is_done || !self.serves(node, client) {
            return Ok(None);
        }
        let page = node.store.service_queue_page(&self.service, self.role, self.after.as_ref(), PAGE).await?;
        self.is_done = page.len() < PAGE;
        self.after = page.last().map(|queue| queue.recipient_id.clone());
        Ok(Some(page))
    }

    fn serves(&self, node: &Node, client: &Client) -> bool {
        node.hub.services(self.role).serves(&self.service, client)
    }

    fn incomplete(&self, node: &Node, client: &Client) {
        node.hub.services(self.role).incomplete(&self.service, client);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use smp_crypto::Nonce;
    use smp_protocol::{command::ServiceQueues, encoding::ShortString, message::BrokerMessage};

    use super::*;
    use crate::{
        broker::Notification,
        client::Signal,
        commands::Service,
        store::{SqliteConfig, SqliteStore},
        testing,
    };

    /// A relay whose store cannot read the messages of the first of these queues.
    async fn damaged(directory: &std::path::Path, service: &Service) -> (Arc<Node>, Vec<RecipientId>) {
        let path = directory.join("store");
        let store = SqliteStore::open(SqliteConfig::new(path.clone())).await.unwrap();
        let node = testing::node_on(Arc::new(store));
        let mut queues = Vec::new();
        for _ in 0..3 {
            let queue = testing::queue_of(&node, service).await;
            testing::send(&node, &queue).await;
            queues.push(queue.recipient_id.clone());
        }
        queues.sort();
        node.store.close().await.unwrap();
        testing::sql(
            &path,
            "UPDATE messages SET kind = 99 WHERE queue = (SELECT queue FROM queues ORDER BY recipient_id LIMIT 1)",
        )
        .await;
        let store = SqliteStore::open(SqliteConfig::new(path)).await.unwrap();
        (testing::node_on(Arc::new(store)), queues)
    }

    #[tokio::test]
    async fn a_queue_that_cannot_be_read_does_not_keep_the_others_from_their_service() {
        let (directory, service) = (tempfile::tempdir().unwrap(), testing::service(ServiceRole::Messaging));
        let (node, queues) = damaged(directory.path(), &service).await;
        let session = testing::service_session(&node, &service);
        let services = node.hub.services(ServiceRole::Messaging);
        assert!(services.subscribe_all(&service.id, session.client(), ServiceQueues::default()).is_ok());
        let delivering = tokio::spawn(deliver_all(session.clone(), node.clone(), service.id.clone()));
        let mut scheduled = Vec::new();
        while !delivering.is_finished() {
            if let Some(Signal::Message(queue)) = session.client().mailbox.take_signal() {
                scheduled.push(queue);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(scheduled, queues[1..]);
        let sent = session.client().sent();
        assert!(
            matches!(sent[..], [BrokerMessage::Error(ErrorType::Store(_)), BrokerMessage::AllDelivered]),
            "{sent:?}"
        );
        assert_eq!(services.subscribed(&service.id, session.client()), None, "it can be tried again");
        node.store.close().await.unwrap();
    }

    #[tokio::test]
    async fn who_does_not_serve_any_more_takes_no_more_queues() {
        let (node, service) = (testing::node(), testing::service(ServiceRole::Messaging));
        let (one, two) =
            (testing::service_session(&node, &service), testing::service_session(&node, &service));
        let queue = testing::queue_of(&node, &service).await;
        testing::send(&node, &queue).await;
        let services = node.hub.services(ServiceRole::Messaging);
        assert!(services.subscribe_all(&service.id, one.client(), ServiceQueues::default()).is_ok());
        assert!(services.subscribe_all(&service.id, two.client(), ServiceQueues::default()).is_ok());
        deliver_all(one.clone(), node.clone(), service.id.clone()).await;
        assert!(one.client().sent().is_empty() && one.client().memberships().0.is_empty());
        assert!(one.client().mailbox.take_signal().is_none());
    }

    /// It was away for so long that more notifications wait than answers may.
    #[tokio::test]
    async fn a_notification_service_that_returns_gets_what_waited_as_it_reads() {
        const QUEUES: usize = 2 * PAGE + 10;
        let node = testing::node_with(|config| {
            (config.limits.max_pending_commands, config.limits.max_outgoing) = (8, 9);
        });
        let service = testing::service(ServiceRole::Notifier);
        for number in 0..QUEUES {
            let queue = testing::queue_of(&node, &service).await;
            for _ in 0..=number % 2 {
                let nonce = Nonce::generate(&mut rand::rng());
                let notification = Notification { timestamp: 1, nonce, meta: ShortString::default() };
                node.hub.notify(queue.notifier.as_ref().unwrap(), notification);
            }
        }
        let session = testing::service_session(&node, &service);
        let services = node.hub.services(ServiceRole::Notifier);
        assert!(services.subscribe_all(&service.id, session.client(), ServiceQueues::default()).is_ok());
        let notifying = tokio::spawn(notify_all(session.clone(), node.clone(), service.id.clone()));
        let mut taken = 0;
        while !notifying.is_finished() {
            let mut at_once = 0;
            while let Some(scheduled) = session.client().mailbox.take_signal() {
                let Signal::Notifications(notifier) = scheduled else { panic!("{scheduled:?}") };
                taken += node.hub.take_notifications(&notifier, session.client()).len();
                at_once += 1;
            }
            assert!(at_once <= PAGE);
            tokio::task::yield_now().await;
        }
        assert_eq!(taken, QUEUES + QUEUES / 2);
        assert!(!session.client().mailbox.has_overflown());
    }
}
