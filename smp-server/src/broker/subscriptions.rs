//! Which session is subscribed to which queue. In memory only: sessions subscribe again after a restart.

use std::{
    collections::{HashMap, hash_map::Entry as Slot},
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use smp_crypto::DhSecret;
use smp_protocol::id::{MessageId, RecipientId};

use super::delivery::{Delivery, Loaded};
use crate::sync::lock;

/// Locks that the queues are spread over.
const SHARDS: usize = 64;

/// A session.
pub(crate) trait Numbered {
    /// Tells sessions apart.
    fn number(&self) -> u64;
}

/// A session, as far as subscriptions go.
pub(crate) trait Subscriber: Numbered {
    /// Notes that the session is subscribed. Returns `false` if the session has ended: then it must not be.
    fn join(&self, queue: &RecipientId) -> bool;
    /// Notes that it is no longer.
    fn leave(&self, queue: &RecipientId);
    /// Tells the session to look for a message in this queue.
    fn schedule(&self, queue: RecipientId);
}

/// All subscriptions to messages.
pub(crate) struct Subscriptions<S> {
    shards: Vec<Mutex<HashMap<RecipientId, Subscription<S>>>>,
    hasher: RandomState,
    next: AtomicU64,
}

struct Subscription<S> {
    session: Arc<S>,
    /// Changes with each `SUB`, so that what was started before it has no effect.
    number: u64,
    delivery: Delivery,
    recipient_dh: DhSecret,
}

/// Permission to ask the store for the first message of a queue, for one subscription.
#[derive(Debug)]
pub(crate) struct Ticket {
    subscription: u64,
    /// The message that the recipient had, if this is about its acknowledgement.
    acknowledged: Option<MessageId>,
    /// Encrypts the body.
    pub(crate) recipient_dh: DhSecret,
}

/// What became of `SUB` or `NSUB`.
pub(crate) enum Subscribed<S> {
    /// Subscribed; this other session was and is no longer. Once the command is answered, [`Subscriber::schedule`] starts
    /// the delivery of messages.
    Now(Option<Arc<S>>),
    /// The session has ended.
    Ended,
}

impl<S: Subscriber> Subscriptions<S> {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            next: AtomicU64::new(0),
        }
    }

    fn shard(&self, queue: &RecipientId) -> &Mutex<HashMap<RecipientId, Subscription<S>>> {
        let hash = self.hasher.hash_one(queue);
        // The remainder is less than SHARDS.
        &self.shards[(hash % SHARDS as u64) as usize]
    }

    /// The queues, in parts, each as it is when it is taken.
    pub(crate) fn pages(&self) -> impl Iterator<Item = Vec<RecipientId>> {
        self.shards.iter().map(|shard| lock(shard).keys().cloned().collect())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Subscribes a session instead of whoever is. What was delivered before and not acknowledged will be again.
    pub(crate) fn subscribe(
        &self,
        queue: &RecipientId,
        recipient_dh: &DhSecret,
        session: &Arc<S>,
    ) -> Subscribed<S> {
        self.add(queue, recipient_dh, session, Delivery::Scheduled)
    }

    /// Subscribes to a queue that nobody can have sent to yet, as nobody knows it.
    pub(crate) fn subscribe_new(
        &self,
        queue: &RecipientId,
        recipient_dh: &DhSecret,
        session: &Arc<S>,
    ) -> Subscribed<S> {
        self.add(queue, recipient_dh, session, Delivery::Idle)
    }

    fn add(
        &self,
        queue: &RecipientId,
        recipient_dh: &DhSecret,
        session: &Arc<S>,
        delivery: Delivery,
    ) -> Subscribed<S> {
        let mut shard = lock(self.shard(queue));
        if !session.join(queue) {
            return Subscribed::Ended;
        }
        let subscription = self.subscription(recipient_dh, session, delivery);
        let previous = shard.insert(queue.clone(), subscription).map(|previous| previous.session);
        let displaced = previous.filter(|previous| previous.number() != session.number());
        if let Some(displaced) = &displaced {
            displaced.leave(queue);
        }
        Subscribed::Now(displaced)
    }

    /// Ends the subscription of a queue that is deleted. Returns who was subscribed.
    pub(crate) fn remove(&self, queue: &RecipientId) -> Option<Arc<S>> {
        let removed = lock(self.shard(queue)).remove(queue)?.session;
        removed.leave(queue);
        Some(removed)
    }

    /// Who is subscribed to a queue.
    pub(crate) fn subscriber(&self, queue: &RecipientId) -> Option<Arc<S>> {
        lock(self.shard(queue)).get(queue).map(|subscription| subscription.session.clone())
    }

    /// Ends the subscription if it is this session's.
    pub(crate) fn unsubscribe(&self, queue: &RecipientId, session: &S) {
        let mut shard = lock(self.shard(queue));
        if let Slot::Occupied(slot) = shard.entry(queue.clone())
            && slot.get().session.number() == session.number()
        {
            slot.remove();
        }
    }

    /// A message has been sent to this queue. Returns whether anybody is subscribed to it.
    pub(crate) fn wake(&self, queue: &RecipientId) -> bool {
        let mut shard = lock(self.shard(queue));
        let Some(subscription) = shard.get_mut(queue) else { return false };
        if subscription.delivery.wake() {
            subscription.session.schedule(queue.clone());
        }
        true
    }

    /// Subscribes a session unless somebody is subscribed. Returns whether it is: then it has to be scheduled.
    pub(crate) fn subscribe_absent(
        &self,
        queue: &RecipientId,
        recipient_dh: &DhSecret,
        session: &Arc<S>,
    ) -> bool {
        let mut shard = lock(self.shard(queue));
        let Slot::Vacant(slot) = shard.entry(queue.clone()) else { return false };
        if !session.join(queue) {
            return false;
        }
        slot.insert(self.subscription(recipient_dh, session, Delivery::Scheduled));
        true
    }

    fn subscription(&self, recipient_dh: &DhSecret, session: &Arc<S>, delivery: Delivery) -> Subscription<S> {
        Subscription {
            session: session.clone(),
            number: self.next.fetch_add(1, Ordering::Relaxed),
            delivery,
            recipient_dh: recipient_dh.clone(),
        }
    }

    /// Where the delivery of this session's subscription stands; `None` if it is not subscribed.
    pub(crate) fn delivery(&self, queue: &RecipientId, session: &S) -> Option<Delivery> {
        let shard = lock(self.shard(queue));
        let subscription = shard.get(queue)?;
        (subscription.session.number() == session.number()).then(|| subscription.delivery.clone())
    }

    /// The session starts looking for a message, as it was told. `None` if there is no reason (any more).
    pub(crate) fn take(&self, queue: &RecipientId, session: &S) -> Option<Ticket> {
        self.with_own(queue, session, |subscription| subscription.delivery.take().then_some(None))
    }

    /// The session acknowledges a message. `None` if it has not got this one.
    pub(crate) fn acknowledge(&self, queue: &RecipientId, session: &S, id: &MessageId) -> Option<Ticket> {
        self.with_own(queue, session, |subscription| subscription.delivery.acknowledge(id).map(Some))
    }

    fn with_own(
        &self,
        queue: &RecipientId,
        session: &S,
        step: impl FnOnce(&mut Subscription<S>) -> Option<Option<MessageId>>,
    ) -> Option<Ticket> {
        let mut shard = lock(self.shard(queue));
        let subscription = shard.get_mut(queue)?;
        if subscription.session.number() != session.number() {
            return None;
        }
        let acknowledged = step(subscription)?;
        Some(Ticket {
            subscription: subscription.number,
            acknowledged,
            recipient_dh: subscription.recipient_dh.clone(),
        })
    }

    /// The store has answered with the first message of the queue. Returns whether to send it: not if the subscription
    /// has ended meanwhile.
    pub(crate) fn loaded(&self, queue: &RecipientId, ticket: &Ticket, first: Option<&MessageId>) -> bool {
        let mut shard = lock(self.shard(queue));
        let Some(subscription) = shard.get_mut(queue).filter(|s| s.number == ticket.subscription) else {
            return false;
        };
        match subscription.delivery.loaded(first) {
            Loaded::Deliver => true,
            Loaded::Nothing => false,
            Loaded::Again => {
                subscription.session.schedule(queue.clone());
                false
            }
        }
    }

    /// The store has answered that there is no such queue. Returns whether the subscription was still there: it has
    /// ended now.
    pub(crate) fn gone(&self, queue: &RecipientId, ticket: &Ticket) -> bool {
        let mut shard = lock(self.shard(queue));
        let Slot::Occupied(slot) = shard.entry(queue.clone()) else { return false };
        if slot.get().number != ticket.subscription {
            return false;
        }
        slot.remove().session.leave(queue);
        true
    }

    /// The store has failed. The recipient still has what it had, or the session should be scheduled again, in a while.
    pub(crate) fn failed(&self, queue: &RecipientId, ticket: Ticket) {
        let mut shard = lock(self.shard(queue));
        if let Some(subscription) = shard.get_mut(queue).filter(|s| s.number == ticket.subscription) {
            subscription.delivery = match ticket.acknowledged {
                Some(id) => Delivery::Delivered(id),
                None => Delivery::Scheduled,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[derive(Default)]
    struct Session {
        number: u64,
        joined: Mutex<HashSet<RecipientId>>,
        scheduled: Mutex<Vec<RecipientId>>,
        ended: bool,
    }

    impl Numbered for Session {
        fn number(&self) -> u64 {
            self.number
        }
    }

    impl Subscriber for Session {
        fn join(&self, queue: &RecipientId) -> bool {
            lock(&self.joined).insert(queue.clone());
            !self.ended
        }
        fn leave(&self, queue: &RecipientId) {
            lock(&self.joined).remove(queue);
        }
        fn schedule(&self, queue: RecipientId) {
            lock(&self.scheduled).push(queue);
        }
    }

    fn session(number: u64) -> Arc<Session> {
        Arc::new(Session { number, ..Session::default() })
    }

    fn queue() -> RecipientId {
        [7; 24].into()
    }

    fn dh() -> DhSecret {
        DhSecret::from_bytes([1; 32])
    }

    fn message(byte: u8) -> MessageId {
        [byte; 24].into()
    }

    fn subscribe(all: &Subscriptions<Session>, session: &Arc<Session>) -> Option<u64> {
        match all.subscribe(&queue(), &dh(), session) {
            Subscribed::Now(displaced) => displaced.map(|s| s.number),
            Subscribed::Ended => panic!("ended"),
        }
    }

    #[test]
    fn the_last_subscriber_displaces_the_one_before() {
        let (all, one, two) = (Subscriptions::new(), session(1), session(2));
        assert_eq!(subscribe(&all, &one), None);
        assert_eq!(subscribe(&all, &one), None);
        assert_eq!(subscribe(&all, &two), Some(1));
        assert!(lock(&one.joined).is_empty());
        assert!(all.take(&queue(), &one).is_none());
        assert!(all.take(&queue(), &two).is_some());
        all.unsubscribe(&queue(), &one);
        assert!(all.delivery(&queue(), &two).is_some());
        all.unsubscribe(&queue(), &two);
        assert!(all.delivery(&queue(), &two).is_none());
    }

    #[test]
    fn what_was_loaded_for_an_earlier_subscription_is_not_sent() {
        let (all, one, two) = (Subscriptions::new(), session(1), session(2));
        subscribe(&all, &one);
        let ticket = all.take(&queue(), &one).unwrap();
        subscribe(&all, &two);
        assert!(!all.loaded(&queue(), &ticket, Some(&message(1))));
        assert_eq!(all.delivery(&queue(), &two), Some(Delivery::Scheduled));
    }

    #[test]
    fn subscribing_again_delivers_again() {
        let (all, one) = (Subscriptions::new(), session(1));
        subscribe(&all, &one);
        let ticket = all.take(&queue(), &one).unwrap();
        assert!(all.loaded(&queue(), &ticket, Some(&message(1))));
        subscribe(&all, &one);
        assert!(all.take(&queue(), &one).is_some());
        assert!(all.acknowledge(&queue(), &one, &message(1)).is_none());
    }

    #[test]
    fn a_failed_acknowledgement_can_be_repeated() {
        let (all, one) = (Subscriptions::new(), session(1));
        subscribe(&all, &one);
        let ticket = all.take(&queue(), &one).unwrap();
        assert!(all.loaded(&queue(), &ticket, Some(&message(1))));
        let ticket = all.acknowledge(&queue(), &one, &message(1)).unwrap();
        all.failed(&queue(), ticket);
        assert!(all.acknowledge(&queue(), &one, &message(1)).is_some());
    }

    #[test]
    fn a_waiting_session_is_told_once() {
        let (all, one) = (Subscriptions::new(), session(1));
        subscribe(&all, &one);
        let ticket = all.take(&queue(), &one).unwrap();
        assert!(!all.loaded(&queue(), &ticket, None));
        assert!(all.wake(&queue()) && all.wake(&queue()));
        assert_eq!(lock(&one.scheduled).len(), 1);
    }

    #[test]
    fn a_session_that_has_ended_is_not_subscribed() {
        let all = Subscriptions::new();
        let gone = Arc::new(Session { number: 1, ended: true, ..Session::default() });
        assert!(matches!(all.subscribe(&queue(), &dh(), &gone), Subscribed::Ended));
        assert!(all.remove(&queue()).is_none());
    }
}
