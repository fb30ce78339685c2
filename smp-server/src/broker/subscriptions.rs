//! `Subscriptions`: which client receives the messages of which queue.
//!
//! A queue has one subscriber at most: the last one displaces the one before. In memory only: clients subscribe again after a
//! restart.

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

use super::delivery::{DeliveryState, Loaded};
use crate::{
    client::{Client, Signal},
    sync::lock,
};

/// Locks that the queues are spread over.
const SHARDS: usize = 64;

/// All subscriptions to messages.
pub(crate) struct Subscriptions {
    shards: Vec<Mutex<HashMap<RecipientId, Subscription>>>,
    hasher: RandomState,
    next: AtomicU64,
}

struct Subscription {
    client: Arc<Client>,
    /// Changes with each `SUB`, so that what was started before it has no effect.
    number: u64,
    delivery: DeliveryState,
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

/// The result of `SUB` or `NSUB`.
pub(crate) enum Subscribed {
    /// Subscribed; this other client was and is no longer. Once the command is answered, [`Signal::Message`] starts the
    /// delivery of messages.
    Now(Option<Arc<Client>>),
    /// The client has ended.
    Ended,
}

impl Subscriptions {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            next: AtomicU64::new(0),
        }
    }

    fn shard(&self, queue: &RecipientId) -> &Mutex<HashMap<RecipientId, Subscription>> {
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

    /// Subscribes a client in the place of the present one. A message that was delivered and not acknowledged will be again.
    pub(crate) fn subscribe(
        &self,
        queue: &RecipientId,
        recipient_dh: &DhSecret,
        client: &Arc<Client>,
    ) -> Subscribed {
        self.add(queue, recipient_dh, client, DeliveryState::Scheduled)
    }

    /// Subscribes to a queue that nobody can have sent to yet, as nobody knows it.
    pub(crate) fn subscribe_new(
        &self,
        queue: &RecipientId,
        recipient_dh: &DhSecret,
        client: &Arc<Client>,
    ) -> Subscribed {
        self.add(queue, recipient_dh, client, DeliveryState::Idle)
    }

    fn add(
        &self,
        queue: &RecipientId,
        recipient_dh: &DhSecret,
        client: &Arc<Client>,
        delivery: DeliveryState,
    ) -> Subscribed {
        let mut shard = lock(self.shard(queue));
        if !client.join(queue) {
            return Subscribed::Ended;
        }
        let subscription = self.subscription(recipient_dh, client, delivery);
        let previous = shard.insert(queue.clone(), subscription).map(|previous| previous.client);
        let displaced = previous.filter(|previous| !previous.is(client));
        if let Some(displaced) = &displaced {
            displaced.leave(queue);
        }
        Subscribed::Now(displaced)
    }

    /// Ends the subscription of a queue that is deleted. Returns who was subscribed.
    pub(crate) fn remove(&self, queue: &RecipientId) -> Option<Arc<Client>> {
        let removed = lock(self.shard(queue)).remove(queue)?.client;
        removed.leave(queue);
        Some(removed)
    }

    /// The subscriber of a queue.
    pub(crate) fn subscriber(&self, queue: &RecipientId) -> Option<Arc<Client>> {
        lock(self.shard(queue)).get(queue).map(|subscription| subscription.client.clone())
    }

    /// Ends the subscription if it is this client's.
    pub(crate) fn unsubscribe(&self, queue: &RecipientId, client: &Client) {
        let mut shard = lock(self.shard(queue));
        if let Slot::Occupied(slot) = shard.entry(queue.clone())
            && slot.get().client.is(client)
        {
            slot.remove();
        }
    }

    /// A message has been sent to this queue. Returns whether anybody is subscribed to it.
    pub(crate) fn wake(&self, queue: &RecipientId) -> bool {
        let mut shard = lock(self.shard(queue));
        let Some(subscription) = shard.get_mut(queue) else { return false };
        if subscription.delivery.wake() {
            subscription.client.mailbox.signal(Signal::Message(queue.clone()));
        }
        true
    }

    /// Subscribes a client unless somebody is subscribed. Returns whether it is: then it has to be scheduled.
    pub(crate) fn subscribe_absent(
        &self,
        queue: &RecipientId,
        recipient_dh: &DhSecret,
        client: &Arc<Client>,
    ) -> bool {
        let mut shard = lock(self.shard(queue));
        let Slot::Vacant(slot) = shard.entry(queue.clone()) else { return false };
        if !client.join(queue) {
            return false;
        }
        slot.insert(self.subscription(recipient_dh, client, DeliveryState::Scheduled));
        true
    }

    fn subscription(
        &self,
        recipient_dh: &DhSecret,
        client: &Arc<Client>,
        delivery: DeliveryState,
    ) -> Subscription {
        Subscription {
            client: client.clone(),
            number: self.next.fetch_add(1, Ordering::Relaxed),
            delivery,
            recipient_dh: recipient_dh.clone(),
        }
    }

    /// Where the delivery of this client's subscription stands; `None` if it is not subscribed.
    pub(crate) fn delivery(&self, queue: &RecipientId, client: &Client) -> Option<DeliveryState> {
        let shard = lock(self.shard(queue));
        let subscription = shard.get(queue)?;
        subscription.client.is(client).then(|| subscription.delivery.clone())
    }

    /// The client starts looking for a message, as it was told. `None` if there is no reason (any more).
    pub(crate) fn take(&self, queue: &RecipientId, client: &Client) -> Option<Ticket> {
        self.with_own(queue, client, |subscription| subscription.delivery.take().then_some(None))
    }

    /// The client acknowledges a message. `None` if it has not got this one.
    pub(crate) fn acknowledge(&self, queue: &RecipientId, client: &Client, id: &MessageId) -> Option<Ticket> {
        self.with_own(queue, client, |subscription| subscription.delivery.acknowledge(id).map(Some))
    }

    fn with_own(
        &self,
        queue: &RecipientId,
        client: &Client,
        step: impl FnOnce(&mut Subscription) -> Option<Option<MessageId>>,
    ) -> Option<Ticket> {
        let mut shard = lock(self.shard(queue));
        let subscription = shard.get_mut(queue)?;
        if !subscription.client.is(client) {
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
                subscription.client.mailbox.signal(Signal::Message(queue.clone()));
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
        slot.remove().client.leave(queue);
        true
    }

    /// The store has failed. The recipient still has what it had, or the client should be scheduled again, in a while.
    pub(crate) fn failed(&self, queue: &RecipientId, ticket: Ticket) {
        let mut shard = lock(self.shard(queue));
        if let Some(subscription) = shard.get_mut(queue).filter(|s| s.number == ticket.subscription) {
            subscription.delivery = match ticket.acknowledged {
                Some(id) => DeliveryState::Delivered(id),
                None => DeliveryState::Scheduled,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Arc<Client> {
        Client::new(None, 8)
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

    /// Returns the client that was displaced.
    fn subscribe(all: &Subscriptions, client: &Arc<Client>) -> Option<Arc<Client>> {
        match all.subscribe(&queue(), &dh(), client) {
            Subscribed::Now(displaced) => displaced,
            Subscribed::Ended => panic!("ended"),
        }
    }

    #[test]
    fn the_last_subscriber_displaces_the_one_before() {
        let (all, one, two) = (Subscriptions::new(), client(), client());
        assert!(subscribe(&all, &one).is_none());
        assert!(subscribe(&all, &one).is_none());
        assert!(subscribe(&all, &two).unwrap().is(&one));
        assert!(one.memberships().0.is_empty());
        assert!(all.take(&queue(), &one).is_none());
        assert!(all.take(&queue(), &two).is_some());
        all.unsubscribe(&queue(), &one);
        assert!(all.delivery(&queue(), &two).is_some());
        all.unsubscribe(&queue(), &two);
        assert!(all.delivery(&queue(), &two).is_none());
    }

    #[test]
    fn what_was_loaded_for_an_earlier_subscription_is_not_sent() {
        let (all, one, two) = (Subscriptions::new(), client(), client());
        subscribe(&all, &one);
        let ticket = all.take(&queue(), &one).unwrap();
        subscribe(&all, &two);
        assert!(!all.loaded(&queue(), &ticket, Some(&message(1))));
        assert_eq!(all.delivery(&queue(), &two), Some(DeliveryState::Scheduled));
    }

    #[test]
    fn subscribing_again_delivers_again() {
        let (all, one) = (Subscriptions::new(), client());
        subscribe(&all, &one);
        let ticket = all.take(&queue(), &one).unwrap();
        assert!(all.loaded(&queue(), &ticket, Some(&message(1))));
        subscribe(&all, &one);
        assert!(all.take(&queue(), &one).is_some());
        assert!(all.acknowledge(&queue(), &one, &message(1)).is_none());
    }

    #[test]
    fn a_failed_acknowledgement_can_be_repeated() {
        let (all, one) = (Subscriptions::new(), client());
        subscribe(&all, &one);
        let ticket = all.take(&queue(), &one).unwrap();
        assert!(all.loaded(&queue(), &ticket, Some(&message(1))));
        let ticket = all.acknowledge(&queue(), &one, &message(1)).unwrap();
        all.failed(&queue(), ticket);
        assert!(all.acknowledge(&queue(), &one, &message(1)).is_some());
    }

    #[test]
    fn a_waiting_client_is_told_once() {
        let (all, one) = (Subscriptions::new(), client());
        subscribe(&all, &one);
        let ticket = all.take(&queue(), &one).unwrap();
        assert!(!all.loaded(&queue(), &ticket, None));
        assert!(all.wake(&queue()) && all.wake(&queue()));
        assert_eq!(one.signals(), [Signal::Message(queue())]);
    }

    #[test]
    fn a_client_that_has_ended_is_not_subscribed() {
        let all = Subscriptions::new();
        let gone = client();
        gone.end();
        assert!(matches!(all.subscribe(&queue(), &dh(), &gone), Subscribed::Ended));
        assert!(all.remove(&queue()).is_none());
    }
}
