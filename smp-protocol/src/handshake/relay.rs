//! The relay's side of the handshake.

use smp_crypto::{Ed25519PublicKey, PrivateSignatureKey, X25519PrivateKey};

use super::{ClientHello, ClientService, RelayHello, ServiceRole};
use crate::certificate::{CertificateChain, CertifiedKey, SignedKey};
use crate::error::{HandshakeError, TransportError};
use crate::id::SessionId;
use crate::session::{AgreedSession, SessionParameters};
use crate::version::{SmpVersion, VersionRange};

/// The versions to offer: only 6 to clients that did not agree on `smp/1` by ALPN. `None` if the relay does not speak that:
/// close the connection, nothing can be offered.
pub fn offered_versions(own: VersionRange<SmpVersion>, alpn: bool) -> Option<VersionRange<SmpVersion>> {
    if alpn { Some(own) } else { own.intersect(&VersionRange::only(SmpVersion::MIN)) }
}

/// The relay's hello.
///
/// `chain` is the chain of the TLS connection, `leaf_key` the private key of its first certificate, `key` a new key for this
/// session.
pub fn hello(
    versions: VersionRange<SmpVersion>,
    session_id: SessionId,
    chain: &CertificateChain,
    leaf_key: &PrivateSignatureKey,
    key: &X25519PrivateKey,
) -> RelayHello {
    let signed_key = SignedKey::sign_x25519(&key.public_key(), leaf_key);
    RelayHello { versions, session_id, key: Some(CertifiedKey { chain: chain.clone(), signed_key }) }
}

/// Agrees the parameters of the session from the client's answer.
///
/// `fingerprint` is the relay's own, `key` that of [`hello`], `versions` and `session_id` as in the relay's hello.
///
/// # Errors
/// [`HandshakeError::Identity`] if the client wants another relay, [`TransportError::Version`] if it chose a version that was
/// not offered. Nothing is sent then: close the connection.
pub fn agree(
    hello: &ClientHello,
    versions: VersionRange<SmpVersion>,
    session_id: SessionId,
    fingerprint: &[u8; 32],
    key: &X25519PrivateKey,
) -> Result<AgreedSession, TransportError> {
    if hello.fingerprint.as_bytes() != fingerprint {
        return Err(HandshakeError::Identity.into());
    }
    let versions = versions.capped(hello.version).ok_or(TransportError::Version)?;
    Ok(AgreedSession {
        parameters: SessionParameters { version: hello.version, id: session_id },
        versions,
        proxy: hello.proxy,
        secret: hello.key.map(|client_key| key.agree(&client_key)),
        relay_key: Some(key.public_key()),
    })
}

/// A service whose certificates and key belong together.
///
/// Source: section 2.5 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedService {
    /// Its role.
    pub role: ServiceRole,
    /// SHA-256 of its identity certificate: this is the service.
    pub fingerprint: [u8; 32],
    /// Verifies the service's signatures in this session.
    pub key: Ed25519PublicKey,
}

/// Checks a service. `tls_chain` is the chain that the client presented in TLS.
///
/// # Errors
/// [`HandshakeError::BadAuth`]: send it in a [`ServiceResponse`](super::ServiceResponse) and close the connection.
pub fn verify_service(
    service: &ClientService,
    tls_chain: Option<&CertificateChain>,
) -> Result<VerifiedService, TransportError> {
    let chain = &service.key.chain;
    if tls_chain != Some(chain) {
        return Err(HandshakeError::BadAuth.into());
    }
    let fingerprint = chain.service_fingerprint().ok_or(HandshakeError::BadAuth)?;
    let leaf_key = chain.leaf_key().ok_or(HandshakeError::BadAuth)?;
    let key = service.key.signed_key.verify_ed25519(&leaf_key)?;
    Ok(VerifiedService { role: service.role, fingerprint, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_without_alpn_is_not_offered_what_the_relay_does_not_speak() {
        let range = |min, max| VersionRange::new(SmpVersion(min), SmpVersion(max)).unwrap();
        assert_eq!(offered_versions(range(6, 19), false), Some(range(6, 6)));
        assert_eq!(offered_versions(range(8, 11), false), None);
        assert_eq!(offered_versions(range(8, 11), true), Some(range(8, 11)));
    }
}
