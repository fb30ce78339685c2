//! The queues in use. Everything else is on disk only.
//!
//! A queue has at most one [`Active`] at a time, found by its recipient ID: that is what makes its lock a lock. One that
//! nobody holds can go at any time, since what it says is on disk. The clock algorithm chooses which goes.

use std::collections::{HashMap, VecDeque, hash_map::Entry};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use smp_protocol::id::{EntityId, LinkId, NotifierId, RecipientId, SenderId};

use super::queue::{Active, State};
use crate::store::{QueueId, QueueRecord};
use crate::sync::lock;

/// Memory of a queue in use and of each of its messages without its body, roughly.
const QUEUE_COST: usize = 1200;
const MESSAGE_COST: usize = 112;
/// How many queues are looked at to find one that can go.
const CLOCK_STEPS: usize = 8;
/// How many queues that have gone may be in the clock besides.
const CLOCK_SLACK: usize = 1024;
/// How many IDs are remembered that the disk was asked for in vain. Without that, asking twice for the same ID would tell by
/// the time it takes whether there is such a queue: only an existing one would be in memory the second time.
const REFUSED_IDS: usize = 16_384;

#[derive(Debug)]
pub(in crate::store) struct Cache {
    inner: Mutex<Inner>,
    /// Messages listed in the queues in use.
    pub(in crate::store) messages: AtomicUsize,
    capacity: usize,
    /// Whether nobody else makes queues: only then can it be remembered that there is none.
    remembers_absent: bool,
}

#[derive(Debug, Default)]
struct Inner {
    queues: HashMap<RecipientId, Arc<Active>>,
    senders: HashMap<SenderId, RecipientId>,
    notifiers: HashMap<NotifierId, RecipientId>,
    links: HashMap<LinkId, RecipientId>,
    /// All keys of `queues`, and maybe some that have gone.
    clock: VecDeque<RecipientId>,
    refused: Refused,
}

/// IDs that the disk was asked for, but that gave nobody a queue. Both reasons share the places, so that neither is
/// forgotten sooner.
#[derive(Debug, Default)]
struct Refused {
    ids: HashMap<(Kind, EntityId), Reason>,
    order: VecDeque<(Kind, EntityId)>,
    /// Changes whenever an ID may have come into use.
    generation: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The ID belongs to no queue.
    Absent,
    /// A command about the queue was not authorized.
    NotAuthorized,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Recipient,
    Sender,
    Notifier,
    Link,
}

fn id_key(id: QueueId<'_>) -> (Kind, EntityId) {
    match id {
        QueueId::Recipient(id) => (Kind::Recipient, id.into()),
        QueueId::Sender(id) => (Kind::Sender, id.into()),
        QueueId::Notifier(id) => (Kind::Notifier, id.into()),
        QueueId::Link(id) => (Kind::Link, id.into()),
    }
}

/// Knowledge of the memory about an ID.
pub(in crate::store) enum Known {
    /// Its queue, or what was its queue until a moment ago.
    Queue(Arc<Active>),
    /// The recipient ID of its queue, which is not in memory.
    Recipient(RecipientId),
    /// There is no such queue.
    Absent,
    /// Nothing. The number is for [`Cache::note_absent`].
    Nothing(u64),
}

impl Cache {
    pub(in crate::store) fn new(capacity: usize, remembers_absent: bool) -> Self {
        Cache { inner: Mutex::default(), messages: AtomicUsize::new(0), capacity, remembers_absent }
    }

    pub(in crate::store) fn look_up(&self, id: QueueId<'_>) -> Known {
        let inner = lock(&self.inner);
        let found = match id {
            QueueId::Recipient(id) => inner.queues.contains_key(id).then_some(id),
            QueueId::Sender(id) => inner.senders.get(id),
            QueueId::Notifier(id) => inner.notifiers.get(id),
            QueueId::Link(id) => inner.links.get(id),
        };
        match found {
            Some(recipient) => match inner.active(recipient) {
                Some(active) => Known::Queue(active),
                None => Known::Recipient(recipient.clone()),
            },
            None if inner.refused.ids.get(&id_key(id)) == Some(&Reason::Absent) => Known::Absent,
            None => Known::Nothing(inner.refused.generation),
        }
    }

