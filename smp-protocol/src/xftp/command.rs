//! Commands of clients to file relays.

use crate::address::Password;
use crate::encoding::{Decode, DecodeError, Encode, NonEmpty, Reader, ShortString};
use crate::error::{CommandError, after_space};
use crate::key::{ChunkRecipientKey, ChunkSenderKey, RecipientDownloadKey};

/// SHA-256 of a chunk as it is uploaded.
///
/// Source: section 12.4 (`protocol-spec/12-files.md`).
pub type ChunkDigest = [u8; 32];

/// The parameters of `FNEW`.
///
/// Source: section 12.4 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChunk {
    /// Authorizes this command, and all others of the sender.
    pub sender_key: ChunkSenderKey,
    /// Size of the chunk in bytes: one of those that the relay takes.
    pub size: u32,
    /// SHA-256 of the chunk.
    pub digest: ChunkDigest,
    /// One key for each recipient.
    pub recipient_keys: NonEmpty<ChunkRecipientKey>,
    /// The password that the relay may ask for.
    pub password: Option<Password>,
}

/// A command of a client.
///
/// Source: section 12.4 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XftpCommand {
    /// `FNEW`: create a chunk. Answer: `SIDS`.
    New(Box<NewChunk>),
    /// `FADD`: add recipients to a chunk. Answer: `RIDS`.
    AddRecipients(NonEmpty<ChunkRecipientKey>),
    /// `FPUT`: upload the chunk, which follows the block. Answer: `OK`.
    Put,
    /// `FDEL`: delete the chunk for all recipients. Answer: `OK`.
    Delete,
    /// `FGET`: download the chunk. Answer: `FILE`, and the chunk behind its block.
    Get(RecipientDownloadKey),
    /// `FACK`: the chunk has been received for good; this recipient has no use for it any more. Answer: `OK`.
    Acknowledge,
    /// `PING`: is anybody there? Answer: `PONG`.
    Ping,
}

/// Which command it is, without its parameters.
///
/// Source: section 12.4 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum XftpCommandTag {
    /// `FNEW`.
    New,
    /// `FADD`.
    AddRecipients,
    /// `FPUT`.
    Put,
    /// `FDEL`.
    Delete,
    /// `FGET`.
    Get,
    /// `FACK`.
    Acknowledge,
    /// `PING`.
    Ping,
}

impl XftpCommandTag {
    /// All commands.
    pub const ALL: [XftpCommandTag; 7] = [
        XftpCommandTag::New,
        XftpCommandTag::AddRecipients,
        XftpCommandTag::Put,
        XftpCommandTag::Delete,
        XftpCommandTag::Get,
        XftpCommandTag::Acknowledge,
        XftpCommandTag::Ping,
    ];

    /// The name as it is sent.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            XftpCommandTag::New => "FNEW",
            XftpCommandTag::AddRecipients => "FADD",
            XftpCommandTag::Put => "FPUT",
            XftpCommandTag::Delete => "FDEL",
            XftpCommandTag::Get => "FGET",
            XftpCommandTag::Acknowledge => "FACK",
            XftpCommandTag::Ping => "PING",
        }
    }

    /// The command of this name, if there is one.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|tag| tag.name().as_bytes() == name)
    }

    /// Checks whether the command may come with these credentials.
    ///
    /// # Errors
    /// [`CommandError::NoAuth`] or [`CommandError::HasAuth`], which the relay answers with.
    pub fn check_credentials(self, has_authorization: bool, has_entity: bool) -> Result<(), CommandError> {
        match (self, has_authorization, has_entity) {
            (XftpCommandTag::New, true, true) => Err(CommandError::HasAuth),
            (XftpCommandTag::New, has_authorization, _) if has_authorization => Ok(()),
            (XftpCommandTag::Ping, false, false) => Ok(()),
            (XftpCommandTag::Ping, ..) => Err(CommandError::HasAuth),
            (_, true, true) => Ok(()),
            _ => Err(CommandError::NoAuth),
        }
    }

    /// Whether the entity ID of the command is that of a sender.
    #[must_use]
    pub fn is_of_sender(self) -> bool {
        matches!(self, XftpCommandTag::AddRecipients | XftpCommandTag::Put | XftpCommandTag::Delete)
    }
}

impl XftpCommand {
    /// Which command it is.
    #[must_use]
    pub const fn tag(&self) -> XftpCommandTag {
        match self {
            XftpCommand::New(_) => XftpCommandTag::New,
            XftpCommand::AddRecipients(_) => XftpCommandTag::AddRecipients,
            XftpCommand::Put => XftpCommandTag::Put,
            XftpCommand::Delete => XftpCommandTag::Delete,
            XftpCommand::Get(_) => XftpCommandTag::Get,
            XftpCommand::Acknowledge => XftpCommandTag::Acknowledge,
            XftpCommand::Ping => XftpCommandTag::Ping,
        }
    }

    /// Reads a command that takes all of `bytes`; commands are the same in every version.
    ///
    /// # Errors
    /// [`CommandError::Unknown`] if there is no command of this name, [`CommandError::Syntax`] if its parameters cannot be
    /// read or something follows it. These are also the errors that a relay answers with.
    pub fn decode(bytes: &[u8]) -> Result<Self, CommandError> {
        let mut input = Reader::new(bytes);
        let tag = XftpCommandTag::from_name(input.word()).ok_or(CommandError::Unknown)?;
        decode_parameters(tag, &mut input)
            .and_then(|command| input.finish().map(|()| command))
            .map_err(|_| CommandError::Syntax)
    }
}

fn decode_parameters(tag: XftpCommandTag, input: &mut Reader<'_>) -> Result<XftpCommand, DecodeError> {
    Ok(match tag {
        XftpCommandTag::New => XftpCommand::New(after_space(input)?.read()?),
        XftpCommandTag::AddRecipients => XftpCommand::AddRecipients(after_space(input)?.read()?),
        XftpCommandTag::Put => XftpCommand::Put,
        XftpCommandTag::Delete => XftpCommand::Delete,
        XftpCommandTag::Get => XftpCommand::Get(after_space(input)?.read()?),
        XftpCommandTag::Acknowledge => XftpCommand::Acknowledge,
        XftpCommandTag::Ping => XftpCommand::Ping,
    })
}

impl Encode for XftpCommand {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.tag().name().as_bytes());
        let mut write = |parameters: &dyn Encode| {
            out.push(b' ');
            parameters.encode(out);
        };
        match self {
            XftpCommand::New(chunk) => write(&**chunk),
            XftpCommand::AddRecipients(keys) => write(keys),
            XftpCommand::Get(key) => write(key),
            XftpCommand::Put | XftpCommand::Delete | XftpCommand::Acknowledge | XftpCommand::Ping => {}
        }
    }
}

impl Encode for NewChunk {
    fn encode(&self, out: &mut Vec<u8>) {
        self.sender_key.encode(out);
        self.size.encode(out);
        ShortString::from(self.digest).encode(out);
        self.recipient_keys.encode(out);
        self.password.encode(out);
    }
}

impl Decode<'_> for Box<NewChunk> {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Box::new(NewChunk {
            sender_key: input.read()?,
            size: input.read()?,
            digest: input.short()?.try_into().map_err(|_| DecodeError::Invalid("digest"))?,
            recipient_keys: input.read()?,
            password: input.read()?,
        }))
    }
}
