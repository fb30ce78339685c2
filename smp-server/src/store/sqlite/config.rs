//! Settings of the SQLite store.

use std::path::PathBuf;

use smp_transport::surroundings::Surroundings;

use crate::store::EngineLimits;

/// The losses that a message, an acknowledgement or a change survives once it was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DiskDurability {
    /// A power cut: each transaction is flushed to the disk before it is answered.
    #[default]
    Fsync,
    /// The death of the process, not that of the operating system: transactions are written but not flushed. After a
    /// power cut the last seconds may be missing; the database is intact.
    Os,
}

/// Whether the database may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Presence {
    /// It is made if there is nothing, and no trace of one.
    #[default]
    MayBeNew,
    /// It must be there, with what was written to it last.
    Required,
    /// It must be there; it has just been copied to its place, and what was written last to another one there does not matter.
    Restored,
    /// It is made if it is missing or empty, and what was written last may be missing: the operator has accepted the loss.
    AcceptLoss,
}

/// Settings of the SQLite store. The defaults suit a relay with a gigabyte of memory.
#[derive(Debug, Clone)]
pub struct SqliteConfig {
    /// Clock, randomness and tasks. Default: those of this machine.
    pub surroundings: Surroundings,
    /// The database file. SQLite keeps two more beside it (`-wal`, `-shm`), the store another (`.lock`).
    pub path: PathBuf,
    /// Whether it may be missing.
    pub presence: Presence,
    /// The losses that an answered change survives.
    pub durability: DiskDurability,
    /// Bounds of what is in memory.
    pub limits: EngineLimits,
    /// Bytes of a file beside the database that is given up when the disk is full, so that receiving goes on; an eighth of the disk
    /// at most. 0: none.
    pub reserve_bytes: u64,
    /// With fewer free bytes on the disk, new queues are refused; a twentieth of the disk at most. 0: no bound.
    pub min_free_bytes: u64,
    /// Connections that read.
    pub readers: u32,
    /// Overwrite bodies of deleted messages with zeros at once. Without it the space is reused by later messages, and
    /// holds what senders had encrypted until then. About doubles the cost of removing a message.
    pub overwrite_deleted: bool,
}

impl SqliteConfig {
    /// The default settings for this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        SqliteConfig {
            surroundings: Surroundings::machine(),
            path: path.into(),
            presence: Presence::default(),
            durability: DiskDurability::default(),
            limits: EngineLimits::default(),
            reserve_bytes: 0,
            min_free_bytes: 0,
            readers: 5,
            overwrite_deleted: false,
        }
    }
}
