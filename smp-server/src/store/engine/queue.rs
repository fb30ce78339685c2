//! A queue in use, as it is in memory: its record, the list of its messages, and those on their way to and from the disk.
//!
//! Two locks. `order` is held during a whole command, disk included: it puts the commands of one queue in order. `state`
//! is held for moments, by commands and by the writer, which must not wait for commands (they wait for it).
//!
//! Lock order: `state`, then [`Pending`]'s, then that of a completion.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use smp_protocol::id::RecipientId;
use tokio::time::Instant;

use crate::store::completion::Completer;
use crate::store::{Completion, Message, MessageInfo, QueueRecord, StoreError};
use crate::sync::lock;

/// A share of the room for bodies that wait for the disk; given back when dropped.
pub(in crate::store) type Room = tokio::sync::OwnedSemaphorePermit;

#[derive(Debug)]
pub(in crate::store) struct Active {
    pub(in crate::store) recipient_id: RecipientId,
    pub(in crate::store) order: Arc<tokio::sync::Mutex<()>>,
    pub(in crate::store) state: Mutex<State>,
    used: AtomicBool,
}

#[derive(Debug)]
pub(in crate::store) enum State {
    /// Only the disk knows the queue.
    Unloaded,
    /// There is no such queue; this value is no longer in the cache.
    Absent,
    Loaded(Box<Loaded>),
}

/// The queue as it is on disk, with what is on its way there.
#[derive(Debug)]
pub(in crate::store) struct Loaded {
    pub(in crate::store) key: i64,
    pub(in crate::store) record: Arc<QueueRecord>,
    /// In order; keys grow.
    pub(in crate::store) entries: VecDeque<Entry>,
    /// Removed here, not yet on disk.
    pub(in crate::store) removals: Vec<Arc<Removal>>,
    /// The last acknowledgement came within the time that messages wait for one: so the next message can wait for it too.
    pub(in crate::store) acks_fast: bool,
    /// When the first message was delivered, if the recipient subscribes.
    pub(in crate::store) first_delivered_at: Option<Instant>,
}

#[derive(Debug)]
pub(in crate::store) struct Entry {
    pub(in crate::store) key: i64,
    pub(in crate::store) info: MessageInfo,
    pub(in crate::store) body: Body,
}

#[derive(Debug)]
pub(in crate::store) enum Body {
    /// Waits for the disk, or is being written.
    Pending(Arc<Message>, Arc<Pending>),
    /// On disk, and in memory too if it was used recently.
    Stored(Weak<Message>),
}

impl Active {
    pub(in crate::store) fn new(recipient_id: RecipientId) -> Self {
        Active {
            recipient_id,
            order: Arc::default(),
            state: Mutex::new(State::Unloaded),
            used: AtomicBool::new(false),
        }
    }

    pub(in crate::store) fn mark_used(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Whether it was used since the last time.
    pub(in crate::store) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// The record, if it is in memory.
    pub(in crate::store) fn record(&self) -> Option<Arc<QueueRecord>> {
        match &*lock(&self.state) {
            State::Loaded(queue) => Some(queue.record.clone()),
            State::Unloaded | State::Absent => None,
        }
    }

    /// Runs a step if the queue is loaded.
    pub(in crate::store) fn with_loaded<T>(&self, step: impl FnOnce(&mut Loaded) -> T) -> Option<T> {
        match &mut *lock(&self.state) {
            State::Loaded(queue) => Some(step(queue)),
            State::Unloaded | State::Absent => None,
        }
    }

    /// The removal of a message was committed.
    pub(in crate::store) fn removed(&self, key: i64) {
        self.with_loaded(|queue| queue.removals.retain(|removal| removal.key != key));
    }
}

impl Loaded {
    pub(in crate::store) fn new(
        key: i64,
        record: Arc<QueueRecord>,
        messages: VecDeque<(i64, MessageInfo)>,
    ) -> Self {
        let entry = |(key, info)| Entry { key, info, body: Body::Stored(Weak::new()) };
        Loaded {
            key,
            record,
            entries: messages.into_iter().map(entry).collect(),
            removals: Vec::new(),
            acks_fast: false,
            first_delivered_at: None,
        }
    }
}

/// A message on its way to the disk.
#[derive(Debug)]
pub(in crate::store) struct Pending {
    pub(in crate::store) active: Arc<Active>,
    pub(in crate::store) queue: i64,
    pub(in crate::store) key: i64,
    /// When the `SEND` was accepted.
    pub(in crate::store) accepted: Instant,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    /// `None` once it need not be written any more.
    message: Option<Arc<Message>>,
    completer: Option<Completer>,
    stage: Stage,
    room: Option<Room>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Waits for an acknowledgement, not yet for the disk.
    Held,
    Waiting,
    /// Part of the transaction that is being written.
    Writing,
    Stored,
}

impl Pending {
    pub(in crate::store) fn new(
        active: Arc<Active>,
        queue: i64,
        key: i64,
        message: Arc<Message>,
        room: Room,
        accepted: Instant,
    ) -> (Self, Completion) {
        let (completer, kept) = Completion::pending();
        let progress = Progress {
            message: Some(message),
            completer: Some(completer),
            stage: Stage::Waiting,
            room: Some(room),
        };
        (Pending { active, queue, key, accepted, progress: Mutex::new(progress) }, kept)
    }

