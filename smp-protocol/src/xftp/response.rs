//! Answers of file relays.

use smp_crypto::Nonce;

use super::error::XftpError;
use crate::encoding::{DecodeError, Encode, NonEmpty, Reader};
use crate::error::{CommandError, after_space};
use crate::id::{ChunkRecipientId, ChunkSenderId};
use crate::key::RelayDownloadKey;
use crate::version::XftpVersion;

/// An answer of a file relay.
///
/// Source: section 12.4 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XftpResponse {
    /// `SIDS`: the chunk has been created; an ID for each recipient's key, in the same order. Sent without entity ID.
    SenderIds(ChunkSenderId, NonEmpty<ChunkRecipientId>),
    /// `RIDS`: the recipients have been added; an ID for each key, in the same order.
    RecipientIds(NonEmpty<ChunkRecipientId>),
    /// `FILE`: the chunk follows the block, as a box for the secret of both keys with this nonce, its tag (16 bytes) at the end.
    File(RelayDownloadKey, Nonce),
    /// `OK`: done.
    Ok,
    /// `ERR`: not done. Sent with or without entity ID.
    Error(XftpError),
    /// `PONG`: yes, here. Sent without entity ID.
    Pong,
}

impl XftpResponse {
    /// Appends the answer as it is written in `version`.
    pub fn encode(&self, version: XftpVersion, out: &mut Vec<u8>) {
        match self {
            XftpResponse::SenderIds(sender, recipients) => {
                out.extend_from_slice(b"SIDS ");
                (sender, recipients).encode(out);
            }
            XftpResponse::RecipientIds(recipients) => {
                out.extend_from_slice(b"RIDS ");
                recipients.encode(out);
            }
            XftpResponse::File(key, nonce) => {
                out.extend_from_slice(b"FILE ");
                (key, nonce).encode(out);
            }
            XftpResponse::Ok => out.extend_from_slice(b"OK"),
            XftpResponse::Error(error) => {
                out.extend_from_slice(b"ERR ");
                error.encode(version, out);
            }
            XftpResponse::Pong => out.extend_from_slice(b"PONG"),
        }
    }

    /// Reads an answer that takes all of `bytes`. Answers of every version are read in every version.
    ///
    /// # Errors
    /// [`CommandError::Unknown`] if there is no answer of this name, [`CommandError::Syntax`] if its parameters cannot be
    /// read or something follows it.
    pub fn decode(bytes: &[u8]) -> Result<Self, CommandError> {
        let mut input = Reader::new(bytes);
        let response = read(&mut input).and_then(|response| input.finish().map(|()| response));
        response.map_err(|error| match error {
            UNKNOWN => CommandError::Unknown,
            _ => CommandError::Syntax,
        })
    }

    /// Checks whether the answer may come with or without an entity ID.
    ///
    /// # Errors
    /// [`CommandError::HasAuth`] or [`CommandError::NoEntity`].
    pub fn check_entity(&self, has_entity: bool) -> Result<(), CommandError> {
        match self {
            XftpResponse::Error(_) => Ok(()),
            XftpResponse::SenderIds(..) | XftpResponse::Pong if has_entity => Err(CommandError::HasAuth),
            XftpResponse::SenderIds(..) | XftpResponse::Pong => Ok(()),
            _ if has_entity => Ok(()),
            _ => Err(CommandError::NoEntity),
        }
    }
}

const UNKNOWN: DecodeError = DecodeError::Invalid("name of an answer");

fn read(input: &mut Reader<'_>) -> Result<XftpResponse, DecodeError> {
    Ok(match input.word() {
        b"SIDS" => {
            let (sender, recipients) = after_space(input)?.read()?;
            XftpResponse::SenderIds(sender, recipients)
        }
        b"RIDS" => XftpResponse::RecipientIds(after_space(input)?.read()?),
        b"FILE" => {
            let (key, nonce) = after_space(input)?.read()?;
            XftpResponse::File(key, nonce)
        }
        b"OK" => XftpResponse::Ok,
        b"ERR" => XftpResponse::Error(XftpError::decode(after_space(input)?)?),
        b"PONG" => XftpResponse::Pong,
        _ => return Err(UNKNOWN),
    })
}
