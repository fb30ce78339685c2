//! What a step asks for besides the new state. The driver stores all of it in the same transaction.

use super::phase::names;
use crate::event::Event;
use crate::id::MessageId;
use smp_ratchet::SkippedChange;

/// Everything a step asks for, in order.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// For the application.
    pub(crate) events: Vec<Event>,
    /// For the peer's queue.
    pub(crate) outgoing: Vec<Outgoing>,
    /// Application messages among the outgoing ones, for later receipts.
    pub(crate) sent: Vec<SentMessage>,
    /// Receipts that came, for sent messages that only the database still knows.
    pub(crate) receipts: Vec<Receipt>,
    /// Changes of the keys of skipped messages.
    pub(crate) skipped: Vec<SkippedChange>,
    /// The peer's queue may have space again.
    pub(crate) resume: bool,
}

impl Effects {
    /// Whether there is anything for the application.
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty() || !self.receipts.is_empty()
    }
}

/// A receipt of the peer's application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// The number of our message in the chain.
    pub(crate) number: i64,
    /// The hash of what the peer got.
    pub(crate) hash: Vec<u8>,
}

/// The body of one SEND.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) kind: OutgoingKind,
    /// Of an application message.
    pub(crate) message: Option<MessageId>,
    /// Whether the command is signed with the sender key. A confirmation to a queue that its recipient secures is not.
    pub(crate) authorized: bool,
    /// Whether the recipient is to be notified.
    pub(crate) notify: bool,
    /// Complete and encrypted: repeated as it is until the relay answers.
    pub(crate) body: Vec<u8>,
}

/// What an outgoing body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutgoingKind {
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
}

impl OutgoingKind {
    /// Whether it waits for the peer's attention: a push notification is sent.
    pub(crate) fn notifies(self) -> bool {
        !matches!(self, Self::Receipt | Self::Continue)
    }
}

names!(OutgoingKind {
    Confirmation = "confirmation",
    Hello = "hello",
    Message = "message",
    Receipt = "receipt",
    Continue = "continue",
});

/// Where an application message stands in the chain of sent messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentMessage {
    pub(crate) number: i64,
    pub(crate) message: MessageId,
    pub(crate) hash: [u8; 32],
}
