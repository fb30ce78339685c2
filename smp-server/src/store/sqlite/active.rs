//! A queue in use: its record, and the list of its messages.
//!
//! Two locks. `order` is held during a whole command, disk included: it puts the commands of one queue in order. `state`
//! is held for moments, by commands and by the writer, which must not wait for commands (they wait for it).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use smp_protocol::id::{MessageId, RecipientId};
use tokio::time::Instant;

use super::outbox::{Pending, Removal};
use super::shared::{Room, Shared};
use crate::store::rules::{Admission, admit, expires};
use crate::store::{
    Accepted, Acknowledged, AfterAck, Appended, Completion, Message, MessageContent, MessageInfo, NewMessage,
    QueueContent, QueueRecord, QueueStatus, StorageFault, StoreError,
};
use crate::sync::lock;

/// How many times [`patience`](super::SqliteConfig::patience) a message waits if its recipient acknowledges those before
/// it.
const LONGEST: u32 = 5;

#[derive(Debug)]
pub(super) struct Active {
    pub(super) recipient_id: RecipientId,
    pub(super) order: Arc<tokio::sync::Mutex<()>>,
    pub(super) state: Mutex<State>,
    used: AtomicBool,
}

#[derive(Debug)]
pub(super) enum State {
    /// What the queue is, only the disk knows.
    Unloaded,
    /// There is no such queue; this value is no longer in the cache.
    Absent,
    Loaded(Box<Loaded>),
}

/// The queue as it is on disk, with what is on its way there.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) key: i64,
    pub(super) record: Arc<QueueRecord>,
    /// In order; keys grow.
    entries: VecDeque<Entry>,
    /// Removed here, not yet on disk.
    removals: Vec<Arc<Removal>>,
    /// The recipient subscribes and was prompt with the last acknowledgement: the next message can wait for one too.
    is_prompt: bool,
    /// When the first message was handed out, to the recipient if there is one.
    handed_out: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    key: i64,
    info: MessageInfo,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// Waits for the disk, or is being written.
    Pending(Arc<Message>, Arc<Pending>),
    /// On disk, and in memory too if it was used recently.
    Stored(Weak<Message>),
}

/// What a step of a command can give.
pub(super) enum Step<T> {
    Done(T),
    /// The body of the message with this key is needed; try again while holding it.
    NeedsBody(i64),
}

impl Active {
    pub(super) fn new(recipient_id: RecipientId) -> Self {
        Active {
            recipient_id,
            order: Arc::default(),
            state: Mutex::new(State::Unloaded),
            used: AtomicBool::new(false),
        }
    }