    /// The number for [`Cache::note_absent`] when an ID was found to be unknown without a look here.
    pub(in crate::store) fn generation(&self) -> u64 {
        lock(&self.inner).refused.generation
    }

    /// Messages of a queue were listed.
    pub(in crate::store) fn loaded(&self, messages: usize) {
        self.messages.fetch_add(messages, Ordering::Relaxed);
    }

    /// Remembers that an ID belongs to no queue, as was found on disk after [`Known::Nothing`].
    pub(in crate::store) fn note_absent(&self, id: QueueId<'_>, generation: u64) {
        let refused = &mut lock(&self.inner).refused;
        if self.remembers_absent && refused.generation == generation {
            refused.note(id, Reason::Absent);
        }
    }

    /// Any queue in use, another one for another ID.
    pub(in crate::store) fn another(&self, id: QueueId<'_>) -> Option<Arc<Active>> {
        let inner = lock(&self.inner);
        let start = id_key(id).1.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        let place = start.checked_rem(inner.clock.len() as u64)?;
        inner.queues.get(inner.clock.get(usize::try_from(place).ok()?)?).cloned()
    }

    /// Remembers that a command was refused. Returns whether that is new.
    pub(in crate::store) fn note_refused(&self, id: QueueId<'_>) -> bool {
        !self.remembers_absent || lock(&self.inner).refused.note(id, Reason::NotAuthorized)
    }

    /// The queue in use with this recipient ID; makes an empty one if there is none.
    pub(in crate::store) fn queue(&self, id: &RecipientId) -> Arc<Active> {
        let mut inner = lock(&self.inner);
        inner.active(id).unwrap_or_else(|| self.add(&mut inner, id))
    }

    /// As [`Cache::queue`], unless it is remembered that there is no such queue.
    pub(in crate::store) fn queue_unless_absent(&self, id: &RecipientId) -> Option<Arc<Active>> {
        let mut inner = lock(&self.inner);
        if let Some(active) = inner.active(id) {
            return Some(active);
        }
        let is_absent = inner.refused.ids.get(&id_key(QueueId::Recipient(id))) == Some(&Reason::Absent);
        (!is_absent).then(|| self.add(&mut inner, id))
    }

    fn add(&self, inner: &mut Inner, id: &RecipientId) -> Arc<Active> {
        let active = Arc::new(Active::new(id.clone()));
        inner.queues.insert(id.clone(), active.clone());
        inner.clock.push_back(id.clone());
        self.make_room(inner);
        active
    }

    /// Enters the IDs of a queue that was loaded or created.
    pub(in crate::store) fn enter(&self, record: &QueueRecord) {
        let mut inner = lock(&self.inner);
        inner.senders.insert(record.sender_id.clone(), record.recipient_id.clone());
        inner.enter_changing_ids(record);
    }

    /// Notes that IDs of this queue have come into use.
    pub(in crate::store) fn appeared(&self, record: &QueueRecord) {
        let mut inner = lock(&self.inner);
        inner.refused.generation += 1;
        inner.forget_absent(QueueId::Recipient(&record.recipient_id));
        inner.forget_absent(QueueId::Sender(&record.sender_id));
        if let Some(notifier) = &record.notifier {
            inner.forget_absent(QueueId::Notifier(&notifier.id));
        }
        if let Some(link) = &record.link {
            inner.forget_absent(QueueId::Link(&link.id));
        }
    }

    /// Replaces the IDs that a change can replace.
    pub(in crate::store) fn replace(&self, before: &QueueRecord, after: &QueueRecord) {
        let mut inner = lock(&self.inner);
        inner.remove_changing_ids(before);
        inner.enter_changing_ids(after);
    }

    /// Forgets the IDs of a queue that another process has from now on.
    pub(in crate::store) fn forget_ids(&self, record: &QueueRecord) {
        lock(&self.inner).remove_ids(record);
    }

