//! `Hub`: every subscription of every client, and the delivery of messages to them.
//!
//! A message travels in two steps. [`Hub::message_sent`] puts a signal into the mailbox of the subscriber; when its writer comes
//! to the signal, [`Hub::next_delivery`] takes the message out of the store. So what waits for a slow client stays in the store.

use std::{sync::Arc, time::Duration};

use smp_protocol::{
    command::{IdsHash, ServiceQueues},
    error::{BlockingInfo, ErrorType},
    id::{EntityId, NotifierId, RecipientId, ServiceId},
    message::BrokerMessage,
};
use smp_transport::surroundings::Spawner;
use tokio::sync::mpsc;

use super::{
    abroad::{Abroad, Border},
    notifications::{Notification, Notifications},
    services::{ClientEnded, Displaced, Services},
    subscriptions::{Subscribed, Subscriptions},
};
use crate::{
    client::{Client, Delivery, Signal, Transmission},
    store::{Notifier, QueueRecord, ServiceRole, Store, StoreError},
};

/// After how long it is tried again to load a message if the store has failed.
const RETRY: Duration = Duration::from_secs(1);

/// Shared by all sessions.
pub(crate) struct Hub {
    pub(crate) subscriptions: Subscriptions,
    pub(crate) notifications: Notifications,
    messaging_services: Services,
    notifier_services: Services,
    border: Border,
    spawner: Spawner,
}

impl Hub {
    pub(crate) fn new(notifications: Notifications, spawner: Spawner) -> Self {
        Self {
            subscriptions: Subscriptions::new(),
            notifications,
            messaging_services: Services::new(),
            notifier_services: Services::new(),
            border: Border::default(),
            spawner,
        }
    }

    /// From now on there can be other processes: this is the way to them.
    pub(crate) fn open_border(&self, to: mpsc::Sender<Abroad>) {
        self.border.open(to);
    }

    /// The clients that are services of this role.
    pub(crate) fn services(&self, role: ServiceRole) -> &Services {
        match role {
            ServiceRole::Messaging => &self.messaging_services,
            ServiceRole::Notifier => &self.notifier_services,
        }
    }

    /// Ends all subscriptions to a queue that was deleted, and sends `DELD` to their clients except `deleting`.
    pub(crate) fn queue_deleted(&self, queue: &QueueRecord, deleting: Option<&Client>) {
        let id = &queue.recipient_id;
        let subscriber = self.subscriptions.remove(id);
        let service = queue.recipient_service.as_ref();
        let service = self.left_service(service, ServiceRole::Messaging, id.into(), &id.into(), true);
        tell(&id.into(), &BrokerMessage::Deleted, [subscriber, service], deleting);
        if let Some(notifier) = &queue.notifier {
            self.notifier_deleted(notifier, deleting);
        }
    }

    /// Sends `ERR BLOCKED` to the clients that are subscribed to a queue. The subscriptions stay: if the queue is unblocked,
    /// messages go on.
    pub(crate) fn queue_blocked(&self, queue: &QueueRecord, info: BlockingInfo) {
        let id = &queue.recipient_id;
        let service = queue.recipient_service.as_ref();
        let service = service.and_then(|service| self.messaging_services.client(service));
        let message = BrokerMessage::Error(ErrorType::Blocked(info));
        tell(&id.into(), &message, [self.subscriptions.subscriber(id), service], None);
    }

    /// Ends the subscription to a notifier that was deleted; its client gets `DELD` unless it is `deleting`.
    pub(crate) fn notifier_deleted(&self, notifier: &Notifier, deleting: Option<&Client>) {
        let id = &notifier.id;
        let subscriber = self.notifications.remove(id);
        if subscriber.is_none() {
            self.border.send(|| Abroad::NotifierDeleted { notifier: id.clone() });
        }
        let hash = IdsHash::of(id.as_bytes());
        let service = notifier.service.as_ref();
        let service = self.left_service(service, ServiceRole::Notifier, hash, &id.into(), true);
        tell(&id.into(), &BrokerMessage::Deleted, [subscriber, service], deleting);
    }

