//! Settings of the PostgreSQL store.

use std::time::Duration;

use smp_transport::surroundings::Surroundings;

use crate::store::{EngineLimits, Presence};

/// `synchronous_commit` of PostgreSQL: the losses that a message, an acknowledgement or a change survives once it was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SynchronousCommit {
    /// A power cut at the server, and at its synchronous standbys if it has any.
    #[default]
    On,
    /// The same, and a standby that is promoted shows it at once.
    RemoteApply,
    /// A power cut at the server; its standbys have it in memory.
    RemoteWrite,
    /// A power cut at the server; the death of both it and its disk loses what its standbys do not have yet.
    Local,
    /// Nothing but the death of the relay: a crash of the server loses up to three times `wal_writer_delay`, 600 ms as a rule.
    Off,
}

impl SynchronousCommit {
    /// As PostgreSQL writes it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::RemoteApply => "remote_apply",
            Self::RemoteWrite => "remote_write",
            Self::Local => "local",
            Self::Off => "off",
        }
    }
}

/// Settings of the PostgreSQL store. The defaults suit a relay with a gigabyte of memory.
#[derive(Clone)]
pub struct PostgresConfig {
    /// Clock, randomness and tasks. Default: those of this machine.
    pub surroundings: Surroundings,
    /// The database: `postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full`. A password that it does not have comes from the environment
    /// variable `PGPASSWORD` or the file `~/.pgpass`.
    pub url: String,
    /// Whether the store may be missing in it.
    pub presence: Presence,
    /// The losses that an answered change survives.
    pub synchronous_commit: SynchronousCommit,
    /// Bounds of what is in memory.
    pub limits: EngineLimits,
    /// Connections that read. Three more write, vacuum, and hold the store.
    pub readers: u32,
    /// How long this process has the store, or its part of it, if it cannot reach the database: then it stops serving, and another may take over. At least a second.
    pub lease: Duration,
    /// Host and port where other processes of the same relay reach this one; all processes have one, or only one process has the store.
    pub shared_at: Option<String>,
}

impl PostgresConfig {
    /// The default settings for this database.
    pub fn new(url: impl Into<String>) -> Self {
        PostgresConfig {
            surroundings: Surroundings::machine(),
            url: url.into(),
            presence: Presence::default(),
            synchronous_commit: SynchronousCommit::default(),
            limits: EngineLimits::default(),
            readers: 5,
            lease: Duration::from_secs(10),
            shared_at: None,
        }
    }
}

/// The address may hold a password.
impl std::fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresConfig").field("lease", &self.lease).finish_non_exhaustive()
    }
}
