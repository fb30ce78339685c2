//! `Notifications`: which client receives the notifications of which queue, and those that wait for one.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use smp_crypto::Nonce;
use smp_protocol::{encoding::ShortString, id::NotifierId};

use super::subscriptions::Subscribed;
use crate::{
    client::{Client, Signal},
    sync::lock,
};

/// A notification for a notifier: it tells the recipient, and nobody else, which message has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notification {
    /// When the message came, in seconds since 1970.
    pub(crate) timestamp: u64,
    /// Nonce of the box.
    pub(crate) nonce: Nonce,
    /// The box with ID and time of the message.
    pub(crate) meta: ShortString<'static>,
}

/// Notifications that are dropped without a pause for others.
const EXPIRED_AT_ONCE: usize = 1_000;

/// All subscriptions to notifications, and what waits for one. In memory only.
///
/// Also what has a client to go to waits here, until the client takes it: so one that does not read keeps nothing but this,
/// which is bounded.
pub(crate) struct Notifications {
    max_pending: usize,
    max_total: usize,
    state: Mutex<State>,
}

struct State {
    subscribed: HashMap<NotifierId, Arc<Client>>,
    pending: HashMap<NotifierId, VecDeque<(u64, Notification)>>,
    /// The notifiers of those that wait, in the order in which they came.
    order: BTreeMap<u64, NotifierId>,
    /// The number of the next one.
    next: u64,
}

impl Notifications {
    /// Of each queue at most `max_pending` wait, and `max_total` together; the oldest go first.
    pub(crate) fn new(max_pending: usize, max_total: usize) -> Self {
        let state =
            State { subscribed: HashMap::new(), pending: HashMap::new(), order: BTreeMap::new(), next: 0 };
        Self { max_pending, max_total, state: Mutex::new(state) }
    }

    /// How many subscriptions there are.
    pub(crate) fn count(&self) -> usize {
        lock(&self.state).subscribed.len()
    }

    /// Subscribes a client instead of whoever is. [`Notifications::flush`] sends what has waited.
    pub(crate) fn subscribe(&self, notifier: &NotifierId, client: &Arc<Client>) -> Subscribed {
        let mut state = lock(&self.state);
        if !client.join_notifications(notifier) {
            return Subscribed::Ended;
        }
        let previous = state.subscribed.insert(notifier.clone(), client.clone());
        let displaced = previous.filter(|previous| !previous.is(client));
        if let Some(displaced) = &displaced {
            displaced.leave_notifications(notifier);
        }
        Subscribed::Now(displaced)
    }

    /// Ends the subscription if it is this client's.
    pub(crate) fn unsubscribe(&self, notifier: &NotifierId, client: &Client) {
        let mut state = lock(&self.state);
        if state.subscribed.get(notifier).is_some_and(|s| s.is(client)) {
            state.subscribed.remove(notifier);
        }
    }

    /// Forgets a notifier that is deleted. Returns who was subscribed.
    pub(crate) fn remove(&self, notifier: &NotifierId) -> Option<Arc<Client>> {
        let mut state = lock(&self.state);
        state.take(notifier);
        let removed = state.subscribed.remove(notifier)?;
        removed.leave_notifications(notifier);
        Some(removed)
    }

    /// A message has come: keeps the notification, and tells the subscriber, or else `service`.
    pub(crate) fn push(
        &self,
        notifier: &NotifierId,
        notification: Notification,
        service: Option<&Arc<Client>>,
    ) {
        let mut state = lock(&self.state);
        state.make_room(notifier, self.max_pending, self.max_total);
        state.add(notifier, notification);
        state.tell(notifier, service);
    }

    /// Keeps a notification that has waited elsewhere; [`Notifications::flush`] sends it.
    pub(crate) fn bring(&self, notifier: &NotifierId, notification: Notification) {
        let mut state = lock(&self.state);
        state.make_room(notifier, self.max_pending, self.max_total);
        state.add(notifier, notification);
    }

    /// Tells this notifier's subscriber, or else `service`, to take what waits.
    pub(crate) fn flush(&self, notifier: &NotifierId, service: Option<&Arc<Client>>) {
        let state = lock(&self.state);
        if state.pending.contains_key(notifier) {
            state.tell(notifier, service);
        }
    }

    /// Whether a client here is subscribed.
    pub(crate) fn has_subscriber(&self, notifier: &NotifierId) -> bool {
        lock(&self.state).subscribed.contains_key(notifier)
    }

