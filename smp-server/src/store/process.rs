//! Processes of one relay that share a store: [`Sharing`](super::Sharing).

use std::fmt;

/// A process of a relay: its epoch, which no other process of the same store has ever had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub(crate) i64);

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Another process of the same relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its epoch.
    pub process: ProcessId,
    /// Host and port where other processes reach it.
    pub address: String,
}
