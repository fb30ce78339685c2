//! Chain keys: one step for each message, in one direction.

use smp_crypto::aes_gcm::{AesIv, AesKey};
use smp_crypto::hkdf::hkdf_sha512;

use crate::message_key::MessageKey;
use crate::three_keys::three_keys;

const INFO: &[u8] = b"SimpleXChainRatchet";

smp_crypto::secret_bytes! {
    /// `CKs`: the key from which the keys of our next messages come, 32 bytes.
    ///
    /// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
    SendingChainKey, 32
}

smp_crypto::secret_bytes! {
    /// `CKr`: the key from which the keys of the other side's next messages come, 32 bytes.
    ///
    /// Source: section 7.2 (`protocol-spec/7-ratchet.md`).
    ReceivingChainKey, 32
}

impl SendingChainKey {
    /// `KDF_CK`: the key that replaces this one, the next message's key and the vector for its header.
    pub(crate) fn advance(&self) -> (SendingChainKey, MessageKey, AesIv) {
        let (next, message_key, header_iv) = derive(&self.0);
        (SendingChainKey(next), message_key, header_iv)
    }
}

impl ReceivingChainKey {
    /// `KDF_CK`: the key that replaces this one and the next message's key. (A header brings its own vector.)
    pub(crate) fn advance(&self) -> (ReceivingChainKey, MessageKey) {
        let (next, message_key, _) = derive(&self.0);
        (ReceivingChainKey(next), message_key)
    }
}

fn derive(chain_key: &[u8; 32]) -> ([u8; 32], MessageKey, AesIv) {
    let output = hkdf_sha512::<96>(&[], chain_key, INFO);
    let (next, key, ivs) = three_keys(&output);
    let (mut body_iv, mut header_iv) = ([0; 16], [0; 16]);
    body_iv.copy_from_slice(&ivs[..16]);
    header_iv.copy_from_slice(&ivs[16..]);
    (*next, MessageKey::new(AesKey::from_bytes(*key), AesIv(body_iv)), AesIv(header_iv))
}
