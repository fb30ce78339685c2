//! What the relay knows while it runs: its settings, its store, and who is subscribed to what.

mod delivery;
mod idle;
mod load;
mod notification_file;
mod notifications;
mod services;
mod subscriptions;
mod sweep;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, RwLock},
    time::{SystemTime, UNIX_EPOCH},
};

use smp_protocol::{
    command::IdsHash,
    error::{BlockingInfo, ErrorType},
    id::{EntityId, NotifierId, ServiceId},
    message::BrokerMessage,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(crate) use self::{
    delivery::Delivery,
    load::Load,
    notification_file::NotificationWriter,
    notifications::{Notification, NotificationSubscriber, Notifications},
    services::{Displaced, ServiceSession, Services},
    subscriptions::{Numbered, Subscribed, Subscriber, Subscriptions, Ticket},
    sweep::sweep,
};
use crate::{
    auth::NobodysKeys,
    config::{Config, Durability},
    metrics::Metrics,
    proxy::Proxy,
    session::{Reply, Session},
    store::{Notifier, QueueRecord, ServiceRole, Store},
    sync::{read, write},
};

/// Shared by all sessions.
pub(crate) struct Broker {
    config: RwLock<Arc<Config>>,
    /// Tells those who wait for a time that follows from the settings.
    pub(crate) reloaded: Notify,
    pub(crate) store: Arc<dyn Store>,
    /// What the store promises.
    pub(crate) durability: Durability,
    pub(crate) subscriptions: Subscriptions<Session>,
    pub(crate) notifications: Notifications<Session>,
    messaging_services: Services<Session>,
    notifier_services: Services<Session>,
    pub(crate) nobody: NobodysKeys,
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) metrics: Metrics,
    pub(crate) load: Load,
    /// Cancelled to stop everything at once.
    pub(crate) abort: CancellationToken,
}

impl Broker {
    pub(crate) fn new(config: Config, store: Arc<dyn Store>) -> Self {
        Self {
            subscriptions: Subscriptions::new(),
            notifications: Notifications::new(
                config.limits.max_pending_notifications,
                config.limits.max_pending_notifications_total,
            ),
            messaging_services: Services::new(),
            notifier_services: Services::new(),
            nobody: NobodysKeys::generate(&mut rand::rng()),
            metrics: Metrics::new(),
            load: Load::new(),
            abort: CancellationToken::new(),
            proxy: Proxy::new(config.proxy.clone()),
            durability: config.store.effective_durability(),
            config: RwLock::new(Arc::new(config)),
            reloaded: Notify::new(),
            store,
        }
    }

    /// The settings that are in force.
    pub(crate) fn config(&self) -> Arc<Config> {
        read(&self.config).clone()
    }

    /// Puts other settings in force.
    pub(crate) fn set_config(&self, config: Config) {
        *write(&self.config) = Arc::new(config);
        self.reloaded.notify_one();
    }

    /// The sessions of services of this role.
    pub(crate) fn services(&self, role: ServiceRole) -> &Services<Session> {
        match role {
            ServiceRole::Messaging => &self.messaging_services,
            ServiceRole::Notifier => &self.notifier_services,
        }
    }

    /// Ends whatever subscriptions there are to a queue that was deleted; sessions other than `session`, which has deleted
    /// it, are told.
    pub(crate) fn queue_deleted(&self, queue: &QueueRecord, session: Option<&Session>) {
        let id = &queue.recipient_id;
        let subscriber = self.subscriptions.remove(id);
        let service = self.left_service(queue.recipient_service.as_ref(), ServiceRole::Messaging, id.into());
        tell(&id.into(), &BrokerMessage::Deleted, [subscriber, service], session);
        if let Some(notifier) = &queue.notifier {
            self.notifier_deleted(notifier, session);
        }
    }

    /// Tells whoever is subscribed to a queue that the operator has blocked it. The subscription stays: if the queue is
    /// unblocked, messages go on.
    pub(crate) fn queue_blocked(&self, queue: &QueueRecord, info: BlockingInfo) {
        let id = &queue.recipient_id;
        let service = queue.recipient_service.as_ref();
        let service = service.and_then(|service| self.messaging_services.session(service));
        let message = BrokerMessage::Error(ErrorType::Blocked(info));
        tell(&id.into(), &message, [self.subscriptions.subscriber(id), service], None);
    }

    /// Ends the subscription to a notifier that was deleted; its session is told unless it is `session`.
    pub(crate) fn notifier_deleted(&self, notifier: &Notifier, session: Option<&Session>) {
        let id = &notifier.id;
        let subscriber = self.notifications.remove(id);
        let hash = IdsHash::of(id.as_bytes());
        let service = self.left_service(notifier.service.as_ref(), ServiceRole::Notifier, hash);
        tell(&id.into(), &BrokerMessage::Deleted, [subscriber, service], session);
    }

