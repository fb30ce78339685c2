//! The X448 keys that the two sides exchange in turns.

use smp_crypto::x448::{X448PrivateKey, X448PublicKey, X448Secret};

/// `DHRs`: our current ratchet key pair. The public half is kept, it goes into every header.
///
/// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatchetPrivateKey {
    private: X448PrivateKey,
    public: X448PublicKey,
}

/// The public half of our ratchet key, as it is sent.
///
/// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RatchetPublicKey(pub X448PublicKey);

/// `DHRr`: the other side's ratchet key, as it came in a header or in the agreement.
///
/// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteRatchetKey(pub X448PublicKey);

impl RatchetPrivateKey {
    /// Computes the public key of `private`.
    #[must_use]
    pub fn new(private: X448PrivateKey) -> Self {
        let public = private.public_key();
        Self { private, public }
    }

    /// Takes a key pair that was stored together.
    pub(crate) fn from_pair(private: X448PrivateKey, public: X448PublicKey) -> Self {
        Self { private, public }
    }

    /// The private key.
    #[must_use]
    pub fn private_key(&self) -> &X448PrivateKey {
        &self.private
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> RatchetPublicKey {
        RatchetPublicKey(self.public)
    }

    pub(crate) fn agree(&self, theirs: &RemoteRatchetKey) -> X448Secret {
        self.private.agree(&theirs.0)
    }
}