    /// Takes all that waits, for clients elsewhere.
    pub(crate) fn claim(&self, notifier: &NotifierId) -> Vec<Notification> {
        lock(&self.state).take(notifier)
    }

    /// A client elsewhere has got this notification: it does not wait any more.
    pub(crate) fn taken(&self, notifier: &NotifierId, nonce: &Nonce) {
        lock(&self.state).drop_one(notifier, nonce);
    }

    /// Takes what waits for a client that was told of it: not if another one is subscribed, or if it is not and does not
    /// serve the notifier's service (any more).
    pub(crate) fn take(&self, notifier: &NotifierId, client: &Client, serves: bool) -> Vec<Notification> {
        let mut state = lock(&self.state);
        let subscriber = state.subscribed.get(notifier);
        if subscriber.map_or(serves, |subscriber| subscriber.is(client)) {
            state.take(notifier)
        } else {
            Vec::new()
        }
    }

    /// All that wait, in the order in which they came.
    pub(crate) fn waiting(&self) -> Vec<(NotifierId, Notification)> {
        let state = lock(&self.state);
        let waiting = state.order.iter().filter_map(|(number, notifier)| {
            let mut of_notifier = state.pending.get(notifier)?.iter();
            let (_, notification) = of_notifier.find(|(other, _)| other == number)?;
            Some((notifier.clone(), notification.clone()))
        });
        waiting.collect()
    }

    /// Drops what has waited since before this time (seconds since 1970).
    pub(crate) fn expire(&self, before: u64) {
        while lock(&self.state).expire(before, EXPIRED_AT_ONCE) {}
    }
}

impl State {
    fn tell(&self, notifier: &NotifierId, service: Option<&Arc<Client>>) {
        if let Some(client) = self.subscribed.get(notifier).or(service) {
            client.mailbox.signal(Signal::Notifications(notifier.clone()));
        }
    }

    fn make_room(&mut self, notifier: &NotifierId, max_pending: usize, max_total: usize) {
        if self.pending.get(notifier).is_some_and(|pending| pending.len() >= max_pending) {
            self.drop_oldest_of(notifier);
        }
        if self.order.len() >= max_total {
            self.drop_oldest();
        }
    }

    fn add(&mut self, notifier: &NotifierId, notification: Notification) {
        let number = self.next;
        self.next += 1;
        self.order.insert(number, notifier.clone());
        self.pending.entry(notifier.clone()).or_default().push_back((number, notification));
    }

    fn take(&mut self, notifier: &NotifierId) -> Vec<Notification> {
        let taken = self.pending.remove(notifier).into_iter().flatten();
        taken
            .map(|(number, notification)| {
                self.order.remove(&number);
                notification
            })
            .collect()
    }

