//! The disk that the database is on: a reserve for when it is full, and what goes on then.
//!
//! Invariant: what frees space never fails for want of it. Acknowledging and deleting are written like anything else, so a file of
//! some MiB lies beside the database and is removed when the disk is full; until it can be made again, messages and new queues are
//! refused, and the log is used over and over. If even that is not enough, because other programs took what the reserve had, removals
//! of acknowledged messages are kept in memory, up to [`MAX_DEFERRED`]: should the process die, those messages are delivered once more.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use smp_transport::durable::{
    self,
    space::{set_aside, space},
    with_end,
};
use smp_transport::surroundings::Surroundings;
use tokio::time::Instant;

use super::config::SqliteConfig;
use crate::sync::lock;

/// Behind the name of the database: the file that is given up.
const RESERVE: &str = ".reserve";

/// Of a small disk, the reserve and the space that new queues leave free are these parts at most.
const RESERVE_PART: u64 = 8;
const MIN_FREE_PART: u64 = 20;

/// Removals that are kept in memory at most; each takes about 40 bytes.
const MAX_DEFERRED: usize = 100_000;

/// How long an answer of the system about free space is good for.
const FRESH: Duration = Duration::from_secs(1);

/// How often the log says that new queues are refused.
const COMPLAINED_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Disk {
    directory: PathBuf,
    reserve: PathBuf,
    /// Bytes of the reserve; 0 for none.
    reserve_bytes: u64,
    /// Below so many free bytes there are no new queues.
    min_free: u64,
    is_full: AtomicBool,
    deferred: Mutex<BTreeSet<i64>>,
    known: Mutex<Known>,
    surroundings: Surroundings,
    /// Free bytes as tests say them.
    #[cfg(test)]
    pub(super) pretended: Arc<Mutex<Option<u64>>>,
}

#[derive(Debug, Default)]
struct Known {
    free: Option<(Instant, u64)>,
    complained: Option<Instant>,
}

