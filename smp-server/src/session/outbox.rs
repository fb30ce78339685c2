//! What waits to be sent to one client, bounded.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex},
};

use smp_protocol::id::{EntityId, NotifierId, RecipientId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    order::{Next, Order, Waiting},
    reply::Reply,
};
use crate::{
    store::{Completion, StoreError},
    sync::lock,
};

/// Filled by whoever has something for the client, emptied by the session's writer. Clones are the same outbox.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Inner>);

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
    replies: VecDeque<Reply>,
    order: Order,
    /// What there may be something of; each at most once: a subscription is scheduled once.
    scheduled: VecDeque<Scheduled>,
    /// Those of them that are notifiers.
    notifiers: HashSet<NotifierId>,
    /// Nobody writes any more, or not for long: nothing is taken in.
    ended: bool,
}

/// What the writer has to look for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scheduled {
    /// A message in this queue.
    Message(RecipientId),
    /// Notifications for this notifier.
    Notifications(NotifierId),
}

impl Outbox {
    /// With more than `max` replies it overflows: takes nothing in any more, and the client is to be disconnected.
    pub(crate) fn new(max: usize) -> Self {
        Self(Arc::new(Inner {
            max,
            queue: Mutex::default(),
            filled: Notify::new(),
            drained: Notify::new(),
            overflown: CancellationToken::new(),
        }))
    }

    /// Puts in the answer to a command, to be sent in the order of its lane once it is kept.
    pub(crate) fn answer(&self, lane: Option<EntityId>, kept: Option<Completion>, reply: Reply) {
        self.change(|order, next| order.push(lane, kept, reply, next));
    }

    /// The wait for an answer is over.
    fn settled(&self, lane: Option<EntityId>, outcome: Result<(), StoreError>, reply: Reply) {
        self.change(|order, next| order.settled(lane, outcome, reply, next));
    }

    /// Puts in an event.
    pub(crate) fn event(&self, reply: Reply) {
        self.change(|_, next| next.send.push_back(reply));
    }

    fn change(&self, change: impl FnOnce(&mut Order, &mut Next<'_>)) {
        let mut queue = lock(&self.0.queue);
        if queue.ended {
            return;
        }
        let Queue { replies, order, .. } = &mut *queue;
        let before = replies.len();
        let mut next = Next { send: replies, wait: None };
        change(order, &mut next);
        let wait = next.wait;
        let now = queue.replies.len();
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
        if let Some(Waiting { lane, kept, reply }) = wait {
            let outbox = self.clone();
            kept.then(move |outcome| outbox.settled(lane, outcome, reply));
        }
    }

    /// Notes that there may be a message in this queue.
    pub(crate) fn schedule(&self, queue: RecipientId) {
        let mut inner = lock(&self.0.queue);
        if !inner.ended {
            inner.scheduled.push_back(Scheduled::Message(queue));
        }
        drop(inner);
        self.wake();
    }

    /// Notes that there may be notifications for this notifier.
    pub(crate) fn schedule_notifications(&self, notifier: &NotifierId) {
        let mut inner = lock(&self.0.queue);
        if inner.ended || !inner.notifiers.insert(notifier.clone()) {
            return;
        }
        inner.scheduled.push_back(Scheduled::Notifications(notifier.clone()));
        drop(inner);
        self.wake();
    }

    /// Lets the writer look again.
    pub(crate) fn wake(&self) {
        self.0.filled.notify_one();
    }

    /// Up to `count` replies.
    pub(crate) fn take(&self, count: usize) -> Vec<Reply> {
        let mut queue = lock(&self.0.queue);
        let count = count.min(queue.replies.len());
        let taken = queue.replies.drain(..count).collect();
        if queue.replies.is_empty() {
            queue.replies.shrink_to(count);
        }
        taken
    }

    /// What the writer has to look for next.
    pub(crate) fn take_scheduled(&self) -> Option<Scheduled> {
        let mut queue = lock(&self.0.queue);
        let scheduled = queue.scheduled.pop_front();
        match &scheduled {
            Some(Scheduled::Notifications(notifier)) => {
                queue.notifiers.remove(notifier);
            }
            Some(Scheduled::Message(_)) => {}
            None => self.0.drained.notify_waiters(),
        }
        scheduled
    }

    /// Resolves when nothing is scheduled. Returns `false` if nothing will be any more, because the session has ended.
    pub(crate) async fn drained(&self) -> bool {
        loop {
            let drained = self.0.drained.notified();
            {
                let queue = lock(&self.0.queue);
                if queue.ended || queue.scheduled.is_empty() {
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
    use smp_protocol::message::BrokerMessage;

    use super::*;

    fn event() -> Reply {
        Reply::event(EntityId::empty(), BrokerMessage::End)
    }

    #[tokio::test]
    async fn more_than_the_bound_is_noticed_and_not_kept() {
        let outbox = Outbox::new(4);
        for _ in 0..4 {
            outbox.event(event());
        }
        assert!(outbox.overflown().now_or_never().is_none());
        for _ in 0..100 {
            outbox.event(event());
        }
        outbox.schedule([1; 24].into());
        outbox.overflown().await;
        assert!(outbox.has_overflown());
        assert!(!outbox.drained().await, "who fills it learns that nobody will empty it");
        assert_eq!(outbox.take(2).len(), 2);
        assert_eq!(outbox.take(9).len(), 3);
        assert!(outbox.take_scheduled().is_none());
    }

    #[tokio::test]
    async fn who_waits_for_an_outbox_learns_that_its_session_has_ended() {
        let outbox = std::sync::Arc::new(Outbox::new(4));
        assert!(outbox.drained().await);
        outbox.schedule([1; 24].into());
        let waiting = tokio::spawn({
            let outbox = outbox.clone();
            async move { outbox.drained().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        outbox.event(event());
        outbox.end();
        assert!(!waiting.await.unwrap());
        outbox.schedule([2; 24].into());
        outbox.event(event());
        assert!(outbox.take(9).is_empty());
        assert!(outbox.take_scheduled().is_none());
        assert!(!outbox.drained().await);
    }

    #[test]
    fn a_notifier_is_scheduled_once() {
        let outbox = Outbox::new(4);
        let id = NotifierId::from([1; 24]);
        for _ in 0..2 {
            for _ in 0..3 {
                outbox.schedule_notifications(&id);
            }
            assert_eq!(outbox.take_scheduled(), Some(Scheduled::Notifications(id.clone())));
            assert_eq!(outbox.take_scheduled(), None);
        }
    }
}
