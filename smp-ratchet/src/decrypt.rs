//! Decryption: `RatchetDecryptPQ2HE`, in two steps so that the database is asked only for what is needed.

use zeroize::Zeroizing;

use crate::envelope::{EncryptedMessage, MessageHeader};
use crate::error::DecryptError;
use crate::header_key::ReceivingHeaderKey;
use crate::key_source::KeySource;
use crate::message_key::MessageKey;
use crate::ratchet::{Ratchet, RatchetState, ReceivingChain};
use crate::skipped::{MAX_SKIPPED, SkippedChange, SkippedKey, SkippedKeyId, SkippedKeys};
use crate::step::ratchet_step;

/// A message whose header is open: it says which stored key is needed for the body, if any.
///
/// Source: section 7.3 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone)]
pub struct OpenedHeader<'r, 'm> {
    ratchet: &'r Ratchet,
    message: EncryptedMessage<'m>,
    header: MessageHeader,
    chain: Chain,
    stored_key: Option<SkippedKeyId>,
}

/// Which chain a message belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chain {
    Current,
    Next,
    Past,
}

/// Outcome of a decryption. The ratchet has moved, also if the text could not be read.
///
/// Source: section 7.3 (`protocol-spec/7-ratchet.md`).
#[derive(Debug)]
#[must_use = "store the ratchet and the change of the skipped keys, whatever the plaintext is"]
pub struct Decrypted {
    /// The ratchet that replaces the one that decrypted.
    pub ratchet: Ratchet,
    /// Change of the stored skipped keys.
    pub skipped: SkippedChange,
    /// Whether the header has a key for the KEM: the other side wants post-quantum encryption.
    pub kem_offered: bool,
    /// The message without its padding, or why there is none.
    pub plaintext: Result<Zeroizing<Vec<u8>>, DecryptError>,
}

impl Ratchet {
    /// Opens the header of a message, with the keys of the current chain, of the next one, or with one of
    /// `stored`: the different header keys under which skipped keys are stored for this ratchet.
    ///
    /// # Errors
    /// [`DecryptError::Malformed`] or [`DecryptError::Header`].
    pub fn open_header<'r, 'm>(
        &'r self,
        message: &'m [u8],
        stored: &[ReceivingHeaderKey],
    ) -> Result<OpenedHeader<'r, 'm>, DecryptError> {
        let message = EncryptedMessage::from_bytes(message).map_err(|_| DecryptError::Malformed)?;
        let state = &self.state;
        let current = state.receiving.as_ref().map(|chain| (&chain.header_key, Chain::Current));
        let next = (&state.next_receiving_header_key, Chain::Next);
        let past = stored.iter().map(|key| (key, Chain::Past));
        let (text, key, chain) = current
            .into_iter()
            .chain([next])
            .chain(past)
            .find_map(|(key, chain)| {
                key.open(&message.header, &state.associated_data).map(|text| (text, key, chain))
            })
            .ok_or(DecryptError::Header)?;
        let header =
            MessageHeader::from_bytes(&text, message.header.version).map_err(|_| DecryptError::Malformed)?;
        let stored_key =
            stored.contains(key).then(|| SkippedKeyId { header_key: key.clone(), number: header.number });
        Ok(OpenedHeader { ratchet: self, message, header, chain, stored_key })
    }

    /// Opens the header and decrypts, with all skipped keys in memory.
    ///
    /// # Errors
    /// Those of [`open_header`](Self::open_header) and [`OpenedHeader::decrypt`].
    pub fn decrypt(
        &self,
        message: &[u8],
        skipped: &SkippedKeys,
        keys: &mut (impl KeySource + ?Sized),
    ) -> Result<Decrypted, DecryptError> {
        let opened = self.open_header(message, &skipped.header_keys())?;
        let stored = opened.stored_key().and_then(|id| skipped.get(id)).cloned();
        opened.decrypt(stored, keys)
    }
}

impl OpenedHeader<'_, '_> {
    /// The stored key to look up for [`decrypt`](Self::decrypt). There need not be one under this name.
    #[must_use]
    pub fn stored_key(&self) -> Option<&SkippedKeyId> {
        self.stored_key.as_ref()
    }

