//! Descriptions of files: where the chunks of a file are and how to decrypt it. YAML, over a channel that recipients have already.
//!
//! A description that exists is valid: its chunks are numbered without gaps, each has a replica, and their sizes are the file's.
//! It holds the keys of the file and of its chunks, so it prints as its name and size only.

mod read;
mod size;
mod write;
mod yaml;

use std::fmt;

use smp_crypto::{Nonce, PrivateAuthKey, SecretBoxKey};
use thiserror::Error;

use super::chunk_size::MAX_FILE_SIZE;
use crate::address::XftpAddress;
use crate::encoding::DecodeError;
use crate::id::EntityId;

pub use size::{format_size, parse_size};

/// The most bytes of a description that are read: 5 GiB in chunks of 4 MiB on two relays each need half of this.
pub const MAX_DESCRIPTION_BYTES: usize = 1024 * 1024;
/// The most replicas of chunks in a description, of all chunks together.
pub const MAX_REPLICAS: usize = 16_384;

/// For which of both sides a description is.
///
/// Source: section 12.6 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileParty {
    /// `recipient`: to download the file.
    Recipient,
    /// `sender`: to delete it.
    Sender,
}

/// A description of a file.
///
/// Source: section 12.6 (`protocol-spec/12-files.md`).
#[derive(Clone, PartialEq, Eq)]
pub struct FileDescription {
    /// For which side it is: whose IDs and keys the replicas have.
    pub party: FileParty,
    /// SHA-512 of the encrypted file.
    pub digest: [u8; 64],
    /// The key of the file.
    pub key: SecretBoxKey,
    /// The nonce of the file.
    pub nonce: Nonce,
    /// The size of chunks that is not written beside each of them, in bytes.
    pub chunk_size: u32,
    /// The chunks.
    pub chunks: FileChunks,
    /// Set if the file is itself a description, namely of the file that is meant.
    pub redirect: Option<Redirect>,
}

/// The file that is meant, if a description leads to another description.
///
/// Source: section 12.6 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Bytes of the encrypted file.
    pub size: u64,
    /// SHA-512 of the encrypted file.
    pub digest: [u8; 64],
}

/// The chunks of a file in their order: at least one, each with a replica, all together no larger than a file can be.
///
/// Source: section 12.6 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChunks(Vec<FileChunk>);

/// A chunk of a file.
///
/// Source: section 12.6 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChunk {
    /// Size in bytes.
    pub size: u32,
    /// SHA-256 of the chunk.
    pub digest: [u8; 32],
    /// Where it is; the first is tried first.
    pub replicas: Vec<ChunkReplica>,
}

/// One place where a chunk is.
///
/// Source: section 12.6 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkReplica {
    /// The relay.
    pub relay: XftpAddress,
    /// The ID of the chunk there, of a recipient or the sender.
    pub id: EntityId,
    /// Authorizes commands about it.
    pub key: PrivateAuthKey,
}

/// A text is not a description of a file that can be used. Ask for it again: it was damaged on its way, or is something else.
///
/// Source: section 12.6 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// There are more bytes than are read.
    #[error("the description of the file has more than {MAX_DESCRIPTION_BYTES} bytes")]
    TooLong,
    /// It is no YAML, or uses more of it than descriptions do.
    #[error("this is not a description of a file: {0}")]
    Yaml(&'static str),
    /// A field is missing.
    #[error("the description of the file has no {0}")]
    Missing(&'static str),
    /// A field cannot be read.
    #[error("the description of the file is damaged: its {field} cannot be read ({error})")]
    Damaged {
        /// Which field.
        field: &'static str,
        /// The error of the decoder.
        error: DecodeError,
    },
    /// The chunks are not numbered from 1 without gaps, or there are none.
    #[error("the description of the file does not have all of its chunks")]
    Chunks,
    /// A chunk has no digest, or replicas that say different things of it.
    #[error("the description of the file contradicts itself about a chunk")]
    Contradiction,
    /// The sizes of the chunks are not the size of the file, or that is over [`MAX_FILE_SIZE`].
    #[error("the sizes of the chunks in the description of the file do not fit, or the file is too large")]
    Size,
    /// It is for the other side.
    #[error("this is the description of a file for its {}", match .0 {
        FileParty::Sender => "sender: it deletes the file, and must not be passed on",
        FileParty::Recipient => "recipients: only that of the sender deletes the file",
    })]
    Party(FileParty),
}

impl FileDescription {
    /// Reads the text of a description.
    ///
    /// # Errors
    /// [`DescriptionError`].
    pub fn from_yaml(text: &str) -> Result<Self, DescriptionError> {
        read::read(text)
    }

    /// The same, for a recipient only.
    ///
    /// # Errors
    /// [`DescriptionError`].
    pub fn for_recipient(text: &str) -> Result<Self, DescriptionError> {
        Self::of(FileParty::Recipient, text)
    }

    /// The same, for the sender only.
    ///
    /// # Errors
    /// [`DescriptionError`].
    pub fn for_sender(text: &str) -> Result<Self, DescriptionError> {
        Self::of(FileParty::Sender, text)
    }

    fn of(party: FileParty, text: &str) -> Result<Self, DescriptionError> {
        let description = Self::from_yaml(text)?;
        if description.party == party {
            Ok(description)
        } else {
            Err(DescriptionError::Party(description.party))
        }
    }

    /// The text of the description, as the reference writes it.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        write::write(self)
    }

    /// Bytes of the encrypted file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.chunks.size()
    }
}

impl fmt::Debug for FileDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileDescription({:?}, {} bytes)", self.party, self.size())
    }
}

impl FileChunks {
    /// Takes the chunks in their order.
    ///
    /// # Errors
    /// [`DescriptionError::Chunks`] if there is none, or one has no replica, [`DescriptionError::Size`] if one is empty or all
    /// together are larger than [`MAX_FILE_SIZE`].
    pub fn new(chunks: Vec<FileChunk>) -> Result<Self, DescriptionError> {
        if chunks.is_empty() || chunks.iter().any(|chunk| chunk.replicas.is_empty()) {
            return Err(DescriptionError::Chunks);
        }
        let chunks = FileChunks(chunks);
        if chunks.0.iter().any(|chunk| chunk.size == 0) || chunks.size() > MAX_FILE_SIZE {
            return Err(DescriptionError::Size);
        }
        Ok(chunks)
    }

    /// The chunks in their order.
    #[must_use]
    pub fn as_slice(&self) -> &[FileChunk] {
        &self.0
    }

    /// Bytes of all of them.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.iter().map(|chunk| u64::from(chunk.size)).sum()
    }
}
