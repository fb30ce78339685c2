//! Answers to an operator's orders about queues.

use serde::{Deserialize, Serialize};

/// The result of an order. A queue that is as wanted already stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueAnswer {
    /// It is blocked now; before it was like this.
    Blocked(QueueState),
    /// It is not blocked now; before it was like this.
    Unblocked(QueueState),
    /// It is gone; it had so many messages.
    Deleted(u64),
    /// There is no such queue here.
    Unknown,
    /// The store has failed; the sentence says how.
    Failed(String),
    /// It takes longer than a question may wait. It goes on, and is done whole.
    GoesOn,
}

/// How a queue is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueState {
    /// It accepts messages.
    Active,
    /// Its recipient has suspended it.
    Suspended,
    /// The operator has blocked it, for this reason and with this notice, as it is sent.
    Blocked(String),
}