    pub(super) fn mark_used(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Whether it was used since the last time.
    pub(super) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// The record, if it is in memory.
    pub(super) fn record(&self) -> Option<Arc<QueueRecord>> {
        match &*lock(&self.state) {
            State::Loaded(queue) => Some(queue.record.clone()),
            State::Unloaded | State::Absent => None,
        }
    }

    /// Runs a step if the queue is loaded.
    pub(super) fn with_loaded<T>(&self, step: impl FnOnce(&mut Loaded) -> T) -> Option<T> {
        match &mut *lock(&self.state) {
            State::Loaded(queue) => Some(step(queue)),
            State::Unloaded | State::Absent => None,
        }
    }

    /// A message was committed.
    pub(super) fn stored(&self, pending: &Pending, shared: &Shared) {
        let Some(message) = pending.finish() else { return };
        self.with_loaded(|queue| {
            if let Ok(place) = queue.entries.binary_search_by_key(&pending.key, |entry| entry.key) {
                queue.entries[place].body = Body::Stored(Arc::downgrade(&message));
                shared.recent.keep(message);
            }
        });
    }

    /// The removal of a message was committed.
    pub(super) fn removed(&self, key: i64) {
        self.with_loaded(|queue| queue.removals.retain(|removal| removal.key != key));
    }

    /// A write failed: fails all that waits for the disk, and forgets the rest, so that the disk is asked again.
    pub(super) fn roll_back(&self, fault: &StorageFault, shared: &Shared) {
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

    /// The queue was deleted, with so many messages on disk. Those that it had cannot be lost any more.
    pub(super) fn deleted(&self, on_disk: u64, shared: &Shared) {
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
    pub(super) fn new(key: i64, record: Arc<QueueRecord>, messages: VecDeque<(i64, MessageInfo)>) -> Self {
        let entry = |(key, info)| Entry { key, info, body: Body::Stored(Weak::new()) };
        Loaded {
            key,
            record,
            entries: messages.into_iter().map(entry).collect(),
            removals: Vec::new(),
            is_prompt: false,
            handed_out: None,
        }
    }

    /// How many messages there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn content(&self) -> QueueContent {
        QueueContent { size: self.entries.len(), first: self.entries.front().map(|entry| entry.info.clone()) }
    }

    /// Appends a message, if status and quota allow it.
    pub(super) fn append(
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
    pub(super) fn push(
        &mut self,
        active: &Arc<Active>,
        message: Arc<Message>,
        room: Room,
        shared: &Shared,
    ) -> Completion {
        let now = Instant::now();
        let (pending, kept) =
            Pending::new(active.clone(), self.key, shared.keys.message(), message.clone(), room, now);
        let pending = Arc::new(pending);
        if self.entries.is_empty() {
            self.handed_out = Some(now);
        }
        if self.is_prompt {
            shared.outbox.hold(pending.clone(), now + shared.patience);
        } else {
            self.release(shared);
            shared.outbox.append(pending.clone());
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

    /// Has all messages written that are not on disk, so that the next cannot overtake them.
    fn release(&self, shared: &Shared) {
        for entry in &self.entries {
            if let Body::Pending(_, pending) = &entry.body {
                shared.outbox.release(pending);
            }
        }
    }

    /// A message has waited for its acknowledgement as long as it was to. If only because there are many before it, it
    /// goes on waiting; otherwise it is written, and all others that wait in this queue.
    pub(super) fn waited(&mut self, pending: &Arc<Pending>, shared: &Shared) {
        let now = Instant::now();
        let next = self.handed_out.map(|time| time + shared.patience).filter(|next| *next > now);
        let last = pending.accepted + shared.patience * LONGEST;
        match next {
            Some(next) if self.is_prompt && last > now => {
                shared.outbox.hold_again(pending.clone(), next.min(last));
            }
            _ => {
                self.is_prompt &= next.is_some();
                self.release(shared);
            }
        }
    }

    /// As if the recipient had not been prompt.
    #[cfg(test)]
    pub(super) fn doubt(&mut self) {
        self.is_prompt = false;
    }

    /// The first message has waited as long as it was to.
    #[cfg(test)]
    pub(super) fn first_waited(&mut self, shared: &Shared) {
        if let Some(Entry { body: Body::Pending(_, pending), .. }) = self.entries.front() {
            let pending = pending.clone();
            self.waited(&pending, shared);
        }
    }

    /// The first message, to be handed out.
    pub(super) fn hand_out(&mut self) -> Step<Option<Arc<Message>>> {
        self.handed_out = Some(Instant::now());
        self.message(0)
    }

    /// The message at this place, with its body.
    pub(super) fn message(&mut self, place: usize) -> Step<Option<Arc<Message>>> {
        let Some(entry) = self.entries.get(place) else { return Step::Done(None) };
        let in_memory = match &entry.body {
            Body::Pending(message, _) => Some(message.clone()),
            Body::Stored(message) => message.upgrade(),
        };
        in_memory.map_or(Step::NeedsBody(entry.key), |message| Step::Done(Some(message)))
    }

    /// Notes a message that was read from disk; it is there as long as somebody holds it.
    pub(super) fn note_body(&mut self, key: i64, message: &Arc<Message>) {
        if let Ok(place) = self.entries.binary_search_by_key(&key, |entry| entry.key) {
            let entry = &mut self.entries[place];
            if matches!(entry.body, Body::Stored(_)) {
                entry.body = Body::Stored(Arc::downgrade(message));
            }
        }
    }

    /// Removes the first message if it has this ID. Nothing has changed if a body is needed.
    pub(super) fn acknowledge(
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
        self.is_prompt =
            after == AfterAck::Next && self.handed_out.is_some_and(|time| time.elapsed() < shared.patience);
        self.handed_out = next.is_some().then(Instant::now);
        let removed = Some(first.info.clone());
        let durable = self.remove(active, first, shared);
        Step::Done(Acknowledged { removed, next, durable })
    }

    /// Removes messages accepted before this time.
    pub(super) fn expire(&mut self, active: &Arc<Active>, before: u64, shared: &Shared) -> Vec<Completion> {
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
        shared.outbox.remove(removal);
        durable
    }
}
