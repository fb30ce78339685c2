//! Agent envelopes: the outermost layer of the agent's messages.

use std::borrow::Cow;

use super::{ReceivedRatchetParameters, SentRatchetParameters};
use crate::encoding::{Decode, DecodeError, Encode, MAX_LARGE_STRING, Reader, from_text_bytes, to_text};
use crate::link::InvitationRequest;
use crate::version::AgentVersion;

/// The body of a client message. Encrypted in it is an encoded [`AgentMessage`](super::AgentMessage).
///
/// Source: section 6.1 (`protocol-spec/6-agent.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentEnvelope<'a> {
    /// `C`: confirms a queue. Holds `ConnectionInfo` or `ConnectionInfoReply`.
    Confirmation {
        /// The agreed version of the connection.
        version: AgentVersion,
        /// The joining side's parameters; absent where the ratchet exists already.
        ratchet: Option<Box<SentRatchetParameters>>,
        /// Encrypted with the ratchet.
        encrypted_info: Cow<'a, [u8]>,
    },
    /// `M`: any message of a connection.
    Message {
        /// The greatest version of the sender, by which the agreed version may rise.
        version: AgentVersion,
        /// Encrypted with the ratchet.
        encrypted_message: Cow<'a, [u8]>,
    },
    /// `I`: asks the owner of a contact address to connect.
    Invitation {
        /// The version of the sender.
        version: AgentVersion,
        /// How to connect.
        request: Box<InvitationRequest>,
        /// For the application; in no ratchet.
        info: Cow<'a, [u8]>,
    },
    /// `R`: new parameters for a ratchet that no longer works. Holds `RatchetInfo`, in no ratchet.
    RatchetKey {
        /// The greatest version of the sender.
        version: AgentVersion,
        /// The sender's parameters.
        ratchet: Box<ReceivedRatchetParameters>,
        /// An encoded `RatchetInfo`.
        info: Cow<'a, [u8]>,
    },
}

impl AgentEnvelope<'_> {
    /// The agent version of the envelope.
    #[must_use]
    pub fn version(&self) -> AgentVersion {
        match self {
            Self::Confirmation { version, .. }
            | Self::Message { version, .. }
            | Self::Invitation { version, .. }
            | Self::RatchetKey { version, .. } => *version,
        }
    }

    /// The same with its own copy of everything.
    #[must_use]
    pub fn into_owned(self) -> AgentEnvelope<'static> {
        let own = |bytes: Cow<'_, [u8]>| Cow::Owned(bytes.into_owned());
        match self {
            Self::Confirmation { version, ratchet, encrypted_info } => {
                AgentEnvelope::Confirmation { version, ratchet, encrypted_info: own(encrypted_info) }
            }
            Self::Message { version, encrypted_message } => {
                AgentEnvelope::Message { version, encrypted_message: own(encrypted_message) }
            }
            Self::Invitation { version, request, info } => {
                AgentEnvelope::Invitation { version, request, info: own(info) }
            }
            Self::RatchetKey { version, ratchet, info } => {
                AgentEnvelope::RatchetKey { version, ratchet, info: own(info) }
            }
        }
    }
}

impl Encode for AgentEnvelope<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.version().encode(out);
        match self {
            Self::Confirmation { ratchet, encrypted_info, .. } => {
                out.push(b'C');
                ratchet.as_deref().encode(out);
                out.extend_from_slice(encrypted_info);
            }
            Self::Message { encrypted_message, .. } => {
                out.push(b'M');
                out.extend_from_slice(encrypted_message);
            }
            Self::Invitation { request, info, .. } => {
                out.push(b'I');
                // A URI of more than 65535 bytes fits into no block: cut, so that the length is never wrong.
                let uri = to_text(&**request);
                let uri = &uri.as_bytes()[..uri.len().min(MAX_LARGE_STRING)];
                out.extend_from_slice(&(uri.len() as u16).to_be_bytes());
                out.extend_from_slice(uri);
                out.extend_from_slice(info);
            }
            Self::RatchetKey { ratchet, info, .. } => {
                out.push(b'R');
                ratchet.encode(out);
                out.extend_from_slice(info);
            }
        }
    }
}

impl<'a> Decode<'a> for AgentEnvelope<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let version = input.read()?;
        Ok(match input.byte()? {
            b'C' => {
                let ratchet: Option<SentRatchetParameters> = input.read()?;
                Self::Confirmation {
                    version,
                    ratchet: ratchet.map(Box::new),
                    encrypted_info: input.rest().into(),
                }
            }
            b'M' => Self::Message { version, encrypted_message: input.rest().into() },
            b'I' => Self::Invitation {
                version,
                request: Box::new(from_text_bytes(input.large()?)?),
                info: input.rest().into(),
            },
            b'R' => Self::RatchetKey { version, ratchet: Box::new(input.read()?), info: input.rest().into() },
            _ => return Err(DecodeError::Invalid("kind of agent envelope")),
        })
    }
}
