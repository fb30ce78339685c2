//! The root key: it takes in both sides' new secrets, and new chains come out.

use smp_crypto::hkdf::hkdf_sha512;
use smp_crypto::sntrup761::KemSharedSecret;
use zeroize::Zeroizing;

use crate::chain_key::{ReceivingChainKey, SendingChainKey};
use crate::header_key::{ReceivingHeaderKey, SendingHeaderKey};
use crate::ratchet_key::{RatchetPrivateKey, RemoteRatchetKey};
use crate::three_keys::three_keys;

const INFO: &[u8] = b"SimpleXRootRatchet";

smp_crypto::secret_bytes! {
    /// `RK`: 32 bytes. Each ratchet step replaces it twice, first for receiving, then for sending.
    ///
    /// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
    RootKey, 32
}

impl RootKey {
    /// `KDF_RK_HE` for the chain that we are going to receive: the root key that follows, the new chain and
    /// the header key of the chain after it.
    pub(crate) fn advance_receiving(
        &self,
        ours: &RatchetPrivateKey,
        theirs: &RemoteRatchetKey,
        kem: Option<&KemSharedSecret>,
    ) -> (RootKey, ReceivingChainKey, ReceivingHeaderKey) {
        let output = self.derive(ours, theirs, kem);
        let (root, chain, header) = three_keys(&output);
        (RootKey(*root), ReceivingChainKey::from_bytes(*chain), ReceivingHeaderKey::from_bytes(*header))
    }

    /// The same for the chain that we are going to send.
    pub(crate) fn advance_sending(
        &self,
        ours: &RatchetPrivateKey,
        theirs: &RemoteRatchetKey,
        kem: Option<&KemSharedSecret>,
    ) -> (RootKey, SendingChainKey, SendingHeaderKey) {
        let output = self.derive(ours, theirs, kem);
        let (root, chain, header) = three_keys(&output);
        (RootKey(*root), SendingChainKey::from_bytes(*chain), SendingHeaderKey::from_bytes(*header))
    }

    fn derive(
        &self,
        ours: &RatchetPrivateKey,
        theirs: &RemoteRatchetKey,
        kem: Option<&KemSharedSecret>,
    ) -> Zeroizing<[u8; 96]> {
        let agreed = ours.agree(theirs);
        let mut secret = Zeroizing::new(Vec::with_capacity(56 + 32));
        secret.extend_from_slice(agreed.as_bytes());
        if let Some(kem) = kem {
            secret.extend_from_slice(kem.as_bytes());
        }
        hkdf_sha512(&self.0, &secret, INFO)
    }
}
