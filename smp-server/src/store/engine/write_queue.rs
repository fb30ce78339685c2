//! `WriteQueue`: operations that wait to be written, in the order in which they were accepted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, OwnedMutexGuard};
use tokio::time::Instant;

use super::queue::{Active, Pending, Removal, Room};
use crate::store::completion::Completer;
use crate::store::{Completion, LinkData, NewService, ProcessId, QueueRecord, StoreError};
use crate::sync::lock;

/// How much one transaction takes at most.
const BATCH_OPERATIONS: usize = 1024;
const BATCH_BYTES: usize = 8 << 20;

/// Bytes of an operation besides its load: a queue's record, above all.
pub(in crate::store) const OPERATION_BYTES: usize = 512;

/// Something to be written.
#[derive(Debug)]
pub(in crate::store) enum Operation {
    Append(Arc<Pending>),
    Remove(Arc<Removal>),
    Change(Change),
}

/// A change that is made in memory when it has been made on disk, by the writer, so that nobody can be interrupted in
/// between.
#[derive(Debug)]
pub(in crate::store) struct Change {
    pub(in crate::store) kind: ChangeKind,
    /// The queue, which no other command can touch until the change is made.
    pub(in crate::store) held: Option<Held>,
    pub(in crate::store) completer: Completer,
    /// Its share of the room. Operations that free disk have none, so that they never wait for any.
    pub(in crate::store) room: Option<Room>,
}

/// A queue during a command.
#[derive(Debug)]
pub(in crate::store) struct Held {
    pub(in crate::store) active: Arc<Active>,
    pub(in crate::store) _order: OwnedMutexGuard<()>,
}

#[derive(Debug)]
pub(in crate::store) enum ChangeKind {
    Create {
        queue: i64,
        record: Arc<QueueRecord>,
        link_data: Option<LinkData>,
    },
    Update {
        queue: i64,
        before: Arc<QueueRecord>,
        after: Arc<QueueRecord>,
        link: LinkChange,
    },
    Used {
        queue: i64,
        day: crate::store::Day,
    },
    Delete {
        queue: i64,
        record: Arc<QueueRecord>,
    },
    /// Messages of a queue that is not in memory.
    Expire {
        messages: Vec<i64>,
    },
    /// The queue is another process's from now on.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "no other store can be shared"))]
    GiveAway {
        queue: i64,
        to: ProcessId,
    },
    Service(NewService),
    /// The state of the relay's clock.
    Clock(String),
    /// For those who wait until what was asked for before is on disk.
    Nothing,
}

/// A change of the data of a queue's link.
#[derive(Debug)]
pub(in crate::store) enum LinkChange {
    None,
    Set(LinkData),
    Clear,
}

impl ChangeKind {
    /// Bytes that it takes while it waits.
    fn bytes(&self) -> usize {
        let data = match self {
            ChangeKind::Create { link_data, .. } => link_data.as_ref().map_or(0, LinkData::len),
            ChangeKind::Update { link: LinkChange::Set(data), .. } => data.len(),
            ChangeKind::Expire { messages } => std::mem::size_of_val(messages.as_slice()),
            _ => 0,
        };
        OPERATION_BYTES + data
    }

    /// Whether it must come after the messages of the same transaction.
    pub(in crate::store) fn removes_messages(&self) -> bool {
        matches!(self, ChangeKind::Delete { .. } | ChangeKind::Expire { .. })
    }
}

/// Operations that wait.
#[derive(Debug, Default)]
pub(in crate::store) struct WriteQueue {
    waiting: Mutex<Waiting>,
    changed: Notify,
    /// As in `waiting`, for those who only look.
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    operations: VecDeque<Operation>,
    /// Messages that wait for an acknowledgement until their time, the earliest first. Some may have been acknowledged,
    /// or released.
    held: VecDeque<(Instant, Arc<Pending>)>,
    /// Nothing is held any longer.
    release_all: bool,
    closed: bool,
}

impl Waiting {
    /// Mostly at the end.
    fn hold(&mut self, pending: Arc<Pending>, until: Instant) {
        let place = self.held.partition_point(|(time, _)| *time <= until);
        self.held.insert(place, (until, pending));
    }
}

/// The next task of the writer.
pub(in crate::store) enum Batch {
    Write(Vec<Operation>),
    /// See whether these, whose time is over, are to wait for their acknowledgements any longer.
    Overdue(Vec<Arc<Pending>>),
    /// Wait for something to come, until this time.
    Wait(Option<Instant>),
    Stop,
}

impl WriteQueue {
    pub(in crate::store) fn append(&self, pending: Arc<Pending>) {
        self.push(Operation::Append(pending));
    }