    /// Decrypts the body: with `stored`, the key found for [`stored_key`](Self::stored_key), or with the ratchet.
    ///
    /// `keys` is used if the message begins a new chain.
    ///
    /// # Errors
    /// [`DecryptError`] if nothing has changed. Errors after a change are in [`Decrypted::plaintext`].
    pub fn decrypt(
        self,
        stored: Option<MessageKey>,
        keys: &mut (impl KeySource + ?Sized),
    ) -> Result<Decrypted, DecryptError> {
        let kem_offered = self.header.kem.is_some();
        if let (Some(id), Some(key)) = (&self.stored_key, stored) {
            return Ok(Decrypted {
                kem_offered,
                ratchet: self.ratchet.clone(),
                skipped: SkippedChange::Removed(id.clone()),
                plaintext: self.open_body(&key),
            });
        }
        let mut state = self.ratchet.state.clone();
        self.raise_version(&mut state);
        let mut added = Vec::new();
        match self.chain {
            Chain::Past => return Err(DecryptError::Header),
            Chain::Current => {}
            Chain::Next => {
                // The end of the chain before, then the new one. An error in either leaves everything as it was.
                skip(&mut state, self.header.previous_count, &mut added)?;
                state = ratchet_step(state, &self.header, keys)?;
            }
        }
        // From here on the ratchet has moved, as the reference's has: what fails now is kept together with it.
        let plaintext =
            skip(&mut state, self.header.number, &mut added).and_then(|()| self.open_with_chain(&mut state));
        let skipped = if added.is_empty() { SkippedChange::None } else { SkippedChange::Added(added) };
        Ok(Decrypted { ratchet: Ratchet { state }, skipped, kem_offered, plaintext })
    }

    /// A message announces what its sender speaks; what both speak is used from now on.
    fn raise_version(&self, state: &mut RatchetState) {
        let versions = &mut state.versions;
        versions.current = versions.current.max(self.header.max_version.min(versions.max_supported));
    }

    /// Takes the next key of the receiving chain and opens the body with it. The key is used up in any case.
    fn open_with_chain(&self, state: &mut RatchetState) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
        // There is a chain: it was the current one, or the step made it.
        let Some(chain) = &mut state.receiving else { return Err(DecryptError::Header) };
        let key = next_message_key(chain);
        state.received += 1;
        self.open_body(&key)
    }

    fn open_body(&self, key: &MessageKey) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
        let associated_data = self.ratchet.state.associated_data.as_bytes();
        let associated_data = [&associated_data[..], self.message.header_bytes].concat();
        key.open(&associated_data, self.message.body, &self.message.tag)
    }
}

fn next_message_key(chain: &mut ReceivingChain) -> MessageKey {
    let (chain_key, message_key) = chain.chain_key.advance();
    chain.chain_key = chain_key;
    message_key
}

/// `SkipMessageKeysHE`: adds the keys of messages up to, not including, number `until`. On error nothing changes.
fn skip(state: &mut RatchetState, until: u32, added: &mut Vec<SkippedKey>) -> Result<(), DecryptError> {
    let Some(chain) = &mut state.receiving else { return Ok(()) };
    let missing = check_number(state.received, until)?;
    for _ in 0..missing {
        let key = next_message_key(chain);
        let id = SkippedKeyId { header_key: chain.header_key.clone(), number: state.received };
        added.push(SkippedKey { id, key });
        state.received += 1;
    }
    Ok(())
}

/// How many messages are missing if `received` have come and number `until` is next.
fn check_number(received: u32, until: u32) -> Result<u32, DecryptError> {
    match until.checked_sub(received) {
        // The last number is refused too, so that counting cannot overflow.
        Some(missing) if missing > MAX_SKIPPED || until == u32::MAX => {
            Err(DecryptError::TooManySkipped(missing.saturating_add(1)))
        }
        Some(missing) => Ok(missing),
        None if received - until == 1 => Err(DecryptError::Duplicate),
        None => Err(DecryptError::Earlier(received - until - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(check_number(0, 0), Ok(0));
        assert_eq!(check_number(5, 517), Ok(512));
        assert_eq!(check_number(5, 518), Err(DecryptError::TooManySkipped(514)));
        assert_eq!(check_number(5, 4), Err(DecryptError::Duplicate));
        assert_eq!(check_number(5, 3), Err(DecryptError::Earlier(1)));
        assert_eq!(check_number(5, 0), Err(DecryptError::Earlier(4)));
        assert_eq!(check_number(u32::MAX - 1, u32::MAX), Err(DecryptError::TooManySkipped(2)));
        assert_eq!(check_number(0, u32::MAX), Err(DecryptError::TooManySkipped(u32::MAX)));
    }
}
