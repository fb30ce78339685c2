//! `Backend`: the database of an engine, as far as the engine reads it and asks for its state.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

use smp_protocol::id::{RecipientId, ServiceId};
use tokio::sync::SemaphorePermit;

use crate::store::{
    Day, LinkData, Message, MessageInfo, Neighbour, NewService, ProcessId, QueueId, QueueRecord,
    ServiceQueues, ServiceRole, StoreError, StoreLoad,
};

pub(in crate::store) type Result<T> = std::result::Result<T, StoreError>;

/// The result of a search for an ID.
#[derive(Debug)]
pub struct Nearest {
    /// The recipient ID of a queue; empty if none has an ID of that kind.
    pub(in crate::store) recipient: RecipientId,
    /// Whether it is the queue that was searched for.
    pub(in crate::store) is_it: bool,
    /// The other process that has it, dead or alive.
    pub(in crate::store) owner: Option<ProcessId>,
}

/// A queue as it is in the database.
#[derive(Debug)]
pub struct StoredQueue {
    pub(in crate::store) key: i64,
    pub(in crate::store) record: QueueRecord,
    /// Its messages in order, by key.
    pub(in crate::store) messages: VecDeque<(i64, MessageInfo)>,
}

/// Reads what was committed last.
pub trait Backend: Debug + Send + Sync + 'static {
    /// Waits for a place to search by an ID that may be invented. It is to be kept during all reads of that search.
    fn place(&self) -> impl Future<Output = Result<SemaphorePermit<'_>>> + Send;

    /// The queue with this ID, or the next one: that is the same work, also for the database.
    fn resolve(&self, id: QueueId<'_>) -> impl Future<Output = Result<Nearest>> + Send;

    /// Reads a queue that may be another process's and says nothing of it: work that a search for an unknown ID is to cost, too.
    fn read_in_vain(&self, id: &RecipientId) -> impl Future<Output = Result<()>> + Send {
        async { self.queue(id).await.map(drop) }
    }

    /// A queue and its messages, without their bodies. A queue that nobody has is this process's from now on, before its messages are read.
    ///
    /// # Errors
    /// [`StoreError::Elsewhere`] if another process has it.
    fn queue(&self, id: &RecipientId) -> impl Future<Output = Result<Option<StoredQueue>>> + Send;

    /// A message with its body.
    fn message(&self, key: i64) -> impl Future<Output = Result<Option<Message>>> + Send;

    /// The data of a queue's link.
    fn link_data(&self, queue: i64) -> impl Future<Output = Result<Option<LinkData>>> + Send;

    /// Keys and queues of messages that have expired, the oldest first.
    fn expired(
        &self,
        before: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(i64, RecipientId)>>> + Send;

    /// Queues that were not used since this day.
    fn idle(&self, before: Day, limit: usize) -> impl Future<Output = Result<Vec<RecipientId>>> + Send;

    /// See [`Queues::queue_page`](crate::store::Queues::queue_page).
    fn queue_page(
        &self,
        after: Option<&RecipientId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Arc<QueueRecord>>>> + Send;

    /// See [`Services::service_queue_page`](crate::store::Services::service_queue_page).
    fn service_queue_page(
        &self,
        service: &ServiceId,
        role: ServiceRole,
        after: Option<&RecipientId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Arc<QueueRecord>>>> + Send;

    /// ID and role of the service with this certificate.
    fn service(
        &self,
        fingerprint: &[u8],
    ) -> impl Future<Output = Result<Option<(ServiceId, ServiceRole)>>> + Send;

    /// All services, in the order of their IDs.
    fn services(&self) -> impl Future<Output = Result<Vec<NewService>>> + Send;

    /// The queues of a service, if it exists in this role.
    fn service_queues(
        &self,
        service: &ServiceId,
        role: ServiceRole,
    ) -> impl Future<Output = Result<Option<ServiceQueues>>> + Send;

    /// The text that the store was told of the relay's clock.
    fn clock(&self) -> impl Future<Output = Result<String>> + Send;

    /// This process, if it shares the database with others.
    fn process(&self) -> Option<ProcessId> {
        None
    }

    /// The other processes that were alive a moment ago.
    fn neighbours(&self) -> Vec<Neighbour> {
        Vec::new()
    }

    /// Whether messages are refused, for want of space.
    fn refuses_messages(&self) -> bool {
        false
    }

    /// Whether new queues are refused, for want of space.
    fn refuses_queues(&self) -> bool {
        false
    }

    /// Whether a message that is in the database was removed.
    fn is_removed(&self, _message: i64) -> bool {
        false
    }

    /// Sizes in the database, and whether it is full; what waits for it is the engine's.
    fn load(&self) -> StoreLoad;

    /// Closes the connections that read.
    fn close(&self) -> impl Future<Output = ()> + Send;
}
