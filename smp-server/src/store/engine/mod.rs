//! The engine of a store in a database of which this process is the only user: queues in use in memory, and group commit.
//!
//! ```text
//!  commands ──► operations ──► active (queues in use, one lock each) ──► write_queue ──► writer ──► database
//!                   │                        ▲  roll back on failure ◄─────────────────┘          │
//!                   └────── backend ─────────┴───────────── load on demand ◄──────────────────────┘
//! ```
//!
//! * `cache` holds the queues in use, and evicts those that nobody uses; a queue not in use takes no memory at all.
//! * `queue` is one queue in memory, and `active` has its rules. Appending and removing messages happens there first; records change there only
//!   when they have changed in the database.
//! * `write_queue` and `writing` are the group commit; the writer itself is the database's. A message that is acknowledged before the writer takes
//!   it up is never written. If writing fails, the queues concerned are dropped from memory and loaded again from the database when they are
//!   next used, so that the two cannot disagree.
//! * `recent` keeps bodies that were just written; other bodies are read when they are delivered.
//! * `backend` is what a database does for it, and `rows` how records look in any of them.
//!
//! # Acknowledgements
//!
//! The removal of a message that is in the database is written like a message, in the next group, and
//! [`Acknowledged::durable`](super::Acknowledged::durable) resolves when it is. The protocol would allow to answer
//! sooner and to deliver again after a crash. Waiting costs a recipient who drains a long queue one group commit per message;
//! the commits are shared with all other queues, and recipients who are online mostly acknowledge what was never
//! written. For that price nothing is delivered twice by a relay that was killed.

mod active;
pub(in crate::store) mod backend;
pub(in crate::store) mod cache;
mod limits;
mod operations;
pub(in crate::store) mod queue;
mod recent;
pub(in crate::store) mod rows;
pub(in crate::store) mod shared;
pub(in crate::store) mod write_queue;
pub(in crate::store) mod writing;

#[cfg(test)]
pub(in crate::store) mod seam;

use std::sync::{Arc, Mutex};

use smp_protocol::id::{MessageId, RecipientId, ServiceId};
use tokio::task::JoinHandle;

use super::{
    Acknowledged, AfterAck, Appended, Day, LinkData, LookedUp, Maintenance, Message, Messages, Neighbour,
    NewMessage, NewQueue, NewService, ProcessId, QueueChange, QueueContent, QueueId, QueueRecord, Queues,
    ServiceQueues, ServiceRole, Services, Sharing, StoreCounts, StoreError, StoreFuture, StoreLoad, Swept,
    Updated,
};
use crate::sync::lock;
use backend::Backend;
pub use limits::EngineLimits;
use shared::Shared;

/// Keeps queues and messages in a database. See [`Store`](super::Store).
///
/// Call [`Maintenance::close`] in the end: dropping also writes what was accepted, but nobody knows when it is done.
#[derive(Debug)]
pub struct Engine<B> {
    pub(in crate::store) shared: Arc<Shared>,
    pub(in crate::store) backend: B,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl<B: Backend> Engine<B> {
    /// An engine whose writer runs already.
    pub(in crate::store) fn new(shared: Arc<Shared>, backend: B, writer: JoinHandle<()>) -> Self {
        Engine { shared, backend, writer: Mutex::new(Some(writer)) }
    }

    async fn close_now(&self) -> Result<(), StoreError> {
        self.shared.close();
        let writer = lock(&self.writer).take();
        // Readers first: the last connection to close tidies up, and that is to be the writer's.
        self.backend.close().await;
        if let Some(writer) = writer {
            // It does not panic, and who aborts it does not close.
            let _ = writer.await;
        }
        Ok(())
    }
}

impl<B> Drop for Engine<B> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl<B: Backend> Queues for Engine<B> {
    fn create_queue(&self, queue: NewQueue) -> StoreFuture<'_, Arc<QueueRecord>> {
        Box::pin(self.create(queue))
    }

    fn find_queue<'a>(&'a self, id: QueueId<'a>) -> StoreFuture<'a, Option<Arc<QueueRecord>>> {
        Box::pin(async move { Ok(self.find(id).await?.queue) })
    }

    fn look_up<'a>(&'a self, id: QueueId<'a>) -> StoreFuture<'a, LookedUp> {
        Box::pin(self.find(id))
    }

    fn refuse<'a>(&'a self, id: QueueId<'a>, looked_up: LookedUp) -> StoreFuture<'a, ()> {
        Box::pin(self.read_as_unknown(id, looked_up.asked_disk))
    }

    fn link_data<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, Option<LinkData>> {
        Box::pin(self.read_link_data(queue))
    }

    fn update_queue<'a>(&'a self, queue: &'a RecipientId, change: QueueChange) -> StoreFuture<'a, Updated> {
        Box::pin(self.update(queue, change))
    }