    /// Subscribes a session to a queue; `previous` is the service that had the queue before. Other sessions that were
    /// subscribed are told.
    pub(crate) fn subscribe(
        &self,
        queue: &QueueRecord,
        previous: Option<&ServiceId>,
        service: Option<&ServiceId>,
        session: &Arc<Session>,
    ) -> Result<(), SessionEnded> {
        let id = &queue.recipient_id;
        let Subscribed::Now(displaced) = self.subscriptions.subscribe(id, &queue.recipient_dh, session)
        else {
            return Err(SessionEnded);
        };
        let left = previous.filter(|previous| Some(*previous) != service);
        let left = self.left_service(left, ServiceRole::Messaging, id.into());
        let displaced = displaced.filter(|displaced| !is_of_service(displaced, service));
        tell(&id.into(), &BrokerMessage::End, [displaced, left], Some(session));
        match service {
            Some(service) => {
                let is_new = previous != Some(service);
                self.join_service(service, ServiceRole::Messaging, session, id.into(), is_new)
            }
            None => Ok(()),
        }
    }

    /// Subscribes a session to notifications, as [`Broker::subscribe`] does to messages.
    pub(crate) fn subscribe_notifications(
        &self,
        notifier: &Notifier,
        previous: Option<&ServiceId>,
        service: Option<&ServiceId>,
        session: &Arc<Session>,
    ) -> Result<(), SessionEnded> {
        let id = &notifier.id;
        let hash = IdsHash::of(id.as_bytes());
        let Subscribed::Now(displaced) = self.notifications.subscribe(id, session) else {
            return Err(SessionEnded);
        };
        let left = previous.filter(|previous| Some(*previous) != service);
        let left = self.left_service(left, ServiceRole::Notifier, hash);
        let displaced = displaced.filter(|displaced| !is_of_service(displaced, service));
        tell(&id.into(), &BrokerMessage::End, [displaced, left], Some(session));
        match service {
            Some(service) => {
                self.join_service(service, ServiceRole::Notifier, session, hash, previous != Some(service))
            }
            None => Ok(()),
        }
    }

    /// Takes [`Broker::subscribe_notifications`] back for a notifier that does not exist any more.
    pub(crate) fn leave_notifications(
        &self,
        notifier: &Notifier,
        previous: Option<&ServiceId>,
        service: Option<&ServiceId>,
        session: &Session,
    ) {
        self.notifications.unsubscribe(&notifier.id, session);
        session.leave_notifications(&notifier.id);
        // If it was the service's before, that was undone when it was deleted.
        if previous != service {
            self.left_service(service, ServiceRole::Notifier, IdsHash::of(notifier.id.as_bytes()));
        }
    }

    /// A queue of a service is subscribed by one of its sessions.
    pub(crate) fn join_service(
        &self,
        service: &ServiceId,
        role: ServiceRole,
        session: &Arc<Session>,
        queue: IdsHash,
        is_new: bool,
    ) -> Result<(), SessionEnded> {
        let displaced = self.services(role).add(service, session, queue, is_new)?;
        self.service_displaced(service, displaced);
        Ok(())
    }

    fn left_service(
        &self,
        service: Option<&ServiceId>,
        role: ServiceRole,
        queue: IdsHash,
    ) -> Option<Arc<Session>> {
        self.services(role).leave(service?, queue)
    }

    /// Tells a session that another one serves now, and ends its subscriptions.
    pub(crate) fn service_displaced(&self, service: &ServiceId, displaced: Displaced<Session>) {
        let Some((session, queues)) = displaced else { return };
        let (joined, notifiers) = session.joined();
        for queue in joined {
            self.subscriptions.unsubscribe(&queue, &session);
            session.leave(&queue);
        }
        for notifier in notifiers {
            self.notifications.unsubscribe(&notifier, &session);
            session.leave_notifications(&notifier);
        }
        session.event(Reply::event(service, BrokerMessage::EndAll(queues)));
    }

    /// Ends all subscriptions of a session.
    pub(crate) fn session_ended(&self, session: &Session) {
        // First, so that nothing is entered for it behind what follows.
        let (queues, notifiers) = session.end();
        if let Some(service) = &session.service {
            self.services(service.role).end(&service.id, session);
        }
        for queue in queues {
            self.subscriptions.unsubscribe(&queue, session);
        }
        for notifier in notifiers {
            self.notifications.unsubscribe(&notifier, session);
        }
    }