impl Disk {
    pub(super) fn new(config: &SqliteConfig) -> Self {
        let directory = config.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new(".")).to_owned();
        let total = space(&directory).map_or(u64::MAX, |space| space.total);
        Self {
            reserve: with_end(&config.path, RESERVE),
            reserve_bytes: config.reserve_bytes.min(total / RESERVE_PART),
            min_free: config.min_free_bytes.min(total / MIN_FREE_PART),
            directory,
            is_full: AtomicBool::new(false),
            deferred: Mutex::default(),
            known: Mutex::default(),
            surroundings: config.surroundings.clone(),
            #[cfg(test)]
            pretended: Arc::default(),
        }
    }

    /// Pages after which the log is to be moved into the database: no more than the reserve has room for.
    pub(super) fn log_pages(&self, page_bytes: u32, usual: u32) -> u32 {
        let pages = self.reserve_bytes / 2 / u64::from(page_bytes);
        match self.reserve_bytes {
            0 => usual,
            _ => u32::try_from(pages).unwrap_or(usual).clamp(16, usual),
        }
    }

    /// Free bytes, if the system says.
    pub(super) fn free(&self) -> Option<u64> {
        #[cfg(test)]
        if let Some(free) = *lock(&self.pretended) {
            return Some(free);
        }
        space(&self.directory).map(|space| space.free)
    }

    /// Whether messages and new queues are refused.
    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Acquire)
    }

    /// How many bytes have to be freed so that it is not full any more.
    pub(super) fn to_be_freed(&self) -> u64 {
        if self.is_full() { self.needed().saturating_sub(self.free().unwrap_or(0)) } else { 0 }
    }

    /// With less free space the reserve is not made: there would be none left.
    fn needed(&self) -> u64 {
        self.reserve_bytes + self.reserve_bytes / 4
    }

    /// Whether there is too little space for new queues. The log says so now and then.
    pub(super) fn is_low(&self) -> bool {
        if self.is_full() {
            return true;
        }
        if self.min_free == 0 {
            return false;
        }
        let now = self.surroundings.time.monotonic();
        let mut known = lock(&self.known);
        let free = match known.free {
            Some((when, free)) if now.duration_since(when) < FRESH => free,
            _ => {
                let free = self.free().unwrap_or(u64::MAX);
                known.free = Some((now, free));
                free
            }
        };
        let is_low = free < self.min_free;
        if is_low && known.complained.is_none_or(|when| now.duration_since(when) >= COMPLAINED_EVERY) {
            known.complained = Some(now);
            tracing::warn!(
                "new queues are refused: {free} bytes are free in {}, less than {} (limits.min_free_disk_mib)",
                self.directory.display(),
                self.min_free
            );
        }
        is_low
    }

    /// At the start: makes the reserve, or gives it up so that the database can be opened.
    pub(super) fn prepare(&self) {
        if self.reserve_bytes == 0 {
            // Of an earlier start with other settings.
            let _ = fs::remove_file(&self.reserve);
            return;
        }
        if self.free().is_some_and(|free| free < self.reserve_bytes / 4) {
            self.met_full();
        } else if let Err(error) = self.make_reserve() {
            tracing::warn!("there is no reserve for a full disk: {}: {error}", self.reserve.display());
        }
    }

    /// The disk has no space: gives the reserve up. Whether that changes anything.
    pub(super) fn met_full(&self) -> bool {
        // A limit of the database's own, say: more free space would not help.
        if self.reserve_bytes == 0 || self.free().is_some_and(|free| free >= self.reserve_bytes) {
            return false;
        }
        let has_space = fs::remove_file(&self.reserve).is_ok();
        if !self.is_full.swap(true, Ordering::AcqRel) {
            tracing::error!(
                "the disk is full: messages and new queues are refused, receiving goes on; free at least {} bytes in {}",
                self.to_be_freed(),
                self.directory.display()
            );
        }
        has_space
    }

    /// Sees whether there is space again, if there was none.
    pub(super) async fn recover(self: &Arc<Self>) {
        if !self.is_full() || self.free().is_none_or(|free| free < self.needed()) {
            return;
        }
        let disk = self.clone();
        let made = self.surroundings.spawner.spawn_blocking(move || disk.make_reserve()).await;
        if matches!(made, Ok(Ok(()))) {
            self.is_full.store(false, Ordering::Release);
            tracing::info!("the disk has space again");
        }
    }

    /// Makes a file that takes the space from everything else.
    fn make_reserve(&self) -> io::Result<()> {
        if fs::metadata(&self.reserve).is_ok_and(|file| file.len() >= self.reserve_bytes) {
            return Ok(());
        }
        durable::remove(&self.reserve)?;
        if self.free().is_some_and(|free| free < self.needed()) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        set_aside(&self.reserve, self.reserve_bytes, &mut self.surroundings.randomness.rng())
    }

    /// Keeps a removal in memory that cannot be written. Whether there is room for it.
    pub(super) fn defer(&self, message: i64) -> bool {
        let mut deferred = lock(&self.deferred);
        let has_room = deferred.len() < MAX_DEFERRED;
        if has_room {
            deferred.insert(message);
        }
        has_room
    }

    /// Whether a message that is on disk was removed.
    pub(super) fn is_deferred(&self, message: i64) -> bool {
        lock(&self.deferred).contains(&message)
    }

    /// Some removals that are to be written.
    pub(super) fn deferred(&self, limit: usize) -> Vec<i64> {
        lock(&self.deferred).iter().copied().take(limit).collect()
    }

    /// How many there are.
    pub(super) fn deferred_count(&self) -> usize {
        lock(&self.deferred).len()
    }

    /// They have been written.
    pub(super) fn written(&self, messages: &[i64]) {
        let mut deferred = lock(&self.deferred);
        for message in messages {
            deferred.remove(message);
        }
    }
}
