//! Authenticators: command authorization that the relay can verify, but not prove to anybody else
//! (spec chapter `3-transmissions.md`).
//!
//! An authenticator is a box of the SHA-512 of what is authorized, between the queue's X25519 key and the key of the
//! relay's handshake, with the correlation id as nonce: 64 + 16 = 80 bytes. The relay makes the same one and compares.
//!
//! X25519 costs far more than all the rest, so the functions take the [`BoxKey`] of the two keys. A relay computes it
//! once for each queue key and session.

use subtle::ConstantTimeEq as _;

use crate::crypto_box::TAG_SIZE;
use crate::{BoxKey, Nonce, hash};

/// Size of an authenticator in bytes.
pub const SIZE: usize = TAG_SIZE + DIGEST_SIZE;

/// Size of the SHA-512 that is in it, in bytes.
pub const DIGEST_SIZE: usize = 64;

/// The authenticator of a message.
#[must_use]
pub fn make(key: &BoxKey, nonce: &Nonce, message: &[u8]) -> [u8; SIZE] {
    of_digest(key, nonce, hash::sha512(message))
}

fn of_digest(key: &BoxKey, nonce: &Nonce, mut hash: [u8; DIGEST_SIZE]) -> [u8; SIZE] {
    let tag = key.seal_detached(nonce, &mut hash);
    let mut authenticator = [0; SIZE];
    authenticator[..TAG_SIZE].copy_from_slice(&tag);
    authenticator[TAG_SIZE..].copy_from_slice(&hash);
    authenticator
}

/// Whether this is the authenticator of the message. Always does the same work, and compares in constant time.
#[must_use]
pub fn verify(key: &BoxKey, nonce: &Nonce, message: &[u8], authenticator: &[u8; SIZE]) -> bool {
    make(key, nonce, message).ct_eq(authenticator).into()
}

/// As [`verify`], given the SHA-512 of the message: for who tries several keys, or does not keep the message.
#[must_use]
pub fn verify_digest(
    key: &BoxKey,
    nonce: &Nonce,
    digest: &[u8; DIGEST_SIZE],
    authenticator: &[u8; SIZE],
) -> bool {
    of_digest(key, nonce, *digest).ct_eq(authenticator).into()
}
