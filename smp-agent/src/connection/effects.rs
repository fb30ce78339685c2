//! Effects: everything that a step asks for besides the new state. The driver stores all of it in the same transaction.

use super::{Connection, ReceiveQueue, SendQueue, StateError, envelope};
use crate::event::Event;
use crate::id::MessageId;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use smp_protocol::agent::AgentEnvelope;
use smp_protocol::encoding::to_bytes;
use smp_protocol::version::AgentVersion;
use smp_ratchet::{MessageSeal, SkippedChange};
use zeroize::{Zeroize as _, Zeroizing};

/// Everything a step asks for, in order.
#[derive(Default)]
pub(crate) struct Effects {
    /// For the application.
    pub(crate) events: Vec<Event>,
    /// For the peer's queue.
    pub(crate) outgoing: Vec<Outgoing>,
    /// Messages of the application that wait for the encryption to be renewed.
    pub(crate) deferred: Vec<Deferred>,
    /// Application messages among the outgoing ones, for later receipts.
    pub(crate) sent: Vec<SentMessage>,
    /// Receipts that came, for sent messages that only the database still knows.
    pub(crate) receipts: Vec<Receipt>,
    /// All keys of skipped messages are forgotten, before the changes below.
    pub(crate) forget_skipped: bool,
    /// Changes of the keys of skipped messages.
    pub(crate) skipped: Vec<SkippedChange>,
    /// Requests that came to a contact address: each becomes a connection, unless it is a repetition.
    pub(crate) requested: Vec<NewRequest>,
    /// Queues that their relays are to delete.
    pub(crate) deleted: Vec<ReceiveQueue>,
    /// The peer's queue may have space again.
    pub(crate) resume: bool,
}

/// A connection that somebody has asked for.
pub(crate) struct NewRequest {
    pub(crate) connection: Connection,
    /// By which a repetition is recognised: of the invitation.
    pub(crate) hash: [u8; 32],
    /// The other side's information about itself.
    pub(crate) info: Vec<u8>,
}

/// A message of the application that waits for the encryption to be renewed.
#[derive(Clone, derive_more::Debug)]
pub(crate) struct Deferred {
    pub(crate) message: MessageId,
    #[debug("{} bytes", body.len())]
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// A receipt of the peer's application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// The number of our message in the chain.
    pub(crate) number: i64,
    /// The hash of what the peer got.
    pub(crate) hash: Vec<u8>,
}

/// The body of one SEND, and the queue that it goes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outgoing {
    pub(crate) kind: OutgoingKind,
    /// Of an application message.
    pub(crate) message: Option<MessageId>,
    /// Whether the command is signed with the sender key. A confirmation to a queue that its recipient secures is not.
    pub(crate) authorized: bool,
    /// Whether the recipient is to be notified.
    pub(crate) notify: bool,
    pub(crate) content: Content,
}

/// The parts of which the body of a SEND is made. The body itself, 16 KiB, is sealed each time it is sent: the parts are small.
#[expect(clippy::large_enum_variant, reason = "most are messages, and each is in an Arc")]
#[derive(Clone, derive_more::Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Content {
    /// A whole body.
    Body(
        #[serde(with = "crate::stored")]
        #[debug("{} bytes", _0.len())]
        Vec<u8>,
    ),
    /// A whole agent envelope.
    Envelope(#[serde(with = "crate::stored")] Vec<u8>),
    /// A message for the ratchet. Its encryption is the same in all bodies, and by it the recipient recognises a repetition.
    Message {
        #[serde(with = "crate::stored")]
        agent_version: AgentVersion,
        #[serde(with = "crate::stored")]
        seal: MessageSeal,
        /// An encoded `AgentMessage`.
        #[serde(with = "crate::stored")]
        #[debug("{} bytes", plaintext.len())]
        plaintext: Vec<u8>,
        /// The end of it, if that is stored once for many connections.
        #[serde(default)]
        shared: Option<BodyId>,
    },
}

/// The number of a message's text that is stored once for many connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BodyId(pub(crate) i64);

