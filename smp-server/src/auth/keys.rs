//! `SessionKeys`: shared secrets of a session's key with the keys of queues; at most 1,024 are kept.

use std::collections::HashMap;

use smp_crypto::{BoxKey, X25519PrivateKey, X25519PublicKey};

/// Secrets of the younger generation; there may be as many of the older one.
const GENERATION: usize = 512;

/// X25519 costs far more than the rest of an authorization, so the secrets that have verified one are kept, and those that
/// were not used for a while are forgotten first.
pub(crate) struct SessionKeys {
    private: X25519PrivateKey,
    young: HashMap<X25519PublicKey, BoxKey>,
    old: HashMap<X25519PublicKey, BoxKey>,
}

impl SessionKeys {
    /// `private` is the relay's key of the session's handshake.
    pub(crate) fn new(private: X25519PrivateKey) -> Self {
        Self { private, young: HashMap::new(), old: HashMap::new() }
    }

    /// Computes the secret; always the same work.
    pub(crate) fn agree(&self, key: &X25519PublicKey) -> BoxKey {
        self.private.agree(key).box_key()
    }

    /// The secret if it was kept.
    pub(crate) fn kept(&mut self, key: &X25519PublicKey) -> Option<&BoxKey> {
        if let Some(secret) = self.old.remove(key) {
            self.keep(*key, secret);
        }
        self.young.get(key)
    }

    /// Keeps a secret that has verified an authorization.
    pub(crate) fn keep(&mut self, key: X25519PublicKey, secret: BoxKey) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, secret);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_kept_while_they_are_used_and_their_number_is_bounded() {
        let mut rng = rand::rng();
        let mut keys = SessionKeys::new(X25519PrivateKey::generate(&mut rng));
        let key = |n: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            X25519PublicKey::from_bytes(bytes)
        };
        let secret = BoxKey::from_bytes([1; 32]);
        for n in 0..10 * GENERATION {
            keys.keep(key(n), secret.clone());
            assert!(keys.kept(&key(0)).is_some(), "{n}");
            assert!(keys.young.len() + keys.old.len() <= 2 * GENERATION);
        }
        assert!(keys.kept(&key(1)).is_none());
    }
}
