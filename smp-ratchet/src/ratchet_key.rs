//! The X448 keys that the two sides exchange in turns.

use smp_crypto::x448::{X448PrivateKey, X448PublicKey, X448Secret};
use std::sync::OnceLock;

/// `DHRs`: our current ratchet key pair. The public half is kept, it goes into every header.
///
/// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatchetPrivateKey {
    private: X448PrivateKey,
    public: X448PublicKey,
}

/// A key pair of the agreement. The public half is computed when it is needed first, which costs a third of an agreement, and kept.
///
/// Source: section 7.1 (`protocol-spec/7-ratchet.md`).
#[derive(Clone, Debug)]
pub struct AgreementKey {
    private: X448PrivateKey,
    public: OnceLock<X448PublicKey>,
}

impl AgreementKey {
    /// The pair of this private key.
    #[must_use]
    pub fn new(private: X448PrivateKey) -> Self {
        Self { private, public: OnceLock::new() }
    }

    /// The private key.
    #[must_use]
    pub fn private_key(&self) -> &X448PrivateKey {
        &self.private
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> X448PublicKey {
        *self.public.get_or_init(|| self.private.public_key())
    }

    /// The secret shared with the owner of a public key.
    #[must_use]
    pub fn agree(&self, public: &X448PublicKey) -> X448Secret {
        self.private.agree(public)
    }

    /// The same pair, as the first ratchet key.
    pub(crate) fn to_ratchet_key(&self) -> RatchetPrivateKey {
        RatchetPrivateKey { private: self.private.clone(), public: self.public_key() }
    }
}

impl PartialEq for AgreementKey {
    fn eq(&self, other: &Self) -> bool {
        self.private == other.private
    }
}

impl Eq for AgreementKey {}

impl From<RatchetPrivateKey> for AgreementKey {
    fn from(key: RatchetPrivateKey) -> Self {
        Self { private: key.private, public: key.public.into() }
    }
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
