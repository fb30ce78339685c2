//! The errors of this crate. None of them holds key material or content.

use crate::Algorithm;

/// Why bytes or text are not a key.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Raw key bytes of another size: they are no key of the wanted algorithm.
    #[error("a key of {expected} bytes is wanted, not of {actual}")]
    Size {
        /// Size of keys of the wanted algorithm, in bytes.
        expected: usize,
        /// Size of what was given, in bytes.
        actual: usize,
    },
    /// Not the DER of one key of an algorithm that the protocol uses: damaged, followed by other bytes, or foreign.
    #[error("not the DER encoding of an Ed25519, Ed448, X25519 or X448 key")]
    Encoding,
    /// A sound key, but of an algorithm that cannot be used in this place: ask the other side for another key.
    #[error("a {0} key cannot be used here")]
    Algorithm(Algorithm),
    /// Not base64url text.
    #[error("not base64url text")]
    Text,
}

/// Why a signature was refused when it was read.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Signatures have 64 (Ed25519) or 114 (Ed448) bytes.
    #[error("a signature has 64 or 114 bytes, not {0}")]
    Size(usize),
}

/// Why a box could not be opened. The caller learns nothing about the content in either case.
///
/// Source: section 1.6 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The tag does not belong to these bytes, this key and this nonce: the box is damaged or not meant for us.
    /// Drop it.
    #[error("the box is damaged or was made with another key or nonce")]
    Damaged,
    /// The box is authentic, but what was in it is not padded content: its sender is faulty. Drop it.
    #[error("the content of the box is not padded as it should be")]
    Padding,
}

/// Content does not fit into the size that it should be padded to: send less.
///
/// Source: section 1.5 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("content of {length} bytes is over the limit of {limit}")]
pub struct TooLongError {
    /// Size of the content, in bytes.
    pub length: usize,
    /// The most that would have been accepted, in bytes.
    pub limit: usize,
}