    /// The message, if it is still to be written; from now on it counts as being written.
    pub(in crate::store) fn take_up(&self) -> Option<Arc<Message>> {
        let mut progress = lock(&self.progress);
        if progress.message.is_some() {
            progress.stage = Stage::Writing;
        }
        progress.message.clone()
    }

    /// From now on it waits for an acknowledgement.
    pub(in crate::store) fn hold(&self) {
        lock(&self.progress).stage = Stage::Held;
    }

    /// Whether it still waits for an acknowledgement.
    pub(in crate::store) fn is_held(&self) -> bool {
        let progress = lock(&self.progress);
        progress.stage == Stage::Held && progress.message.is_some()
    }

    /// Ends the wait for an acknowledgement. Whether it is to be written now, which it is once.
    pub(in crate::store) fn release(&self) -> bool {
        let mut progress = lock(&self.progress);
        let was_held = progress.stage == Stage::Held;
        if was_held {
            progress.stage = Stage::Waiting;
        }
        was_held && progress.message.is_some()
    }

    /// The recipient has acknowledged it: that counts as durable, since nobody needs it any more. Whether it need not be
    /// removed from the disk, because it will never get there.
    pub(in crate::store) fn cancel(&self) -> bool {
        let mut progress = lock(&self.progress);
        progress.complete(Ok(()));
        let is_in_time = matches!(progress.stage, Stage::Held | Stage::Waiting);
        if is_in_time {
            progress.clear();
        }
        is_in_time
    }

    /// It is on disk, or its queue is gone. Returns the message.
    pub(in crate::store) fn finish(&self) -> Option<Arc<Message>> {
        let mut progress = lock(&self.progress);
        progress.complete(Ok(()));
        progress.stage = Stage::Stored;
        progress.clear()
    }

    /// It will not be written.
    pub(in crate::store) fn fail(&self, error: &StoreError) {
        let mut progress = lock(&self.progress);
        progress.complete(Err(error.clone()));
        progress.clear();
    }

    pub(in crate::store) fn bytes(&self) -> usize {
        lock(&self.progress).message.as_ref().map_or(0, |message| message.body_len())
    }
}

impl Progress {
    fn complete(&mut self, result: Result<(), StoreError>) {
        if let Some(completer) = self.completer.take() {
            completer.complete(result);
        }
    }

    fn clear(&mut self) -> Option<Arc<Message>> {
        self.room = None;
        self.message.take()
    }
}

/// A message that is to leave the disk.
#[derive(Debug)]
pub(in crate::store) struct Removal {
    pub(in crate::store) active: Arc<Active>,
    pub(in crate::store) key: i64,
    /// How the message came to the disk, if it may not be there yet.
    pending: Option<Arc<Pending>>,
    /// `None` once it was done or given up.
    completer: Mutex<Option<Completer>>,
}

impl Removal {
    pub(in crate::store) fn new(
        active: Arc<Active>,
        key: i64,
        pending: Option<Arc<Pending>>,
    ) -> (Self, Completion) {
        let (completer, durable) = Completion::pending();
        (Removal { active, key, pending, completer: Mutex::new(Some(completer)) }, durable)
    }

    /// Whether the message has been written.
    pub(in crate::store) fn is_on_disk(&self) -> bool {
        self.pending.as_ref().is_none_or(|pending| lock(&pending.progress).stage == Stage::Stored)
    }

    pub(in crate::store) fn is_wanted(&self) -> bool {
        lock(&self.completer).is_some()
    }

    pub(in crate::store) fn finish(&self) {
        self.active.removed(self.key);
        if let Some(completer) = lock(&self.completer).take() {
            completer.complete(Ok(()));
        }
    }

    pub(in crate::store) fn fail(&self, error: &StoreError) {
        if let Some(completer) = lock(&self.completer).take() {
            completer.complete(Err(error.clone()));
        }
    }
}
