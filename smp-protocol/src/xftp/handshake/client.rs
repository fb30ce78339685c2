//! The client's side of the handshake.

use super::{Challenge, XftpClientHello, XftpRelayHello};
use crate::certificate::CertificateChain;
use crate::encoding::ShortString;
use crate::error::{HandshakeError, TransportError};
use crate::id::SessionId;
use crate::version::{VersionRange, XftpVersion};
use crate::xftp::session::{AgreedXftpSession, XftpSession};

/// A client before its handshake: its versions, and the relay that it expects.
///
/// Source: section 12.2 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone)]
pub struct XftpClient<'a> {
    /// Versions that it speaks.
    pub versions: VersionRange<XftpVersion>,
    /// `tls-unique` of the connection.
    pub session_id: &'a SessionId,
    /// The fingerprint in the relay's address.
    pub fingerprint: &'a [u8; 32],
    /// The chain that the relay presented in TLS.
    pub relay_chain: &'a CertificateChain,
}

/// Checks the relay's hello and answers it.
///
/// # Errors
/// [`TransportError::BadSession`], [`TransportError::Version`] or [`HandshakeError::BadAuth`]. Nothing is sent then: close the
/// connection.
pub fn answer(
    hello: &XftpRelayHello,
    client: &XftpClient<'_>,
) -> Result<(XftpClientHello, AgreedXftpSession), TransportError> {
    if hello.session_id != *client.session_id {
        return Err(TransportError::BadSession);
    }
    let versions = hello.versions.intersect(&client.versions).ok_or(TransportError::Version)?;
    if hello.key.chain.relay_fingerprint() != Some(*client.fingerprint) {
        return Err(HandshakeError::BadAuth.into());
    }
    // The key of the certificate that TLS has verified, whatever chain the hello has.
    let leaf_key = client.relay_chain.leaf_key().ok_or(HandshakeError::BadAuth)?;
    let relay_key = hello.key.signed_key.verify_x25519(&leaf_key)?;
    let version = versions.max();
    let answer = XftpClientHello { version, fingerprint: ShortString::from(*client.fingerprint) };
    let session = XftpSession { version, id: hello.session_id.clone() };
    Ok((answer, AgreedXftpSession { session, versions, relay_key }))
}

/// Checks that a relay has the identity of an address, for a client that cannot see the chain of TLS: the chain in the hello
/// must be linked, and the proof made with the key of its first certificate.
///
/// # Errors
/// [`HandshakeError::BadAuth`].
pub fn verify_proof(
    hello: &XftpRelayHello,
    challenge: &Challenge,
    fingerprint: &[u8; 32],
) -> Result<(), HandshakeError> {
    let chain = &hello.key.chain;
    let proven = || {
        let proof = hello.identity_proof.as_ref()?;
        Some(chain.leaf_key()?.verify(&super::relay::proven(challenge, &hello.session_id), proof))
    };
    let is_identity = chain.relay_fingerprint() == Some(*fingerprint) && chain.is_linked();
    if is_identity && proven() == Some(true) { Ok(()) } else { Err(HandshakeError::BadAuth) }
}
