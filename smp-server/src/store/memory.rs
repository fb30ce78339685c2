//! The store that keeps everything in memory and nothing for longer than the process lives.
//!
//! Locks: the index (which queues there are, under which IDs) is read by every operation and written by those that add or
//! remove an ID; each queue has a lock of its own, always taken after the index. No lock is held across an await.

mod index;
mod queue;
#[cfg(test)]
mod seam;

use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use smp_protocol::id::{MessageId, RecipientId, ServiceId};

use super::rules::{Admission, admit};
use super::{
    Accepted, Acknowledged, AfterAck, Appended, Completion, Day, LinkData, Maintenance, Message,
    MessageContent, Messages, NewMessage, NewQueue, NewService, QueueChange, QueueContent, QueueId,
    QueueRecord, QueueStatus, Queues, ServiceQueues, ServiceRole, Services, Sharing, StoreCounts, StoreError,
    StoreFuture, Swept, Updated, rules,
};
use crate::sync::{lock, read, write};
use index::Index;
use queue::Queue;

/// Keeps queues and messages in memory only. See [`Store`](super::Store).
#[derive(Debug)]
pub struct MemoryStore {
    index: RwLock<Index>,
    messages: AtomicU64,
    /// Where the sweep for expired messages goes on.
    swept: Mutex<Option<RecipientId>>,
    closed: AtomicBool,
    quota: usize,
    /// Where tests hold it up.
    #[cfg(test)]
    pub(crate) seam: seam::Seam,
}

impl MemoryStore {
    /// An empty store whose queues take `quota` messages each.
    #[must_use]
    pub fn new(quota: usize) -> Self {
        MemoryStore {
            index: RwLock::new(Index::default()),
            messages: AtomicU64::new(0),
            swept: Mutex::default(),
            closed: AtomicBool::new(false),
            quota,
            #[cfg(test)]
            seam: seam::Seam::default(),
        }
    }

