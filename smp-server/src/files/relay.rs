//! `FileRelay`: one file relay, put together.

use std::io;
use std::sync::{Arc, RwLock};

use smp_protocol::xftp::error::XftpError;
use smp_transport::surroundings::Surroundings;

use super::bodies::Bodies;
use super::records::{Change, MemoryRecords, Outcome, Records, RecordsError, Totals};
use super::settings::{FileIdentity, FileSettings};
use super::space::Space;
use crate::admission::{Allowance, Places, Rates, Turns};
use crate::auth::NobodysKeys;
use crate::clock::Clock;
use crate::metrics::{Limit, Metrics};
use crate::sync::{read, write};

/// Chunks that are removed in one step.
const STEP: usize = 100;

/// A file relay. Clones are the same.
#[derive(Clone)]
pub struct FileRelay(pub(super) Arc<Inner>);

pub(super) struct Inner {
    settings: RwLock<Arc<FileSettings>>,
    identity: RwLock<Arc<FileIdentity>>,
    pub(super) records: Arc<dyn Records>,
    pub(super) bodies: Bodies,
    pub(super) space: Space,
    pub(super) places: Places,
    pub(super) turns: Turns,
    pub(super) allowance: Arc<Allowance>,
    pub(super) new_chunks: Rates,
    pub(super) failures: Rates,
    pub(super) nobody: NobodysKeys,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) surroundings: Surroundings,
}

/// The parts of a relay of messages that a file relay shares with it.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) surroundings: Surroundings,
}

impl FileRelay {
    /// A relay whose records end with the process. Files that an earlier one has left in its directory go.
    ///
    /// # Errors
    /// Of the system, if the directory cannot be made or read.
    pub fn new(
        settings: FileSettings,
        identity: FileIdentity,
        surroundings: Surroundings,
    ) -> io::Result<Self> {
        let clock = Clock::new(surroundings.time.clone());
        let metrics = Arc::new(Metrics::new(surroundings.time.clone()));
        let shared = Shared { clock, metrics, surroundings };
        Self::assemble(settings, identity, Arc::new(MemoryRecords::default()), Totals::default(), shared)
    }

    /// A relay with these records. Files go that no record is for.
    pub(crate) async fn open(
        settings: FileSettings,
        identity: FileIdentity,
        records: Arc<dyn Records>,
        shared: Shared,
    ) -> io::Result<Self> {
        let totals = records.totals().await.map_err(io::Error::other)?;
        let relay = Self::assemble(settings, identity, records, totals, shared)?;
        relay.0.remove_noted(u64::MAX).await.map_err(io::Error::other)?;
        Ok(relay)
    }

    fn assemble(
        settings: FileSettings,
        identity: FileIdentity,
        records: Arc<dyn Records>,
        totals: Totals,
        Shared { clock, metrics, surroundings }: Shared,
    ) -> io::Result<Self> {
        let bodies = Bodies::open(&settings.directory, settings.fsync, surroundings.spawner.clone())?;
        if totals.chunks == 0 {
            bodies.clear()?;
        }
        Ok(Self(Arc::new(Inner {
            records,
            bodies,
            space: Space::new(totals),
            places: Places::new(settings.bounds()),
            turns: Turns::new(settings.transfers),
            allowance: Arc::default(),
            new_chunks: Rates::new([
                Limit::NewChunksPerAddress,
                Limit::NewChunksPerNetwork,
                Limit::NewChunksTotal,
            ]),
            failures: Rates::new([
                Limit::FailuresPerAddress,
                Limit::FailuresPerNetwork,
                Limit::FailuresTotal,
            ]),
            nobody: NobodysKeys::generate(&mut surroundings.randomness.rng()),
            clock,
            metrics,
            surroundings,
            settings: RwLock::new(Arc::new(settings)),
            identity: RwLock::new(Arc::new(identity)),
        })))
    }

    /// Takes over other settings. The directory, `fsync` and the number of transfers stay.
    pub(crate) fn replace(&self, settings: FileSettings, identity: FileIdentity) {
        self.0.places.set_bounds(settings.bounds());
        *write(&self.0.settings) = Arc::new(settings);
        *write(&self.0.identity) = Arc::new(identity);
    }

    /// Removes chunks that are older than they may be, at most so many, and says how many there were.
    pub async fn expire(&self, at_most: usize) -> usize {
        // The records say in the log what is wrong.
        self.0.expire(at_most).await.unwrap_or(0)
    }

    /// Removes everything that is too old, in steps, and what is left of chunks that are gone.
    pub(crate) async fn sweep(&self) -> Result<(), RecordsError> {
        while self.0.expire(STEP).await? == STEP {}
        // An upload that has ended just when its chunk went may have come after the removal of its file.
        let longest = self.0.settings().transfer.as_secs();
        self.0.remove_noted(self.0.clock.now().saturating_sub(longest)).await
    }

    /// Bytes of all chunks, those that are being uploaded too.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.0.space.used().bytes
    }

    /// Chunks and bytes that there are.
    pub(crate) fn used(&self) -> Totals {
        self.0.space.used()
    }

    /// Bytes that there may be.
    pub(crate) fn quota(&self) -> u64 {
        self.0.settings().quota
    }

    /// Uploads and downloads that go on.
    pub(crate) fn transfers(&self) -> usize {
        self.0.turns.used()
    }

    /// Writes what was asked for, and refuses everything after that.
    pub(crate) async fn close(&self) -> Result<(), RecordsError> {
        self.0.records.close().await
    }
}

impl Inner {
    pub(super) fn settings(&self) -> Arc<FileSettings> {
        read(&self.settings).clone()
    }

    pub(super) fn identity(&self) -> Arc<FileIdentity> {
        read(&self.identity).clone()
    }

    /// Does something to its end, also if the client goes meanwhile.
    pub(super) async fn whole<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, XftpError>> + Send + 'static,
    ) -> Result<T, XftpError> {
        self.surroundings.spawner.spawn(work).await.unwrap_or(Err(XftpError::Internal))
    }

    /// Removes chunks, and their files.
    pub(super) async fn remove(&self, change: Change) -> Result<usize, RecordsError> {
        let Outcome::Removed(removed) = self.records.change(change).await? else { return Ok(0) };
        self.space.free(&removed);
        for chunk in &removed {
            self.bodies.remove(&chunk.sender_id).await;
        }
        Ok(removed.len())
    }

    async fn expire(&self, at_most: usize) -> Result<usize, RecordsError> {
        let (now, before) = (self.clock.now(), self.clock.older_than(self.settings().keep));
        let expired = self.remove(Change::Expire { before, at_most, now }).await?;
        self.metrics.files.expired.inc_by(expired as u64);
        Ok(expired)
    }

    /// Removes the files of chunks that went before this time, and then the notes of them.
    async fn remove_noted(&self, before: u64) -> Result<(), RecordsError> {
        loop {
            let noted = self.records.removed(before, STEP).await?;
            let mut gone = Vec::new();
            for sender_id in &noted {
                if self.bodies.remove(sender_id).await {
                    gone.push(sender_id.clone());
                }
            }
            let is_last = noted.len() < STEP || gone.is_empty();
            self.records.change(Change::ForgetRemoved(gone)).await?;
            if is_last {
                return Ok(());
            }
        }
    }
}
