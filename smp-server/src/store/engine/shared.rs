//! `Shared`: cache, write queue, counts and keys of one store, for its operations and its writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use smp_transport::surroundings::Time;
use tokio::sync::{Semaphore, TryAcquireError};
use tokio_util::sync::CancellationToken;

use super::cache::Cache;
use super::limits::EngineLimits;
use super::queue::Room;
use super::recent::Recent;
use super::write_queue::{OPERATION_BYTES, WriteQueue};
use crate::store::{StoreCounts, StoreError};

#[derive(Debug)]
pub(in crate::store) struct Shared {
    pub(in crate::store) cache: Cache,
    pub(in crate::store) write_queue: WriteQueue,
    pub(in crate::store) recent: Recent,
    pub(in crate::store) counts: Counts,
    pub(in crate::store) keys: Keys,
    /// Cancelled if the writer has ended without being told to.
    pub(in crate::store) writer_died: CancellationToken,
    pub(in crate::store) time: Time,
    pub(in crate::store) quota: usize,
    pub(in crate::store) ack_wait: Duration,
    /// Bytes of operations that may still be accepted before some are on disk.
    room: Arc<Semaphore>,
    room_bytes: u32,
    #[cfg(test)]
    pub(in crate::store) faults: super::seam::Faults,
}

impl Shared {
    pub(in crate::store) fn new(limits: &EngineLimits, time: Time, counts: StoreCounts, keys: Keys) -> Self {
        let room_bytes = u32::try_from(limits.pending_bytes).unwrap_or(u32::MAX).max(1);
        Shared {
            cache: Cache::new(limits.queue_cache_bytes, !keys.is_one_of_many()),
            write_queue: WriteQueue::default(),
            recent: Recent::new(limits.body_cache_bytes),
            counts: Counts::new(counts),
            keys,
            writer_died: CancellationToken::new(),
            time,
            quota: limits.quota,
            ack_wait: limits.ack_wait,
            room: Arc::new(Semaphore::new(room_bytes as usize)),
            room_bytes,
            #[cfg(test)]
            faults: super::seam::Faults::default(),
        }
    }

    /// Waits until an operation that carries so many bytes may be accepted.
    pub(in crate::store) async fn room(&self, carried: usize) -> Result<Room, StoreError> {
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
    pub(in crate::store) fn waiting_bytes(&self) -> u64 {
        u64::from(self.room_bytes).saturating_sub(self.room.available_permits() as u64)
    }

    /// Refuses all that comes from now on; what was accepted is written.
    pub(in crate::store) fn close(&self) {
        self.room.close();
        self.write_queue.close();
    }
}

/// Keys for new rows, each larger than all that this process has given or seen. Those of processes in different places are different.
#[derive(Debug)]
pub(in crate::store) struct Keys {
    queue: AtomicI64,
    message: AtomicI64,
    place: i64,
    places: i64,
}

impl Keys {
    /// Behind the last keys of queues and messages, for the only process.
    pub(in crate::store) fn behind(last: (i64, i64)) -> Self {
        Self::of_place(last, 0, 1)
    }

    /// The same for one of several processes, which is at this of so many places.
    pub(in crate::store) fn of_place(last: (i64, i64), place: i64, places: i64) -> Self {
        let keys = Self { queue: AtomicI64::new(0), message: AtomicI64::new(0), place, places };
        keys.queue.store(keys.at_or_behind(last.0), Ordering::Relaxed);
        keys.message.store(keys.at_or_behind(last.1), Ordering::Relaxed);
        keys
    }

    /// A key of this place from which the next one is larger than `key`.
    fn at_or_behind(&self, key: i64) -> i64 {
        key - key % self.places + self.place
    }

    fn is_one_of_many(&self) -> bool {
        self.places > 1
    }

    pub(in crate::store) fn queue(&self) -> i64 {
        self.queue.fetch_add(self.places, Ordering::Relaxed) + self.places
    }

    pub(in crate::store) fn message(&self) -> i64 {
        self.message.fetch_add(self.places, Ordering::Relaxed) + self.places
    }

    /// A message with this key, maybe of another process, is in a queue: the next ones come behind it.
    pub(in crate::store) fn seen(&self, message: i64) {
        self.message.fetch_max(self.at_or_behind(message), Ordering::Relaxed);
    }
}

#[derive(Debug)]
pub(in crate::store) struct Counts {
    pub(in crate::store) queues: Count,
    pub(in crate::store) notifiers: Count,
    pub(in crate::store) messages: Count,
    pub(in crate::store) messaging_services: Count,
    pub(in crate::store) notifier_services: Count,
}

/// A number for statistics.
#[derive(Debug)]
pub(in crate::store) struct Count(AtomicU64);

impl Count {
    pub(in crate::store) fn add(&self, number: usize) {
        self.0.fetch_add(number as u64, Ordering::Relaxed);
    }

    pub(in crate::store) fn subtract(&self, number: usize) {
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

    pub(in crate::store) fn get(&self) -> StoreCounts {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_different_places_are_different_and_grow_beyond_what_was_seen() {
        let (one, other) = (Keys::of_place((7, 1_000), 0, 64), Keys::of_place((7, 1_000), 63, 64));
        let mut all = std::collections::HashSet::new();
        let mut last = 1_000;
        for round in 0..100 {
            for keys in [&one, &other] {
                keys.seen(last);
                let key = keys.message();
                assert!(key > last && all.insert(key), "{round}");
                last = key;
            }
            assert!(one.queue() > 7 && other.queue() > 7);
        }
        let alone = Keys::behind((7, 1_000));
        alone.seen(500);
        assert_eq!((alone.queue(), alone.message(), alone.message()), (8, 1_001, 1_002));
    }
}
