//! Bodies of messages, made before the clock starts.

use std::borrow::Cow;

use anyhow::{Context as _, Result};
use smp_crypto::{Nonce, X25519PrivateKey};
use smp_protocol::body::{ClientEnvelope, ClientMessage, MESSAGE_PADDED_LENGTH, PrivateHeader};
use smp_protocol::command::{Command, MessageFlags};
use smp_protocol::encoding::to_bytes;
use smp_protocol::version::SmpClientVersion;

use crate::driver::{Preparer, Queue, Ready};

/// A full-size body as an app sends it: 16,043 bytes, whatever is in it.
///
/// # Errors
/// None that depend on input.
pub(super) fn body() -> Result<Vec<u8>> {
    let rng = &mut rand::rng();
    let key = X25519PrivateKey::generate(rng);
    let box_key = key.agree(&X25519PrivateKey::generate(rng).public_key()).box_key();
    let message = ClientMessage {
        header: PrivateHeader::Empty,
        body: Cow::Owned(vec![b'm'; MESSAGE_PADDED_LENGTH - 16]),
    };
    let version = SmpClientVersion::SUPPORTED.max();
    let envelope = ClientEnvelope::seal(version, None, Nonce::generate(rng), &box_key, &message)
        .context("making the body of a message")?;
    Ok(to_bytes(&envelope))
}

/// `count` transmissions of `SEND` to a queue.
///
/// # Errors
/// If the relay is too old for the keys.
pub(super) fn sends(preparer: &mut Preparer, queue: &Queue, body: &[u8], count: usize) -> Result<Vec<Ready>> {
    let key = preparer.ready(&queue.sender)?;
    let command = Command::Send(MessageFlags::default(), Cow::Borrowed(body));
    (0..count).map(|_| preparer.transmission(Some(&key), &(&queue.sender_id).into(), &command)).collect()
}
