//! Agent messages: the plaintext of the ratchet.

use std::borrow::Cow;

use smp_crypto::hash::sha256;

use super::{AMessage, AgentMessageId, QueueInfo};
use crate::encoding::{Decode, DecodeError, Encode, NonEmpty, Reader, ShortString};

/// Hash of an encoded [`AgentMessage`] of any kind (before padding), which the next message of the same sender carries:
/// SHA-256.
#[must_use]
pub fn message_hash(encoded: &[u8]) -> [u8; 32] {
    sha256(encoded)
}

/// In front of every [`AMessage`].
///
/// Source: section 6.3 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageHeader<'a> {
    /// The number of this message.
    pub message_id: AgentMessageId,
    /// [`message_hash`] of the previous message; empty if there is none.
    pub previous_hash: ShortString<'a>,
}

impl MessageHeader<'_> {
    /// The header of the message after the one with this hash, or of the first message.
    #[must_use]
    pub fn new(message_id: AgentMessageId, previous_hash: Option<&[u8; 32]>) -> MessageHeader<'static> {
        let previous_hash =
            previous_hash.and_then(|hash| ShortString::new(hash.to_vec()).ok()).unwrap_or_default();
        MessageHeader { message_id, previous_hash }
    }

    /// The same with its own copy of the hash.
    #[must_use]
    pub fn into_owned(self) -> MessageHeader<'static> {
        MessageHeader { message_id: self.message_id, previous_hash: self.previous_hash.into_owned() }
    }
}

impl Encode for MessageHeader<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.message_id, &self.previous_hash).encode(out);
    }
}

impl<'a> Decode<'a> for MessageHeader<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (message_id, previous_hash) = input.read()?;
        Ok(Self { message_id, previous_hash })
    }
}

/// The plaintext within an [`AgentEnvelope`](super::AgentEnvelope).
///
/// Source: section 6.3 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentMessage<'a> {
    /// `I`: information about the side that invited, in its confirmation.
    ConnectionInfo(Cow<'a, [u8]>),
    /// `D`: information about the side that joins, with its queues, in its confirmation.
    ///
    /// If the last queue has no mode, information that begins with `M`, `C`, `T` or `F` would lose this byte: give
    /// every queue a mode (version 4).
    ConnectionInfoReply {
        /// Where to send to.
        queues: NonEmpty<QueueInfo>,
        /// For the application.
        info: Cow<'a, [u8]>,
    },
    /// `R`: with new ratchet parameters.
    RatchetInfo(Cow<'a, [u8]>),
    /// `M`: everything else.
    Message {
        /// Number and hash.
        header: MessageHeader<'a>,
        /// The message.
        message: AMessage<'a>,
    },
}

impl AgentMessage<'_> {
    /// The same with its own copy of everything.
    #[must_use]
    pub fn into_owned(self) -> AgentMessage<'static> {
        let own = |bytes: Cow<'_, [u8]>| Cow::Owned(bytes.into_owned());
        match self {
            Self::ConnectionInfo(info) => AgentMessage::ConnectionInfo(own(info)),
            Self::ConnectionInfoReply { queues, info } => {
                AgentMessage::ConnectionInfoReply { queues, info: own(info) }
            }
            Self::RatchetInfo(info) => AgentMessage::RatchetInfo(own(info)),
            Self::Message { header, message } => {
                AgentMessage::Message { header: header.into_owned(), message: message.into_owned() }
            }
        }
    }
}

impl Encode for AgentMessage<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::ConnectionInfo(info) => {
                out.push(b'I');
                out.extend_from_slice(info);
            }
            Self::ConnectionInfoReply { queues, info } => {
                out.push(b'D');
                queues.encode(out);
                out.extend_from_slice(info);
            }
            Self::RatchetInfo(info) => {
                out.push(b'R');
                out.extend_from_slice(info);
            }
            Self::Message { header, message } => {
                out.push(b'M');
                (header, message).encode(out);
            }
        }
    }
}

impl<'a> Decode<'a> for AgentMessage<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match input.byte()? {
            b'I' => Self::ConnectionInfo(input.rest().into()),
            b'D' => Self::ConnectionInfoReply { queues: input.read()?, info: input.rest().into() },
            b'R' => Self::RatchetInfo(input.rest().into()),
            b'M' => Self::Message { header: input.read()?, message: input.read()? },
            _ => return Err(DecodeError::Invalid("kind of agent message")),
        })
    }
}
