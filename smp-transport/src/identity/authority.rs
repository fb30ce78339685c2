//! The offline certificate authority of one relay.

use std::fmt;

use rand::CryptoRng;
use rustls_pki_types::CertificateDer;
use smp_crypto::PrivateSignatureKey;
use time::OffsetDateTime;

use super::chain::{self, fingerprint};
use super::error::{CertificateRole, IdentityError};
use super::issue;
use super::key::KeyAlgorithm;
use super::relay::RelayIdentity;

/// The longest common name that X.509 allows, in bytes.
const MAX_HOST_NAME: usize = 64;

/// The offline certificate, which identifies the relay for ever, and its key.
///
/// The key is needed to issue online certificates only: it should be kept away from the relay's machine.
#[derive(Clone)]
pub struct CertificateAuthority {
    certificate: CertificateDer<'static>,
    key: PrivateSignatureKey,
}

impl CertificateAuthority {
    /// Makes a new identity.
    #[must_use]
    pub fn generate(
        algorithm: KeyAlgorithm,
        now: OffsetDateTime,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Self {
        let key = algorithm.generate(rng);
        let certificate = issue::authority(&key, now, rng);
        Self { certificate, key }
    }

    /// Puts a certificate and its key together.
    ///
    /// # Errors
    /// [`IdentityError::KeyMismatch`] if they do not belong together, [`IdentityError::Chain`] if the certificate
    /// cannot be read.
    pub fn new(
        certificate: CertificateDer<'static>,
        key: PrivateSignatureKey,
    ) -> Result<Self, IdentityError> {
        if chain::public_key(&certificate)? != key.public_key() {
            return Err(IdentityError::KeyMismatch(CertificateRole::Authority));
        }
        Ok(Self { certificate, key })
    }

    /// Issues an online certificate with a new key: a relay's first one, or the replacement of an old one. The
    /// address of the relay stays the same. `host` is put into the certificate; clients do not look at it.
    ///
    /// # Errors
    /// [`IdentityError::HostName`] if `host` is empty or longer than 64 bytes.
    pub fn issue(
        &self,
        host: &str,
        algorithm: KeyAlgorithm,
        now: OffsetDateTime,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<RelayIdentity, IdentityError> {
        if host.is_empty() || host.len() > MAX_HOST_NAME {
            return Err(IdentityError::HostName);
        }
        let key = algorithm.generate(rng);
        let leaf = issue::leaf(host, &key.public_key(), &self.key, now, rng);
        RelayIdentity::new(vec![leaf, self.certificate.clone()], key, now)
    }

    /// SHA-256 of the certificate: the identity in the relay's address.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        fingerprint(&self.certificate)
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The key that signs online certificates.
    #[must_use]
    pub fn key(&self) -> &PrivateSignatureKey {
        &self.key
    }
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthority").finish_non_exhaustive()
    }
}
