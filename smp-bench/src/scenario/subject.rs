//! The relay of a scenario: one that runs anyway, or one that was started for it.

use anyhow::{Context as _, Result};

use crate::driver::Target;
use crate::relay::Spawned;

/// The relay that is measured.
#[derive(Debug)]
pub struct Subject {
    /// How to reach it.
    pub target: Target,
    /// Its process, if it was started here.
    pub spawned: Option<Spawned>,
    /// Another relay, for scenarios that need two.
    pub other: Option<Box<Subject>>,
}

impl Subject {
    /// The relay that was started here.
    ///
    /// # Errors
    /// If it was not.
    pub fn spawned(&mut self) -> Result<&mut Spawned> {
        self.spawned.as_mut().context("a relay that was not started here needs --command")
    }
}
