//! `Meter`: how many bytes of a transfer are done.

use std::sync::atomic::{AtomicU64, Ordering};

/// Told after every piece: bytes that are done, and bytes of all. A chunk that has to be sent again makes it less.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

pub(crate) struct Meter<'a> {
    done: AtomicU64,
    total: u64,
    progress: Progress<'a>,
}

/// Bytes of one attempt: taken back when it is dropped, unless it was finished.
pub(crate) struct Attempt<'m> {
    meter: &'m Meter<'m>,
    bytes: u64,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(total: u64, progress: Progress<'a>) -> Self {
        Self { done: AtomicU64::new(0), total, progress }
    }

    pub(crate) fn add(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(done, self.total);
    }

    pub(crate) fn attempt(&self) -> Attempt<'_> {
        Attempt { meter: self, bytes: 0 }
    }
}

impl Attempt<'_> {
    pub(crate) fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.meter.add(bytes as u64);
    }

    pub(crate) fn finish(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.meter.done.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