    /// Tells the subscriber of a queue, or the session of its service, that there is a message.
    pub(crate) fn message_sent(&self, queue: &QueueRecord) {
        if self.subscriptions.wake(&queue.recipient_id) {
            return;
        }
        self.deliver_to_service(queue);
    }

    /// Starts the delivery of a queue to the session of its service, if there is one, unless it has been started.
    pub(crate) fn deliver_to_service(&self, queue: &QueueRecord) {
        let Some(service) = &queue.recipient_service else { return };
        while let Some(session) = self.messaging_services.session(service)
            && !self.deliver_to_serving(queue, service, &session)
        {}
    }

    /// Returns `false` if another session has begun to serve meanwhile, which may not have found the queue free.
    fn deliver_to_serving(&self, queue: &QueueRecord, service: &ServiceId, session: &Arc<Session>) -> bool {
        let id = &queue.recipient_id;
        if !self.subscriptions.subscribe_absent(id, &queue.recipient_dh, session) {
            return true;
        }
        // Who is displaced later loses the queue with all others.
        let serves = self.messaging_services.serves(service, session);
        if serves {
            session.schedule(id.clone());
        } else {
            self.subscriptions.unsubscribe(id, session);
            session.leave(id);
        }
        serves
    }

    /// Keeps a notification for the subscriber, or the session of the service, until it takes it.
    pub(crate) fn notify(&self, notifier: &Notifier, notification: Notification) {
        self.notifications.push(&notifier.id, notification, self.notifier_session(notifier).as_ref());
    }

    /// Tells who is subscribed, or the session of the service, of the notifications of a queue that wait.
    pub(crate) fn flush_notifications(&self, queue: &QueueRecord) {
        if let Some(notifier) = &queue.notifier {
            self.notifications.flush(&notifier.id, self.notifier_session(notifier).as_ref());
        }
    }

    /// Takes the notifications of a notifier that a session was told of.
    pub(crate) fn take_notifications(&self, notifier: &NotifierId, session: &Session) -> Vec<Notification> {
        let serves = session.service.as_ref().is_some_and(|service| {
            service.role == ServiceRole::Notifier && self.notifier_services.serves(&service.id, session)
        });
        self.notifications.take(notifier, session, serves)
    }

    fn notifier_session(&self, notifier: &Notifier) -> Option<Arc<Session>> {
        self.notifier_services.session(notifier.service.as_ref()?)
    }

    /// Keeps the notifications that wait in a file, for [`Broker::restore_notifications`] of the next relay. Returns how many.
    pub(crate) fn keep_notifications(&self) -> std::io::Result<u64> {
        let waiting = self.notifications.waiting();
        if waiting.is_empty() || self.durability == Durability::Memory {
            return Ok(0);
        }
        let mut writer = NotificationWriter::create(&self.config().store.path)?;
        for (notifier, notification) in &waiting {
            writer.push(notifier, notification)?;
        }
        writer.finish()?;
        Ok(waiting.len() as u64)
    }

    /// Takes up the notifications that waited when the relay was stopped.
    pub(crate) fn restore_notifications(&self) -> std::io::Result<()> {
        if self.durability == Durability::Memory {
            return Ok(());
        }
        let config = self.config();
        let max = config.limits.max_pending_notifications_total;
        notification_file::take(&config.store.path, max, |notifier, notification| {
            self.notifications.push(notifier, notification, None);
        })
    }

    /// Before which time (seconds since 1970) messages are too old now.
    pub(crate) fn expire_before(&self, now: u64) -> Option<u64> {
        self.config().queues.expire_messages.map(|age| now.saturating_sub(age.as_secs()))
    }
}

/// The session that wanted to subscribe has ended.
#[derive(Debug)]
pub(crate) struct SessionEnded;

/// Tells sessions other than `session` something about a queue, each once.
fn tell(
    id: &EntityId,
    message: &BrokerMessage<'static>,
    [first, second]: [Option<Arc<Session>>; 2],
    session: Option<&Session>,
) {
    let session = session.map(Numbered::number);
    let first = first.filter(|first| Some(first.number()) != session);
    let second = second.filter(|second| {
        Some(second.number()) != session
            && first.as_ref().is_none_or(|first| first.number() != second.number())
    });
    for other in first.iter().chain(&second) {
        other.event(Reply::event(id.clone(), message.clone()));
    }
}

/// Whether a session is of this service. One that is displaced by another of its service is told `ENDS`, and no `END` for the
/// queue that has displaced it.
fn is_of_service(session: &Session, service: Option<&ServiceId>) -> bool {
    session.service.as_ref().is_some_and(|own| Some(&own.id) == service)
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
