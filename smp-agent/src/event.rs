//! Events that an agent tells its application.

use crate::error::{ConnectionError, ReceiveError, RelayError, SendError, SubscriptionError};
use crate::id::{ConnectionId, MessageId};
use crate::stages::{RotationSide, RotationStage, SuspensionState, SyncState};
use serde::{Deserialize, Serialize};

/// Something that happened. All but [`ReceivingStopped`](Self::ReceivingStopped) and the relay and storage events are kept
/// until the application is [done](crate::Delivery::done) with them, and come again after a restart until then.
///
/// `Debug` shows sizes only of what people write.
#[derive(Clone, derive_more::Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Event {
    /// Somebody joined our invitation. [`ConnectionHandle::accept`](crate::ConnectionHandle::accept) continues.
    Confirmation {
        /// Our side of the invitation.
        connection: ConnectionId,
        /// The joining side's information about itself.
        #[serde(skip)]
        #[debug("{} bytes", info.len())]
        info: Vec<u8>,
    },
    /// Somebody asks to connect, by our contact address. [`ConnectionHandle::accept`](crate::ConnectionHandle::accept)
    /// continues, [`ConnectionHandle::reject`](crate::ConnectionHandle::reject) ends it. The same request does not come twice.
    Request {
        /// The connection that it becomes when it is accepted.
        connection: ConnectionId,
        /// Our contact address.
        address: ConnectionId,
        /// The asking side's information about itself. Nothing proves it.
        #[serde(skip)]
        #[debug("{} bytes", info.len())]
        info: Vec<u8>,
    },
    /// Data that the other side shows to everybody who opens the short link that was joined.
    LinkShown {
        /// The joined connection.
        connection: ConnectionId,
        /// As the other side's application wrote it: a profile, for instance.
        #[serde(skip)]
        #[debug("{} bytes", shown.len())]
        shown: Vec<u8>,
    },
    /// The side whose invitation or contact address we joined accepted us.
    Info {
        /// The joined connection.
        connection: ConnectionId,
        /// The other side's information about itself.
        #[serde(skip)]
        #[debug("{} bytes", info.len())]
        info: Vec<u8>,
    },
    /// Messages can go both ways.
    Connected {
        /// The connection.
        connection: ConnectionId,
    },
    /// A message. [`Delivery::done`](crate::Delivery::done) acknowledges it.
    Message {
        /// The connection.
        connection: ConnectionId,
        /// Its number: the same when it is delivered again.
        id: MessageId,
        /// The sender's content.
        #[serde(skip)]
        #[debug("{} bytes", body.len())]
        body: Vec<u8>,
        /// When the relay took it and when this agent did.
        times: MessageTimes,
        /// Whether it continues the sender's chain of messages.
        integrity: Integrity,
        /// Place and hash in that chain, for a receipt.
        origin: MessageOrigin,
    },
    /// The recipient's relay keeps the message.
    Sent {
        /// The connection.
        connection: ConnectionId,
        /// The number that [`ConnectionHandle::send`](crate::ConnectionHandle::send) returned.
        id: MessageId,
    },
    /// The message is given up.
    SendFailed {
        /// The connection.
        connection: ConnectionId,
        /// The number that [`ConnectionHandle::send`](crate::ConnectionHandle::send) returned.
        id: MessageId,
        /// Why.
        error: SendError,
    },
    /// The recipient's application has the message.
    Receipt {
        /// The connection.
        connection: ConnectionId,
        /// The number that [`ConnectionHandle::send`](crate::ConnectionHandle::send) returned.
        id: MessageId,
        /// Whether the recipient got the bytes that were sent.
        matches: bool,
    },
    /// The recipient's queue is full: messages wait until the recipient takes some.
    QuotaExceeded {
        /// The connection.
        connection: ConnectionId,
    },
    /// The peer's relay does not know the queue any more that took messages before, or not as ours. It is asked for a day
    /// ([`Timeouts::refused`](crate::Timeouts::refused)), and messages wait; [`ConnectionHandle::give_up`](crate::ConnectionHandle::give_up) ends that.
    QueueRefused {
        /// The connection.
        connection: ConnectionId,
    },
    /// Something came that could not be read. The connection goes on. More is not told until something could be read.
    ReceiveFailed {
        /// The connection.
        connection: ConnectionId,
        /// Why.
        error: ReceiveError,
    },
    /// The encryption was renewed, and messages are missing here that the other side has: this agent was restored from an older
    /// copy, or they were lost on the way. Messages that no application sent count too, receipts for instance.
    Forgotten {
        /// The connection.
        connection: ConnectionId,
        /// How many of our own messages the other side has received of which nothing is known here; 0 too where this side had to
        /// speak first, as the other side does not tell then.
        sent: u64,
        /// How many of the other side's are missing.
        received: u64,
    },
    /// Whether both sides' encryption fits together, or where its renewal is.
    RatchetSync {
        /// The connection.
        connection: ConnectionId,
        /// Its new state.
        state: SyncState,
    },
    /// A queue of the connection is moving to another relay.
    QueueRotation {
        /// The connection.
        connection: ConnectionId,
        /// Which side receives in another queue.
        side: RotationSide,
        /// How far it is.
        stage: RotationStage,
    },
    /// Post-quantum keys protect other directions of the connection than before: one side has [switched](crate::ConnectionHandle::set_post_quantum),
    /// or they are agreed on later than when it was made.
    PostQuantum {
        /// The connection.
        connection: ConnectionId,
        /// Whether they protect what this side sends from now on.
        sending: bool,
        /// Whether they protect what the other side has just sent.
        receiving: bool,
    },
    /// The own relay takes nothing more for the connection, after [`ConnectionHandle::suspend`](crate::ConnectionHandle::suspend); or it
    /// refused that, and goes on ([`SuspensionState::Active`]).
    Suspension {
        /// The connection.
        connection: ConnectionId,
        /// Its new state.
        state: SuspensionState,
    },
    /// The connection will not work any more. It stays listed until it is deleted.
    ConnectionFailed {
        /// The connection.
        connection: ConnectionId,
        /// Why.
        error: ConnectionError,
    },
    /// Nothing comes on the connection until this changes. The agent tries again by itself.
    ReceivingStopped {
        /// The connection.
        connection: ConnectionId,
        /// Why.
        error: SubscriptionError,
    },
    /// A relay is connected again, and all queues on it are subscribed.
    RelayUp {
        /// Its address, without the password.
        relay: String,
    },
    /// A relay is not connected. The agent tries again by itself.
    RelayDown {
        /// Its address, without the password.
        relay: String,
        /// The error.
        error: RelayError,
    },
    /// So many events of relays and storage were not fetched that these were dropped. Events of connections never are.
    Missed {
        /// How many.
        count: u64,
    },
    /// The database does not take what arrives. The agent tries again by itself, nothing is lost.
    StorageFailed {
        /// One sentence.
        reason: String,
    },
    /// A full disk has space again: everything goes on.
    StorageRecovered,
}

