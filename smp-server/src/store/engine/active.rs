//! The steps of commands and of the writer on a queue in use.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use smp_protocol::id::MessageId;
use tokio::time::Instant;

use super::queue::{Active, Body, Entry, Loaded, Pending, Removal, Room, State};
use super::shared::Shared;
use crate::store::rules::{Admission, admit, expires};
use crate::store::{
    Accepted, Acknowledged, AfterAck, Appended, Completion, Message, MessageContent, NewMessage,
    QueueContent, QueueStatus, StorageFault, StoreError,
};
use crate::sync::lock;

/// How many times [`ack_wait`](super::EngineLimits::ack_wait) a message waits if its recipient acknowledges those before
/// it.
const LONGEST: u32 = 5;

/// The result of a step of a command.
pub(in crate::store) enum Step<T> {
    Done(T),
    /// The body of the message with this key is needed; try again while holding it.
    NeedsBody(i64),
}

impl Active {
    /// A message was committed.
    pub(in crate::store) fn stored(&self, pending: &Pending, shared: &Shared) {
        let Some(message) = pending.finish() else { return };
        self.with_loaded(|queue| {
            if let Ok(place) = queue.entries.binary_search_by_key(&pending.key, |entry| entry.key) {
                queue.entries[place].body = Body::Stored(Arc::downgrade(&message));
                shared.recent.keep(message);
            }
        });
    }

    /// A write failed: fails all that waits for the disk, and forgets the rest, so that the disk is asked again.
    pub(in crate::store) fn roll_back(&self, fault: &StorageFault, shared: &Shared) {
        let mut state = lock(&self.state);
        if !matches!(*state, State::Loaded(_)) {
            return;
        }
        let before = std::mem::replace(&mut *state, State::Unloaded);
        let State::Loaded(queue) = before else { return };
        shared.cache.messages.fetch_sub(queue.len(), Ordering::Relaxed);
        let error = StoreError::Unavailable(fault.clone());
        for entry in &queue.entries {
            if let Body::Pending(_, pending) = &entry.body {
                pending.fail(&error);
                shared.counts.messages.subtract(1);
            }
        }
        for removal in &queue.removals {
            removal.fail(&error);
            shared.counts.messages.add(usize::from(removal.is_on_disk()));
        }
    }

    /// Another process has the queue: nothing is known of it any more. All that waited for the disk was written before.
    pub(in crate::store) fn given_away(&self, shared: &Shared) {
        let before = std::mem::replace(&mut *lock(&self.state), State::Unloaded);
        if let State::Loaded(queue) = before {
            shared.cache.messages.fetch_sub(queue.len(), Ordering::Relaxed);
            shared.cache.forget_ids(&queue.record);
        }
    }

    /// The queue was deleted, with so many messages on disk. Those that it had cannot be lost any more.
    pub(in crate::store) fn deleted(&self, on_disk: u64, shared: &Shared) {
        let before = std::mem::replace(&mut *lock(&self.state), State::Absent);
        let State::Loaded(queue) = before else {
            // A write before it has failed: what only memory had is not counted any more.
            shared.counts.messages.subtract(usize::try_from(on_disk).unwrap_or(usize::MAX));
            return;
        };
        shared.counts.messages.subtract(queue.len());
        shared.cache.messages.fetch_sub(queue.len(), Ordering::Relaxed);
        for entry in &queue.entries {
            if let Body::Pending(_, pending) = &entry.body {
                pending.finish();
            }
        }
    }
}

impl Loaded {
    /// How many messages there are.
    pub(in crate::store) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The key of the last message.
    pub(in crate::store) fn last_key(&self) -> Option<i64> {
        self.entries.back().map(|entry| entry.key)
    }

    pub(in crate::store) fn content(&self) -> QueueContent {
        QueueContent { size: self.entries.len(), first: self.entries.front().map(|entry| entry.info.clone()) }
    }

    /// Appends a message, if status and quota allow it.
    pub(in crate::store) fn append(
        &mut self,
        active: &Arc<Active>,
        new: NewMessage,
        expire_before: Option<u64>,
        room: Room,
        shared: &Shared,
    ) -> Appended {
        if self.record.status != QueueStatus::Active {
            return Appended::NotActive(self.record.status.clone());
        }
        let expired = expire_before.map_or(0, |before| self.expire(active, before, shared).len());
        let last = self.entries.back().map(|entry| entry.info.kind);
        let admission = admit(self.entries.len(), last, shared.quota);
        let content = match admission {
            Admission::Add => MessageContent::Sent { notification: new.notification, body: new.body },
            Admission::AddMarker => MessageContent::QuotaMarker,
            Admission::Refuse => return Appended::QuotaExceeded,
        };
        let message = Arc::new(Message { id: new.id, timestamp: new.timestamp, content });
        let kept = self.push(active, message.clone(), room, shared);
        match admission {
            Admission::Add => Appended::Accepted(Accepted { message, expired: expired as u64, kept }),
            _ => Appended::QuotaExceeded,
        }
    }

    /// Adds a message behind the others.
    pub(in crate::store) fn push(
        &mut self,
        active: &Arc<Active>,
        message: Arc<Message>,
        room: Room,
        shared: &Shared,
    ) -> Completion {
        let now = shared.time.monotonic();
        let (pending, kept) =
            Pending::new(active.clone(), self.key, shared.keys.message(), message.clone(), room, now);
        let pending = Arc::new(pending);
        if self.entries.is_empty() {
            self.first_delivered_at = Some(now);
        }
        if self.acks_fast {
            shared.write_queue.hold(pending.clone(), now + shared.ack_wait);
        } else {
            self.release(shared);
            shared.write_queue.append(pending.clone());
        }
        self.entries.push_back(Entry {
            key: pending.key,
            info: message.info(),
            body: Body::Pending(message, pending),
        });
        shared.counts.messages.add(1);
        shared.cache.messages.fetch_add(1, Ordering::Relaxed);
        kept
    }

