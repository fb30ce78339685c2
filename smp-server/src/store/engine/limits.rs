//! Bounds of an engine, which every store on one has among its settings.

use std::time::Duration;

use crate::store::DEFAULT_QUOTA;

/// Bounds of what a store keeps in memory, and of how long something waits there. The defaults suit a relay with a gigabyte of memory.
#[derive(Debug, Clone)]
pub struct EngineLimits {
    /// Messages that a queue takes before it is full.
    pub quota: usize,
    /// Bytes of memory for queues in use, roughly: records and lists of messages, without bodies.
    pub queue_cache_bytes: usize,
    /// Bytes of memory for bodies of messages that are in the database and may be wanted soon.
    pub body_cache_bytes: usize,
    /// Bytes of bodies that may wait for the database; senders wait when there are more.
    pub pending_bytes: usize,
    /// How long a message waits for an acknowledgement before it is written, if the recipient acknowledged the one before
    /// within this time. So messages between people who are online do not reach the disk even when it is faster than
    /// the network. When such a recipient goes offline, one `OK` comes later by this time; where recipients are
    /// farther away than this, nothing is delayed. A message behind others waits for up to five times as long while
    /// its recipient goes on acknowledging: a relay that is slow because it is busy should not write besides. Zero:
    /// write at once, always.
    pub ack_wait: Duration,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            quota: DEFAULT_QUOTA,
            queue_cache_bytes: 64 << 20,
            body_cache_bytes: 32 << 20,
            pending_bytes: 64 << 20,
            ack_wait: Duration::from_millis(100),
        }
    }
}
