//! Where something that is received came, and what became of it.

use super::Place;
use super::sync::Divergence;
use crate::error::ReceiveError;
use smp_crypto::DhSecret;
use smp_protocol::version::SmpClientVersion;

/// Secret and version that the first message of a sender brings to its queue.
pub(super) type FirstKeys = (DhSecret, SmpClientVersion);

/// Why something that was received cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) error: ReceiveError,
    /// Of a message: what it says about the ratchet, unless it is a repetition.
    pub(super) divergence: Option<Divergence>,
}

impl From<ReceiveError> for Unreadable {
    fn from(error: ReceiveError) -> Self {
        Self { error, divergence: None }
    }
}

impl Unreadable {
    /// Whether it may be a repetition of something that was read.
    pub(crate) fn may_be_repeated(&self) -> bool {
        self.divergence.is_some()
    }
}

/// Where a message came, and what is known of the messages before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) place: Place,
    pub(crate) old_queue: OldQueue,
}

/// State of the queue that is about to be left, when something comes in the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OldQueue {
    /// It may have messages that were sent before.
    Unknown,
    /// It has none.
    Empty,
    /// Its relay does not say.
    Unreachable,
}

/// Outcome of something that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// It is dealt with.
    Taken,
    /// It came in the new queue before others that are in the old one. Nothing has changed; it is to be offered again.
    Early,
}

impl Origin {
    /// Whether messages that come before this one may still come.
    pub(super) fn may_be_early(self) -> bool {
        self == Self { place: Place::Replacement, old_queue: OldQueue::Unknown }
    }
}