/// When a message passed, in seconds since 1970 (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageTimes {
    /// The relay took it from its sender, by the relay's clock.
    pub relay: i64,
    /// This agent stored it, by its own clock.
    pub received: i64,
}

/// Where a message stands among those of its sender (chapter 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageOrigin {
    /// The sender's number.
    pub number: i64,
    /// SHA-256 of the sender's encoding.
    pub hash: [u8; 32],
}

/// Whether a message continues the chain that each sender makes of its messages: by number, and by the hash of
/// the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Integrity {
    /// It is the next one.
    Ok,
    /// Messages from the first to the last of these numbers did not come.
    Skipped {
        /// First missing number.
        first: i64,
        /// Last missing number.
        last: i64,
    },
    /// Its number is lower than one that already came.
    BadNumber,
    /// It is the next one by number, but names another one before it.
    BadHash,
}

impl Event {
    /// The connection that it is about. None for events of relays and storage.
    pub fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Confirmation { connection, .. }
            | Self::Request { connection, .. }
            | Self::LinkShown { connection, .. }
            | Self::Info { connection, .. }
            | Self::Connected { connection }
            | Self::Message { connection, .. }
            | Self::Sent { connection, .. }
            | Self::SendFailed { connection, .. }
            | Self::Receipt { connection, .. }
            | Self::QuotaExceeded { connection }
            | Self::QueueRefused { connection }
            | Self::ReceiveFailed { connection, .. }
            | Self::Forgotten { connection, .. }
            | Self::RatchetSync { connection, .. }
            | Self::QueueRotation { connection, .. }
            | Self::Suspension { connection, .. }
            | Self::PostQuantum { connection, .. }
            | Self::ReceivingStopped { connection, .. }
            | Self::ConnectionFailed { connection, .. } => Some(*connection),
            Self::RelayUp { .. }
            | Self::RelayDown { .. }
            | Self::Missed { .. }
            | Self::StorageFailed { .. }
            | Self::StorageRecovered => None,
        }
    }

    /// Its kind.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Confirmation { .. } => "Confirmation",
            Self::Request { .. } => "Request",
            Self::LinkShown { .. } => "LinkShown",
            Self::Info { .. } => "Info",
            Self::Connected { .. } => "Connected",
            Self::Message { .. } => "Message",
            Self::Sent { .. } => "Sent",
            Self::SendFailed { .. } => "SendFailed",
            Self::Receipt { .. } => "Receipt",
            Self::QuotaExceeded { .. } => "QuotaExceeded",
            Self::QueueRefused { .. } => "QueueRefused",
            Self::ReceiveFailed { .. } => "ReceiveFailed",
            Self::Forgotten { .. } => "Forgotten",
            Self::RatchetSync { .. } => "RatchetSync",
            Self::QueueRotation { .. } => "QueueRotation",
            Self::PostQuantum { .. } => "PostQuantum",
            Self::Suspension { .. } => "Suspension",
            Self::ConnectionFailed { .. } => "ConnectionFailed",
            Self::ReceivingStopped { .. } => "ReceivingStopped",
            Self::RelayUp { .. } => "RelayUp",
            Self::RelayDown { .. } => "RelayDown",
            Self::Missed { .. } => "Missed",
            Self::StorageFailed { .. } => "StorageFailed",
            Self::StorageRecovered { .. } => "StorageRecovered",
        }
    }

    /// The part that is stored beside the JSON form.
    pub(crate) fn body(&self) -> &[u8] {
        match self {
            Self::Confirmation { info: body, .. }
            | Self::Request { info: body, .. }
            | Self::LinkShown { shown: body, .. }
            | Self::Info { info: body, .. }
            | Self::Message { body, .. } => body,
            _ => &[],
        }
    }

    pub(crate) fn with_body(mut self, stored: Vec<u8>) -> Self {
        match &mut self {
            Self::Confirmation { info: body, .. }
            | Self::Request { info: body, .. }
            | Self::LinkShown { shown: body, .. }
            | Self::Info { info: body, .. }
            | Self::Message { body, .. } => {
                *body = stored;
            }
            _ => {}
        }
        self
    }

    /// The number of a received message.
    pub(crate) fn received_message(&self) -> Option<MessageId> {
        match self {
            Self::Message { id, .. } => Some(*id),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_sizes_of_what_people_write() {
        let event = Event::Info { connection: ConnectionId::new(1), info: b"secret".to_vec() };
        assert_eq!(format!("{event:?}"), "Info { connection: ConnectionId(1), info: 6 bytes }");
    }
}
