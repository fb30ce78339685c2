//! `Shared`: cache, write queue, counts and keys of one store, for its operations and its writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use smp_transport::surroundings::Time;
use tokio::sync::{Semaphore, TryAcquireError};
use tokio_util::sync::CancellationToken;

use super::cache::Cache;
use super::disk::Disk;
use super::queue::Room;
use super::recent::Recent;
use super::write_queue::{OPERATION_BYTES, WriteQueue};
use crate::store::{StoreCounts, StoreError};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) cache: Cache,
    pub(super) write_queue: WriteQueue,
    pub(super) recent: Recent,
    pub(super) counts: Counts,
    pub(super) keys: Keys,
    pub(super) disk: Arc<Disk>,
    /// Cancelled if the writer has ended without being told to.
    pub(super) writer_died: CancellationToken,
    pub(super) time: Time,
    pub(super) quota: usize,
    pub(super) ack_wait: Duration,
    /// Bytes of operations that may still be accepted before some are on disk.
    room: Arc<Semaphore>,
    room_bytes: u32,
    #[cfg(test)]
    pub(super) faults: super::seam::Faults,
}

impl Shared {
    pub(super) fn new(
        config: &super::SqliteConfig,
        disk: Arc<Disk>,
        counts: StoreCounts,
        last_keys: (i64, i64),
    ) -> Self {
        let room_bytes = u32::try_from(config.pending_bytes).unwrap_or(u32::MAX).max(1);
        Shared {
            cache: Cache::new(config.queue_cache_bytes),
            write_queue: WriteQueue::default(),
            recent: Recent::new(config.body_cache_bytes),
            counts: Counts::new(counts),
            keys: Keys { queue: AtomicI64::new(last_keys.0), message: AtomicI64::new(last_keys.1) },
            disk,
            writer_died: CancellationToken::new(),
            time: config.surroundings.time.clone(),
            quota: config.quota,
            ack_wait: config.ack_wait,
            room: Arc::new(Semaphore::new(room_bytes as usize)),
            room_bytes,
            #[cfg(test)]
            faults: super::seam::Faults::default(),
        }
    }

    /// Waits until an operation that carries so many bytes may be accepted.
    pub(super) async fn room(&self, carried: usize) -> Result<Room, StoreError> {
        // One that is larger than all the room gets all of it.
        let bytes =
            u32::try_from(carried.saturating_add(OPERATION_BYTES)).unwrap_or(u32::MAX).min(self.room_bytes);
        match self.room.clone().try_acquire_many_owned(bytes) {
            Ok(room) => Ok(room),
            Err(TryAcquireError::Closed) => Err(StoreError::Closed),
            Err(TryAcquireError::NoPermits) => {
                self.write_queue.release_all();
                self.room.clone().acquire_many_owned(bytes).await.map_err(|_| StoreError::Closed)
            }
        }
    }

    /// Bytes of operations that are accepted and not on disk.
    pub(super) fn waiting_bytes(&self) -> u64 {
        u64::from(self.room_bytes).saturating_sub(self.room.available_permits() as u64)
    }

    /// Refuses all that comes from now on; what was accepted is written.
    pub(super) fn close(&self) {
        self.room.close();
        self.write_queue.close();
    }
}

/// Keys for new rows, each larger than all before.
#[derive(Debug)]
pub(super) struct Keys {
    queue: AtomicI64,
    message: AtomicI64,
}

impl Keys {
    pub(super) fn queue(&self) -> i64 {
        self.queue.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn message(&self) -> i64 {
        self.message.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[derive(Debug)]
pub(super) struct Counts {
    pub(super) queues: Count,
    pub(super) notifiers: Count,
    pub(super) messages: Count,
    pub(super) messaging_services: Count,
    pub(super) notifier_services: Count,
}

/// A number for statistics.
#[derive(Debug)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, number: usize) {
        self.0.fetch_add(number as u64, Ordering::Relaxed);
    }

    pub(super) fn subtract(&self, number: usize) {
        // Statistics must not wrap, should two counts ever disagree.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            Some(count.saturating_sub(number as u64))
        });
    }
}

impl Counts {
    fn new(counts: StoreCounts) -> Self {
        let count = |number| Count(AtomicU64::new(number));
        Counts {
            queues: count(counts.queues),
            notifiers: count(counts.notifiers),
            messages: count(counts.messages),
            messaging_services: count(counts.messaging_services),
            notifier_services: count(counts.notifier_services),
        }
    }

    pub(super) fn get(&self) -> StoreCounts {
        let get = |count: &Count| count.0.load(Ordering::Relaxed);
        StoreCounts {
            queues: get(&self.queues),
            notifiers: get(&self.notifiers),
            messages: get(&self.messages),
            messaging_services: get(&self.messaging_services),
            notifier_services: get(&self.notifier_services),
        }
    }
}
