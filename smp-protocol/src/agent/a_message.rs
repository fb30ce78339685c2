//! The messages of a connection.

use std::borrow::Cow;

use super::{AgentMessageId, QueueInfo, QueueUri, SenderQueueAddress};
use crate::encoding::{Decode, DecodeError, Encode, LargeString, NonEmpty, Reader, ShortString};
use crate::key::SenderAuthKey;

/// A message between two agents of one connection.
///
/// Source: section 6.3 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AMessage<'a> {
    /// `HELLO`, `H`: the queue is secured; ends the older way of connecting.
    Hello,
    /// `A_MSG`, `M`: a message of the application.
    Message(Cow<'a, [u8]>),
    /// `A_RCVD`, `V`: messages have been received.
    Received(NonEmpty<MessageReceipt<'a>>),
    /// `EREADY`, `E`: the new ratchet works; with the number of the last message that could be decrypted (0 if none).
    RatchetReady(AgentMessageId),
    /// `A_QCONT`, `QC`: the queue was full and has room again.
    QueueContinue(SenderQueueAddress),
    /// `QADD`, `QA`: the recipient offers other queues.
    QueueAdd(NonEmpty<QueueReplacement>),
    /// `QKEY`, `QK`: the sender accepts them and says its keys.
    QueueKey(NonEmpty<QueueKey>),
    /// `QUSE`, `QU`: they are secured, send to them.
    QueueUse(NonEmpty<QueueReady>),
    /// `QTEST`, `QT`: sent through the new queues; the old ones are no longer used.
    QueueTest(NonEmpty<SenderQueueAddress>),
}

/// That a message was received.
///
/// Source: section 6.6 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageReceipt<'a> {
    /// The number that its sender gave it.
    pub message_id: AgentMessageId,
    /// Its hash; the sender compares it with what it has sent.
    pub message_hash: ShortString<'a>,
    /// For the application; empty so far.
    pub info: LargeString<'a>,
}

/// An offered queue.
///
/// Source: section 6.8 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueReplacement {
    /// The new queue.
    pub queue: QueueUri,
    /// The queue that it replaces.
    pub replaced: Option<SenderQueueAddress>,
}

/// An accepted queue, with the key that the sender will use.
///
/// Source: section 6.8 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueKey {
    /// The new queue; its DH key is the *sender's* for the box of the queue.
    pub queue: QueueInfo,
    /// The key that authorizes the sender's commands.
    pub sender_key: SenderAuthKey,
}

/// A secured queue.
///
/// Source: section 6.8 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueReady {
    /// Which one.
    pub queue: SenderQueueAddress,
    /// Whether messages should go here first.
    pub primary: bool,
}

impl AMessage<'_> {
    /// The name in the specification.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello => "HELLO",
            Self::Message(_) => "A_MSG",
            Self::Received(_) => "A_RCVD",
            Self::RatchetReady(_) => "EREADY",
            Self::QueueContinue(_) => "A_QCONT",
            Self::QueueAdd(_) => "QADD",
            Self::QueueKey(_) => "QKEY",
            Self::QueueUse(_) => "QUSE",
            Self::QueueTest(_) => "QTEST",
        }
    }

    /// The same with its own copy of everything.
    #[must_use]
    pub fn into_owned(self) -> AMessage<'static> {
        match self {
            Self::Hello => AMessage::Hello,
            Self::Message(body) => AMessage::Message(Cow::Owned(body.into_owned())),
            Self::Received(receipts) => AMessage::Received(receipts.map(MessageReceipt::into_owned)),
            Self::RatchetReady(id) => AMessage::RatchetReady(id),
            Self::QueueContinue(queue) => AMessage::QueueContinue(queue),
            Self::QueueAdd(queues) => AMessage::QueueAdd(queues),
            Self::QueueKey(queues) => AMessage::QueueKey(queues),
            Self::QueueUse(queues) => AMessage::QueueUse(queues),
            Self::QueueTest(queues) => AMessage::QueueTest(queues),
        }
    }
}

impl MessageReceipt<'_> {
    /// The same with its own copy of everything.
    #[must_use]
    pub fn into_owned(self) -> MessageReceipt<'static> {
        MessageReceipt {
            message_id: self.message_id,
            message_hash: self.message_hash.into_owned(),
            info: self.info.into_owned(),
        }
    }
}

impl Encode for AMessage<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello => out.push(b'H'),
            Self::Message(body) => {
                out.push(b'M');
                out.extend_from_slice(body);
            }
            Self::Received(receipts) => tagged(b"V", receipts, out),
            Self::RatchetReady(id) => tagged(b"E", id, out),
            Self::QueueContinue(queue) => tagged(b"QC", queue, out),
            Self::QueueAdd(queues) => tagged(b"QA", queues, out),
            Self::QueueKey(queues) => tagged(b"QK", queues, out),
            Self::QueueUse(queues) => tagged(b"QU", queues, out),
            Self::QueueTest(queues) => tagged(b"QT", queues, out),
        }
    }
}

fn tagged(tag: &[u8], value: &impl Encode, out: &mut Vec<u8>) {
    out.extend_from_slice(tag);
    value.encode(out);
}

impl<'a> Decode<'a> for AMessage<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        const UNKNOWN: DecodeError = DecodeError::Invalid("type of message");
        Ok(match input.byte()? {
            b'H' => Self::Hello,
            b'M' => Self::Message(input.rest().into()),
            b'V' => Self::Received(input.read()?),
            b'E' => Self::RatchetReady(input.read()?),
            b'Q' => match input.byte()? {
                b'C' => Self::QueueContinue(input.read()?),
                b'A' => Self::QueueAdd(input.read()?),
                b'K' => Self::QueueKey(input.read()?),
                b'U' => Self::QueueUse(input.read()?),
                b'T' => Self::QueueTest(input.read()?),
                _ => return Err(UNKNOWN),
            },
            _ => return Err(UNKNOWN),
        })
    }
}

impl Encode for MessageReceipt<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.message_id, &self.message_hash, &self.info).encode(out);
    }
}

impl<'a> Decode<'a> for MessageReceipt<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (message_id, message_hash, info) = input.read()?;
        Ok(Self { message_id, message_hash, info })
    }
}

macro_rules! pair {
    ($type:ident, $first:ident, $second:ident) => {
        impl Encode for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                (&self.$first, &self.$second).encode(out);
            }
        }

        impl Decode<'_> for $type {
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self { $first: input.read()?, $second: input.read()? })
            }
        }
    };
}

pair!(QueueReplacement, queue, replaced);
pair!(QueueKey, queue, sender_key);
pair!(QueueReady, queue, primary);
