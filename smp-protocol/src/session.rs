//! Session parameters: agreed in the handshake by both sides of a connection (chapter `2-transport.md`).

use smp_crypto::block_chain::ChainKeys;
use smp_crypto::{DhSecret, X25519PublicKey};

use crate::id::SessionId;
use crate::version::{SmpVersion, VersionRange};

/// Parameters on which reading and writing transmissions depends. Also those of a session between proxy and destination relay, for
/// commands that are forwarded in it.
///
/// Source: section 2.7 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionParameters {
    /// The version of commands and transmissions.
    pub version: SmpVersion,
    /// Covered by every authorization.
    pub id: SessionId,
}

impl SessionParameters {
    /// Whether the session ID is covered by authorizations but not sent.
    pub fn implies_session_id(&self) -> bool {
        self.version >= SmpVersion::AUTH_COMMANDS
    }

    /// Whether a field for the signature of a service follows each authorization that is not empty.
    pub fn has_service_field(&self) -> bool {
        self.version >= SmpVersion::SERVICE_CERTIFICATES
    }
}

/// A session as both sides have agreed on it in the handshake.
///
/// Source: section 2.7 (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone)]
pub struct AgreedSession {
    /// Version and session ID.
    pub parameters: SessionParameters,
    /// The versions that both sides know, up to the agreed one.
    pub versions: VersionRange<SmpVersion>,
    /// Whether the client is a proxy.
    pub proxy: bool,
    /// The secret of the keys in both hellos; absent if one side sent no key.
    pub secret: Option<DhSecret>,
    /// The relay's key in its hello: with it clients make authenticators.
    pub relay_key: Option<X25519PublicKey>,
}

impl AgreedSession {
    /// The first keys of the block encryption; `None` if blocks are only padded.
    ///
    /// Blocks are encrypted from version 11, if both sides sent keys and the client is not a proxy.
    pub fn chain_keys(&self) -> Option<ChainKeys> {
        if self.proxy || self.parameters.version < SmpVersion::ENCRYPTED_BLOCKS {
            return None;
        }
        self.secret.as_ref().map(|secret| ChainKeys::new(self.parameters.id.as_bytes(), secret))
    }
}