    /// Subscribes a client to a queue; `previous` is the service that had the queue before. Other clients that were
    /// subscribed get `END`.
    pub(crate) fn subscribe(
        &self,
        queue: &QueueRecord,
        previous: Option<&ServiceId>,
        service: Option<&ServiceId>,
        client: &Arc<Client>,
    ) -> Result<(), ClientEnded> {
        let id = &queue.recipient_id;
        let Subscribed::Now(displaced) = self.subscriptions.subscribe(id, &queue.recipient_dh, client) else {
            return Err(ClientEnded);
        };
        let left = previous.filter(|previous| Some(*previous) != service);
        let left = self.left_service(left, ServiceRole::Messaging, id.into(), &id.into(), false);
        let displaced = displaced.filter(|displaced| !is_of_service(displaced, service));
        tell(&id.into(), &BrokerMessage::End, [displaced, left], Some(client));
        match service {
            Some(service) => {
                let is_new = previous != Some(service);
                self.join_service(service, ServiceRole::Messaging, client, id.into(), is_new)
            }
            None => Ok(()),
        }
    }

    /// Subscribes a client to notifications, as [`Hub::subscribe`] does to messages.
    pub(crate) fn subscribe_notifications(
        &self,
        id: &NotifierId,
        previous: Option<&ServiceId>,
        service: Option<&ServiceId>,
        client: &Arc<Client>,
    ) -> Result<(), ClientEnded> {
        let hash = IdsHash::of(id.as_bytes());
        let Subscribed::Now(displaced) = self.notifications.subscribe(id, client) else {
            return Err(ClientEnded);
        };
        let left = previous.filter(|previous| Some(*previous) != service);
        let left = self.left_service(left, ServiceRole::Notifier, hash, &id.into(), false);
        let displaced = displaced.filter(|displaced| !is_of_service(displaced, service));
        tell(&id.into(), &BrokerMessage::End, [displaced, left], Some(client));
        match service {
            Some(service) => {
                self.join_service(service, ServiceRole::Notifier, client, hash, previous != Some(service))
            }
            None => Ok(()),
        }
    }

    /// Takes [`Hub::subscribe_notifications`] back for a notifier that does not exist any more.
    pub(crate) fn leave_notifications(
        &self,
        id: &NotifierId,
        previous: Option<&ServiceId>,
        service: Option<&ServiceId>,
        client: &Client,
    ) {
        self.notifications.unsubscribe(id, client);
        client.leave_notifications(id);
        // If it was the service's before, that was undone when it was deleted.
        if previous != service {
            let hash = IdsHash::of(id.as_bytes());
            self.left_service(service, ServiceRole::Notifier, hash, &id.into(), true);
        }
    }

    /// A queue of a service is subscribed by its client.
    pub(crate) fn join_service(
        &self,
        service: &ServiceId,
        role: ServiceRole,
        client: &Arc<Client>,
        queue: IdsHash,
        is_new: bool,
    ) -> Result<(), ClientEnded> {
        let serves = !self.border.is_open() || self.services(role).serves(service, client);
        let displaced = self.services(role).add(service, client, queue, is_new)?;
        self.service_displaced(service, displaced);
        if !serves {
            self.border.send(|| Abroad::Serves { role, service: service.clone() });
        }
        Ok(())
    }

    /// Subscribes a client to all queues of a service (`SUBS`, `NSUBS`). The client that was the service before gets `ENDS`.
    pub(crate) fn subscribe_service(
        &self,
        service: &ServiceId,
        role: ServiceRole,
        client: &Arc<Client>,
        queues: ServiceQueues,
    ) -> Result<(), ClientEnded> {
        let serves = !self.border.is_open() || self.services(role).serves(service, client);
        let displaced = self.services(role).subscribe_all(service, client, queues)?;
        self.service_displaced(service, displaced);
        if !serves {
            self.border.send(|| Abroad::Serves { role, service: service.clone() });
        }
        Ok(())
    }

    fn left_service(
        &self,
        service: Option<&ServiceId>,
        role: ServiceRole,
        queue: IdsHash,
        entity: &EntityId,
        deleted: bool,
    ) -> Option<Arc<Client>> {
        let service = service?;
        let client = self.services(role).leave(service, queue);
        if client.is_none() {
            self.border.send(|| {
                let (service, entity) = (service.clone(), entity.clone());
                Abroad::LeftService { role, service, queue, entity, deleted }
            });
        }
        client
    }

    /// Another process has the queue from now on, where a client subscribes to it: the client here gets `END`. One that is a service is told by
    /// the hub of that process, or displaced as a service.
    pub(crate) fn queue_given_away(&self, queue: &RecipientId) {
        if let Some(client) = self.subscriptions.remove(queue)
            && client.service().is_none()
        {
            client.event(queue, BrokerMessage::End);
        }
    }