    fn drop_one(&mut self, notifier: &NotifierId, nonce: &Nonce) {
        let Some(pending) = self.pending.get_mut(notifier) else { return };
        if let Some(place) = pending.iter().position(|(_, notification)| notification.nonce == *nonce)
            && let Some((number, _)) = pending.remove(place)
        {
            self.order.remove(&number);
        }
        if pending.is_empty() {
            self.pending.remove(notifier);
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(notifier) = self.order.first_key_value().map(|(_, notifier)| notifier.clone()) {
            self.drop_oldest_of(&notifier);
        }
    }

    fn drop_oldest_of(&mut self, notifier: &NotifierId) {
        let Some(pending) = self.pending.get_mut(notifier) else { return };
        if let Some((number, _)) = pending.pop_front() {
            self.order.remove(&number);
        }
        if pending.is_empty() {
            self.pending.remove(notifier);
        }
    }

    /// Drops up to `limit`. Returns whether there may be more.
    fn expire(&mut self, before: u64, limit: usize) -> bool {
        for _ in 0..limit {
            let oldest =
                self.order.first_key_value().and_then(|(_, notifier)| self.pending.get(notifier)?.front());
            match oldest {
                Some((_, notification)) if notification.timestamp < before => self.drop_oldest(),
                _ => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Arc<Client> {
        Client::new(None, 8)
    }

    fn notification(timestamp: u64) -> Notification {
        Notification { timestamp, nonce: Nonce::from_bytes([0; 24]), meta: ShortString::default() }
    }

    /// The client that was displaced.
    fn subscribe(all: &Notifications, client: &Arc<Client>) -> Option<Arc<Client>> {
        match all.subscribe(&notifier(), client) {
            Subscribed::Now(displaced) => displaced,
            Subscribed::Ended => panic!("ended"),
        }
    }

    fn notifier() -> NotifierId {
        [3; 24].into()
    }

    fn told() -> Signal {
        Signal::Notifications(notifier())
    }

    fn another(byte: u8) -> NotifierId {
        [byte; 24].into()
    }

    /// The times of those that a client takes.
    fn taken(all: &Notifications, client: &Client) -> Vec<u64> {
        all.take(&notifier(), client, false).iter().map(|taken| taken.timestamp).collect()
    }

    #[test]
    fn what_waits_is_bounded_and_taken_in_order() {
        let all = Notifications::new(3, 100);
        for timestamp in 1..=5 {
            all.push(&notifier(), notification(timestamp), None);
        }
        let one = client();
        assert!(subscribe(&all, &one).is_none());
        assert!(one.signals().is_empty());
        all.flush(&notifier(), None);
        assert_eq!(one.signals(), [told()]);
        all.push(&notifier(), notification(6), None);
        assert_eq!(taken(&all, &one), [4, 5, 6]);
        assert_eq!(one.signals(), [told()]);
        all.flush(&notifier(), None);
        assert!(one.signals().is_empty(), "nothing waits");
        assert!(taken(&all, &one).is_empty());
    }

    /// Anybody can create queues, and have notifications for them that nobody takes.
    #[test]
    fn of_all_queues_together_the_oldest_go_first() {
        let all = Notifications::new(3, 4);
        let one = client();
        for (notifier, timestamp) in [(3, 1), (4, 2), (3, 3), (5, 4), (6, 5), (3, 6), (4, 7)] {
            all.push(&another(notifier), notification(timestamp), None);
            assert!(lock(&all.state).order.len() <= 4);
        }
        let times = |byte: u8| -> Vec<_> {
            all.take(&another(byte), &one, true).iter().map(|taken| taken.timestamp).collect()
        };
        assert_eq!([times(3), times(4), times(5), times(6)], [vec![6], vec![7], vec![4], vec![5]]);
        let state = lock(&all.state);
        assert!(state.order.is_empty() && state.pending.is_empty());
    }

    #[test]
    fn the_last_subscriber_displaces_the_one_before() {
        let all = Notifications::new(3, 100);
        let (one, two) = (client(), client());
        assert!(subscribe(&all, &one).is_none());
        assert!(subscribe(&all, &one).is_none());
        all.push(&notifier(), notification(1), None);
        assert!(subscribe(&all, &two).unwrap().is(&one));
        assert!(taken(&all, &one).is_empty() && all.take(&notifier(), &one, true).is_empty());
        all.unsubscribe(&notifier(), &one);
        assert_eq!(taken(&all, &two), [1]);
        all.push(&notifier(), notification(2), None);
        assert!(all.remove(&notifier()).unwrap().is(&two));
        assert!(taken(&all, &two).is_empty());
        assert_eq!(two.signals(), [told()]);
        all.push(&notifier(), notification(3), None);
        assert!(two.signals().is_empty());
    }

    #[test]
    fn a_client_takes_for_its_service_while_it_serves() {
        let all = Notifications::new(3, 100);
        let serving = client();
        all.push(&notifier(), notification(1), Some(&serving));
        assert_eq!(serving.signals(), [told()]);
        assert!(taken(&all, &serving).is_empty());
        assert_eq!(all.take(&notifier(), &serving, true).len(), 1);
    }

    #[test]
    fn old_notifications_are_dropped() {
        let all = Notifications::new(3, 10_000);
        for number in 0..2 * EXPIRED_AT_ONCE {
            let id = NotifierId::new(&number.to_be_bytes()).unwrap();
            all.push(&id, notification(1), None);
        }
        all.push(&notifier(), notification(1), None);
        all.push(&notifier(), notification(5), None);
        all.expire(5);
        assert_eq!(lock(&all.state).order.len(), 1);
        let one = client();
        subscribe(&all, &one);
        assert_eq!(taken(&all, &one), [5]);
        all.push(&notifier(), notification(5), None);
        all.expire(6);
        let state = lock(&all.state);
        assert!(state.order.is_empty() && state.pending.is_empty());
    }
}
