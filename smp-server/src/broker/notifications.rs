//! Notifications: which session takes those of which queue, and those that wait for one.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use smp_crypto::Nonce;
use smp_protocol::{encoding::ShortString, id::NotifierId};

use super::{Numbered, Subscribed};
use crate::sync::lock;

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

/// A session, as far as notifications go.
pub(crate) trait NotificationSubscriber: Numbered {
    /// Notes that the session is subscribed. Returns `false` if the session has ended: then it must not be.
    fn join_notifications(&self, notifier: &NotifierId) -> bool;
    /// Notes that it is no longer.
    fn leave_notifications(&self, notifier: &NotifierId);
    /// Sends a notification.
    fn notify(&self, notifier: &NotifierId, notification: Notification);
}

/// All subscriptions to notifications, and what waits for one. In memory only.
pub(crate) struct Notifications<S> {
    max_pending: usize,
    state: Mutex<State<S>>,
}

struct State<S> {
    subscribed: HashMap<NotifierId, Arc<S>>,
    pending: HashMap<NotifierId, VecDeque<Notification>>,
}

impl<S: NotificationSubscriber> Notifications<S> {
    /// Of each queue, at most `max_pending` wait.
    pub(crate) fn new(max_pending: usize) -> Self {
        let state = State { subscribed: HashMap::new(), pending: HashMap::new() };
        Self { max_pending, state: Mutex::new(state) }
    }

    /// How many subscriptions there are.
    pub(crate) fn count(&self) -> usize {
        lock(&self.state).subscribed.len()
    }

    /// Subscribes a session instead of whoever is. [`Notifications::flush`] sends what has waited.
    pub(crate) fn subscribe(&self, notifier: &NotifierId, session: &Arc<S>) -> Subscribed<S> {
        let mut state = lock(&self.state);
        if !session.join_notifications(notifier) {
            return Subscribed::Ended;
        }
        let previous = state.subscribed.insert(notifier.clone(), session.clone());
        let displaced = previous.filter(|previous| previous.number() != session.number());
        if let Some(displaced) = &displaced {
            displaced.leave_notifications(notifier);
        }
        Subscribed::Now(displaced)
    }

    /// Ends the subscription if it is this session's.
    pub(crate) fn unsubscribe(&self, notifier: &NotifierId, session: &S) {
        let mut state = lock(&self.state);
        if state.subscribed.get(notifier).is_some_and(|s| s.number() == session.number()) {
            state.subscribed.remove(notifier);
        }
    }

    /// Forgets a notifier that is deleted. Returns who was subscribed.
    pub(crate) fn remove(&self, notifier: &NotifierId) -> Option<Arc<S>> {
        let mut state = lock(&self.state);
        state.pending.remove(notifier);
        let removed = state.subscribed.remove(notifier)?;
        removed.leave_notifications(notifier);
        Some(removed)
    }

    /// A message has come: sends the notification to the subscriber or else to `service`, or keeps it for one.
    pub(crate) fn push(&self, notifier: &NotifierId, notification: Notification, service: Option<&Arc<S>>) {
        let mut state = lock(&self.state);
        let session = state.subscribed.get(notifier).or(service);
        if let Some(session) = session.filter(|_| !state.pending.contains_key(notifier)) {
            session.notify(notifier, notification);
            return;
        }
        let pending = state.pending.entry(notifier.clone()).or_default();
        if pending.len() >= self.max_pending {
            pending.pop_front();
        }
        pending.push_back(notification);
    }

    /// Sends what has waited to this notifier's subscriber, or else to `service`.
    pub(crate) fn flush(&self, notifier: &NotifierId, service: Option<&Arc<S>>) {
        let mut state = lock(&self.state);
        let Some(session) = state.subscribed.get(notifier).or(service).cloned() else { return };
        for notification in state.pending.remove(notifier).into_iter().flatten() {
            session.notify(notifier, notification);
        }
    }

    /// Drops what has waited since before this time (seconds since 1970).
    pub(crate) fn expire(&self, before: u64) {
        lock(&self.state).pending.retain(|_, pending| {
            pending.retain(|notification| notification.timestamp >= before);
            !pending.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Session {
        number: u64,
        sent: Mutex<Vec<u64>>,
    }

    impl Numbered for Session {
        fn number(&self) -> u64 {
            self.number
        }
    }

    impl NotificationSubscriber for Session {
        fn join_notifications(&self, _: &NotifierId) -> bool {
            true
        }
        fn leave_notifications(&self, _: &NotifierId) {}
        fn notify(&self, _: &NotifierId, notification: Notification) {
            lock(&self.sent).push(notification.timestamp);
        }
    }

    fn session(number: u64) -> Arc<Session> {
        Arc::new(Session { number, ..Session::default() })
    }

    fn notification(timestamp: u64) -> Notification {
        Notification { timestamp, nonce: Nonce::from_bytes([0; 24]), meta: ShortString::default() }
    }

    /// Who was displaced.
    fn subscribe(all: &Notifications<Session>, session: &Arc<Session>) -> Option<u64> {
        match all.subscribe(&notifier(), session) {
            Subscribed::Now(displaced) => displaced.map(|displaced| displaced.number),
            Subscribed::Ended => panic!("ended"),
        }
    }

    fn notifier() -> NotifierId {
        [3; 24].into()
    }

    #[test]
    fn what_waits_is_bounded_and_sent_in_order_before_what_comes_later() {
        let all = Notifications::new(3);
        for timestamp in 1..=5 {
            all.push(&notifier(), notification(timestamp), None);
        }
        let one = session(1);
        assert_eq!(subscribe(&all, &one), None);
        all.push(&notifier(), notification(6), None);
        all.flush(&notifier(), None);
        all.push(&notifier(), notification(7), None);
        assert_eq!(*lock(&one.sent), [4, 5, 6, 7]);
    }

    #[test]
    fn the_last_subscriber_displaces_the_one_before() {
        let all = Notifications::new(3);
        let (one, two) = (session(1), session(2));
        assert_eq!(subscribe(&all, &one), None);
        assert_eq!(subscribe(&all, &one), None);
        assert_eq!(subscribe(&all, &two), Some(1));
        all.unsubscribe(&notifier(), &one);
        all.push(&notifier(), notification(1), None);
        assert_eq!(*lock(&two.sent), [1]);
        assert_eq!(all.remove(&notifier()).map(|s| s.number), Some(2));
        all.push(&notifier(), notification(2), None);
        assert_eq!(*lock(&two.sent), [1]);
    }

    #[test]
    fn old_notifications_are_dropped() {
        let all = Notifications::new(3);
        all.push(&notifier(), notification(1), None);
        all.push(&notifier(), notification(5), None);
        all.expire(5);
        let one = session(1);
        subscribe(&all, &one);
        all.flush(&notifier(), None);
        assert_eq!(*lock(&one.sent), [5]);
        all.expire(6);
        assert!(lock(&all.state).pending.is_empty());
    }
}
