//! The condition of a connection: each trouble, from its begin to its end.

use super::{Connection, Phase};
use crate::error::ReceiveError;
use crate::stages::{SuspensionState, SyncState};
use serde::{Deserialize, Serialize};

/// Troubles that last. Each is told once when it begins, and kept until something works again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Condition {
    /// The last thing that came could not be read.
    pub(crate) unreadable: Option<ReceiveError>,
    /// Since when the peer's queue is full, in seconds since 1970.
    pub(crate) full_since: Option<i64>,
    /// Since when the peer's relay refuses what it took before, in seconds since 1970.
    pub(crate) refused_since: Option<i64>,
}

impl Condition {
    /// Whether the peer's queue has not taken the last thing.
    pub(crate) fn waits_for_queue(&self) -> bool {
        self.full_since.is_some() || self.refused_since.is_some()
    }

    /// The peer's queue took something.
    pub(crate) fn sent(&mut self) {
        self.full_since = None;
        self.refused_since = None;
    }

    /// The peer's queue is full. Whether that is new.
    pub(crate) fn full(&mut self, now: i64) -> bool {
        self.full_since.replace(self.full_since.unwrap_or(now)).is_none()
    }

    /// The peer's relay refuses. Whether that is new.
    pub(crate) fn refused(&mut self, now: i64) -> bool {
        self.refused_since.replace(self.refused_since.unwrap_or(now)).is_none()
    }
}

impl Connection {
    /// Its phase, if a list has no more to tell of it: there is no trouble, and nothing waits, moves or is renewed.
    pub(crate) fn plain(&self) -> Option<Phase> {
        let is_plain = self.condition == Condition::default()
            && self.waiting.total() == 0
            && self.deferred == 0
            && self.resync.state == SyncState::Ok
            && self.moving.rotations().is_empty()
            && self.suspension.state() == SuspensionState::Active
            && !self.is_unfinished_invitation();
        is_plain.then_some(self.phase)
    }
}