    fn delete_queue<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, (Arc<QueueRecord>, usize)> {
        Box::pin(self.delete(queue))
    }

    fn queue_page<'a>(
        &'a self,
        after: Option<&'a RecipientId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Arc<QueueRecord>>> {
        Box::pin(self.backend.queue_page(after, limit))
    }
}

impl<B: Backend> Messages for Engine<B> {
    fn append<'a>(
        &'a self,
        queue: &'a RecipientId,
        message: NewMessage,
        expire_before: Option<u64>,
    ) -> StoreFuture<'a, Appended> {
        Box::pin(self.append_message(queue, message, expire_before))
    }

    fn first_message<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, Option<Arc<Message>>> {
        Box::pin(self.first(queue))
    }

    fn acknowledge<'a>(
        &'a self,
        queue: &'a RecipientId,
        message: &'a MessageId,
        after: AfterAck,
    ) -> StoreFuture<'a, Acknowledged> {
        Box::pin(self.acknowledge_message(queue, message, after))
    }

    fn queue_content<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, QueueContent> {
        Box::pin(self.content(queue))
    }

    fn messages<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, Vec<Arc<Message>>> {
        Box::pin(self.all_messages(queue))
    }

    fn restore_messages<'a>(&'a self, queue: &'a RecipientId, messages: Vec<Message>) -> StoreFuture<'a, ()> {
        Box::pin(self.restore(queue, messages))
    }
}

impl<B: Backend> Services for Engine<B> {
    fn service(&self, service: NewService) -> StoreFuture<'_, ServiceId> {
        Box::pin(self.find_or_create_service(service))
    }

    fn find_service<'a>(
        &'a self,
        fingerprint: &'a [u8],
        role: ServiceRole,
    ) -> StoreFuture<'a, Option<ServiceId>> {
        Box::pin(self.find_service_id(fingerprint, role))
    }

    fn services(&self) -> StoreFuture<'_, Vec<NewService>> {
        Box::pin(self.backend.services())
    }

    fn service_queues<'a>(
        &'a self,
        service: &'a ServiceId,
        role: ServiceRole,
    ) -> StoreFuture<'a, ServiceQueues> {
        Box::pin(self.read_service_queues(service, role))
    }

    fn service_queue_page<'a>(
        &'a self,
        service: &'a ServiceId,
        role: ServiceRole,
        after: Option<&'a RecipientId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Arc<QueueRecord>>> {
        Box::pin(self.backend.service_queue_page(service, role, after, limit))
    }
}

impl<B: Backend> Sharing for Engine<B> {
    fn process(&self) -> Option<ProcessId> {
        self.backend.process()
    }

    fn neighbours(&self) -> Vec<Neighbour> {
        self.backend.neighbours()
    }

    fn is_at_hand(&self, id: QueueId<'_>) -> bool {
        self.has_at_hand(id)
    }

    fn locate<'a>(&'a self, id: QueueId<'a>) -> StoreFuture<'a, Option<ProcessId>> {
        Box::pin(self.find_owner(id))
    }

    fn give_away<'a>(&'a self, queue: &'a RecipientId, to: ProcessId) -> StoreFuture<'a, ()> {
        Box::pin(self.give(queue, to))
    }
}

impl<B: Backend> Maintenance for Engine<B> {
    fn expire_messages(&self, before: u64, limit: usize) -> StoreFuture<'_, Swept> {
        Box::pin(self.expire(before, limit))
    }

    fn delete_idle_queues(&self, before: Day, limit: usize) -> StoreFuture<'_, Vec<Arc<QueueRecord>>> {
        Box::pin(self.delete_idle(before, limit))
    }

    fn saved_clock(&self) -> StoreFuture<'_, String> {
        Box::pin(self.backend.clock())
    }

    fn save_clock(&self, text: String) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.shared.write_queue.change(write_queue::ChangeKind::Clock(text), None, None).await
        })
    }

    fn counts(&self) -> StoreCounts {
        self.shared.counts.get()
    }

    fn load(&self) -> StoreLoad {
        StoreLoad {
            waiting_operations: self.shared.write_queue.waiting() as u64,
            waiting_bytes: self.shared.waiting_bytes(),
            ..self.backend.load()
        }
    }

    fn failed(&self) -> StoreFuture<'_, ()> {
        Box::pin(async {
            self.shared.writer_died.cancelled().await;
            Ok(())
        })
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.close_now())
    }

    fn abandon(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let writer = lock(&self.writer).take();
            if let Some(writer) = writer {
                writer.abort();
                // Cancelled, or just finished.
                let _ = writer.await;
            }
            self.shared.close();
            self.backend.close().await;
            Ok(())
        })
    }
}
