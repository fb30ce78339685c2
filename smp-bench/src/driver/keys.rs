//! Keys of queues, made before the clock starts.

use smp_crypto::{Ed25519PrivateKey, PrivateAuthKey, X25519PrivateKey, X25519PublicKey};

use super::queue::NewKeys;
use super::target::AuthKind;

/// Makes the keys for new queues.
#[derive(Debug)]
pub struct KeyPool {
    auth: AuthKind,
    /// Bodies of messages are never opened here, so one key does for all queues.
    dh_key: X25519PublicKey,
}

impl KeyPool {
    /// A pool of keys of this kind.
    #[must_use]
    pub fn new(auth: AuthKind) -> Self {
        Self { auth, dh_key: X25519PrivateKey::generate(&mut rand::rng()).public_key() }
    }

    /// The keys of a new queue.
    #[must_use]
    pub fn new_keys(&self) -> NewKeys {
        let (recipient, sender) = (self.auth_key(), self.auth_key());
        NewKeys {
            recipient_public: recipient.public_key(),
            sender_public: sender.public_key(),
            recipient,
            sender,
            dh_key: self.dh_key,
        }
    }

    fn auth_key(&self) -> PrivateAuthKey {
        let rng = &mut rand::rng();
        match self.auth {
            AuthKind::X25519 => X25519PrivateKey::generate(rng).into(),
            AuthKind::Ed25519 => Ed25519PrivateKey::generate(rng).into(),
        }
    }
}
