//! Keys of certificates in the form that rustls wants.

use std::sync::Arc;

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use smp_crypto::PrivateSignatureKey;

use crate::identity::RelayIdentity;

/// An identity ready for rustls, for servers and clients.
pub(super) fn certified_key(identity: &RelayIdentity) -> Arc<SingleCertAndKey> {
    let key = CertificateSigningKey {
        public_der: identity.key().public_key().to_der().into(),
        identity: identity.clone(),
    };
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(identity.chain().to_vec(), Arc::new(key))))
}

#[derive(Debug, Clone)]
struct CertificateSigningKey {
    identity: RelayIdentity,
    /// SubjectPublicKeyInfo, kept because computing it costs as much as signing.
    public_der: Arc<[u8]>,
}

impl CertificateSigningKey {
    fn own_scheme(&self) -> SignatureScheme {
        match self.identity.key() {
            PrivateSignatureKey::Ed25519(_) => SignatureScheme::ED25519,
            PrivateSignatureKey::Ed448(_) => SignatureScheme::ED448,
        }
    }
}

impl SigningKey for CertificateSigningKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&self.own_scheme()).then(|| Box::new(self.clone()) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(&self.public_der[..]))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.identity.key() {
            PrivateSignatureKey::Ed25519(_) => SignatureAlgorithm::ED25519,
            PrivateSignatureKey::Ed448(_) => SignatureAlgorithm::ED448,
        }
    }
}

impl Signer for CertificateSigningKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.identity.key().sign(message).as_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        self.own_scheme()
    }
}