    /// Has all messages written that are not on disk, so that nothing that comes next can overtake them.
    pub(in crate::store) fn release(&self, shared: &Shared) {
        for entry in &self.entries {
            if let Body::Pending(_, pending) = &entry.body {
                shared.write_queue.release(pending);
            }
        }
    }

    /// A message has waited for its acknowledgement as long as it was to. If only because there are many before it, it
    /// goes on waiting; otherwise it is written, and all others that wait in this queue.
    pub(in crate::store) fn waited(&mut self, pending: &Arc<Pending>, shared: &Shared) {
        let now = shared.time.monotonic();
        let next = self.first_delivered_at.map(|time| time + shared.ack_wait).filter(|next| *next > now);
        let last = pending.accepted + shared.ack_wait * LONGEST;
        match next {
            Some(next) if self.acks_fast && last > now => {
                shared.write_queue.hold_again(pending.clone(), next.min(last));
            }
            _ => {
                self.acks_fast &= next.is_some();
                self.release(shared);
            }
        }
    }

    /// As if the recipient had not acknowledged fast.
    #[cfg(test)]
    pub(in crate::store) fn doubt(&mut self) {
        self.acks_fast = false;
    }

    /// The first message has waited as long as it was to.
    #[cfg(test)]
    pub(in crate::store) fn first_waited(&mut self, shared: &Shared) {
        if let Some(Entry { body: Body::Pending(_, pending), .. }) = self.entries.front() {
            let pending = pending.clone();
            self.waited(&pending, shared);
        }
    }

    /// The first message, to be handed out.
    pub(in crate::store) fn hand_out(&mut self, now: Instant) -> Step<Option<Arc<Message>>> {
        self.first_delivered_at = Some(now);
        self.message(0)
    }

    /// The message at this place, with its body.
    pub(in crate::store) fn message(&mut self, place: usize) -> Step<Option<Arc<Message>>> {
        let Some(entry) = self.entries.get(place) else { return Step::Done(None) };
        let in_memory = match &entry.body {
            Body::Pending(message, _) => Some(message.clone()),
            Body::Stored(message) => message.upgrade(),
        };
        in_memory.map_or(Step::NeedsBody(entry.key), |message| Step::Done(Some(message)))
    }

    /// Notes a message that was read from disk; it is there as long as somebody holds it.
    pub(in crate::store) fn note_body(&mut self, key: i64, message: &Arc<Message>) {
        if let Ok(place) = self.entries.binary_search_by_key(&key, |entry| entry.key) {
            let entry = &mut self.entries[place];
            if matches!(entry.body, Body::Stored(_)) {
                entry.body = Body::Stored(Arc::downgrade(message));
            }
        }
    }

    /// Removes the first message if it has this ID. Nothing has changed if a body is needed.
    pub(in crate::store) fn acknowledge(
        &mut self,
        active: &Arc<Active>,
        id: &MessageId,
        after: AfterAck,
        shared: &Shared,
    ) -> Step<Acknowledged> {
        let is_first = self.entries.front().is_some_and(|entry| entry.info.id == *id);
        let next = match after {
            AfterAck::Nothing => None,
            AfterAck::Next => match self.message(usize::from(is_first)) {
                Step::Done(message) => message,
                Step::NeedsBody(key) => return Step::NeedsBody(key),
            },
        };
        let Some(first) = self.entries.pop_front_if(|_| is_first) else {
            return Step::Done(Acknowledged { removed: None, next, durable: Completion::done() });
        };
        let now = shared.time.monotonic();
        self.acks_fast = after == AfterAck::Next
            && self.first_delivered_at.is_some_and(|time| now.duration_since(time) < shared.ack_wait);
        self.first_delivered_at = next.is_some().then_some(now);
        let removed = Some(first.info.clone());
        let durable = self.remove(active, first, shared);
        Step::Done(Acknowledged { removed, next, durable })
    }

    /// Removes messages accepted before this time.
    pub(in crate::store) fn expire(
        &mut self,
        active: &Arc<Active>,
        before: u64,
        shared: &Shared,
    ) -> Vec<Completion> {
        if !self.entries.iter().any(|entry| expires(&entry.info, before)) {
            return Vec::new();
        }
        let (gone, kept) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition::<VecDeque<_>, _>(|entry| expires(&entry.info, before));
        self.entries = kept;
        gone.into_iter().map(|entry| self.remove(active, entry, shared)).collect()
    }

    /// Removes from the disk what was taken out of the list.
    fn remove(&mut self, active: &Arc<Active>, entry: Entry, shared: &Shared) -> Completion {
        shared.counts.messages.subtract(1);
        shared.cache.messages.fetch_sub(1, Ordering::Relaxed);
        if let Body::Pending(_, pending) = &entry.body
            && pending.cancel()
        {
            return Completion::done();
        }
        let pending = match entry.body {
            Body::Pending(_, pending) => Some(pending),
            Body::Stored(_) => None,
        };
        let (removal, durable) = Removal::new(active.clone(), entry.key, pending);
        let removal = Arc::new(removal);
        self.removals.push(removal.clone());
        shared.write_queue.remove(removal);
        durable
    }
}
