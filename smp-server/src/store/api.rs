//! The operations of a store, and what they return: [`Store`] is all of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use smp_protocol::id::{MessageId, RecipientId, ServiceId};

use super::change::{QueueChange, Updated};
use super::error::StoreError;
use super::message::{Acknowledged, AfterAck, Appended, Message, NewMessage, QueueContent};
use super::process::{Neighbour, ProcessId};
use super::record::{Day, LinkData, NewQueue, QueueId, QueueRecord};
use super::service::{NewService, ServiceQueues, ServiceRole};

/// Messages that a queue takes before it is full, unless configured otherwise.
pub const DEFAULT_QUOTA: usize = 128;

/// Result of a store operation.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Everything that a relay keeps. Used as `Arc<dyn Store>`.
///
/// Every operation can also fail with [`StoreError::Unavailable`] or [`StoreError::Closed`].
pub trait Store: Queues + Messages + Services + Maintenance + Sharing + 'static {}

impl<T: Queues + Messages + Services + Maintenance + Sharing + 'static> Store for T {}

/// Queues: their records, and the data of their links.
pub trait Queues: Send + Sync {
    /// Creates a queue.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] if one of its IDs is taken.
    fn create_queue(&self, queue: NewQueue) -> StoreFuture<'_, Arc<QueueRecord>>;

    /// Looks a queue up by one of its IDs; `None` if there is none. An ID of another kind finds nothing.
    fn find_queue<'a>(&'a self, id: QueueId<'a>) -> StoreFuture<'a, Option<Arc<QueueRecord>>>;

    /// [`Queues::find_queue`] for a command that may be refused.
    fn look_up<'a>(&'a self, id: QueueId<'a>) -> StoreFuture<'a, LookedUp> {
        Box::pin(async move { Ok(LookedUp { queue: self.find_queue(id).await?, asked_disk: false }) })
    }

    /// Performs the work that [`Queues::look_up`] does for an unknown ID and this lookup did not do, so that the time of a
    /// refusal does not reveal whether the ID exists. To be awaited before each refusal, whether a queue was found or not.
    /// A store that looks all IDs up in the same way has nothing to do.
    fn refuse<'a>(&'a self, _: QueueId<'a>, _: LookedUp) -> StoreFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    /// The data of a queue's short link; `None` if it has none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such queue.
    fn link_data<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, Option<LinkData>>;

    /// Changes a queue's record. Returns the record before and after.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such queue, [`StoreError::Refused`] or [`StoreError::Duplicate`] as
    /// [`QueueChange`] says, [`StoreError::NotFound`] also for a service that does not exist.
    fn update_queue<'a>(&'a self, queue: &'a RecipientId, change: QueueChange) -> StoreFuture<'a, Updated>;

    /// Deletes a queue with its messages. Returns its last record and how many messages it had.
    /// Messages that were still waiting to be durable resolve as kept.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such queue.
    fn delete_queue<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, (Arc<QueueRecord>, usize)>;

    /// All queues, `limit` at most, in the order of their recipient IDs, after the given one. For export and import.
    fn queue_page<'a>(
        &'a self,
        after: Option<&'a RecipientId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Arc<QueueRecord>>>;
}

/// Messages of queues.
pub trait Messages: Send + Sync {
    /// Appends a message, after removing those of this queue that were accepted before `expire_before` (seconds since
    /// 1970).
    ///
    /// A queue accepts messages until it holds as many as its quota. The next one is refused and a quota marker takes
    /// its place (with its ID and time); from then on all are refused until the recipient has drained the queue.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such queue.
    fn append<'a>(
        &'a self,
        queue: &'a RecipientId,
        message: NewMessage,
        expire_before: Option<u64>,
    ) -> StoreFuture<'a, Appended>;

    /// The first message of a queue.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such queue.
    fn first_message<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, Option<Arc<Message>>>;

    /// Removes the first message of a queue if it has this ID.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such queue.
    fn acknowledge<'a>(
        &'a self,
        queue: &'a RecipientId,
        message: &'a MessageId,
        after: AfterAck,
    ) -> StoreFuture<'a, Acknowledged>;

    /// Size and first message of a queue.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such queue.
    fn queue_content<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, QueueContent>;

    /// All messages of a queue, in order. For export and import.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such queue.
    fn messages<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, Vec<Arc<Message>>>;

    /// Puts messages behind those of a queue as they are, without looking at quota or status. For import.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such queue.
    fn restore_messages<'a>(&'a self, queue: &'a RecipientId, messages: Vec<Message>) -> StoreFuture<'a, ()>;
}

/// Services, and which queues are theirs.
pub trait Services: Send + Sync {
    /// The ID of the service with this certificate; creates the service if the certificate is new.
    ///
    /// # Errors
    /// [`StoreError::ServiceRole`] if the service has another role, [`StoreError::Duplicate`] if the new ID is taken.
    fn service(&self, service: NewService) -> StoreFuture<'_, ServiceId>;

