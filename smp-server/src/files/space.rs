//! `Space`: chunks and bytes that there are, and those for which there is room.
//!
//! Invariant: the bytes in use are those of all chunks that have been uploaded, and of one for each upload that goes on.

use std::sync::{Arc, Mutex};

use super::records::{Removed, Totals};
use crate::sync::lock;

/// Counts of a relay. Clones are the same.
#[derive(Clone)]
pub(super) struct Space(Arc<Mutex<Totals>>);

/// Room for an upload, given back when it is dropped.
pub(super) struct Room {
    space: Space,
    bytes: u64,
}

impl Space {
    pub(super) fn new(there: Totals) -> Self {
        Self(Arc::new(Mutex::new(there)))
    }

    /// Chunks and bytes in use.
    pub(super) fn used(&self) -> Totals {
        *lock(&self.0)
    }

    /// Counts a new chunk, if there may be one more.
    pub(super) fn enter(&self, at_most: u64) -> bool {
        let mut used = lock(&self.0);
        let fits = used.chunks < at_most;
        used.chunks += u64::from(fits);
        fits
    }

    /// A chunk was not created after all.
    pub(super) fn leave(&self) {
        let mut used = lock(&self.0);
        used.chunks = used.chunks.saturating_sub(1);
    }

    /// Room for so many bytes, if no more than the quota are in use then.
    pub(super) fn room(&self, bytes: u64, quota: u64) -> Option<Room> {
        let mut used = lock(&self.0);
        if used.bytes.saturating_add(bytes) > quota {
            return None;
        }
        used.bytes += bytes;
        Some(Room { space: self.clone(), bytes })
    }

    /// Chunks are gone.
    pub(super) fn free(&self, removed: &[Removed]) {
        let mut used = lock(&self.0);
        for chunk in removed {
            used.chunks = used.chunks.saturating_sub(1);
            if chunk.was_uploaded {
                used.bytes = used.bytes.saturating_sub(chunk.size.into());
            }
        }
    }
}

impl Room {
    /// The chunk is there.
    pub(super) fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut used = lock(&self.space.0);
        used.bytes = used.bytes.saturating_sub(self.bytes);
    }
}
