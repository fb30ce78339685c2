//! Encryption of whole transport blocks, used from version 11 on connections without a proxy
//! (spec chapter `2-transport.md`).
//!
//! Each direction has a chain of keys. Every block moves it: HKDF-SHA512 of the chain key gives the next chain key, and
//! the key and nonce of this block. A block is [sealed](crate::crypto_box) padded content: tag (16 bytes), then
//! 2 bytes of length, content and filling.
//!
//! The two directions are different types, so that neither side can open with the chain that it seals with. Sending or
//! receiving a block always moves the chain: after content that was too long, or a block that was
//! lost, the two sides do not understand each other any more, and the connection must be closed.

use crate::crypto_box::TAG_SIZE;
use crate::hkdf::hkdf_sha512;
use crate::padding::{self, LENGTH_SIZE};
use crate::secret_bytes;
use crate::{DhSecret, Nonce, SecretBoxKey, TooLongError};

/// Size of a transport block in bytes.
pub const BLOCK_SIZE: usize = 16384;
/// Where content starts in an encrypted block.
pub const CONTENT_OFFSET: usize = TAG_SIZE + LENGTH_SIZE;
/// The most content of an encrypted block, in bytes.
pub const MAX_CONTENT: usize = BLOCK_SIZE - CONTENT_OFFSET;
/// The most content of a block that is only padded, in bytes.
pub const MAX_PLAIN_CONTENT: usize = BLOCK_SIZE - LENGTH_SIZE;

/// A transport block.
///
/// Source: chapter 2 (`protocol-spec/2-transport.md`).
pub type Block = [u8; BLOCK_SIZE];

const INIT_INFO: &[u8] = b"SimpleXSbChainInit";
const STEP_INFO: &[u8] = b"SimpleXSbChain";

/// A block cannot be read: it is damaged, of another session, out of order, or not padded content. Close the
/// connection; the protocol's name for this is `LARGE_MSG`.
///
/// Source: section 2.6 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the transport block cannot be read")]
pub struct UnreadableBlock;

secret_bytes!(
    /// The state of a chain: 32 bytes.
    ///
    /// Source: section 2.6 (`protocol-spec/2-transport.md`).
    ChainKey, 32
);

/// Key and nonce of one block.
///
/// Source: section 2.6 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockKey {
    /// Key, for `secret_box`.
    pub key: SecretBoxKey,
    /// Nonce.
    pub nonce: Nonce,
}

/// The two chain keys of a session.
///
/// Source: section 2.6 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainKeys {
    /// For blocks that the relay sends.
    pub relay_to_client: ChainKey,
    /// For blocks that the client sends.
    pub client_to_relay: ChainKey,
}

impl ChainKeys {
    /// Derives the chain keys from the session id and the secret agreed by the keys of both handshakes.
    #[must_use]
    pub fn new(session_id: &[u8], secret: &DhSecret) -> Self {
        let mut keys = Self { relay_to_client: ChainKey([0; 32]), client_to_relay: ChainKey([0; 32]) };
        let derived = hkdf_sha512::<64>(session_id, secret.as_bytes(), INIT_INFO);
        keys.relay_to_client.0.copy_from_slice(&derived[..32]);
        keys.client_to_relay.0.copy_from_slice(&derived[32..]);
        keys
    }

    /// The chains as the relay uses them.
    #[must_use]
    pub fn into_relay_chains(self) -> (SealingChain, OpeningChain) {
        (SealingChain::new(self.relay_to_client), OpeningChain::new(self.client_to_relay))
    }

    /// The chains as the client uses them.
    #[must_use]
    pub fn into_client_chains(self) -> (SealingChain, OpeningChain) {
        (SealingChain::new(self.client_to_relay), OpeningChain::new(self.relay_to_client))
    }
}

impl ChainKey {
    /// Moves the chain by one block.
    pub fn step(&mut self) -> BlockKey {
        let derived = hkdf_sha512::<88>(&[], &self.0, STEP_INFO);
        let mut key = SecretBoxKey::from_bytes([0; 32]);
        self.0.copy_from_slice(&derived[..32]);
        key.as_mut_bytes().copy_from_slice(&derived[32..64]);
        BlockKey { key, nonce: Nonce::from_slice_padded(&derived[64..]) }
    }
}

/// The chain of the blocks that we send.
///
/// Source: section 2.6 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingChain(ChainKey);

impl SealingChain {
    /// The chain that goes on from this key.
    #[must_use]
    pub const fn new(key: ChainKey) -> Self {
        Self(key)
    }

    /// The key that the next block will be made from.
    #[must_use]
    pub const fn chain_key(&self) -> &ChainKey {
        &self.0
    }

    /// Makes `block` of `content`.
    ///
    /// # Errors
    ///
    /// [`TooLongError`] if there is more content than [`MAX_CONTENT`]. The chain has moved all the same, so the other
    /// side cannot read what follows: check the size earlier, and close the connection if this happens.
    pub fn seal(&mut self, content: &[u8], block: &mut Block) -> Result<(), TooLongError> {
        if let Some(room) = block[CONTENT_OFFSET..].get_mut(..content.len()) {
            room.copy_from_slice(content);
        }
        self.seal_in_place(content.len(), block)
    }

