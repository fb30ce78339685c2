//! Chains of certificates.

use smp_crypto::hash::sha256;
use smp_crypto::{Ed448PublicKey, Ed25519PublicKey, PublicSignatureKey};

use super::der::{self, CONTEXT_0, SEQUENCE, SignedObject};
use super::signed_key::is_signed_by;
use crate::encoding::{Decode, DecodeError, Encode, LargeString, NonEmpty, Reader, TooLong};

/// The most certificates in the chain of a relay or service.
pub const MAX_CHAIN: usize = 4;

/// One or more certificates in DER, leaf first. Written as a count byte and the certificates with two length bytes each.
///
/// Source: section 2.2 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateChain(NonEmpty<LargeString<'static>>);

impl CertificateChain {
    /// Takes the DER of certificates, leaf first.
    ///
    /// # Errors
    /// [`TooLong`] if there are none or more than 255 of them, or one has more than 65535 bytes.
    pub fn new(certificates: Vec<Vec<u8>>) -> Result<Self, TooLong> {
        let length = certificates.len();
        let certificates = certificates.into_iter().map(LargeString::new).collect::<Result<_, _>>()?;
        let chain = NonEmpty::new(certificates);
        chain.map(CertificateChain).ok_or(TooLong { length, maximum: crate::encoding::MAX_ITEMS })
    }

    /// The DER of the certificates, leaf first.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(LargeString::as_bytes)
    }

    /// The DER of the first certificate: its key signs.
    pub fn leaf(&self) -> &[u8] {
        self.0.first().as_bytes()
    }

    /// The certificate that is the identity of a relay: always the second one.
    ///
    /// `None` if the chain has not 2, 3 or 4 certificates; then it is no relay's chain.
    pub fn relay_identity(&self) -> Option<&[u8]> {
        match self.0.as_slice() {
            [_, identity] | [_, identity, _] | [_, identity, _, _] => Some(identity.as_bytes()),
            _ => None,
        }
    }

    /// The certificate that is the identity of a service: the second one, or the only one.
    pub fn service_identity(&self) -> Option<&[u8]> {
        match self.0.as_slice() {
            [only] => Some(only.as_bytes()),
            _ => self.relay_identity(),
        }
    }

    /// SHA-256 of the relay's identity certificate, which is also in its address.
    pub fn relay_fingerprint(&self) -> Option<[u8; 32]> {
        self.relay_identity().map(sha256)
    }

    /// SHA-256 of the service's identity certificate.
    pub fn service_fingerprint(&self) -> Option<[u8; 32]> {
        self.service_identity().map(sha256)
    }

    /// The public key of the first certificate; `None` if it cannot be read or is of another algorithm.
    pub fn leaf_key(&self) -> Option<PublicSignatureKey> {
        public_key(self.leaf())
    }

    /// Whether each certificate is signed with the key of the next one. Whether the last one can be trusted, and validity
    /// dates, are not looked at.
    pub fn is_linked(&self) -> bool {
        let certificates = self.0.as_slice();
        certificates.iter().zip(&certificates[1..]).all(|(certificate, issuer)| {
            let object = SignedObject::parse(certificate.as_bytes());
            let key = public_key(issuer.as_bytes());
            object.zip(key).is_some_and(|(object, key)| is_signed_by(&object, &key))
        })
    }
}

/// The public key of a certificate (RFC 5280, section 4.1).
fn public_key(certificate: &[u8]) -> Option<PublicSignatureKey> {
    let mut fields = SignedObject::parse(certificate)?.signed.contents;
    if fields.first() == Some(&CONTEXT_0) {
        der::take(&mut fields)?;
    }
    // Serial number, algorithm, issuer, validity, subject.
    for _ in 0..5 {
        der::take(&mut fields)?;
    }
    let key = der::take_tag(&mut fields, SEQUENCE)?.whole;
    let ed25519 = Ed25519PublicKey::from_der(key).ok().map(PublicSignatureKey::from);
    ed25519.or_else(|| Ed448PublicKey::from_der(key).ok().map(PublicSignatureKey::from))
}

impl Encode for CertificateChain {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode<'_> for CertificateChain {
    /// Looks at the outermost structure of each certificate only.
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let certificates: NonEmpty<LargeString<'_>> = input.read()?;
        if certificates.iter().any(|certificate| SignedObject::parse(certificate.as_bytes()).is_none()) {
            return Err(DecodeError::Invalid("certificate"));
        }
        let owned = certificates.into_vec().into_iter().map(LargeString::into_owned).collect();
        NonEmpty::new(owned).map(CertificateChain).ok_or(DecodeError::Invalid("certificate chain"))
    }
}
