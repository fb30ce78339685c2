//! Handshakes in the vectors, and both sides' rules.

use serde_json::Value;
use smp_crypto::hash::sha256;
use smp_crypto::{Ed25519PrivateKey, PrivateSignatureKey, X25519PrivateKey, X25519PublicKey, padding};
use smp_protocol::certificate::CertificateChain;
use smp_protocol::encoding::to_bytes;
use smp_protocol::error::{HandshakeError, TransportError};
use smp_protocol::id::SessionId;
use smp_protocol::version::{VersionRange, XftpVersion};
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::handshake::client::{XftpClient, answer, verify_proof};
use smp_protocol::xftp::handshake::{
    self, Challenge, WebHello, XftpClientHello, XftpRelayHello, read_refusal, relay,
};
use smp_vectors::{array, assert_bytes, bytes, list, named, number, optional, text};

fn versions(min: u16, max: u16) -> VersionRange<XftpVersion> {
    VersionRange::new(XftpVersion(min), XftpVersion(max)).unwrap()
}

fn check_block(content: &[u8], case: &Value) {
    assert_bytes(&sha256(&padding::pad(content, 16_384).unwrap()), &case["block_sha256"]);
}

pub(crate) fn relay_hello(case: &Value) {
    let content = bytes(&case["content"]);
    let hello = XftpRelayHello::read(&content).unwrap();
    assert_eq!(to_bytes(&hello), content);
    check_block(&content, case);
    assert_eq!(hello.versions, versions(1, 3));
    assert_eq!(list(&case["version_range"]).iter().map(number).collect::<Vec<_>>(), [1, 3]);
    assert_bytes(hello.session_id.as_bytes(), &case["session_id"]);
    let chain = CertificateChain::new(list(&case["certificates_der"]).iter().map(bytes).collect()).unwrap();
    assert_eq!(hello.key.chain, chain);
    assert!(chain.is_linked() && case["identity_proof"].is_null() && hello.identity_proof.is_none());

    let fingerprint: [u8; 32] = array(&case["fingerprint"]);
    let session_id = hello.session_id.clone();
    let client = XftpClient {
        versions: XftpVersion::SUPPORTED,
        session_id: &session_id,
        fingerprint: &fingerprint,
        relay_chain: &chain,
    };
    let (client_hello, agreed) = answer(&hello, &client).unwrap();
    assert_eq!(
        (client_hello.version, client_hello.fingerprint.as_bytes()),
        (XftpVersion(3), &fingerprint[..])
    );
    assert_eq!((agreed.session.version, &agreed.session.id), (XftpVersion(3), &session_id));
    assert_eq!(agreed.relay_key, X25519PublicKey::from_der(&bytes(&case["relay_key"])).unwrap());
    // Bytes that follow are for later versions; older relays end before the proof.
    let more = [&content[..], b"more"].concat();
    assert_eq!(XftpRelayHello::read(&more).unwrap(), hello);
    assert_eq!(XftpRelayHello::read(&content[..content.len() - 1]).unwrap(), hello);
    assert_eq!(XftpRelayHello::read(&content[..content.len() - 2]), Err(HandshakeError::Parse));
    assert_eq!(read_refusal(&content), None);

    let other = SessionId::new(&[1; 32]).unwrap();
    let refused = |client: &XftpClient<'_>| answer(&hello, client).unwrap_err();
    assert_eq!(refused(&XftpClient { session_id: &other, ..client.clone() }), TransportError::BadSession);
    assert_eq!(refused(&XftpClient { versions: versions(4, 9), ..client.clone() }), TransportError::Version);
    let bad_auth = TransportError::from(HandshakeError::BadAuth);
    assert_eq!(refused(&XftpClient { fingerprint: &[1; 32], ..client.clone() }), bad_auth);
    // Another relay's hello: its key is not signed with the certificate of TLS.
    let tls = CertificateChain::new(vec![bytes(&case["certificates_der"][1])]).unwrap();
    assert_eq!(refused(&XftpClient { relay_chain: &tls, ..client }), bad_auth);
}

pub(crate) fn client_hello_read(case: &Value) -> XftpClientHello {
    let hello = XftpClientHello::read(&bytes(&case["content"])).unwrap();
    assert_eq!(u64::from(hello.version.0), number(&case["version"]));
    assert_bytes(hello.fingerprint.as_bytes(), &case["fingerprint"]);
    hello
}

