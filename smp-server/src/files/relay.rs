//! `FileRelay`: one file relay, put together.

use std::io;
use std::sync::Arc;

use smp_transport::surroundings::Surroundings;

use super::bodies::Bodies;
use super::index::Index;
use super::settings::{FileIdentity, FileSettings};
use crate::auth::NobodysKeys;

/// A file relay. Clones are the same.
#[derive(Clone)]
pub struct FileRelay(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) settings: FileSettings,
    pub(super) identity: FileIdentity,
    pub(super) index: Index,
    pub(super) bodies: Bodies,
    pub(super) nobody: NobodysKeys,
    pub(super) surroundings: Surroundings,
}

impl FileRelay {
    /// A relay without chunks. Files that an earlier one has left in its directory go.
    ///
    /// # Errors
    /// Of the system, if the directory cannot be made or read.
    pub fn new(
        settings: FileSettings,
        identity: FileIdentity,
        surroundings: Surroundings,
    ) -> io::Result<Self> {
        let bodies = Bodies::open(&settings, surroundings.spawner.clone())?;
        let index = Index::new(&settings);
        let nobody = NobodysKeys::generate(&mut surroundings.randomness.rng());
        Ok(Self(Arc::new(Inner { settings, identity, index, bodies, nobody, surroundings })))
    }

    /// Removes chunks that are older than they may be, at most so many, and says how many there were.
    pub async fn expire(&self, at_most: usize) -> usize {
        let now = self.0.surroundings.time.unix_seconds();
        let before = now.saturating_sub(self.0.settings.keep.as_secs());
        let expired = self.0.index.expire(before, at_most);
        for sender_id in &expired {
            self.0.bodies.remove(sender_id).await;
        }
        expired.len()
    }

    /// Bytes of all chunks, those that are being uploaded too.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.0.index.used()
    }
}
