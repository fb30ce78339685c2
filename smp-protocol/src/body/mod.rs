//! Message bodies in both layers of encryption, and the metadata in notifications (chapter `5-messages.md`).
//!
//! - From the relay to the recipient: [`ReceivedBody`], in `MSG`.
//! - From the sender to the recipient: [`ClientEnvelope`] around a [`ClientMessage`], in `SEND`.
//! - From the relay to the recipient, through a notification server: [`NotificationMeta`], in `NMSG`.

mod envelope;
mod notification;
mod received;

use smp_crypto::{OpenError, TooLongError};
use thiserror::Error;

pub use envelope::{
    CONFIRMATION_PADDED_LENGTH, ClientEnvelope, ClientMessage, MESSAGE_PADDED_LENGTH, PrivateHeader,
};
pub use notification::{META_PADDED_LENGTH, NotificationMeta};
pub use received::{MAX_BODY, RECEIVED_ENCRYPTED_LENGTH, RECEIVED_PADDED_LENGTH, ReceivedBody};

use crate::encoding::DecodeError;
use crate::version::SmpVersion;

/// The most bytes in the body of `SEND`.
pub fn max_message_length(version: SmpVersion) -> usize {
    if version >= SmpVersion::ENCRYPTED_BLOCKS {
        16048
    } else if version >= SmpVersion::SENDING_PROXY {
        16064
    } else {
        MAX_BODY
    }
}

/// Why an encrypted body cannot be used.
///
/// Source: chapter 5 (`protocol-spec/5-messages.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BodyError {
    /// It cannot be decrypted: the key, the nonce or the body is wrong.
    #[error("the body cannot be decrypted")]
    Open(#[from] OpenError),
    /// The plaintext is malformed: a fault of the peer.
    #[error("the decrypted body cannot be read")]
    Decode(#[from] DecodeError),
    /// It is too long to be sent.
    #[error("the body is too long")]
    TooLong(#[from] TooLongError),
}