    /// Writes a message at this time, unless it is acknowledged or released before.
    pub(in crate::store) fn hold(&self, pending: Arc<Pending>, until: Instant) {
        pending.hold();
        let mut waiting = lock(&self.waiting);
        if waiting.closed {
            drop(waiting);
            return refuse(Operation::Append(pending));
        }
        let is_first = waiting.held.is_empty();
        waiting.hold(pending, until);
        drop(waiting);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// Goes on holding a message, for the writer, which looks for itself whether anything is held any longer.
    pub(in crate::store) fn hold_again(&self, pending: Arc<Pending>, until: Instant) {
        lock(&self.waiting).hold(pending, until);
    }

    /// Lets a message go that may be held: nothing may overtake it.
    pub(in crate::store) fn release(&self, pending: &Arc<Pending>) {
        if pending.release() {
            // Also when the store is being closed: it has been accepted.
            lock(&self.waiting).operations.push_back(Operation::Append(pending.clone()));
            self.changed.notify_one();
        }
    }

    /// Lets all messages go that are held now: there is no room for more.
    pub(in crate::store) fn release_all(&self) {
        lock(&self.waiting).release_all = true;
        self.changed.notify_one();
    }

    pub(in crate::store) fn remove(&self, removal: Arc<Removal>) {
        self.push(Operation::Remove(removal));
    }

    /// Asks for a change; the completion resolves when it is made, on disk and in memory.
    pub(in crate::store) fn change(
        &self,
        kind: ChangeKind,
        held: Option<Held>,
        room: Option<Room>,
    ) -> Completion {
        let (completer, done) = Completion::pending();
        self.push(Operation::Change(Change { kind, held, completer, room }));
        done
    }

    fn push(&self, operation: Operation) {
        let mut waiting = lock(&self.waiting);
        if waiting.closed {
            drop(waiting);
            return refuse(operation);
        }
        waiting.operations.push_back(operation);
        drop(waiting);
        self.changed.notify_one();
    }

    /// How many operations wait for the writer.
    pub(in crate::store) fn waiting(&self) -> usize {
        let waiting = lock(&self.waiting);
        waiting.operations.len() + waiting.held.len()
    }

    pub(in crate::store) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        lock(&self.waiting).closed = true;
        self.changed.notify_one();
    }

    pub(in crate::store) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Takes the oldest operations, as many as one transaction may have.
    pub(in crate::store) fn take(&self, now: Instant) -> Batch {
        let mut waiting = lock(&self.waiting);
        let waiting = &mut *waiting;
        let mut batch = Transaction::default();
        let everything = waiting.release_all || waiting.closed;
        let mut overdue = Vec::new();
        // Those that were acknowledged go before their time, so that nobody has to wake up for each of them.
        while batch.has_room()
            && let Some((_, pending)) = waiting
                .held
                .pop_front_if(|(until, pending)| everything || *until <= now || !pending.is_held())
        {
            if everything && pending.release() {
                batch.add(Operation::Append(pending));
            } else if !everything && pending.is_held() {
                overdue.push(pending);
            }
        }
        if !overdue.is_empty() {
            return Batch::Overdue(overdue);
        }
        waiting.release_all &= !waiting.held.is_empty();
        while batch.has_room()
            && let Some(operation) = waiting.operations.pop_front()
        {
            batch.add(operation);
        }
        match batch.operations.is_empty() {
            false => Batch::Write(batch.operations),
            true if waiting.closed => Batch::Stop,
            true => Batch::Wait(waiting.held.front().map(|(until, _)| *until)),
        }
    }

    pub(in crate::store) async fn wait(&self, until: Option<Instant>) {
        match until {
            // Either way the writer looks again.
            Some(until) => drop(tokio::time::timeout_at(until, self.changed.notified()).await),
            None => self.changed.notified().await,
        }
    }
}

/// A transaction in the making.
#[derive(Default)]
struct Transaction {
    operations: Vec<Operation>,
    bytes: usize,
}

impl Transaction {
    fn has_room(&self) -> bool {
        self.operations.len() < BATCH_OPERATIONS && self.bytes < BATCH_BYTES
    }

    fn add(&mut self, operation: Operation) {
        self.bytes += match &operation {
            Operation::Append(pending) => pending.bytes(),
            Operation::Remove(_) => 0,
            Operation::Change(change) => change.kind.bytes(),
        };
        self.operations.push(operation);
    }
}

/// An operation that comes after closing waits for nobody.
fn refuse(operation: Operation) {
    match operation {
        Operation::Append(pending) => pending.fail(&StoreError::Closed),
        Operation::Remove(removal) => removal.fail(&StoreError::Closed),
        Operation::Change(change) => change.completer.complete(Err(StoreError::Closed)),
    }
}
