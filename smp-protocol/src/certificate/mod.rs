//! Certificate chains and keys signed with them (chapter `2-transport.md`, certificates).
//!
//! Certificates are kept as the DER that they were received in. Read from them here are the public key, who signed
//! them, and their SHA-256; validity dates, names and extensions are the business of the TLS layer.

mod chain;
mod der;
mod signed_key;

pub use chain::{CertificateChain, MAX_CHAIN};
pub use signed_key::SignedKey;

use crate::encoding::{Decode, DecodeError, Encode, Reader};

/// A certificate chain and a key that is signed with the key of its first certificate.
///
/// Source: section 2.4 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedKey {
    /// The chain, leaf first.
    pub chain: CertificateChain,
    /// The signed key.
    pub signed_key: SignedKey,
}

impl Encode for CertifiedKey {
    fn encode(&self, out: &mut Vec<u8>) {
        self.chain.encode(out);
        self.signed_key.encode(out);
    }
}

impl Decode<'_> for CertifiedKey {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(CertifiedKey { chain: input.read()?, signed_key: input.read()? })
    }
}
