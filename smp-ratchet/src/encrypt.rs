//! Encryption: `RatchetEncryptPQ2HE`.

use std::sync::Arc;

use smp_crypto::padding::LENGTH_SIZE;
use smp_protocol::version::RatchetVersion;

use crate::associated_data::AssociatedData;
use crate::envelope::{MessageHeader, POST_QUANTUM_VERSION, encode_length, padded_header_length};
use crate::error::EncryptError;
use crate::message_key::MessageKey;
use crate::ratchet::{Ratchet, RatchetState, SendingChain};

/// How to encrypt a message.
///
/// Source: section 7.4 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncryptOptions {
    /// Length of the body before encryption, in bytes: the text, two bytes of length, fill. All messages of one
    /// kind should have the same (see `smp_protocol::agent::message_length`).
    pub padded_length: usize,
    /// `Some(true)` asks for post-quantum encryption, `Some(false)` refuses it, `None` keeps what was said before.
    /// It takes effect with the next ratchet step, when the other side has answered.
    ///
    /// Refuse only in a message that the other side is going to receive before any later one: if it refuses in the
    /// first message of a chain and is overtaken or lost, the other side misses a secret, and the ratchet has to be
    /// agreed anew. That is how the protocol is.
    pub pq: Option<bool>,
    /// The newest ratchet version that we speak, normally the maximum of `RatchetVersion::SUPPORTED`.
    pub max_version: RatchetVersion,
}

/// An encrypted message and what to store before it is sent.
///
/// Source: section 7.3 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone)]
#[must_use = "store the ratchet before the message is sent, or its key will be used again"]
pub struct Encrypted {
    /// The ratchet that replaces the one that encrypted.
    pub ratchet: Ratchet,
    /// The message.
    pub message: Vec<u8>,
}

/// The header and the key of one message that is to be sent: they seal its text to the same bytes, however often.
///
/// A queue of messages keeps this and the text, a seventh of what the encrypted message takes with a KEM in its header. It is
/// secret like the text: whoever has both halves needs no key.
///
/// Source: section 7.3 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSeal {
    pub(crate) version: RatchetVersion,
    pub(crate) associated_data: AssociatedData,
    pub(crate) key: MessageKey,
    pub(crate) padded_length: u32,
    /// As it goes out, encrypted.
    pub(crate) header: Vec<u8>,
}

/// A message before its encryption: the key and header that it takes from its ratchet.
///
/// Source: section 7.3 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone)]
#[must_use = "store the ratchet and the seal before the message is sent, or its key will be used again"]
pub struct Prepared {
    /// The ratchet that replaces the one that prepared.
    pub ratchet: Ratchet,
    /// Encrypts the message.
    pub seal: MessageSeal,
}

impl Ratchet {
    /// Encrypts one message.
    ///
    /// # Errors
    /// [`EncryptError`]; the ratchet has not moved.
    pub fn encrypt(&self, plaintext: &[u8], options: EncryptOptions) -> Result<Encrypted, EncryptError> {
        let Prepared { ratchet, seal } = self.prepare(plaintext.len(), options)?;
        Ok(Encrypted { ratchet, message: seal.seal(plaintext)? })
    }

    /// Takes the place of one message of `length` bytes in the sending chain. Its text is encrypted later, by
    /// [`MessageSeal::seal`].
    ///
    /// # Errors
    /// [`EncryptError`]; the ratchet has not moved.
    pub fn prepare(&self, length: usize, options: EncryptOptions) -> Result<Prepared, EncryptError> {
        let padded_length = options.padded_length;
        let too_long = EncryptError::TooLong { padded_length };
        if length.saturating_add(LENGTH_SIZE) > padded_length {
            return Err(too_long);
        }
        let (state, version) = (&self.state, self.state.versions.current);
        let chain = state.sending.as_ref().ok_or(EncryptError::NoSendingChain)?;
        let (chain_key, key, header_iv) = chain.chain_key.advance();
        let next = after_sending(state, SendingChain { chain_key, ..chain.clone() }, options)?;

        let header = message_header(state, next.versions.max_supported).to_bytes(version);
        let padded_header = padded_header_length(version, next.pq_supported);
        let header = chain
            .header_key
            .seal(version, header_iv, &state.associated_data, &header, padded_header)?
            .to_bytes();
        let associated_data = state.associated_data.clone();
        let padded_length = u32::try_from(padded_length).map_err(|_| too_long)?;
        let seal = MessageSeal { version, associated_data, key, padded_length, header };
        Ok(Prepared { ratchet: Ratchet { state: next }, seal })
    }
}

impl MessageSeal {
    /// The encrypted message: header, tag and body.
    ///
    /// Only one text may ever be sealed, the one for which this was prepared.
    ///
    /// # Errors
    /// [`EncryptError::TooLong`] for another one.
    pub fn seal(&self, plaintext: &[u8]) -> Result<Vec<u8>, EncryptError> {
        let padded_length = self.padded_length as usize;
        let mut message = Vec::with_capacity(2 + self.header.len() + 16 + padded_length);
        encode_length(self.version, self.header.len(), &mut message);
        message.extend_from_slice(&self.header);
        let tag_at = message.len();
        message.extend_from_slice(&[0; 16]);
        let associated_data = [&self.associated_data.as_bytes()[..], &self.header].concat();
        let tag = self.key.seal(&associated_data, plaintext, padded_length, &mut message)?;
        message[tag_at..tag_at + 16].copy_from_slice(&tag.0);
        Ok(message)
    }
}

/// The state once a message was sent.
fn after_sending(
    state: &RatchetState,
    sending: SendingChain,
    options: EncryptOptions,
) -> Result<RatchetState, EncryptError> {
    let mut next = state.clone();
    next.sending = Some(sending);
    next.sent = state.sent.checked_add(1).ok_or(EncryptError::Exhausted)?;
    next.pq_enabled = options.pq.unwrap_or(state.pq_enabled);
    next.pq_supported |= next.pq_enabled && state.has_kem_version();
    // Asking for it says that we can do it, whatever the configured maximum.
    let needed = if options.pq == Some(true) { POST_QUANTUM_VERSION } else { state.versions.current };
    next.versions.max_supported = options.max_version.max(needed);
    if let (Some(false), Some(kem)) = (options.pq, &mut next.kem)
        && kem.accepted.is_some()
    {
        // This message still has the ciphertext in its header, the following ones of the chain do not.
        Arc::make_mut(kem).accepted = None;
    }
    Ok(next)
}

fn message_header(state: &RatchetState, max_version: RatchetVersion) -> MessageHeader {
    MessageHeader {
        max_version,
        ratchet_key: state.ratchet_key.public_key().0,
        kem: state.kem.as_ref().filter(|_| state.has_kem_version()).map(|kem| kem.parameters()),
        previous_count: state.previous_sent,
        number: state.sent,
    }
}
