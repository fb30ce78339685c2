//! Messages as the store keeps them.

use std::fmt;

use smp_protocol::id::MessageId;

use super::Completion;

/// Largest body of a message in bytes, as a sender can send it (spec chapter `4-commands.md`, `SEND`).
pub const MAX_BODY_BYTES: usize = 16_088;

/// A message in a queue.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// ID of the message, 24 random bytes; the recipient acknowledges with it.
    pub id: MessageId,
    /// When the relay accepted it, in seconds since 1970.
    pub timestamp: u64,
    /// Its content.
    pub content: MessageContent,
}

/// Content of a [`Message`].
#[derive(Clone, PartialEq, Eq)]
pub enum MessageContent {
    /// The body from the sender.
    Sent {
        /// Whether the sender asked that the recipient be notified.
        notification: bool,
        /// The body as the sender sent it, at most [`MAX_BODY_BYTES`]; not yet encrypted for the recipient.
        body: Vec<u8>,
    },
    /// The relay's own message that the queue was full: the last one of its queue, always. When the recipient has
    /// acknowledged it the queue is empty and accepts messages again.
    QuotaMarker,
}

impl Message {
    /// Whether this is the relay's marker that the queue was full.
    #[must_use]
    pub fn is_quota_marker(&self) -> bool {
        matches!(self.content, MessageContent::QuotaMarker)
    }

    /// The summary of this message.
    #[must_use]
    pub fn info(&self) -> MessageInfo {
        let kind = match &self.content {
            MessageContent::Sent { notification, .. } => MessageKind::Sent { notification: *notification },
            MessageContent::QuotaMarker => MessageKind::QuotaMarker,
        };
        MessageInfo { id: self.id.clone(), timestamp: self.timestamp, kind }
    }

    /// Bytes of the body; none in a quota marker.
    #[must_use]
    pub fn body_len(&self) -> usize {
        match &self.content {
            MessageContent::Sent { body, .. } => body.len(),
            MessageContent::QuotaMarker => 0,
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("bytes", &self.body_len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for MessageContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MessageContent::Sent { .. } => "Sent",
            MessageContent::QuotaMarker => "QuotaMarker",
        })
    }
}

/// A message without its body: what `QUE` and the counters need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageInfo {
    /// ID of the message.
    pub id: MessageId,
    /// When the relay accepted it, in seconds since 1970.
    pub timestamp: u64,
    /// Which kind it is.
    pub kind: MessageKind,
}

/// Kind of a [`MessageInfo`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// Sent by a sender.
    Sent {
        /// Whether the sender asked that the recipient be notified.
        notification: bool,
    },
    /// The relay's marker that the queue was full.
    QuotaMarker,
}

/// A message to be appended to a queue.
#[derive(Clone)]
pub struct NewMessage {
    /// ID of the message: 24 random bytes, new for each message.
    pub id: MessageId,
    /// Now, in seconds since 1970.
    pub timestamp: u64,
    /// Whether the sender asked that the recipient be notified.
    pub notification: bool,
    /// The body as the sender sent it, at most [`MAX_BODY_BYTES`] (the caller has checked).
    pub body: Vec<u8>,
}

/// The result of appending a message.
#[derive(Debug)]
pub enum Appended {
    /// It is in the queue.
    Accepted(Accepted),
    /// The queue is full: answer `ERR QUOTA`. If this is the first refusal since the queue became full, a quota marker
    /// was written behind the last message.
    QuotaExceeded,
    /// The queue is not active: answer `ERR AUTH` if suspended, `ERR BLOCKED` if blocked.
    NotActive(super::QueueStatus),
}

/// A message that was accepted; it may be delivered at once.
#[derive(Debug)]
pub struct Accepted {
    /// The message with its content.
    pub message: std::sync::Arc<Message>,
    /// Messages that were removed from the queue before this one was added because they had expired.
    pub expired: u64,
    /// Resolves when the sender may get `OK`: the message is durable, *or* its recipient has acknowledged it.
    /// An error means that the message is no longer in the queue: answer `ERR STORE`.
    pub kept: Completion,
}

/// The result of an acknowledgement.
#[derive(Debug)]
pub struct Acknowledged {
    /// The message that was removed; `None` if the first message of the queue is another one (it was acknowledged
    /// before, or has expired).
    pub removed: Option<MessageInfo>,
    /// The message that is now the first, if that was asked for.
    pub next: Option<std::sync::Arc<Message>>,
    /// Resolves when the removal is durable. Answer the `ACK` then, and nothing that was acknowledged is delivered
    /// again, whatever happens to the relay. It is resolved already if the message never reached the disk.
    /// An error means that the message may be in the queue again.
    pub durable: Completion,
}

/// The next step of [`Messages::acknowledge`](super::Messages::acknowledge) after the removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterAck {
    /// Returns the message that is now the first (`ACK` in a subscription).
    Next,
    /// Nothing more (`ACK` after `GET`).
    Nothing,
}

/// The part of a queue's messages that `QUE` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueContent {
    /// How many messages there are, a quota marker counts too.
    pub size: usize,
    /// The first one.
    pub first: Option<MessageInfo>,
}
