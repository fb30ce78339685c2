//! `Client`: number, service, subscriptions and mailbox of one connection.
//!
//! Invariant: a client that has ended is subscribed to nothing. The broker enters a subscription only if [`Client::join`]
//! returns `true` under the lock of the broker's own entry, and a session ends its client before it takes the entries out.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use smp_protocol::{
    id::{EntityId, NotifierId, RecipientId, ServiceId},
    message::BrokerMessage,
};

use super::mailbox::Mailbox;
use crate::{store::ServiceRole, sync::lock};

/// The address of a connected client.
pub(crate) struct Client {
    /// Tells clients apart.
    number: u64,
    /// The service that it has identified itself as.
    service: Option<(ServiceRole, ServiceId)>,
    /// Transmissions on their way to it.
    pub(crate) mailbox: Mailbox,
    /// `None` when it has ended.
    memberships: Mutex<Option<Memberships>>,
    /// Queues that a command of this client deletes now.
    deleting: Mutex<HashSet<RecipientId>>,
}

/// The subscriptions of a client.
#[derive(Default)]
struct Memberships {
    queues: HashSet<RecipientId>,
    notifiers: HashSet<NotifierId>,
}

impl Client {
    /// A client that may leave `max_outgoing` transmissions unread.
    pub(crate) fn new(service: Option<(ServiceRole, ServiceId)>, max_outgoing: usize) -> Arc<Self> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            service,
            mailbox: Mailbox::new(max_outgoing),
            memberships: Mutex::new(Some(Memberships::default())),
            deleting: Mutex::default(),
        })
    }

    /// Whether both are the same connection.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.number == other.number
    }

    /// Tells it from all others of this process.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The service that it has identified itself as.
    pub(crate) fn service(&self) -> Option<&(ServiceRole, ServiceId)> {
        self.service.as_ref()
    }

    /// Sends something that no command of this client has asked for.
    pub(crate) fn event(&self, entity_id: impl Into<EntityId>, message: BrokerMessage<'static>) {
        self.mailbox.event(entity_id.into(), message);
    }

    /// Notes a subscription to messages. Returns `false` if the client has ended: then there must be none.
    pub(crate) fn join(&self, queue: &RecipientId) -> bool {
        self.with_memberships(|all| all.queues.insert(queue.clone())).is_some()
    }

    /// Notes that it is no longer subscribed.
    pub(crate) fn leave(&self, queue: &RecipientId) {
        self.with_memberships(|all| all.queues.remove(queue));
    }

    /// Notes a subscription to notifications. Returns `false` if the client has ended: then there must be none.
    pub(crate) fn join_notifications(&self, notifier: &NotifierId) -> bool {
        self.with_memberships(|all| all.notifiers.insert(notifier.clone())).is_some()
    }

    /// Notes that it is no longer subscribed.
    pub(crate) fn leave_notifications(&self, notifier: &NotifierId) {
        self.with_memberships(|all| all.notifiers.remove(notifier));
    }

    fn with_memberships<T>(&self, change: impl FnOnce(&mut Memberships) -> T) -> Option<T> {
        lock(&self.memberships).as_mut().map(change)
    }

    /// Its subscriptions.
    pub(crate) fn memberships(&self) -> (Vec<RecipientId>, Vec<NotifierId>) {
        let all = |all: &mut Memberships| {
            (all.queues.iter().cloned().collect(), all.notifiers.iter().cloned().collect())
        };
        self.with_memberships(all).unwrap_or_default()
    }

    /// Whether it is subscribed to any queue or notifier.
    pub(crate) fn is_subscribed(&self) -> bool {
        let some = |all: &mut Memberships| !all.queues.is_empty() || !all.notifiers.is_empty();
        self.with_memberships(some) == Some(true)
    }

    /// Notes that a command of this client starts, or no longer tries, to delete a queue.
    pub(crate) fn note_deleting(&self, queue: &RecipientId, deleting: bool) {
        let mut queues = lock(&self.deleting);
        if deleting {
            queues.insert(queue.clone());
        } else {
            queues.remove(queue);
        }
    }

    /// Whether a command of this client deletes this queue now.
    pub(crate) fn is_deleting(&self, queue: &RecipientId) -> bool {
        lock(&self.deleting).contains(queue)
    }

    /// Whether its session has ended.
    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.memberships).is_none()
    }

    /// Refuses subscriptions from now on and drops what was to be sent. Returns the subscriptions that there are.
    pub(crate) fn end(&self) -> (HashSet<RecipientId>, HashSet<NotifierId>) {
        let all = lock(&self.memberships).take().unwrap_or_default();
        self.mailbox.end();
        (all.queues, all.notifiers)
    }
}

#[cfg(test)]
impl Client {
    /// Takes the answers and events that are to be sent.
    pub(crate) fn sent(&self) -> Vec<BrokerMessage<'static>> {
        use super::content::Content;
        let sent = self.mailbox.take(usize::MAX);
        let messages = sent.into_iter().filter_map(|transmission| match transmission.content {
            Content::Message(message) => Some(message),
            Content::Delivery(_) => None,
        });
        messages.collect()
    }

    /// Takes the signals.
    pub(crate) fn signals(&self) -> Vec<super::Signal> {
        std::iter::from_fn(|| self.mailbox.take_signal()).collect()
    }
}
