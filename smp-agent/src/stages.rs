//! How far a queue rotation, a renewal of the encryption and a suspension are, in the words of events and summaries.

use serde::{Deserialize, Serialize};

/// Which side of a connection moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RotationSide {
    /// This side receives in another queue.
    Receiving,
    /// The other side does: this side sends to another queue.
    Sending,
}

/// Stage of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RotationStage {
    /// It has begun.
    Started,
    /// The side that sends has made its keys for the new queue.
    Confirmed,
    /// The new queue takes messages of that side only.
    Secured,
    /// The new queue is in use, the old one is not any more.
    Completed,
    /// It was given up. The old queue is used as before.
    Aborted,
}

/// Whether both sides' ratchets fit together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SyncState {
    /// They do.
    #[default]
    Ok,
    /// A message could not be opened, but others may be. A person may decide to renegotiate.
    Allowed,
    /// Nothing more can be opened. Messages wait until a new ratchet is agreed.
    Required,
    /// Keys for a new ratchet were sent to the other side. Messages wait until it answers.
    Started,
    /// Both sides have each other's keys. It is over when a message of the other side opens.
    Agreed,
}

/// Whether the other side's messages are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SuspensionState {
    /// They are.
    #[default]
    Active,
    /// The own relay is being told to take no more.
    Suspending,
    /// The own relay takes no more, which is final. Messages that it took before are delivered.
    Suspended,
}
