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

/// Change of the stored skipped keys, to be stored together with the ratchet.
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
    /// The different header keys under which there are keys, the oldest first.
    #[must_use]
    pub fn header_keys(&self) -> Vec<ReceivingHeaderKey> {
        let mut keys: Vec<ReceivingHeaderKey> = Vec::new();
        for SkippedKey { id, .. } in &self.0 {
            // Chains follow each other, so the keys of one are side by side.
            if keys.last() != Some(&id.header_key) {
                keys.push(id.header_key.clone());
            }
        }
        keys
    }

    /// Removes the oldest keys until at most `keys` of at most `chains` chains are left, and returns under what they were.
    ///
    /// Each chain costs every message that cannot be read one attempt to open its header.
    pub fn limit(&mut self, keys: usize, chains: usize) -> Vec<SkippedKeyId> {
        let mut removed = self.0.len().saturating_sub(keys);
        let header_keys = self.header_keys();
        if let Some(oldest_kept) =
            header_keys.len().checked_sub(chains).and_then(|first| header_keys.get(first))
        {
            let before = self.0.iter().take_while(|skipped| skipped.id.header_key != *oldest_kept).count();
            removed = removed.max(before);
        } else if chains == 0 {
            removed = self.0.len();
        }
        self.0.drain(..removed).map(|skipped| skipped.id).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(chains: &[(u8, u32)]) -> SkippedKeys {
        let key = |chain, number| SkippedKey {
            id: SkippedKeyId { header_key: ReceivingHeaderKey::from_bytes([chain; 32]), number },
            key: MessageKey::from_bytes(&[chain; MessageKey::SIZE]),
        };
        let keys = chains.iter().flat_map(|(chain, count)| (0..*count).map(|number| key(*chain, number)));
        keys.collect::<Vec<_>>().into()
    }

    #[test]
    fn oldest_keys_and_chains_go_first() {
        for (limit, left) in [
            ((9, 9), vec![(1, 0), (1, 1), (2, 0), (3, 0), (3, 1)]),
            ((3, 9), vec![(2, 0), (3, 0), (3, 1)]),
            ((9, 2), vec![(2, 0), (3, 0), (3, 1)]),
            ((1, 2), vec![(3, 1)]),
            ((9, 0), vec![]),
        ] {
            let mut skipped = keys(&[(1, 2), (2, 1), (3, 2)]);
            let before = skipped.as_slice().len();
            let removed = skipped.limit(limit.0, limit.1);
            assert_eq!(removed.len() + skipped.as_slice().len(), before);
            let ids: Vec<_> = skipped
                .as_slice()
                .iter()
                .map(|key| (key.id.header_key.as_bytes()[0], key.id.number))
                .collect();
            assert_eq!(ids, left, "{limit:?}");
        }
        assert_eq!(keys(&[(1, 500), (2, 500)]).header_keys().len(), 2);
    }
}