    /// Tells or sends clients here what comes from another process. Returns whether one of them takes it.
    pub(crate) fn take_from_abroad(&self, abroad: &Abroad) -> bool {
        match abroad {
            Abroad::Notify { notifier, service, notification } => {
                let serving = service.as_ref().and_then(|service| self.notifier_services.client(service));
                if serving.is_none() && !self.notifications.has_subscriber(notifier) {
                    return false;
                }
                self.notifications.push(notifier, notification.clone(), serving.as_ref());
            }
            Abroad::Serves { role, service } => {
                self.service_displaced(service, self.services(*role).displace(service));
            }
            Abroad::LeftService { role, service, queue, entity, deleted } => {
                let message = if *deleted { BrokerMessage::Deleted } else { BrokerMessage::End };
                let client = self.services(*role).leave(service, *queue);
                tell(entity, &message, [client, None], None);
            }
            Abroad::NotifierDeleted { notifier } => {
                let subscriber = self.notifications.remove(notifier);
                tell(&notifier.into(), &BrokerMessage::Deleted, [subscriber, None], None);
            }
        }
        true
    }

    /// Takes what waits for notifiers, for another process. If a client there has subscribed to them, the one here gets `END`.
    pub(crate) fn claim_notifications(
        &self,
        notifiers: &[NotifierId],
        subscribed: bool,
    ) -> Vec<(NotifierId, Notification)> {
        let mut claimed = Vec::new();
        for notifier in notifiers {
            let taken = self.notifications.claim(notifier);
            claimed.extend(taken.into_iter().map(|notification| (notifier.clone(), notification)));
            if subscribed {
                let subscriber = self.notifications.remove(notifier);
                tell(&notifier.into(), &BrokerMessage::End, [subscriber, None], None);
            }
        }
        claimed
    }

    /// Sends `ENDS` to a client that another one has displaced, and ends its subscriptions.
    fn service_displaced(&self, service: &ServiceId, displaced: Displaced) {
        let Some((client, queues)) = displaced else { return };
        let (joined, notifiers) = client.memberships();
        for queue in joined {
            self.subscriptions.unsubscribe(&queue, &client);
            client.leave(&queue);
        }
        for notifier in notifiers {
            self.notifications.unsubscribe(&notifier, &client);
            client.leave_notifications(&notifier);
        }
        client.event(service, BrokerMessage::EndAll(queues));
    }

    /// Ends all subscriptions of a client.
    pub(crate) fn client_ended(&self, client: &Client) {
        // First, so that nothing is entered for it behind what follows.
        let (queues, notifiers) = client.end();
        if let Some((role, service)) = client.service() {
            self.services(*role).end(service, client);
        }
        for queue in queues {
            self.subscriptions.unsubscribe(&queue, client);
        }
        for notifier in notifiers {
            self.notifications.unsubscribe(&notifier, client);
        }
    }

    /// Signals the subscriber of a queue, or the client of its service, that there is a message.
    pub(crate) fn message_sent(&self, queue: &QueueRecord) {
        if self.subscriptions.wake(&queue.recipient_id) {
            return;
        }
        self.deliver_to_service(queue);
    }

    /// Starts the delivery of a queue to the client of its service, if there is one, unless it has been started.
    pub(crate) fn deliver_to_service(&self, queue: &QueueRecord) {
        let Some(service) = &queue.recipient_service else { return };
        while let Some(client) = self.messaging_services.client(service)
            && !self.deliver_to_serving(queue, service, &client)
        {}
    }

    /// Returns `false` if another client has become the service meanwhile, which may not have found the queue free.
    fn deliver_to_serving(&self, queue: &QueueRecord, service: &ServiceId, client: &Arc<Client>) -> bool {
        let id = &queue.recipient_id;
        if !self.subscriptions.subscribe_absent(id, &queue.recipient_dh, client) {
            return true;
        }
        // If the client is displaced after this check, `service_displaced` removes this subscription too: it is among its
        // memberships already.
        let serves = self.messaging_services.serves(service, client);
        if serves {
            client.mailbox.signal(Signal::Message(id.clone()));
        } else {
            self.subscriptions.unsubscribe(id, client);
            client.leave(id);
        }
        serves
    }

