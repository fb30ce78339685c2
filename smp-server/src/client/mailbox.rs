//! `Mailbox`: answers, events and signals on their way to one client, bounded.
//!
//! Answers and events share one queue, because their order matters: `SOK` after `END` means another thing than before it.
//! Messages and notifications are not in it; a [`Signal`] says where they are to be looked for, when the client takes them.
//! With more than its bound of answers and events it overflows: the client does not read, and is disconnected.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex},
};

use smp_protocol::{
    id::{EntityId, NotifierId, RecipientId},
    message::BrokerMessage,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    order::{Next, Order, Waiting},
    transmission::Transmission,
};
use crate::{
    store::{Completion, StoreError},
    sync::lock,
};

/// Filled by commands and by the broker, emptied by the session's writer. Clones are the same mailbox.
#[derive(Clone)]
pub(crate) struct Mailbox(Arc<Inner>);

struct Inner {
    max: usize,
    queue: Mutex<Queue>,
    /// Wakes the writer.
    filled: Notify,
    /// Tells that nothing is scheduled.
    drained: Notify,
    /// Cancelled when more was put in than a client may leave unread.
    overflown: CancellationToken,
}

#[derive(Default)]
struct Queue {
    transmissions: VecDeque<Transmission>,
    order: Order,
    /// Each at most once: a subscription is scheduled once, and notifiers are looked up in `notifiers`.
    signals: VecDeque<Signal>,
    notifiers: HashSet<NotifierId>,
    /// Nobody writes any more, or not for long: nothing is taken in.
    ended: bool,
}

/// Where the writer has to look for something to send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// A message in this queue.
    Message(RecipientId),
    /// Notifications for this notifier.
    Notifications(NotifierId),
}

impl Mailbox {
    /// With more than `max` transmissions it overflows: takes nothing in any more, and the client is to be disconnected.
    pub(crate) fn new(max: usize) -> Self {
        Self(Arc::new(Inner {
            max,
            queue: Mutex::default(),
            filled: Notify::new(),
            drained: Notify::new(),
            overflown: CancellationToken::new(),
        }))
    }

    /// Puts in the answer to a command about `entity`, to be sent once it is durable, and after the answers before it about
    /// the same entity.
    pub(crate) fn answer(&self, entity: Option<EntityId>, durable: Option<Completion>, answer: Transmission) {
        self.change(|order, next| order.push(entity, durable, answer, next));
    }

    /// The wait for an answer is over.
    fn settled(&self, entity: Option<EntityId>, outcome: Result<(), StoreError>, answer: Transmission) {
        self.change(|order, next| order.settled(entity, outcome, answer, next));
    }

    /// Puts in something that no command has asked for.
    pub(crate) fn event(&self, entity_id: EntityId, message: BrokerMessage<'static>) {
        self.change(|_, next| next.send.push_back(Transmission::event(entity_id, message)));
    }