impl Content {
    /// Leaves the end of a message, which is its text, to where it is stored.
    pub(super) fn leave_out(&mut self, length: usize, id: BodyId) {
        if let Self::Message { plaintext, shared, .. } = self {
            let rest = plaintext.len().saturating_sub(length);
            plaintext[rest..].zeroize();
            plaintext.truncate(rest);
            *shared = Some(id);
        }
    }

    /// The text that is stored elsewhere.
    pub(crate) fn shared(&self) -> Option<BodyId> {
        match self {
            Self::Message { shared, .. } => *shared,
            Self::Body(_) | Self::Envelope(_) => None,
        }
    }

    /// The body of SEND, for a queue, with the text that is stored elsewhere, if any is.
    pub(crate) fn body(
        &self,
        shared: &[u8],
        queue: &SendQueue,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, StateError> {
        match self {
            Self::Body(body) => Ok(body.clone()),
            Self::Envelope(envelope) => envelope::seal_encoded(queue, envelope, rng),
            Self::Message { agent_version, seal, plaintext, .. } => {
                let plaintext = Zeroizing::new([plaintext, shared].concat());
                let encrypted_message = seal.seal(&plaintext).map_err(|_| StateError)?.into();
                let envelope = AgentEnvelope::Message { version: *agent_version, encrypted_message };
                envelope::seal_encoded(queue, &to_bytes(&envelope), rng)
            }
        }
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        if let Self::Message { plaintext, .. } = self {
            drop(Zeroizing::new(std::mem::take(plaintext)));
        }
    }
}

/// How many bodies of some kinds wait to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) messages: u32,
    pub(crate) receipts: u32,
    pub(crate) continues: u32,
    pub(crate) others: u32,
}

impl Waiting {
    fn of(&mut self, kind: OutgoingKind) -> &mut u32 {
        match kind {
            OutgoingKind::Message => &mut self.messages,
            OutgoingKind::Receipt => &mut self.receipts,
            OutgoingKind::Continue => &mut self.continues,
            _ => &mut self.others,
        }
    }

    pub(crate) fn add(&mut self, kind: OutgoingKind) {
        let count = self.of(kind);
        *count = count.saturating_add(1);
    }

    pub(crate) fn remove(&mut self, kind: OutgoingKind) {
        let count = self.of(kind);
        *count = count.saturating_sub(1);
    }

    pub(crate) fn total(self) -> u64 {
        [self.messages, self.receipts, self.continues, self.others].into_iter().map(u64::from).sum()
    }
}

/// Kind of an outgoing body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OutgoingKind {
    /// A request to a contact address.
    Request,
    /// The confirmation of either side.
    Confirmation,
    /// HELLO.
    Hello,
    /// A message of the application.
    Message,
    /// A_RCVD: the application has a message.
    Receipt,
    /// A_QCONT: the own queue has space again.
    Continue,
    /// Keys for a new ratchet.
    RatchetKey,
    /// EREADY: the new ratchet works.
    Ready,
    /// QADD: an offer of another queue.
    QueueAdd,
    /// QKEY: the keys for it.
    QueueKey,
    /// QUSE: it is secured.
    QueueUse,
    /// QTEST: it works.
    QueueTest,
}

impl OutgoingKind {
    /// In words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Request => "Request",
            Self::Confirmation => "Confirmation",
            Self::Hello => "Hello",
            Self::Message => "Message",
            Self::Receipt => "Receipt",
            Self::Continue => "Continue",
            Self::RatchetKey => "RatchetKey",
            Self::Ready => "Ready",
            Self::QueueAdd => "QueueAdd",
            Self::QueueKey => "QueueKey",
            Self::QueueUse => "QueueUse",
            Self::QueueTest => "QueueTest",
        }
    }

    /// Whether it waits for the peer's attention: a push notification is sent.
    pub(crate) fn notifies(self) -> bool {
        match self {
            Self::Request
            | Self::Confirmation
            | Self::Hello
            | Self::Message
            | Self::RatchetKey
            | Self::Ready => true,
            Self::Receipt
            | Self::Continue
            | Self::QueueAdd
            | Self::QueueKey
            | Self::QueueUse
            | Self::QueueTest => false,
        }
    }
}

/// Where an application message stands in the chain of sent messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentMessage {
    pub(crate) number: i64,
    pub(crate) message: MessageId,
    pub(crate) hash: [u8; 32],
}
