//! The relay's side of the handshake.

use smp_crypto::{PrivateSignatureKey, X25519PrivateKey};

use super::{Challenge, XftpClientHello, XftpRelayHello};
use crate::certificate::{CertificateChain, CertifiedKey, SignedKey};
use crate::id::SessionId;
use crate::version::{VersionRange, XftpVersion};
use crate::xftp::error::XftpError;
use crate::xftp::session::{AgreedXftpSession, XftpSession};

/// The relay's hello.
///
/// `chain` is the chain of the TLS connection, `leaf_key` the private key of its first certificate, `key` a new key for this
/// session.
pub fn hello(
    versions: VersionRange<XftpVersion>,
    session_id: SessionId,
    chain: &CertificateChain,
    leaf_key: &PrivateSignatureKey,
    key: &X25519PrivateKey,
    challenge: Option<&Challenge>,
) -> XftpRelayHello {
    let signed_key = SignedKey::sign_x25519(&key.public_key(), leaf_key);
    let identity_proof = challenge.map(|challenge| leaf_key.sign(&proven(challenge, &session_id)));
    let key = CertifiedKey { chain: chain.clone(), signed_key };
    XftpRelayHello { versions, session_id, key, identity_proof }
}

/// The bytes that a proof of identity signs.
pub(super) fn proven(challenge: &Challenge, session_id: &SessionId) -> Vec<u8> {
    [challenge.as_slice(), session_id.as_bytes()].concat()
}

/// Agrees the parameters of the session from the client's hello.
///
/// `fingerprint` is the relay's own, `key` that of [`hello`], `versions` and `session_id` as in the relay's hello.
///
/// # Errors
/// [`XftpError::Handshake`], to be answered as a [`refusal`](super::refusal), if the client wants another relay or chose a
/// version that was not offered.
pub fn agree(
    hello: &XftpClientHello,
    versions: VersionRange<XftpVersion>,
    session_id: SessionId,
    fingerprint: &[u8; 32],
    key: &X25519PrivateKey,
) -> Result<AgreedXftpSession, XftpError> {
    if hello.fingerprint.as_bytes() != fingerprint {
        return Err(XftpError::Handshake);
    }
    let versions = versions.capped(hello.version).ok_or(XftpError::Handshake)?;
    let session = XftpSession { version: hello.version, id: session_id };
    Ok(AgreedXftpSession { session, versions, relay_key: key.public_key() })
}