    /// The ID of the service with this certificate, if it was created.
    ///
    /// # Errors
    /// [`StoreError::ServiceRole`] if the service has another role.
    fn find_service<'a>(
        &'a self,
        fingerprint: &'a [u8],
        role: ServiceRole,
    ) -> StoreFuture<'a, Option<ServiceId>>;

    /// All services, in the order of their IDs. For copies of a store.
    fn services(&self) -> StoreFuture<'_, Vec<NewService>>;

    /// How many queues a service has, and the hash of their IDs.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such service of this role.
    fn service_queues<'a>(
        &'a self,
        service: &'a ServiceId,
        role: ServiceRole,
    ) -> StoreFuture<'a, ServiceQueues>;

    /// Queues of a service, `limit` at most, in the order of their recipient IDs, after the given one.
    fn service_queue_page<'a>(
        &'a self,
        service: &'a ServiceId,
        role: ServiceRole,
        after: Option<&'a RecipientId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Arc<QueueRecord>>>;
}

/// The store as a whole: what is old, how much there is, the beginning and the end.
pub trait Maintenance: Send + Sync {
    /// Removes messages accepted before `before` (seconds since 1970), wherever they are in their queues. Looks at `limit`
    /// messages at most: call again as long as there are more, in one task. Quota markers stay, so that the recipient learns that
    /// messages were refused.
    fn expire_messages(&self, before: u64, limit: usize) -> StoreFuture<'_, Swept>;

    /// Deletes up to `limit` queues that were last used before `before` (a queue without a date counts as used today).
    /// Returns their records; fewer than `limit` means that there are no more, or that some are damaged.
    fn delete_idle_queues(&self, before: Day, limit: usize) -> StoreFuture<'_, Vec<Arc<QueueRecord>>>;

    /// The text that [`Maintenance::save_clock`] was told last, over restarts; empty if it never was.
    fn saved_clock(&self) -> StoreFuture<'_, String> {
        Box::pin(async { Ok(String::new()) })
    }

    /// Keeps a line of text about the relay's clock. A store whose content ends with the process need not.
    fn save_clock(&self, _: String) -> StoreFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// How much the store holds.
    fn counts(&self) -> StoreCounts;

    /// The load of the store, for statistics.
    fn load(&self) -> StoreLoad {
        StoreLoad::default()
    }

    /// Resolves if the store can do nothing any more, because a part of it has died; never if it is closed.
    fn failed(&self) -> StoreFuture<'_, ()> {
        Box::pin(std::future::pending())
    }

    /// Writes what is accepted, then refuses everything with [`StoreError::Closed`]. Resolves when the files are closed.
    fn close(&self) -> StoreFuture<'_, ()>;

    /// Stops without writing what waits, as if the process had died; what waits for that never resolves. For tests.
    fn abandon(&self) -> StoreFuture<'_, ()> {
        self.close()
    }
}

/// The part of a store that other processes of the same relay have. One that a process has alone has none: the defaults say so.
///
/// Invariant: a queue that is in the memory of a process is that process's, and stays so until it gives the queue away
/// ([`Sharing::give_away`]), closes the store, or is dead.
pub trait Sharing: Send + Sync {
    /// This process, if there can be others.
    fn process(&self) -> Option<ProcessId> {
        None
    }

    /// The others that were alive a moment ago.
    fn neighbours(&self) -> Vec<Neighbour> {
        Vec::new()
    }

    /// Whether memory has the queue with this ID, so that it is this process's.
    fn is_at_hand(&self, _: QueueId<'_>) -> bool {
        true
    }

    /// The process that was seen to have the queue with this ID; `None` if it is this one, or nobody. An ID of no queue belongs to the
    /// process that has the next queue: so it takes as long to be refused as one of a queue does.
    fn locate<'a>(&'a self, _: QueueId<'a>) -> StoreFuture<'a, Option<ProcessId>> {
        Box::pin(async { Ok(None) })
    }

    /// Writes what waits of a queue, forgets it, and gives it to another process. From then on everything about it is
    /// [`StoreError::Elsewhere`] here.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such queue.
    fn give_away<'a>(&'a self, _: &'a RecipientId, _: ProcessId) -> StoreFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// Result of a search, and what it cost.
#[derive(Debug, Clone)]
pub struct LookedUp {
    /// The queue, if there is one.
    pub queue: Option<Arc<QueueRecord>>,
    /// Whether memory did not have the answer.
    pub asked_disk: bool,
}

/// How much a store holds, for statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreCounts {
    /// Queues.
    pub queues: u64,
    /// Queues that have a notifier.
    pub notifiers: u64,
    /// Messages, quota markers included.
    pub messages: u64,
    /// Services for messages.
    pub messaging_services: u64,
    /// Services for notifications.
    pub notifier_services: u64,
}

/// Sizes of what waits for the disk and of the files on it; all zero for a store without a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreLoad {
    /// Operations that wait to be written.
    pub waiting_operations: u64,
    /// Bytes of message bodies that wait to be written, or for an acknowledgement that makes that needless.
    pub waiting_bytes: u64,
    /// Size of the files, in bytes.
    pub disk_bytes: u64,
    /// Free bytes on the disk that they are on, if the system says.
    pub free_bytes: Option<u64>,
    /// Whether messages and new queues are refused because the disk is full.
    pub is_full: bool,
    /// Bytes that have to be freed until it is not full any more.
    pub to_be_freed: u64,
    /// Whether the database did not answer when it was asked last.
    pub is_out_of_reach: bool,
    /// Removals of acknowledged messages that could not be written; if the process dies, these are delivered once more.
    pub unwritten_removals: u64,
}

/// Result of one step of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Messages that were removed.
    pub removed: u64,
    /// Whether there is more to look at; if not, the sweep is complete, and the next call begins another.
    pub more: bool,
}
