//! Numbers by which an application names users, connections and messages. They never leave the machine.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A connection of this agent: unique in its data directory and never used again after deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct ConnectionId(i64);

/// A message of one connection, sent or received: both directions share one increasing sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct MessageId(i64);

/// A user of this agent: whose relays see nothing that tells it from a user of another agent. Unique in its data directory and
/// never used again after deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserId(i64);

impl UserId {
    /// The user that each agent has from the beginning. All connections are its own that are made without naming one.
    pub const DEFAULT: Self = Self(1);

    /// The user with this number, as an application kept it.
    pub fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number, for an application to keep.
    pub fn number(self) -> i64 {
        self.0
    }
}

impl Default for UserId {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ConnectionId {
    /// The connection with this number, as an application kept it.
    pub fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number, for an application to keep.
    pub fn number(self) -> i64 {
        self.0
    }
}

impl MessageId {
    /// The message with this number, as an application kept it.
    pub fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number, for an application to keep.
    pub fn number(self) -> i64 {
        self.0
    }

    pub(crate) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
