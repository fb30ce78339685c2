//! The binary form of connection requests, inside of link data.

use super::request::text_with_question_marks;
use super::{ConnectionRequest, ContactRequest, InvitationRequest};
use crate::agent::{QueueMode, QueueUri};
use crate::encoding::{Decode, DecodeError, Encode, MAX_LARGE_STRING, NonEmpty, Reader};
use crate::version::{AgentVersion, VersionRange};

/// `I` or `C`, versions, queues, client data, and for invitations the ratchet parameters. There is no scheme.
///
/// Queues without a mode are read as contact queues: the modes of addresses for old versions are not written.
impl Encode for ConnectionRequest {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Invitation(request) => {
                out.push(b'I');
                encode_common(request.versions, &request.queues, request.client_data.as_deref(), out);
                request.ratchet.encode(out);
            }
            Self::Contact(request) => {
                out.push(b'C');
                encode_common(request.versions, &request.queues, request.client_data.as_deref(), out);
            }
        }
    }
}

fn encode_common(
    versions: VersionRange<AgentVersion>,
    queues: &NonEmpty<QueueUri>,
    client_data: Option<&str>,
    out: &mut Vec<u8>,
) {
    (versions, queues).encode(out);
    match client_data {
        None => out.push(b'0'),
        Some(data) => {
            // Longer data fits into no link: cut, so that the length is never wrong.
            let data = &data.as_bytes()[..data.len().min(MAX_LARGE_STRING)];
            out.push(b'1');
            out.extend_from_slice(&(data.len() as u16).to_be_bytes());
            out.extend_from_slice(data);
        }
    }
}

impl<'a> Decode<'a> for ConnectionRequest {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let kind = input.byte()?;
        if !matches!(kind, b'I' | b'C') {
            return Err(DecodeError::Invalid("kind of connection request"));
        }
        let (versions, queues): (_, NonEmpty<QueueUri>) = input.read()?;
        let queues = queues.map(with_mode);
        let client_data: Option<crate::encoding::LargeString<'_>> = input.read()?;
        let client_data = client_data.map(|data| text_with_question_marks(data.as_bytes()));
        Ok(if kind == b'I' {
            let ratchet = input.read()?;
            Self::Invitation(Box::new(InvitationRequest { versions, queues, client_data, ratchet }))
        } else {
            Self::Contact(ContactRequest { versions, queues, client_data })
        })
    }
}

fn with_mode(mut queue: QueueUri) -> QueueUri {
    queue.address.mode.get_or_insert(QueueMode::Contact);
    queue
}