    /// The first message of a queue that its subscriber was signalled, if there is one and it is still subscribed. `DELD` if
    /// there is no such queue: it was deleted after `SUB` had found it, and before the subscription was there.
    pub(crate) async fn next_delivery(
        &self,
        client: &Arc<Client>,
        queue: &RecipientId,
        store: &dyn Store,
    ) -> Option<Transmission> {
        let ticket = self.subscriptions.take(queue, client)?;
        match store.first_message(queue).await {
            Ok(first) => {
                let first_id = first.as_ref().map(|first| &first.id);
                let deliver = self.subscriptions.loaded(queue, &ticket, first_id);
                let message = first.filter(|_| deliver)?;
                let delivery = Delivery { recipient_dh: ticket.recipient_dh, message };
                Some(Transmission::event(queue, delivery))
            }
            Err(StoreError::NotFound) => {
                // A client that is itself deleting the queue gets no DELD. Read before `gone`, which ends the race with the
                // completion of its DEL.
                let by_itself = client.is_deleting(queue);
                let told = self.subscriptions.gone(queue, &ticket) && !by_itself;
                told.then(|| Transmission::event(queue, BrokerMessage::Deleted))
            }
            Err(StoreError::Elsewhere(_)) => {
                // Somebody has subscribed in another process meanwhile. A service is told by that one.
                let told = self.subscriptions.gone(queue, &ticket) && client.service().is_none();
                told.then(|| Transmission::event(queue, BrokerMessage::End))
            }
            Err(_) => {
                self.subscriptions.failed(queue, ticket);
                let (client, queue) = (client.clone(), queue.clone());
                self.spawner.spawn(async move {
                    tokio::time::sleep(RETRY).await;
                    client.mailbox.signal(Signal::Message(queue));
                });
                None
            }
        }
    }

    /// Keeps a notification for the subscriber, or the client of the service, until it takes it.
    pub(crate) fn notify(&self, notifier: &Notifier, notification: Notification) {
        let serving = self.notifier_client(notifier);
        if self.border.is_open() && serving.is_none() && !self.notifications.has_subscriber(&notifier.id) {
            self.border.send(|| Abroad::Notify {
                notifier: notifier.id.clone(),
                service: notifier.service.clone(),
                notification: notification.clone(),
            });
        }
        self.notifications.push(&notifier.id, notification, serving.as_ref());
    }

    /// Signals the subscriber, or the client of the service, that notifications of a queue wait.
    pub(crate) fn flush_notifications(&self, queue: &QueueRecord) {
        if let Some(notifier) = &queue.notifier {
            self.notifications.flush(&notifier.id, self.notifier_client(notifier).as_ref());
        }
    }

    /// Takes the notifications of a notifier that a client was signalled.
    pub(crate) fn take_notifications(&self, notifier: &NotifierId, client: &Client) -> Vec<Notification> {
        let serves = client.service().is_some_and(|(role, service)| {
            *role == ServiceRole::Notifier && self.notifier_services.serves(service, client)
        });
        self.notifications.take(notifier, client, serves)
    }

    fn notifier_client(&self, notifier: &Notifier) -> Option<Arc<Client>> {
        self.notifier_services.client(notifier.service.as_ref()?)
    }
}

/// Sends an event about a queue to clients other than `except`, once to each.
fn tell(
    id: &EntityId,
    message: &BrokerMessage<'static>,
    [first, second]: [Option<Arc<Client>>; 2],
    except: Option<&Client>,
) {
    let first = first.filter(|first| except.is_none_or(|except| !first.is(except)));
    let second = second.filter(|second| {
        except.is_none_or(|except| !second.is(except)) && first.as_ref().is_none_or(|first| !first.is(second))
    });
    for client in first.iter().chain(&second) {
        client.event(id.clone(), message.clone());
    }
}