pub(crate) fn client_hello(case: &Value) {
    let hello = client_hello_read(case);
    assert_bytes(&to_bytes(&hello), &case["content"]);
    check_block(&to_bytes(&hello), case);
    let fingerprint = array(&case["fingerprint"]);
    let key = X25519PrivateKey::from_bytes([1; 32]);
    let agree = |versions, fingerprint: &[u8; 32]| {
        relay::agree(&hello, versions, SessionId::empty(), fingerprint, &key)
            .map(|agreed| agreed.session.version)
    };
    assert_eq!(agree(XftpVersion::SUPPORTED, &fingerprint), Ok(XftpVersion(3)));
    assert_eq!(agree(versions(1, 2), &fingerprint), Err(XftpError::Handshake));
    assert_eq!(agree(XftpVersion::SUPPORTED, &[1; 32]), Err(XftpError::Handshake));
}

pub(crate) fn web_hello(case: &Value) {
    let hello = WebHello { challenge: optional(&case["challenge"], array) };
    assert_bytes(&to_bytes(&hello), &case["content"]);
    let more = [&bytes(&case["content"])[..], b"more"].concat();
    assert_eq!(WebHello::read(&more), Ok(hello));
}

pub(crate) fn web_hello_refused(case: &Value) {
    assert_eq!(WebHello::read(&bytes(&case["content"])), Err(HandshakeError::Parse));
}

pub(crate) fn refusal(case: &Value) {
    let error = read_refusal(&bytes(&case["content"])).unwrap();
    assert_eq!(error.to_string(), text(&case["error"]));
    assert_bytes(&handshake::refusal(&error), &case["content"]);
}

pub(crate) fn identity_proof(case: &Value) {
    let key = PrivateSignatureKey::from(Ed25519PrivateKey::from_bytes(array(&case["ed25519_key"])));
    let challenge: Challenge = array(&case["challenge"]);
    let hello = relay::hello(
        XftpVersion::SUPPORTED,
        SessionId::new(&bytes(&case["session_id"])).unwrap(),
        // Not looked at by what is compared here.
        &CertificateChain::new(vec![vec![0x30, 0]]).unwrap(),
        &key,
        &X25519PrivateKey::from_bytes([1; 32]),
        Some(&challenge),
    );
    assert_bytes(hello.identity_proof.unwrap().as_bytes(), &case["signature"]);
}

/// A browser believes a relay that has the key of a chain of this identity, for its challenge and session.
#[test]
fn proofs_of_identity() {
    let cases = smp_vectors::cases("handshakes.json");
    let chains = &named(&cases, "certificate_chains")["chains"];
    let chain = &chains["ed25519"];
    let certificates = list(&chain["certificates_der"]).iter().map(bytes).collect::<Vec<_>>();
    let leaf_key = list(&chain["private_keys_pkcs8_der"]).first().map(bytes).unwrap();
    let leaf_key = PrivateSignatureKey::from_der(&leaf_key).unwrap();
    let chain = CertificateChain::new(certificates).unwrap();
    let fingerprint = chain.relay_fingerprint().unwrap();
    let hello = |leaf_key, challenge: Option<&Challenge>| {
        let (session, key) = (SessionId::new(&[5; 32]).unwrap(), X25519PrivateKey::from_bytes([1; 32]));
        let hello = relay::hello(XftpVersion::SUPPORTED, session, &chain, leaf_key, &key, challenge);
        XftpRelayHello::read(&to_bytes(&hello)).unwrap()
    };
    let proven = hello(&leaf_key, Some(&[9; 32]));
    assert_eq!(verify_proof(&proven, &[9; 32], &fingerprint), Ok(()));
    let other_session = XftpRelayHello { session_id: SessionId::new(&[6; 32]).unwrap(), ..proven.clone() };
    let other_key = PrivateSignatureKey::from(Ed25519PrivateKey::from_bytes([1; 32]));
    for (hello, challenge, fingerprint) in [
        (&proven, [8; 32], fingerprint),
        (&proven, [9; 32], [1; 32]),
        (&other_session, [9; 32], fingerprint),
        (&hello(&leaf_key, None), [9; 32], fingerprint),
        (&hello(&other_key, Some(&[9; 32])), [9; 32], fingerprint),
    ] {
        assert_eq!(verify_proof(hello, &challenge, &fingerprint), Err(HandshakeError::BadAuth));
    }
}
