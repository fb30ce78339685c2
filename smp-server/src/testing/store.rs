//! `Faulty`: a store in memory that hangs or panics where a test wants it to.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use smp_protocol::id::{MessageId, RecipientId, ServiceId};
use tokio::sync::Semaphore;

use crate::store::{
    Acknowledged, AfterAck, Appended, Day, LinkData, LookedUp, MemoryStore, Message, NewMessage, NewQueue,
    NewService, QueueChange, QueueContent, QueueId, QueueRecord, ServiceQueues, ServiceRole, Store,
    StoreCounts, StoreFuture, SweepPosition, Swept, Updated,
};

/// Keeps in memory what it is given, if it does anything.
pub(crate) struct Faulty {
    store: MemoryStore,
    /// Changes of queues wait for one of these.
    pub(crate) changes: Semaphore,
    /// Whether the next message kills whoever sends it, after it was waited for.
    pub(crate) is_deadly: AtomicBool,
}

impl Faulty {
    /// Does all it is asked for, except changes of queues.
    pub(crate) fn new() -> Arc<Self> {
        let (changes, is_deadly) = (Semaphore::new(0), AtomicBool::new(false));
        Arc::new(Self { store: MemoryStore::new(4), changes, is_deadly })
    }
}

impl Store for Faulty {
    fn create_queue(&self, queue: NewQueue) -> StoreFuture<'_, Arc<QueueRecord>> {
        self.store.create_queue(queue)
    }

    fn find_queue<'a>(&'a self, id: QueueId<'a>) -> StoreFuture<'a, Option<Arc<QueueRecord>>> {
        self.store.find_queue(id)
    }

    fn look_up<'a>(&'a self, id: QueueId<'a>) -> StoreFuture<'a, LookedUp> {
        self.store.look_up(id)
    }

    fn refuse<'a>(&'a self, id: QueueId<'a>, asked_disk: bool) -> StoreFuture<'a, ()> {
        self.store.refuse(id, asked_disk)
    }

    fn link_data<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, Option<LinkData>> {
        self.store.link_data(queue)
    }

    fn update_queue<'a>(&'a self, queue: &'a RecipientId, change: QueueChange) -> StoreFuture<'a, Updated> {
        Box::pin(async {
            self.changes.acquire().await.unwrap().forget();
            self.store.update_queue(queue, change).await
        })
    }

    fn delete_queue<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, (Arc<QueueRecord>, usize)> {
        self.store.delete_queue(queue)
    }

    fn append<'a>(
        &'a self,
        queue: &'a RecipientId,
        message: NewMessage,
        expire_before: Option<u64>,
    ) -> StoreFuture<'a, Appended> {
        Box::pin(async move {
            if self.is_deadly.swap(false, Ordering::Relaxed) {
                tokio::task::yield_now().await;
                panic!("a mistake in the relay");
            }
            self.store.append(queue, message, expire_before).await
        })
    }

    fn first_message<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, Option<Arc<Message>>> {
        self.store.first_message(queue)
    }

    fn acknowledge<'a>(
        &'a self,
        queue: &'a RecipientId,
        message: &'a MessageId,
        after: AfterAck,
    ) -> StoreFuture<'a, Acknowledged> {
        self.store.acknowledge(queue, message, after)
    }

    fn queue_content<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, QueueContent> {
        self.store.queue_content(queue)
    }

    fn expire_messages(&self, before: u64, from: SweepPosition, limit: usize) -> StoreFuture<'_, Swept> {
        self.store.expire_messages(before, from, limit)
    }

    fn delete_idle_queues(&self, before: Day, limit: usize) -> StoreFuture<'_, Vec<Arc<QueueRecord>>> {
        self.store.delete_idle_queues(before, limit)
    }

    fn service(&self, service: NewService) -> StoreFuture<'_, ServiceId> {
        self.store.service(service)
    }

    fn find_service<'a>(
        &'a self,
        fingerprint: &'a [u8],
        role: ServiceRole,
    ) -> StoreFuture<'a, Option<ServiceId>> {
        self.store.find_service(fingerprint, role)
    }

    fn service_queues<'a>(
        &'a self,
        service: &'a ServiceId,
        role: ServiceRole,
    ) -> StoreFuture<'a, ServiceQueues> {
        self.store.service_queues(service, role)
    }

    fn service_queue_page<'a>(
        &'a self,
        service: &'a ServiceId,
        role: ServiceRole,
        after: Option<&'a RecipientId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Arc<QueueRecord>>> {
        self.store.service_queue_page(service, role, after, limit)
    }

    fn queue_page<'a>(
        &'a self,
        after: Option<&'a RecipientId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Arc<QueueRecord>>> {
        self.store.queue_page(after, limit)
    }

    fn messages<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, Vec<Arc<Message>>> {
        self.store.messages(queue)
    }

    fn restore_messages<'a>(&'a self, queue: &'a RecipientId, messages: Vec<Message>) -> StoreFuture<'a, ()> {
        self.store.restore_messages(queue, messages)
    }

    fn counts(&self) -> StoreCounts {
        self.store.counts()
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.store.close()
    }
}