/// Whether a client is this service. One that is displaced by another of its service is told `ENDS`, and no `END` for the queue
/// that has displaced it.
fn is_of_service(client: &Client, service: Option<&ServiceId>) -> bool {
    client.service().is_some_and(|(_, own)| Some(own) == service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    /// A command that is done only after its client has ended.
    #[tokio::test]
    async fn a_client_that_has_ended_does_not_serve_instead_of_another_one() {
        let node = testing::node();
        let service = testing::service(ServiceRole::Notifier);
        let (late, live) = (testing::service_client(&service), testing::service_client(&service));
        let queue = testing::queue(&node).await;
        let notifier = queue.notifier.as_ref().unwrap();
        node.hub.client_ended(&late);
        node.hub.subscribe_notifications(&notifier.id, None, Some(&service.id), &live).unwrap();
        assert!(node.hub.subscribe_notifications(&notifier.id, None, Some(&service.id), &late).is_err());
        let hash = IdsHash::of(notifier.id.as_bytes());
        assert!(node.hub.join_service(&service.id, ServiceRole::Notifier, &late, hash, false).is_err());
        assert!(node.hub.services(ServiceRole::Notifier).client(&service.id).unwrap().is(&live));
        assert!(live.sent().is_empty(), "it is not told that it has been displaced");
        assert_eq!(live.memberships().1, std::slice::from_ref(&notifier.id));
    }

    /// It was found as the client of the service, and another one has come before the queue was entered for it.
    #[tokio::test]
    async fn a_queue_goes_to_the_client_that_serves_now() {
        let node = testing::node();
        let service = testing::service(ServiceRole::Messaging);
        let (one, two) = (testing::service_client(&service), testing::service_client(&service));
        let queue = testing::queue_of(&node, &service).await;
        let services = node.hub.services(ServiceRole::Messaging);
        assert!(services.subscribe_all(&service.id, &two, ServiceQueues::default()).is_ok());
        assert!(!node.hub.deliver_to_serving(&queue, &service.id, &one));
        assert!(one.memberships().0.is_empty());
        node.hub.message_sent(&queue);
        assert_eq!(two.memberships().0, std::slice::from_ref(&queue.recipient_id));
        assert!(node.hub.subscriptions.delivery(&queue.recipient_id, &two).is_some());
    }

    /// `ENDS` says all, whichever command another client of the service has displaced it with.
    #[tokio::test]
    async fn a_client_that_is_displaced_by_its_own_service_is_told_once() {
        for role in [ServiceRole::Messaging, ServiceRole::Notifier] {
            let node = testing::node();
            let service = testing::service(role);
            let (one, two) = (testing::service_client(&service), testing::service_client(&service));
            let queue = testing::queue_of(&node, &service).await;
            for client in [&one, &two] {
                let (previous, service) = (Some(&service.id), Some(&service.id));
                match (role, &queue.notifier) {
                    (ServiceRole::Notifier, Some(notifier)) => {
                        node.hub.subscribe_notifications(&notifier.id, previous, service, client).unwrap();
                    }
                    _ => node.hub.subscribe(&queue, previous, service, client).unwrap(),
                }
            }
            let told = one.sent();
            assert!(
                matches!(told[..], [BrokerMessage::EndAll(queues)] if queues.count == 1),
                "{role:?}: {told:?}"
            );
            assert!(two.sent().is_empty());
        }
    }

    /// Another client deletes the queue after `SUB` has found it, before the subscription is there.
    #[tokio::test]
    async fn a_client_that_subscribes_to_a_queue_while_it_is_deleted_is_told() {
        let node = testing::node();
        let (alice, phone) = (testing::client(), testing::client());
        let queue = testing::queue(&node).await;
        let id = &queue.recipient_id;
        node.store.delete_queue(id).await.unwrap();
        node.hub.queue_deleted(&queue, Some(&phone));
        node.hub.subscribe(&queue, None, None, &alice).unwrap();
        let told = node.hub.next_delivery(&alice, id, &*node.store).await.unwrap();
        assert_eq!(told.entity_id, id.into());
        assert!(matches!(told.content, crate::client::Content::Message(BrokerMessage::Deleted)));
        assert!(node.hub.subscriptions.delivery(id, &alice).is_none());
        assert!(alice.memberships().0.is_empty());
        assert!(node.hub.next_delivery(&alice, id, &*node.store).await.is_none(), "once");
    }

    #[tokio::test]
    async fn a_client_that_deletes_its_queue_is_not_told() {
        let node = testing::node();
        let alice = testing::client();
        let queue = testing::queue(&node).await;
        let id = &queue.recipient_id;
        node.hub.subscribe(&queue, None, None, &alice).unwrap();
        alice.note_deleting(id, true);
        node.store.delete_queue(id).await.unwrap();
        alice.mailbox.signal(Signal::Message(id.clone()));
        assert!(node.hub.next_delivery(&alice, id, &*node.store).await.is_none());
        assert!(node.hub.subscriptions.delivery(id, &alice).is_none());
    }
}
