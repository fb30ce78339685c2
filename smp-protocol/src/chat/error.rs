//! Errors of chat messages.

use thiserror::Error;

/// A received body, or one message of a batch, could not be read. Show the conversation partner's message as
/// unreadable and go on: the connection is not affected.
///
/// Source: section 9.2 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The body has no bytes.
    #[error("the message is empty")]
    Empty,
    /// The body begins with a byte that no form of message begins with.
    #[error("the message has an unknown form ({0:#04x})")]
    UnknownForm(u8),
    /// A form that exists only in groups or for files, which we do not take part in.
    #[error("the message has a form that is not supported here ({0:?})")]
    UnsupportedForm(char),
    /// The bytes are not JSON, or not of the expected shape. The text says where; it does not contain the message.
    #[error("the message is not valid: {0}")]
    Invalid(String),
    /// A batch is cut off, has trailing bytes, or an unknown kind of part.
    #[error("the batch of messages is damaged")]
    Batch,
    /// The zstd data is damaged or needs more than [`MAX_DECOMPRESSED_LENGTH`](super::MAX_DECOMPRESSED_LENGTH) bytes.
    #[error("the compressed message is damaged or too large")]
    Compression,
    /// There are more than [`MAX_MESSAGES`](super::MAX_MESSAGES) messages in one body; the rest was not read.
    #[error("too many messages in one")]
    TooMany,
}

/// A message could not be sent as it is.
///
/// Source: section 9.2 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChatEncodeError {
    /// The encoded message exceeds what fits into one block. Shorten the text (or split it) and try again.
    #[error("the message is {length} bytes long, at most {limit} fit")]
    TooLong {
        /// Encoded length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
}
