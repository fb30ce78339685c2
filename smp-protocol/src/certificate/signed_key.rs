//! A public key with a signature.

use smp_crypto::{Ed25519PublicKey, PrivateSignatureKey, PublicSignatureKey, Signature, X25519PublicKey};

use super::der::{self, BIT_STRING, ED448, ED25519, SEQUENCE, SignedObject};
use crate::encoding::{Decode, DecodeError, Encode, MAX_LARGE_STRING, Reader};
use crate::error::HandshakeError;

/// A signed public key, as DER: `SEQUENCE { SEQUENCE { SubjectPublicKeyInfo }, algorithm, signature }`.
///
/// The additional SEQUENCE around the key is part of what is signed. Written with two length bytes in front.
///
/// Source: section 2.4 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedKey {
    der: Vec<u8>,
}

impl SignedKey {
    /// Signs an X25519 key, as relays do for their session key.
    pub fn sign_x25519(key: &X25519PublicKey, signer: &PrivateSignatureKey) -> Self {
        SignedKey::sign(&key.to_der(), signer)
    }

    /// Signs an Ed25519 key, as services do for their session key.
    pub fn sign_ed25519(key: &Ed25519PublicKey, signer: &PrivateSignatureKey) -> Self {
        SignedKey::sign(&key.to_der(), signer)
    }

    fn sign(key_der: &[u8], signer: &PrivateSignatureKey) -> Self {
        let signed = der::element(SEQUENCE, &[key_der]);
        let algorithm = match signer {
            PrivateSignatureKey::Ed25519(_) => ED25519,
            PrivateSignatureKey::Ed448(_) => ED448,
        };
        let algorithm = der::element(SEQUENCE, &[algorithm]);
        let signature = signer.sign(&signed);
        let signature = der::element(BIT_STRING, &[&[0], signature.as_bytes()]);
        SignedKey { der: der::element(SEQUENCE, &[&signed, &algorithm, &signature]) }
    }

    /// The DER of key and signature.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The key, if it is an X25519 key signed by `signer`.
    ///
    /// # Errors
    /// [`HandshakeError::BadAuth`] if not.
    pub fn verify_x25519(&self, signer: &PublicSignatureKey) -> Result<X25519PublicKey, HandshakeError> {
        X25519PublicKey::from_der(self.verify(signer)?).map_err(|_| HandshakeError::BadAuth)
    }

    /// The key, if it is an Ed25519 key signed by `signer`.
    ///
    /// # Errors
    /// [`HandshakeError::BadAuth`] if not.
    pub fn verify_ed25519(&self, signer: &PublicSignatureKey) -> Result<Ed25519PublicKey, HandshakeError> {
        Ed25519PublicKey::from_der(self.verify(signer)?).map_err(|_| HandshakeError::BadAuth)
    }

    /// The DER of the key.
    fn verify(&self, signer: &PublicSignatureKey) -> Result<&[u8], HandshakeError> {
        let object = SignedObject::parse(&self.der).ok_or(HandshakeError::BadAuth)?;
        if !is_signed_by(&object, signer) {
            return Err(HandshakeError::BadAuth);
        }
        Ok(object.signed.contents)
    }
}

/// Whether the signature is by this key, and of the algorithm that the object names.
pub(super) fn is_signed_by(object: &SignedObject<'_>, signer: &PublicSignatureKey) -> bool {
    let algorithm = match signer {
        PublicSignatureKey::Ed25519(_) => ED25519,
        PublicSignatureKey::Ed448(_) => ED448,
    };
    object.algorithm == algorithm
        && Signature::from_slice(object.signature)
            .is_ok_and(|signature| signer.verify(object.signed.whole, &signature))
}

impl Encode for SignedKey {
    fn encode(&self, out: &mut Vec<u8>) {
        // A key that we sign is short, and one that we read had a length of two bytes.
        out.extend_from_slice(&(self.der.len() as u16).to_be_bytes());
        out.extend_from_slice(&self.der);
    }
}

impl Decode<'_> for SignedKey {
    /// Looks at the structure only, not at the signature or the kind of key.
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const { assert!(MAX_LARGE_STRING == u16::MAX as usize) };
        let bytes = input.large()?;
        let is_signed_key = || {
            let object = SignedObject::parse(bytes)?;
            let mut key = der::only(object.signed.contents, SEQUENCE)?.contents;
            der::take_tag(&mut key, SEQUENCE)?;
            der::only(key, BIT_STRING)
        };
        is_signed_key().ok_or(DecodeError::Invalid("signed key"))?;
        Ok(SignedKey { der: bytes.to_vec() })
    }
}
