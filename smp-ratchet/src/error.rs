//! Errors of encryption, decryption and agreement. None holds key material or content.

use thiserror::Error;

/// Why a message could not be encrypted. The ratchet is as it was.
///
/// Source: section 7.3 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncryptError {
    /// This side was invited to receive first, and nothing has come yet: keep the message until something has.
    /// (The reference's `CERatchetState`.)
    #[error("nothing can be sent before the first message of the other side")]
    NoSendingChain,
    /// The text, with two bytes of length, does not fit: send less. (`CryptoLargeMsgError`.)
    #[error("the text is too long to be padded to {padded_length} bytes")]
    TooLong {
        /// The padded length that was asked for, in bytes.
        padded_length: usize,
    },
    /// 2³² - 1 messages were sent without an answer: agree a new ratchet.
    #[error("the sending chain has no more message numbers")]
    Exhausted,
}

/// Why a message could not be decrypted.
///
/// Returned by [`Ratchet::open_header`](crate::Ratchet::open_header) or
/// [`OpenedHeader::decrypt`](crate::OpenedHeader::decrypt) itself, it leaves the ratchet as it was;
/// in [`Decrypted::plaintext`](crate::Decrypted::plaintext), the ratchet has moved and must be stored.
///
/// Source: section 7.5 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecryptError {
    /// Not a ratchet message, or its authentic header is not one: drop it. (`CryptoHeaderError`.)
    #[error("not a ratchet message")]
    Malformed,
    /// No key opens the header: the message is damaged, comes from another ratchet, or is so old that its chain
    /// is gone. If it goes on, agree a new ratchet. (`CERatchetHeader`.)
    #[error("no key of this ratchet opens the message header")]
    Header,
    /// The last message again: drop it, and acknowledge it. (`CERatchetDuplicateMessage`.)
    #[error("the message was received before")]
    Duplicate,
    /// A message of the current chain whose key was used or never kept, this many before the last one: drop it.
    /// (`CERatchetEarlierMessage n`.)
    #[error("the message is {0} before the last one, and its key is gone")]
    Earlier(u32),
    /// More than [`MAX_SKIPPED`](crate::MAX_SKIPPED) messages are missing before this one: they are lost, agree a
    /// new ratchet. The number is one more than those left out. (`CERatchetTooManySkipped n`.)
    #[error("{0} messages at once is too many")]
    TooManySkipped(u32),
    /// The header accepts an encapsulation key that we have not offered. (`CERatchetKEMState`.)
    #[error("the message accepts post-quantum encryption that was not offered")]
    KemState,
    /// The body does not match its header and key: the message is damaged, and its key is used up.
    /// (`AESDecryptError`.)
    #[error("the message body cannot be decrypted")]
    Body,
    /// The body is authentic, but not padded text: the sender is faulty. (`CryptoInvalidMsgError`.)
    #[error("the message body is not padded text")]
    Padding,
}

/// Why two sides' keys do not give a ratchet. Refuse the request that they came with.
///
/// Source: section 7.1 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AgreementError {
    /// An encapsulation key was accepted that was not offered, or an invitation accepts one.
    /// (`CERatchetKEMState`.)
    #[error("post-quantum keys were accepted that had not been offered")]
    KemState,
}

/// Why stored bytes are not a state of this crate. They were damaged, or written by a newer version of it.
///
/// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a stored ratchet state that this version can read")]
pub struct StateError;