    fn open(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) { Err(StoreError::Closed) } else { Ok(()) }
    }

    fn queue(&self, id: &RecipientId) -> Result<Arc<Mutex<Queue>>, StoreError> {
        self.open()?;
        read(&self.index).queues.get(id).cloned().ok_or(StoreError::NotFound)
    }

    /// Runs something on a queue that does not touch its IDs.
    fn with<T>(&self, id: &RecipientId, run: impl FnOnce(&mut Queue) -> T) -> Result<T, StoreError> {
        let queue = self.queue(id)?;
        let mut queue = lock(&queue);
        // It may have been deleted between the two locks.
        if queue.deleted { Err(StoreError::NotFound) } else { Ok(run(&mut queue)) }
    }

    fn create(&self, new: NewQueue) -> Result<Arc<QueueRecord>, StoreError> {
        self.open()?;
        if !rules::is_well_formed(&new) {
            return Err(StoreError::Refused);
        }
        let record = Arc::new(new.record);
        let queue = Queue::new(record.clone(), new.link_data);
        write(&self.index).insert(queue)?;
        Ok(record)
    }

    fn find(&self, id: QueueId<'_>) -> Result<Option<Arc<QueueRecord>>, StoreError> {
        self.open()?;
        let Some(queue) = read(&self.index).nearest(id) else { return Ok(None) };
        let queue = lock(&queue);
        Ok((!queue.deleted && id.is_of(&queue.record)).then(|| queue.record.clone()))
    }

    fn update(&self, id: &RecipientId, change: QueueChange) -> Result<Updated, StoreError> {
        self.open()?;
        let mut index = write(&self.index);
        let queue = index.queues.get(id).cloned().ok_or(StoreError::NotFound)?;
        let mut queue = lock(&queue);
        let before = queue.record.clone();
        let after = match before.changed(&change)? {
            None => before.clone(),
            Some(after) => {
                index.replace(&before, &after)?;
                Arc::new(after)
            }
        };
        queue.record = after.clone();
        match change {
            QueueChange::SetLink(_, data) => queue.link_data = Some(data),
            QueueChange::ClearLink => queue.link_data = None,
            _ => {}
        }
        Ok(Updated { before, after })
    }

    fn delete(&self, id: &RecipientId) -> Result<(Arc<QueueRecord>, usize), StoreError> {
        self.open()?;
        let mut index = write(&self.index);
        let queue = index.queues.get(id).cloned().ok_or(StoreError::NotFound)?;
        let mut queue = lock(&queue);
        queue.deleted = true;
        index.remove(&queue.record);
        let count = std::mem::take(&mut queue.messages).len();
        self.uncount(count);
        Ok((queue.record.clone(), count))
    }

    fn uncount(&self, messages: usize) {
        self.messages.fetch_sub(messages as u64, Ordering::Relaxed);
    }

    fn append_now(
        &self,
        id: &RecipientId,
        new: NewMessage,
        before: Option<u64>,
    ) -> Result<Appended, StoreError> {
        self.with(id, |queue| {
            if queue.record.status != QueueStatus::Active {
                return Appended::NotActive(queue.record.status.clone());
            }
            let expired = before.map_or(0, |before| queue.expire(before));
            self.uncount(expired);
            let admission = admit(queue.messages.len(), queue.last_kind(), self.quota);
            let content = match admission {
                Admission::Add => MessageContent::Sent { notification: new.notification, body: new.body },
                Admission::AddMarker => MessageContent::QuotaMarker,
                Admission::Refuse => return Appended::QuotaExceeded,
            };
            let message = Arc::new(Message { id: new.id, timestamp: new.timestamp, content });
            queue.messages.push_back(message.clone());
            self.messages.fetch_add(1, Ordering::Relaxed);
            if admission == Admission::AddMarker {
                return Appended::QuotaExceeded;
            }
            let kept = Completion::done();
            Appended::Accepted(Accepted { message, expired: expired as u64, kept })
        })
    }

    fn acknowledge_now(
        &self,
        id: &RecipientId,
        message: &MessageId,
        after: AfterAck,
    ) -> Result<Acknowledged, StoreError> {
        self.with(id, |queue| {
            let removed = queue.messages.pop_front_if(|first| first.id == *message);
            self.uncount(usize::from(removed.is_some()));
            Acknowledged {
                removed: removed.map(|message| message.info()),
                next: if after == AfterAck::Next { queue.messages.front().cloned() } else { None },
                durable: Completion::done(),
            }
        })
    }

    fn content(&self, id: &RecipientId) -> Result<QueueContent, StoreError> {
        self.with(id, |queue| QueueContent {
            size: queue.messages.len(),
            first: queue.messages.front().map(|message| message.info()),
        })
    }

    fn expire(&self, before: u64, limit: usize) -> Result<Swept, StoreError> {
        self.open()?;
        let mut swept = lock(&self.swept);
        let index = read(&self.index);
        let (mut removed, mut looked_at) = (0, 0);
        let start = swept.take();
        let range = (start.as_ref().map_or(Bound::Unbounded, Bound::Included), Bound::Unbounded);
        for (id, queue) in index.queues.range::<RecipientId, _>(range) {
            if looked_at >= limit.max(1) {
                *swept = Some(id.clone());
                return Ok(Swept { removed, more: true });
            }
            let mut queue = lock(queue);
            looked_at += queue.messages.len().max(1);
            let expired = queue.expire(before);
            self.uncount(expired);
            removed += expired as u64;
        }
        Ok(Swept { removed, more: false })
    }

    fn delete_idle(&self, before: Day, limit: usize) -> Result<Vec<Arc<QueueRecord>>, StoreError> {
        self.open()?;
        let idle = |queue: &Arc<Mutex<Queue>>| {
            let queue = lock(queue);
            queue.record.updated.is_some_and(|day| day < before).then(|| queue.record.recipient_id.clone())
        };
        let found: Vec<_> = read(&self.index).queues.values().filter_map(idle).take(limit).collect();
        Ok(found.iter().filter_map(|id| self.delete(id).ok()).map(|(record, _)| record).collect())
    }

    fn page(&self, after: Option<&RecipientId>, limit: usize) -> Result<Vec<Arc<QueueRecord>>, StoreError> {
        self.open()?;
        let index = read(&self.index);
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let queues = index.queues.range::<RecipientId, _>(range);
        Ok(queues.take(limit).map(|(_, queue)| lock(queue).record.clone()).collect())
    }

    fn service_page(
        &self,
        service: &ServiceId,
        role: ServiceRole,
        after: Option<&RecipientId>,
        limit: usize,
    ) -> Result<Vec<Arc<QueueRecord>>, StoreError> {
        self.open()?;
        Ok(read(&self.index).service_page(service, role, after, limit))
    }

    fn restore(&self, id: &RecipientId, messages: Vec<Message>) -> Result<(), StoreError> {
        self.with(id, |queue| {
            self.messages.fetch_add(messages.len() as u64, Ordering::Relaxed);
            queue.messages.extend(messages.into_iter().map(Arc::new));
        })
    }
}

