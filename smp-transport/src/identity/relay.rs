//! `RelayIdentity`: certificates and key that a running relay, or a service, proves its identity with.

use std::fmt;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, UnixTime};
use smp_crypto::PrivateSignatureKey;
use time::OffsetDateTime;

use super::chain;
use super::error::{CertificateRole, IdentityError};

/// A chain of 2 to 4 certificates, leaf first, with the leaf's key. Cheap to clone.
///
/// Made by [`super::CertificateAuthority::issue`] or read by [`super::files::load`].
#[derive(Clone)]
pub struct RelayIdentity(Arc<Inner>);

struct Inner {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateSignatureKey,
    fingerprint: [u8; 32],
}

impl RelayIdentity {
    /// Puts a chain (leaf first) and the leaf's key together and checks that clients will accept them at `now`.
    ///
    /// # Errors
    /// [`IdentityError::Chain`] if the chain has another length, is not signed link by link, or is out of its
    /// validity; [`IdentityError::KeyMismatch`] if the key is not the leaf's.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateSignatureKey,
        now: OffsetDateTime,
    ) -> Result<Self, IdentityError> {
        let fingerprint = chain::relay_fingerprint(&chain)?;
        chain::check_relay_chain(&chain, unix_time(now))?;
        let leaf = chain.first().map(chain::public_key).transpose()?;
        if leaf != Some(key.public_key()) {
            return Err(IdentityError::KeyMismatch(CertificateRole::Leaf));
        }
        Ok(Self(Arc::new(Inner { chain, key, fingerprint })))
    }

    /// The certificates, leaf first, as they are sent in TLS and in the relay's hello.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0.chain
    }

    /// The identity in the relay's address: SHA-256 of the second certificate, 32 bytes.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.0.fingerprint
    }

    /// The leaf's private key: signs in TLS, and the relay's handshake key.
    #[must_use]
    pub fn key(&self) -> &PrivateSignatureKey {
        &self.0.key
    }
}

impl fmt::Debug for RelayIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayIdentity").field("certificates", &self.0.chain.len()).finish_non_exhaustive()
    }
}

/// Times before 1970 count as 1970, when no certificate of a relay was valid.
fn unix_time(at: OffsetDateTime) -> UnixTime {
    let seconds = u64::try_from(at.unix_timestamp()).unwrap_or(0);
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}