    fn change(&self, change: impl FnOnce(&mut Order, &mut Next<'_>)) {
        let mut queue = lock(&self.0.queue);
        if queue.ended {
            return;
        }
        let Queue { transmissions, order, .. } = &mut *queue;
        let before = transmissions.len();
        let mut next = Next { send: transmissions, wait: None };
        change(order, &mut next);
        let wait = next.wait;
        let now = queue.transmissions.len();
        let overflown = now > self.0.max;
        queue.ended |= overflown;
        drop(queue);
        if overflown {
            self.0.overflown.cancel();
            self.0.drained.notify_waiters();
        }
        // The writer has nothing to do with what waits for the store.
        if now > before {
            self.wake();
        }
        // Not under the lock: it may be over.
        if let Some(Waiting { entity, durable, answer }) = wait {
            let mailbox = self.clone();
            durable.then(move |outcome| mailbox.settled(entity, outcome, answer));
        }
    }

    /// Lets the writer look for a message or notifications.
    pub(crate) fn signal(&self, signal: Signal) {
        let mut inner = lock(&self.0.queue);
        if inner.ended {
            return;
        }
        if let Signal::Notifications(notifier) = &signal
            && !inner.notifiers.insert(notifier.clone())
        {
            return;
        }
        inner.signals.push_back(signal);
        drop(inner);
        self.wake();
    }

    /// Lets the writer look again.
    pub(crate) fn wake(&self) {
        self.0.filled.notify_one();
    }

    /// Takes up to `count` answers and events.
    pub(crate) fn take(&self, count: usize) -> Vec<Transmission> {
        let mut queue = lock(&self.0.queue);
        let count = count.min(queue.transmissions.len());
        let taken = queue.transmissions.drain(..count).collect();
        if queue.transmissions.is_empty() {
            queue.transmissions.shrink_to(count);
        }
        taken
    }

    /// Takes a signal.
    pub(crate) fn take_signal(&self) -> Option<Signal> {
        let mut queue = lock(&self.0.queue);
        let signal = queue.signals.pop_front();
        match &signal {
            Some(Signal::Notifications(notifier)) => {
                queue.notifiers.remove(notifier);
            }
            Some(Signal::Message(_)) => {}
            None => self.0.drained.notify_waiters(),
        }
        signal
    }

    /// Resolves when nothing is scheduled. Returns `false` if nothing will be any more, because the session has ended.
    pub(crate) async fn drained(&self) -> bool {
        loop {
            let drained = self.0.drained.notified();
            {
                let queue = lock(&self.0.queue);
                if queue.ended || queue.signals.is_empty() {
                    return !queue.ended;
                }
            }
            drained.await;
        }
    }

    /// The session has ended: drops what there is and what still comes.
    pub(crate) fn end(&self) {
        let dropped = std::mem::replace(&mut *lock(&self.0.queue), Queue { ended: true, ..Queue::default() });
        self.0.drained.notify_waiters();
        // Not under the lock: permits are given back.
        drop(dropped);
    }

    /// Resolves when something was put in since the last call.
    pub(crate) async fn filled(&self) {
        self.0.filled.notified().await;
    }

    /// Whether more was put in than a client may leave unread.
    pub(crate) fn has_overflown(&self) -> bool {
        self.0.overflown.is_cancelled()
    }

    /// Resolves when that happens.
    pub(crate) async fn overflown(&self) {
        self.0.overflown.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn put_event(mailbox: &Mailbox) {
        mailbox.event(EntityId::empty(), BrokerMessage::End);
    }

    #[tokio::test]
    async fn more_than_the_bound_is_noticed_and_not_kept() {
        let mailbox = Mailbox::new(4);
        for _ in 0..4 {
            put_event(&mailbox);
        }
        assert!(mailbox.overflown().now_or_never().is_none());
        for _ in 0..100 {
            put_event(&mailbox);
        }
        mailbox.signal(Signal::Message([1; 24].into()));
        mailbox.overflown().await;
        assert!(mailbox.has_overflown());
        assert!(!mailbox.drained().await, "nobody will empty it");
        assert_eq!(mailbox.take(2).len(), 2);
        assert_eq!(mailbox.take(9).len(), 3);
        assert!(mailbox.take_signal().is_none());
    }

    #[tokio::test]
    async fn a_wait_for_a_mailbox_ends_with_its_client() {
        let mailbox = std::sync::Arc::new(Mailbox::new(4));
        assert!(mailbox.drained().await);
        mailbox.signal(Signal::Message([1; 24].into()));
        let waiting = tokio::spawn({
            let mailbox = mailbox.clone();
            async move { mailbox.drained().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        put_event(&mailbox);
        mailbox.end();
        assert!(!waiting.await.unwrap());
        mailbox.signal(Signal::Message([2; 24].into()));
        put_event(&mailbox);
        assert!(mailbox.take(9).is_empty());
        assert!(mailbox.take_signal().is_none());
        assert!(!mailbox.drained().await);
    }

    #[test]
    fn a_notifier_is_scheduled_once() {
        let mailbox = Mailbox::new(4);
        let id = NotifierId::from([1; 24]);
        for _ in 0..2 {
            for _ in 0..3 {
                mailbox.signal(Signal::Notifications(id.clone()));
            }
            assert_eq!(mailbox.take_signal(), Some(Signal::Notifications(id.clone())));
            assert_eq!(mailbox.take_signal(), None);
        }
    }
}
