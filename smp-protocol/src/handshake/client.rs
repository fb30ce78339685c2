//! The client's side of the handshake.

use smp_crypto::{Ed25519PrivateKey, PrivateSignatureKey, X25519PrivateKey, X25519PublicKey};

use super::{ClientHello, ClientService, RelayHello, ServiceRole};
use crate::certificate::{CertificateChain, CertifiedKey, SignedKey};
use crate::encoding::ShortString;
use crate::error::{HandshakeError, TransportError};
use crate::id::SessionId;
use crate::session::{AgreedSession, SessionParameters};
use crate::version::{SmpVersion, VersionRange};

/// A client before its handshake: its versions and keys, and the relay that it expects.
///
/// Source: section 2.4 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone)]
pub struct Client<'a> {
    /// Versions that it speaks.
    pub versions: VersionRange<SmpVersion>,
    /// `tls-unique` of the connection.
    pub session_id: &'a SessionId,
    /// The fingerprint in the relay's address.
    pub fingerprint: &'a [u8; 32],
    /// The chain that the relay presented in TLS.
    pub relay_chain: &'a CertificateChain,
    /// A new key for this session. Without one blocks are not encrypted.
    pub key: Option<&'a X25519PrivateKey>,
    /// Whether it is a proxy that connects to a destination relay.
    pub proxy: bool,
    /// If it is a service that presented its certificates in TLS: its credentials.
    pub service: Option<ServiceCredentials<'a>>,
}

/// Credentials by which a service presents itself.
///
/// Source: section 2.5 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, Copy)]
pub struct ServiceCredentials<'a> {
    /// Its role.
    pub role: ServiceRole,
    /// Its certificates, the same as in TLS.
    pub chain: &'a CertificateChain,
    /// The private key of the first certificate.
    pub leaf_key: &'a PrivateSignatureKey,
    /// A new key for this session.
    pub key: &'a Ed25519PrivateKey,
}

/// Checks the relay's hello and answers it. If the answer has a service, a [`ServiceResponse`](super::ServiceResponse) comes next.
///
/// # Errors
/// [`TransportError::BadSession`], [`TransportError::Version`] or [`HandshakeError::BadAuth`]. Nothing is sent then: close the
/// connection.
pub fn answer(
    hello: &RelayHello,
    client: &Client<'_>,
) -> Result<(ClientHello, AgreedSession), TransportError> {
    if hello.session_id != *client.session_id {
        return Err(TransportError::BadSession);
    }
    let own = usable_versions(client, hello.versions.max());
    let versions = hello.versions.intersect(&own).ok_or(TransportError::Version)?;
    let version = versions.max();
    let relay_key = match &hello.key {
        Some(key) => Some(verify_relay_key(key, client)?),
        None => None,
    };
    let has_service = version >= SmpVersion::SERVICE_CERTIFICATES;
    let service = client.service.filter(|_| has_service).map(ClientService::new);
    let answer = ClientHello {
        version,
        fingerprint: ShortString::from(*client.fingerprint),
        key: client.key.map(X25519PrivateKey::public_key),
        proxy: client.proxy,
        service,
    };
    let session = AgreedSession {
        parameters: SessionParameters { version, id: hello.session_id.clone() },
        versions,
        proxy: client.proxy,
        secret: client.key.zip(relay_key).map(|(key, relay_key)| key.agree(&relay_key)),
        relay_key,
    };
    Ok((answer, session))
}

/// Proxies use at most version 10 if one side does not know the proxy flag: the relay would take the proxy for another client
/// and encrypt blocks, and then the larger messages of older clients do not fit.
fn usable_versions(client: &Client<'_>, relay_max: SmpVersion) -> VersionRange<SmpVersion> {
    let own = client.versions;
    if !client.proxy || relay_max.min(own.max()) >= SmpVersion::PROXY_HANDSHAKE {
        return own;
    }
    let max = own.max().min(SmpVersion::DELETED_EVENT.max(own.min()));
    VersionRange::new(own.min(), max).unwrap_or(own)
}

/// The chain in the hello must be that of the identity in the address, and the key must be signed with the certificate that
/// TLS has verified.
fn verify_relay_key(key: &CertifiedKey, client: &Client<'_>) -> Result<X25519PublicKey, HandshakeError> {
    if key.chain.relay_fingerprint() != Some(*client.fingerprint) {
        return Err(HandshakeError::BadAuth);
    }
    let leaf_key = client.relay_chain.leaf_key().ok_or(HandshakeError::BadAuth)?;
    key.signed_key.verify_x25519(&leaf_key)
}

impl ClientService {
    fn new(credentials: ServiceCredentials<'_>) -> Self {
        let signed_key = SignedKey::sign_ed25519(&credentials.key.public_key(), credentials.leaf_key);
        let key = CertifiedKey { chain: credentials.chain.clone(), signed_key };
        ClientService { role: credentials.role, key }
    }
}
