//! Session parameters: agreed in the handshake, or implied where there is none.

use smp_crypto::X25519PublicKey;

use crate::id::SessionId;
use crate::version::{VersionRange, XftpVersion};

/// Parameters on which reading and writing transmissions depends.
///
/// Source: section 12.2 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct XftpSession {
    /// The version of commands and answers.
    pub version: XftpVersion,
    /// `tls-unique` of the connection. It stands in every transmission.
    pub id: SessionId,
}

impl XftpSession {
    /// The session of a connection on which nothing was agreed by ALPN: version 1, and no handshake.
    #[must_use]
    pub fn without_handshake(id: SessionId) -> Self {
        XftpSession { version: XftpVersion::MIN, id }
    }

    /// Whether commands can be authorized with X25519 keys.
    #[must_use]
    pub fn takes_authenticators(&self) -> bool {
        self.version >= XftpVersion::AUTH_COMMANDS
    }
}

/// A session as both sides have agreed on it in the handshake.
///
/// Source: section 12.2 (`protocol-spec/12-files.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreedXftpSession {
    /// Version and session ID.
    pub session: XftpSession,
    /// The versions that both sides know, up to the agreed one.
    pub versions: VersionRange<XftpVersion>,
    /// The relay's key in its hello: with it clients make authenticators.
    pub relay_key: X25519PublicKey,
}
