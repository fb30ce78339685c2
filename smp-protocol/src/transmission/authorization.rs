//! Authorizations in front of transmissions: made by clients, verified by relays.

use smp_crypto::authenticator;
use smp_crypto::{
    BoxKey, Ed25519PrivateKey, Ed25519PublicKey, Nonce, PrivateAuthKey, PublicAuthKey, Signature,
    X25519PublicKey,
};

use crate::error::TransportError;
use crate::session::SessionParameters;

/// Bytes in an authenticator.
pub const AUTHENTICATOR_BYTES: usize = authenticator::SIZE;
/// Bytes in the signature of a service.
pub const SERVICE_SIGNATURE_BYTES: usize = Ed25519PublicKey::SIGNATURE_SIZE;
/// Bytes in an Ed448 signature.
const ED448_SIGNATURE_BYTES: usize = smp_crypto::Ed448PublicKey::SIGNATURE_SIZE;

/// The authorization of a command, ready to be sent.
///
/// Source: section 3.1 (`protocol-spec/3-transmissions.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// By the key of the queue, or of the service in `SUBS` and `NSUBS`.
    by_key: ByKey,
    /// By the key of the service, next to that of the queue.
    by_service: Option<[u8; SERVICE_SIGNATURE_BYTES]>,
}

/// In place: every command that is sent has one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ByKey {
    Ed25519([u8; Ed25519PublicKey::SIGNATURE_SIZE]),
    Authenticator([u8; AUTHENTICATOR_BYTES]),
    Ed448([u8; ED448_SIGNATURE_BYTES]),
}

impl Authorization {
    /// The signature or authenticator: 64, 80 or 114 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.by_key {
            ByKey::Ed25519(signature) => signature,
            ByKey::Authenticator(authenticator) => authenticator,
            ByKey::Ed448(signature) => signature,
        }
    }

    /// The signature of the service.
    pub fn service_signature(&self) -> Option<&[u8; SERVICE_SIGNATURE_BYTES]> {
        self.by_service.as_ref()
    }

    /// Bytes that stand in front of a transmission with this authorization.
    pub(super) fn length(&self, session: &SessionParameters) -> usize {
        let service_field = match &self.by_service {
            _ if !session.has_service_field() => 0,
            None => 1,
            Some(signature) => 2 + signature.len(),
        };
        1 + self.as_bytes().len() + service_field
    }

    /// Writes them into a place that has [`length`](Self::length) bytes.
    pub(super) fn fill(&self, session: &SessionParameters, field: &mut [u8]) {
        let by_key = self.as_bytes();
        let (key_field, service_field) = field.split_at_mut(1 + by_key.len());
        // At most 114 bytes.
        key_field[0] = by_key.len() as u8;
        key_field[1..].copy_from_slice(by_key);
        match &self.by_service {
            _ if !session.has_service_field() => {}
            None => service_field[0] = b'0',
            Some(signature) => {
                service_field[..2].copy_from_slice(&[b'1', SERVICE_SIGNATURE_BYTES as u8]);
                service_field[2..].copy_from_slice(signature);
            }
        }
    }

    /// Appends what stands in front of a transmission with or without authorization.
    pub(super) fn encode(this: Option<&Self>, session: &SessionParameters, out: &mut Vec<u8>) {
        let Some(this) = this else {
            out.push(0);
            return;
        };
        let start = out.len();
        out.resize(start + this.length(session), 0);
        this.fill(session, &mut out[start..]);
    }
}

/// The key that authorizes a command.
///
/// Source: section 3.1 (`protocol-spec/3-transmissions.md`).
#[derive(Debug, Clone, Copy)]
pub enum CommandKey<'a> {
    /// Signs, or agrees with the relay's key for an authenticator.
    Queue(&'a PrivateAuthKey),
    /// The secret of an X25519 queue key and the relay's session key, kept from an earlier command in the session.
    Agreed(&'a BoxKey),
    /// Signs `SUBS` and `NSUBS`.
    Service(&'a Ed25519PrivateKey),
}

/// Signs commands of a service next to the key of the queue.
///
/// Source: section 3.2 (`protocol-spec/3-transmissions.md`).
#[derive(Debug, Clone, Copy)]
pub struct ServiceSigner<'a> {
    /// SHA-256 of the service's identity certificate.
    pub fingerprint: &'a [u8; 32],
    /// The service's key in this session.
    pub key: &'a Ed25519PrivateKey,
}

/// Verifies commands of a service.
///
/// Source: section 3.2 (`protocol-spec/3-transmissions.md`).
#[derive(Debug, Clone, Copy)]
pub struct ServiceVerifier<'a> {
    /// SHA-256 of the service's identity certificate.
    pub fingerprint: &'a [u8; 32],
    /// The service's key in this session.
    pub key: &'a Ed25519PublicKey,
}

