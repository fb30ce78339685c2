//! Errors as file relays send them in `ERR`. They are part of the protocol, not of this library.

use thiserror::Error;

use crate::encoding::{DecodeError, Reader};
use crate::error::{BlockingInfo, CommandError, after_space, write_text};
use crate::version::XftpVersion;

/// An error as a file relay answers it: the parameters of `ERR`, or alone in a block in place of a hello.
///
/// Source: section 12.4 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum XftpError {
    /// The block, or an authorization in it, is not what it should be.
    #[error("BLOCK")]
    Block,
    /// The session ID in a transmission is not that of this connection, or a browser's connection has no session yet.
    #[error("SESSION")]
    Session,
    /// A message of the handshake cannot be read or accepted.
    #[error("HANDSHAKE")]
    Handshake,
    /// The command cannot be read or must not be sent like this: a fault of its sender.
    #[error("CMD {0}")]
    Command(CommandError),
    /// No such chunk, or a wrong key, or an ID of the wrong kind, or a wrong password: they cannot be told apart.
    #[error("AUTH")]
    Auth,
    /// The operator of the relay blocked the chunk. Written as `AUTH` below version 3.
    #[error("BLOCKED {0}")]
    Blocked(BlockingInfo),
    /// The size of a chunk is none that the relay takes, or the body is longer or shorter than that.
    #[error("SIZE")]
    Size,
    /// The relay has no room for the chunk: try another relay, or later.
    #[error("QUOTA")]
    Quota,
    /// The body is not that of the digest with which the chunk was created.
    #[error("DIGEST")]
    Digest,
    /// Encrypting or decrypting a chunk failed.
    #[error("CRYPTO")]
    Crypto,
    /// The chunk has been created, but not uploaded, or a command came without the body that it needs.
    #[error("NO_FILE")]
    NoFile,
    /// A command came with a body that it has no use for.
    #[error("HAS_FILE")]
    HasFile,
    /// The relay could not write or read the chunk: try again later.
    #[error("FILE_IO")]
    FileIo,
    /// The body did not come in time.
    #[error("TIMEOUT")]
    Timeout,
    /// The relay failed: try again later.
    #[error("INTERNAL")]
    Internal,
    /// Not sent by relays, but readable.
    #[error("DUPLICATE_")]
    Duplicate,
}

impl From<CommandError> for XftpError {
    fn from(error: CommandError) -> Self {
        XftpError::Command(error)
    }
}

impl XftpError {
    /// Writes the error as peers of this version know it.
    pub fn encode(&self, version: XftpVersion, out: &mut Vec<u8>) {
        match self {
            XftpError::Blocked(_) if version < XftpVersion::BLOCKED_FILES => out.extend_from_slice(b"AUTH"),
            // The text that is shown is the encoding.
            _ => write_text(self, out),
        }
    }

    /// Reads an error, up to what follows it.
    ///
    /// # Errors
    /// [`DecodeError`] if it is none that we know.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match input.word() {
            b"BLOCK" => XftpError::Block,
            b"SESSION" => XftpError::Session,
            b"HANDSHAKE" => XftpError::Handshake,
            b"CMD" => XftpError::Command(CommandError::decode(after_space(input)?)?),
            b"AUTH" => XftpError::Auth,
            b"BLOCKED" => XftpError::Blocked(BlockingInfo::decode(after_space(input)?)?),
            b"SIZE" => XftpError::Size,
            b"QUOTA" => XftpError::Quota,
            b"DIGEST" => XftpError::Digest,
            b"CRYPTO" => XftpError::Crypto,
            b"NO_FILE" => XftpError::NoFile,
            b"HAS_FILE" => XftpError::HasFile,
            b"FILE_IO" => XftpError::FileIo,
            b"TIMEOUT" => XftpError::Timeout,
            b"INTERNAL" => XftpError::Internal,
            b"DUPLICATE_" => XftpError::Duplicate,
            _ => return Err(DecodeError::Invalid("error")),
        })
    }
}

/// The error that takes all of the content of a block.
pub(super) fn from_content(content: &[u8]) -> Option<XftpError> {
    let mut input = Reader::new(content);
    let error = XftpError::decode(&mut input).ok()?;
    input.finish().ok().map(|()| error)
}