/// Nothing here waits, but the effect comes with the first poll, as the trait says.
fn ready<'a, T: Send + 'a>(run: impl FnOnce() -> Result<T, StoreError> + Send + 'a) -> StoreFuture<'a, T> {
    Box::pin(async move { run() })
}

impl Queues for MemoryStore {
    fn create_queue(&self, queue: NewQueue) -> StoreFuture<'_, Arc<QueueRecord>> {
        ready(move || self.create(queue))
    }

    fn find_queue<'a>(&'a self, id: QueueId<'a>) -> StoreFuture<'a, Option<Arc<QueueRecord>>> {
        ready(move || self.find(id))
    }

    fn link_data<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, Option<LinkData>> {
        ready(move || self.with(queue, |queue| queue.link_data.clone()))
    }

    fn update_queue<'a>(&'a self, queue: &'a RecipientId, change: QueueChange) -> StoreFuture<'a, Updated> {
        Box::pin(async move {
            #[cfg(test)]
            self.seam.before_change().await;
            self.update(queue, change)
        })
    }

    fn delete_queue<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, (Arc<QueueRecord>, usize)> {
        ready(move || self.delete(queue))
    }

    fn queue_page<'a>(
        &'a self,
        after: Option<&'a RecipientId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Arc<QueueRecord>>> {
        ready(move || self.page(after, limit))
    }
}

impl Messages for MemoryStore {
    fn append<'a>(
        &'a self,
        queue: &'a RecipientId,
        message: NewMessage,
        expire_before: Option<u64>,
    ) -> StoreFuture<'a, Appended> {
        Box::pin(async move {
            #[cfg(test)]
            self.seam.before_append().await;
            self.append_now(queue, message, expire_before)
        })
    }

    fn first_message<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, Option<Arc<Message>>> {
        ready(move || self.with(queue, |queue| queue.messages.front().cloned()))
    }

    fn acknowledge<'a>(
        &'a self,
        queue: &'a RecipientId,
        message: &'a MessageId,
        after: AfterAck,
    ) -> StoreFuture<'a, Acknowledged> {
        ready(move || self.acknowledge_now(queue, message, after))
    }

    fn queue_content<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, QueueContent> {
        ready(move || self.content(queue))
    }

    fn messages<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, Vec<Arc<Message>>> {
        ready(move || self.with(queue, |queue| queue.messages.iter().cloned().collect()))
    }

    fn restore_messages<'a>(&'a self, queue: &'a RecipientId, messages: Vec<Message>) -> StoreFuture<'a, ()> {
        ready(move || self.restore(queue, messages))
    }
}

impl Services for MemoryStore {
    fn service(&self, service: NewService) -> StoreFuture<'_, ServiceId> {
        ready(move || {
            self.open()?;
            write(&self.index).service(service)
        })
    }

    fn find_service<'a>(
        &'a self,
        fingerprint: &'a [u8],
        role: ServiceRole,
    ) -> StoreFuture<'a, Option<ServiceId>> {
        ready(move || {
            self.open()?;
            read(&self.index).find_service(fingerprint, role)
        })
    }

    fn services(&self) -> StoreFuture<'_, Vec<NewService>> {
        ready(move || {
            self.open()?;
            Ok(read(&self.index).services())
        })
    }

    fn service_queues<'a>(
        &'a self,
        service: &'a ServiceId,
        role: ServiceRole,
    ) -> StoreFuture<'a, ServiceQueues> {
        ready(move || {
            self.open()?;
            read(&self.index).service_queues(service, role)
        })
    }

    fn service_queue_page<'a>(
        &'a self,
        service: &'a ServiceId,
        role: ServiceRole,
        after: Option<&'a RecipientId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Arc<QueueRecord>>> {
        ready(move || self.service_page(service, role, after, limit))
    }
}

impl Sharing for MemoryStore {}

impl Maintenance for MemoryStore {
    fn expire_messages(&self, before: u64, limit: usize) -> StoreFuture<'_, Swept> {
        ready(move || self.expire(before, limit))
    }

    fn delete_idle_queues(&self, before: Day, limit: usize) -> StoreFuture<'_, Vec<Arc<QueueRecord>>> {
        ready(move || self.delete_idle(before, limit))
    }

    fn counts(&self) -> StoreCounts {
        StoreCounts { messages: self.messages.load(Ordering::Relaxed), ..read(&self.index).counts() }
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        ready(move || {
            self.closed.store(true, Ordering::Release);
            Ok(())
        })
    }
}