    /// Makes a block of content that is already in its place, at [`CONTENT_OFFSET`].
    ///
    /// # Errors
    ///
    /// As [`Self::seal`].
    pub fn seal_in_place(&mut self, content_length: usize, block: &mut Block) -> Result<(), TooLongError> {
        let BlockKey { key, nonce } = self.0.step();
        padding::pad_in_place(&mut block[TAG_SIZE..], content_length)?;
        key.box_key().seal_in_place(&nonce, block)
    }
}

/// The chain of the blocks that we receive.
///
/// Source: section 2.6 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpeningChain(ChainKey);

impl OpeningChain {
    /// The chain that goes on from this key.
    #[must_use]
    pub const fn new(key: ChainKey) -> Self {
        Self(key)
    }

    /// The key that the next block will be opened with.
    #[must_use]
    pub const fn chain_key(&self) -> &ChainKey {
        &self.0
    }

    /// Decrypts `block` in place and returns its content.
    ///
    /// # Errors
    ///
    /// [`UnreadableBlock`]. The chain has moved all the same.
    pub fn open<'a>(&mut self, block: &'a mut Block) -> Result<&'a [u8], UnreadableBlock> {
        let BlockKey { key, nonce } = self.0.step();
        let padded = key.box_key().open_in_place(&nonce, block).map_err(|_| UnreadableBlock)?;
        padding::unpad(padded).map_err(|_| UnreadableBlock)
    }
}

/// Makes a block that is only padded: in handshakes, below version 11 and between proxy and relay.
///
/// # Errors
///
/// [`TooLongError`] if there is more content than [`MAX_PLAIN_CONTENT`].
pub fn pad_block(content: &[u8], block: &mut Block) -> Result<(), TooLongError> {
    if let Some(room) = block[LENGTH_SIZE..].get_mut(..content.len()) {
        room.copy_from_slice(content);
    }
    padding::pad_in_place(block, content.len())
}

/// The content of a block that is only padded.
///
/// # Errors
///
/// [`UnreadableBlock`] if the length in front does not fit into a block.
pub fn unpad_block(block: &Block) -> Result<&[u8], UnreadableBlock> {
    padding::unpad(block).map_err(|_| UnreadableBlock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chains() -> [(SealingChain, OpeningChain); 2] {
        let keys = ChainKeys::new(&[1; 32], &DhSecret::from_bytes([2; 32]));
        [keys.clone().into_relay_chains(), keys.into_client_chains()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn content_comes_back_in_both_directions(contents: Vec<Vec<u8>>) {
            let [mut relay, mut client] = chains();
            let mut block = [0; BLOCK_SIZE];
            for content in &contents {
                relay.0.seal(content, &mut block).unwrap();
                prop_assert_eq!(client.1.open(&mut block), Ok(&content[..]));
                client.0.seal(content, &mut block).unwrap();
                prop_assert_eq!(relay.1.open(&mut block), Ok(&content[..]));
            }
        }

        #[test]
        fn content_in_its_place_gives_the_same_block(content: Vec<u8>, before: u8) {
            let [(mut seals, _), _] = chains();
            let mut also_seals = seals.clone();
            let (mut block, mut in_place) = ([0; BLOCK_SIZE], [before; BLOCK_SIZE]);
            seals.seal(&content, &mut block).unwrap();
            in_place[CONTENT_OFFSET..][..content.len()].copy_from_slice(&content);
            also_seals.seal_in_place(content.len(), &mut in_place).unwrap();
            prop_assert_eq!(block, in_place);
        }

        #[test]
        fn padded_blocks_come_back(content: Vec<u8>) {
            let mut block = [1; BLOCK_SIZE];
            pad_block(&content, &mut block).unwrap();
            prop_assert_eq!(unpad_block(&block), Ok(&content[..]));
        }
    }

    #[test]
    fn a_block_is_read_once_and_in_order() {
        let [(mut relay, _), (_, mut client)] = chains();
        let mut blocks = [[0; BLOCK_SIZE]; 2];
        for block in &mut blocks {
            relay.seal(b"content", block).unwrap();
        }
        let mut late = client.clone();
        assert_eq!(late.open(&mut blocks[1].clone()), Err(UnreadableBlock));
        let mut again = blocks[0];
        assert_eq!(client.open(&mut blocks[0]), Ok(&b"content"[..]));
        assert_eq!(client.open(&mut again), Err(UnreadableBlock));
    }

    #[test]
    fn authentic_blocks_without_padded_content_are_unreadable() {
        let [(relay, _), (_, mut client)] = chains();
        let BlockKey { key, nonce } = relay.chain_key().clone().step();
        let mut block = [0xff; BLOCK_SIZE];
        key.box_key().seal_in_place(&nonce, &mut block).unwrap();
        assert_eq!(client.open(&mut block), Err(UnreadableBlock));
        assert_eq!(unpad_block(&[0xff; BLOCK_SIZE]), Err(UnreadableBlock));
    }
}