/// The bytes that a queue's key authorizes if a service signs too: the fingerprint in front of those that the service signs.
pub fn authorized_with_service(fingerprint: &[u8; 32], authorized: &[u8]) -> Vec<u8> {
    [fingerprint, authorized].concat()
}

/// Authorizes a command.
///
/// `relay_key` is the relay's key in this session, `nonce` made of the correlation ID, `authorized` from
/// [`Prepared::authorized`](super::Prepared::authorized). Give `service` only for commands that take its signature
/// ([`takes_service_signature`](crate::command::CommandTag::takes_service_signature)).
///
/// # Errors
/// [`TransportError::NoRelayAuth`] if the queue has an X25519 key and the relay sent none.
pub fn authorize(
    key: CommandKey<'_>,
    relay_key: Option<&X25519PublicKey>,
    nonce: &Nonce,
    authorized: &[u8],
    service: Option<ServiceSigner<'_>>,
) -> Result<Authorization, TransportError> {
    let with_service = service.map(|service| authorized_with_service(service.fingerprint, authorized));
    let by_service = service.map(|service| service.key.sign(authorized));
    let covered = with_service.as_deref().unwrap_or(authorized);
    let by_key = match key {
        CommandKey::Queue(PrivateAuthKey::Ed25519(key)) => ByKey::Ed25519(key.sign(covered)),
        CommandKey::Queue(PrivateAuthKey::Ed448(key)) => ByKey::Ed448(key.sign(covered)),
        CommandKey::Queue(PrivateAuthKey::X25519(key)) => {
            let box_key = key.agree(relay_key.ok_or(TransportError::NoRelayAuth)?).box_key();
            ByKey::Authenticator(authenticator::make(&box_key, nonce, covered))
        }
        CommandKey::Agreed(box_key) => ByKey::Authenticator(authenticator::make(box_key, nonce, covered)),
        CommandKey::Service(key) => ByKey::Ed25519(key.sign(covered)),
    };
    Ok(Authorization { by_key, by_service })
}

/// A received authorization; it has the size of one, more is not known yet.
///
/// Source: section 3.1 (`protocol-spec/3-transmissions.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationRef<'a> {
    /// An Ed25519 signature.
    Ed25519(&'a [u8; 64]),
    /// An Ed448 signature.
    Ed448(&'a [u8; 114]),
    /// An authenticator.
    Authenticator(&'a [u8; AUTHENTICATOR_BYTES]),
}

impl<'a> AuthorizationRef<'a> {
    /// The kind of an authorization field, by its size; `None` if it is empty.
    ///
    /// # Errors
    /// [`TransportError::BadBlock`] if there is no authorization of this size.
    pub fn from_field(field: &'a [u8]) -> Result<Option<Self>, TransportError> {
        if field.is_empty() {
            return Ok(None);
        }
        if let Ok(authenticator) = field.try_into() {
            return Ok(Some(AuthorizationRef::Authenticator(authenticator)));
        }
        if let Ok(signature) = field.try_into() {
            return Ok(Some(AuthorizationRef::Ed25519(signature)));
        }
        let signature: &[u8; ED448_SIGNATURE_BYTES] =
            field.try_into().map_err(|_| TransportError::BadBlock)?;
        Ok(Some(AuthorizationRef::Ed448(signature)))
    }

    /// The bytes of the field.
    pub fn as_bytes(&self) -> &'a [u8] {
        match self {
            AuthorizationRef::Ed25519(bytes) => *bytes,
            AuthorizationRef::Ed448(bytes) => *bytes,
            AuthorizationRef::Authenticator(bytes) => *bytes,
        }
    }

    /// The signature; `None` if it is an authenticator.
    pub fn signature(&self) -> Option<Signature> {
        match self {
            AuthorizationRef::Authenticator(_) => None,
            other => Signature::from_slice(other.as_bytes()).ok(),
        }
    }

    /// Whether this key authorized `covered`. For X25519 keys `agreed` is asked for the secret with the relay's session key.
    ///
    /// An authorization of another kind than the key's is `false` at once, so the caller must do the work of a verification
    /// with a key of the right kind instead (chapter `11-security.md`).
    pub fn is_by(
        &self,
        key: &PublicAuthKey,
        agreed: impl FnOnce(&X25519PublicKey) -> BoxKey,
        nonce: &Nonce,
        covered: &[u8],
    ) -> bool {
        match (self, key) {
            (AuthorizationRef::Ed25519(signature), PublicAuthKey::Ed25519(key)) => {
                key.verify(covered, signature)
            }
            (AuthorizationRef::Ed448(signature), PublicAuthKey::Ed448(key)) => key.verify(covered, signature),
            (AuthorizationRef::Authenticator(authenticator), PublicAuthKey::X25519(key)) => {
                authenticator::verify(&agreed(key), nonce, covered, authenticator)
            }
            _ => false,
        }
    }
}