    /// Takes a queue out that does not exist (any more).
    pub(in crate::store) fn remove(&self, active: &Arc<Active>, record: Option<&QueueRecord>) {
        let mut inner = lock(&self.inner);
        if inner.queues.get(&active.recipient_id).is_some_and(|found| Arc::ptr_eq(found, active)) {
            inner.queues.remove(&active.recipient_id);
        }
        if let Some(record) = record {
            inner.remove_ids(record);
        }
        inner.tidy_clock();
    }

    fn is_full(&self, inner: &Inner) -> bool {
        inner.queues.len() * QUEUE_COST + self.messages.load(Ordering::Relaxed) * MESSAGE_COST > self.capacity
    }

    fn make_room(&self, inner: &mut Inner) {
        for _ in 0..CLOCK_STEPS {
            if !self.is_full(inner) {
                return;
            }
            let Some(id) = inner.clock.pop_front() else { return };
            let Some(active) = inner.queues.get(&id) else { continue };
            // Nobody can get hold of it while the map is locked. An operation that waits for the disk holds it.
            if active.take_used() || Arc::strong_count(active) > 1 {
                inner.clock.push_back(id);
                continue;
            }
            let Some(active) = inner.queues.remove(&id) else { continue };
            if let State::Loaded(queue) = &*lock(&active.state) {
                self.messages.fetch_sub(queue.len(), Ordering::Relaxed);
                let record = queue.record.clone();
                inner.remove_ids(&record);
            }
        }
    }

    /// How many queues are in use.
    #[cfg(test)]
    pub(in crate::store) fn len(&self) -> usize {
        lock(&self.inner).queues.len()
    }

    /// How many entries there are of any kind, also of queues that do not exist.
    #[cfg(test)]
    pub(in crate::store) fn entries(&self) -> usize {
        let inner = lock(&self.inner);
        let maps = inner.queues.len() + inner.senders.len() + inner.notifiers.len() + inner.links.len();
        maps + inner.clock.len() + inner.refused.order.len()
    }
}

impl Inner {
    fn active(&self, id: &RecipientId) -> Option<Arc<Active>> {
        let active = self.queues.get(id)?;
        active.mark_used();
        Some(active.clone())
    }

    fn enter_changing_ids(&mut self, record: &QueueRecord) {
        if let Some(notifier) = &record.notifier {
            self.notifiers.insert(notifier.id.clone(), record.recipient_id.clone());
        }
        if let Some(link) = &record.link {
            self.links.insert(link.id.clone(), record.recipient_id.clone());
        }
    }

    fn remove_changing_ids(&mut self, record: &QueueRecord) {
        if let Some(notifier) = &record.notifier {
            self.notifiers.remove(&notifier.id);
        }
        if let Some(link) = &record.link {
            self.links.remove(&link.id);
        }
    }

    fn remove_ids(&mut self, record: &QueueRecord) {
        self.senders.remove(&record.sender_id);
        self.remove_changing_ids(record);
    }

    /// Drops queues that have gone, when there are as many of them as of others.
    fn tidy_clock(&mut self) {
        if self.clock.len() > 2 * self.queues.len() + CLOCK_SLACK {
            let queues = &self.queues;
            self.clock.retain(|id| queues.contains_key(id));
        }
    }

    fn forget_absent(&mut self, id: QueueId<'_>) {
        self.refused.ids.remove(&id_key(id));
    }
}

impl Refused {
    /// Returns whether the ID is new.
    fn note(&mut self, id: QueueId<'_>, reason: Reason) -> bool {
        match self.ids.entry(id_key(id)) {
            Entry::Occupied(mut known) => {
                if reason == Reason::Absent {
                    known.insert(reason);
                }
                return false;
            }
            Entry::Vacant(free) => free.insert(reason),
        };
        self.order.push_back(id_key(id));
        while self.order.len() > REFUSED_IDS {
            let Some(oldest) = self.order.pop_front() else { break };
            self.ids.remove(&oldest);
        }
        true
    }
}
