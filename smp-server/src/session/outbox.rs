//! What waits to be sent to one client, bounded.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use smp_protocol::id::{EntityId, RecipientId};
use tokio::sync::Notify;

use super::{
    order::{Next, Order, Waiting},
    reply::Reply,
};
use crate::{
    store::{Completion, StoreError},
    sync::lock,
};

/// Filled by whoever has something for the client, emptied by the session's writer.
pub(crate) struct Outbox {
    max: usize,
    queue: Mutex<Queue>,
    /// Wakes the writer.
    filled: Notify,
    /// Tells that nothing is scheduled.
    drained: Notify,
    overflown: AtomicBool,
}

#[derive(Default)]
struct Queue {
    replies: VecDeque<Reply>,
    waiting: Vec<Waiting>,
    order: Order,
    /// Queues in which there may be a message; each at most once, because a subscription is scheduled once.
    scheduled: VecDeque<RecipientId>,
}

/// What the writer takes out at once.
pub(crate) struct Taken {
    /// To be sent.
    pub(crate) replies: Vec<Reply>,
    /// To be waited for.
    pub(crate) waiting: Vec<Waiting>,
}

impl Outbox {
    /// With more than `max` replies it overflows.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            queue: Mutex::default(),
            filled: Notify::new(),
            drained: Notify::new(),
            overflown: AtomicBool::new(false),
        }
    }

    /// Puts in the answer to a command, to be sent in the order of its lane once it is kept.
    pub(crate) fn answer(&self, lane: Option<EntityId>, kept: Option<Completion>, reply: Reply) {
        self.change(|queue, next| queue.order.push(lane, kept, reply, next));
    }

    /// The wait for an answer is over.
    pub(crate) fn settled(&self, lane: Option<EntityId>, result: Result<(), StoreError>, reply: Reply) {
        self.change(|queue, next| queue.order.settled(lane, result, reply, next));
    }

    /// Puts in an event.
    pub(crate) fn event(&self, reply: Reply) {
        self.change(|_, next| next.send.push(reply));
    }

    fn change(&self, change: impl FnOnce(&mut Queue, &mut Next)) {
        let mut next = Next::default();
        let mut queue = lock(&self.queue);
        change(&mut queue, &mut next);
        queue.replies.extend(next.send);
        queue.waiting.extend(next.wait);
        let overflown = queue.replies.len() > self.max;
        drop(queue);
        if overflown {
            self.overflown.store(true, Ordering::Relaxed);
        }
        self.filled.notify_one();
    }

    /// Notes that there may be a message in this queue.
    pub(crate) fn schedule(&self, queue: RecipientId) {
        lock(&self.queue).scheduled.push_back(queue);
        self.filled.notify_one();
    }

    /// Lets the writer look again.
    pub(crate) fn wake(&self) {
        self.filled.notify_one();
    }

    /// Up to `count` replies.
    pub(crate) fn take(&self, count: usize) -> Taken {
        let mut queue = lock(&self.queue);
        let count = count.min(queue.replies.len());
        let taken = Taken {
            replies: queue.replies.drain(..count).collect(),
            waiting: std::mem::take(&mut queue.waiting),
        };
        if queue.replies.is_empty() {
            queue.replies.shrink_to(count);
        }
        taken
    }

    /// A queue in which there may be a message.
    pub(crate) fn take_scheduled(&self) -> Option<RecipientId> {
        let scheduled = lock(&self.queue).scheduled.pop_front();
        if scheduled.is_none() {
            self.drained.notify_waiters();
        }
        scheduled
    }

    /// Resolves when nothing is scheduled.
    pub(crate) async fn drained(&self) {
        loop {
            let drained = self.drained.notified();
            if lock(&self.queue).scheduled.is_empty() {
                return;
            }
            drained.await;
        }
    }

    /// Resolves when something was put in since the last call.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Whether more was put in than a client may leave unread.
    pub(crate) fn has_overflown(&self) -> bool {
        self.overflown.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use smp_protocol::message::BrokerMessage;

    use super::*;

    fn event() -> Reply {
        Reply::event(EntityId::empty(), BrokerMessage::End)
    }

    #[test]
    fn more_than_the_bound_is_noticed() {
        let outbox = Outbox::new(4);
        for _ in 0..5 {
            outbox.event(event());
        }
        assert!(outbox.has_overflown());
        assert_eq!(outbox.take(2).replies.len(), 2);
        assert_eq!(outbox.take(9).replies.len(), 3);
    }
}
