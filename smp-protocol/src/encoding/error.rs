//! Errors of reading and building primitive values.

use thiserror::Error;

/// Why bytes or text are not an encoding of the wanted type. There is nothing to retry: the peer sent something else.
///
/// Source: section 1.1 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The input ends inside the value.
    #[error("the input ends too early")]
    UnexpectedEnd,
    /// The value is complete and something follows it.
    #[error("there are bytes after the end of the value")]
    TrailingBytes,
    /// The named part has a value that its type does not allow.
    #[error("invalid {0}")]
    Invalid(&'static str),
}

/// A string or list that does not fit in its length field. Shorten it, it cannot be sent.
///
/// Source: section 1.1 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{length} bytes or items are too many, {maximum} is the maximum")]
pub struct TooLong {
    /// The length that was asked for, in bytes or items.
    pub length: usize,
    /// The longest possible.
    pub maximum: usize,
}

/// A text with characters that its encoding cannot carry, or too many of them. Use other text.
///
/// Source: section 1.1 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the text cannot be encoded: it is too long or has characters outside of the allowed set")]
pub struct InvalidText;

impl From<smp_crypto::base64url::Base64Error> for DecodeError {
    fn from(_: smp_crypto::base64url::Base64Error) -> Self {
        DecodeError::Invalid("base64url text")
    }
}

impl From<smp_crypto::KeyError> for DecodeError {
    fn from(_: smp_crypto::KeyError) -> Self {
        DecodeError::Invalid("key")
    }
}

impl From<smp_crypto::padding::UnpadError> for DecodeError {
    fn from(_: smp_crypto::padding::UnpadError) -> Self {
        DecodeError::Invalid("padding")
    }
}
