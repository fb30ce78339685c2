//! Keys of messages that have not come yet.

use crate::header_key::ReceivingHeaderKey;
use crate::message_key::MessageKey;

/// The most messages that may be missing before one that arrives, in one chain. More are refused.
pub const MAX_SKIPPED: u32 = 512;

/// Which skipped message a key is for: the header key of its chain (32 bytes) and its number in the chain.
///
/// Source: section 7.5 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedKeyId {
    /// The header key of the chain.
    pub header_key: ReceivingHeaderKey,
    /// The number in the chain, from 0.
    pub number: u32,
}

/// A row to store: the key of one message that was left out.
///
/// Source: section 7.5 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedKey {
    /// Under what to find it.
    pub id: SkippedKeyId,
    /// The key.
    pub key: MessageKey,
}

/// What to change in the stored skipped keys, together with the ratchet.
///
/// Source: section 7.5 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SkippedChange {
    /// Nothing.
    #[default]
    None,
    /// Delete this row: its message came, whether it could be decrypted or not.
    Removed(SkippedKeyId),
    /// Insert these rows, at most twice [`MAX_SKIPPED`]: the end of one chain and the beginning of the next.
    Added(Vec<SkippedKey>),
}

/// All skipped keys of a ratchet in memory: for applications without a database, and for tests.
///
/// Source: section 7.5 (`protocol-spec/7-ratchet.md`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SkippedKeys(Vec<SkippedKey>);

impl SkippedKeys {
    /// The different header keys under which there are keys.
    #[must_use]
    pub fn header_keys(&self) -> Vec<ReceivingHeaderKey> {
        let mut keys: Vec<ReceivingHeaderKey> = Vec::new();
        for SkippedKey { id, .. } in &self.0 {
            if !keys.contains(&id.header_key) {
                keys.push(id.header_key.clone());
            }
        }
        keys
    }

    /// The key of one message.
    #[must_use]
    pub fn get(&self, id: &SkippedKeyId) -> Option<&MessageKey> {
        self.0.iter().find(|skipped| skipped.id == *id).map(|skipped| &skipped.key)
    }

    /// Makes a change that decryption returned.
    pub fn apply(&mut self, change: SkippedChange) {
        match change {
            SkippedChange::None => {}
            SkippedChange::Removed(id) => self.0.retain(|skipped| skipped.id != id),
            SkippedChange::Added(keys) => self.0.extend(keys),
        }
    }

    /// All keys, in the order in which they were skipped.
    #[must_use]
    pub fn as_slice(&self) -> &[SkippedKey] {
        &self.0
    }
}

impl From<Vec<SkippedKey>> for SkippedKeys {
    fn from(keys: Vec<SkippedKey>) -> Self {
        Self(keys)
    }
}
