//! Changes of one step in the database.

use super::{Sharing, TroubleChange, UserChange};
use crate::connection::{
    BodyId, Connection, CreatedQueue, Deferred, Phase, Receipt, ReceiveQueue, SentMessage,
};
use crate::error::SendError;
use crate::event::Event;
use crate::id::{ConnectionId, MessageId, UserId};
use smp_protocol::encoding;
use smp_ratchet::SkippedChange;
use zeroize::Zeroizing;

/// The key of a message that is sent once: the SHA-256 of that of the application.
pub(crate) type SendKey = [u8; 32];

/// The rows that one step of a connection changes. All are committed, or none.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) connection: ConnectionId,
    pub(crate) user: UserId,
    /// The connection is new.
    pub(crate) insert: bool,
    /// The connection goes, with everything that belongs to it.
    pub(crate) remove: bool,
    /// The state that lasts, if the step changes it.
    pub(crate) lasting: Option<Lasting>,
    /// The part that each message changes.
    pub(crate) position: Zeroizing<Vec<u8>>,
    /// The phase, if a list has no more to tell of the connection.
    pub(crate) plain: Option<Phase>,
    /// Queues in which the connection receives from now on.
    pub(crate) new_queues: Vec<QueueRow>,
    /// Recipient IDs of those in which it does not any more.
    pub(crate) gone_queues: Vec<Vec<u8>>,
    /// Bodies to be sent, with their numbers, in order.
    pub(crate) outgoing: Vec<(i64, Option<MessageId>, Zeroizing<Vec<u8>>)>,
    /// The invitation by which a new connection joined.
    pub(crate) joins: Option<Vec<u8>>,
    /// The key of a message that is sent with one.
    pub(crate) send_key: Option<(SendKey, MessageId)>,
    /// The texts to which some of these refer.
    pub(crate) shared: Vec<(i64, BodyId)>,
    /// Bodies that need not be sent any more.
    pub(crate) sent_outgoing: Vec<i64>,
    /// Messages that wait for the encryption to be renewed.
    pub(crate) deferred: Vec<Deferred>,
    /// Those that do not wait any more.
    pub(crate) released: Vec<MessageId>,
    /// Bodies up to the one with this number are given up, and the application learns of their messages. Later ones may be in the
    /// same group of steps.
    pub(crate) give_up: Option<(SendError, i64)>,
    pub(crate) sent: Vec<SentMessage>,
    pub(crate) receipts: Vec<Receipt>,
    /// All keys of skipped messages are forgotten, before the changes below.
    pub(crate) forget_skipped: bool,
    pub(crate) skipped: Vec<SkippedChange>,
    /// The hash of the encrypted message that was received, after the last number of its chain: near it in time is near it in the file.
    pub(crate) received: Option<(i64, [u8; 32])>,
    pub(crate) events: Vec<Event>,
    /// Events that the application is done with.
    pub(crate) done: Vec<i64>,
    /// Queues that their relays are to delete.
    pub(crate) deleted: Vec<QueueRow>,
    /// Requests that came to this contact address.
    pub(crate) requested: Vec<RequestRow>,
}

impl Changes {
    /// Whether what is written depends on what is in the database, or happens too rarely to be among what is written each time.
    pub(super) fn needs_answers(&self) -> bool {
        let skips = self.skipped.iter().any(|change| !matches!(change, SkippedChange::None));
        self.remove
            || self.forget_skipped
            || skips
            || self.give_up.is_some()
            || self.joins.is_some()
            || !self.shared.is_empty()
            || !self.deferred.is_empty()
            || !self.released.is_empty()
            || !self.receipts.is_empty()
            || !self.requested.is_empty()
    }
}

/// A connection that somebody has asked for. It is added unless the request has come before.
pub(crate) struct RequestRow {
    pub(crate) connection: ConnectionId,
    pub(crate) state: Zeroizing<Vec<u8>>,
    pub(crate) position: Zeroizing<Vec<u8>>,
    pub(crate) hash: [u8; 32],
    pub(crate) event: Event,
}

/// The state of a connection that lasts, and what the agent looks for when it starts.
pub(crate) struct Lasting {
    pub(crate) state: Zeroizing<Vec<u8>>,
    pub(crate) busy: bool,
    pub(crate) joined: bool,
    pub(crate) unfinished: bool,
    pub(crate) request_of: Option<ConnectionId>,
}

/// A queue in which a connection receives.
#[derive(Clone)]
pub(crate) struct QueueRow {
    pub(crate) relay: Vec<u8>,
    pub(crate) recipient_id: Vec<u8>,
    pub(crate) recipient_key: Zeroizing<Vec<u8>>,
    pub(crate) sender_id: Vec<u8>,
    pub(crate) link_id: Option<Vec<u8>>,
}

impl QueueRow {
    pub(crate) fn new(queue: &ReceiveQueue, created: &CreatedQueue) -> Self {
        Self {
            relay: encoding::to_bytes(&queue.relay),
            recipient_id: created.recipient_id.as_bytes().to_vec(),
            recipient_key: Zeroizing::new(queue.recipient_key.to_der().to_vec()),
            sender_id: created.sender_id.as_bytes().to_vec(),
            link_id: created.link_id.as_ref().map(|id| id.as_bytes().to_vec()),
        }
    }

    /// None before the relay has made it.
    pub(crate) fn made(queue: &ReceiveQueue) -> Option<Self> {
        queue.created.as_ref().map(|created| Self::new(queue, created))
    }

    /// Those of a connection.
    pub(crate) fn all(connection: &Connection) -> Vec<Self> {
        connection.receive_queues().map(|(queue, created)| Self::new(queue, created)).collect()
    }
}

/// Upkeep from time to time, for no connection in particular.
pub(crate) enum Upkeep {
    /// A new day of the agent has begun, at this time.
    Day(i64, i64),
    /// Hashes and queues to delete that are from before these days are forgotten.
    Forget { hashes: i64, deleted: i64 },
    /// A queue to delete is gone.
    Deleted(i64),
    /// The application is done with an event that changes nothing of its connection.
    Done(i64),
    /// A trouble begins or ends.
    Trouble(TroubleChange),
    /// The users change.
    User(UserChange),
    /// A text is stored for many connections, or no more will refer to it.
    Sharing(Sharing),
    /// Nothing: who waits for it knows that all before it is done.
    Nothing,
}
