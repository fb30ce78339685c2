//! `Session`: the handshake of one connection, request by request.

use std::sync::Arc;

use smp_crypto::{X25519PrivateKey, padding};
use smp_protocol::encoding::to_bytes;
use smp_protocol::version::XftpVersion;
use smp_protocol::xftp::BLOCK_BYTES;
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::handshake::{XftpClientHello, refusal, relay};
use smp_protocol::xftp::session::XftpSession;

use super::relay::Inner;
use super::settings::{FileConnection, FileIdentity};

/// The state of a connection's handshake, and its key.
pub(super) struct Session {
    key: X25519PrivateKey,
    phase: Phase,
    connection: FileConnection,
    /// That of the connection: the relay may have another certificate by now.
    identity: Arc<FileIdentity>,
}

enum Phase {
    /// The client has to ask for the hello.
    New,
    /// The client has to choose a version.
    HelloSent,
    Ready(XftpSession),
}

/// The meaning of a request.
pub(super) enum Turn {
    /// It was part of the handshake: answer with this body.
    Answer(Vec<u8>),
    /// It is a command in this session.
    Command(XftpSession),
}

impl Session {
    pub(super) fn new(connection: FileConnection, relay: &Inner) -> Self {
        let phase = match connection.alpn {
            true => Phase::New,
            false => Phase::Ready(XftpSession::without_handshake(connection.session_id.clone())),
        };
        let key = X25519PrivateKey::generate(&mut relay.surroundings.randomness.rng());
        Self { key, phase, connection, identity: relay.identity() }
    }

    /// The key for authenticators. Where there was no handshake nobody knows its public half.
    pub(super) fn key(&self) -> &X25519PrivateKey {
        &self.key
    }

    /// Takes the beginning of a request's body: a block, or less.
    pub(super) fn take(&mut self, body: &[u8]) -> Turn {
        let result = match &self.phase {
            Phase::Ready(session) => return Turn::Command(session.clone()),
            Phase::New if body.is_empty() => self.hello(),
            Phase::New => Err(XftpError::Handshake),
            Phase::HelloSent => self.agree(body),
        };
        Turn::Answer(result.unwrap_or_else(|error| padded(&refusal(&error))))
    }

    fn hello(&mut self) -> Result<Vec<u8>, XftpError> {
        let identity = &self.identity;
        let session_id = self.connection.session_id.clone();
        let hello = relay::hello(
            XftpVersion::SUPPORTED,
            session_id,
            &identity.chain,
            &identity.leaf_key,
            &self.key,
            None,
        );
        self.phase = Phase::HelloSent;
        Ok(padded(&to_bytes(&hello)))
    }

    fn agree(&mut self, body: &[u8]) -> Result<Vec<u8>, XftpError> {
        if body.len() != BLOCK_BYTES {
            return Err(XftpError::Handshake);
        }
        let content = padding::unpad(body).map_err(|_| XftpError::Handshake)?;
        let hello = XftpClientHello::read(content).map_err(|_| XftpError::Handshake)?;
        let session_id = self.connection.session_id.clone();
        let fingerprint = &self.identity.fingerprint;
        let agreed = relay::agree(&hello, XftpVersion::SUPPORTED, session_id, fingerprint, &self.key)?;
        self.phase = Phase::Ready(agreed.session);
        Ok(Vec::new())
    }
}

/// A block with this content. Chains of certificates and errors are shorter.
fn padded(content: &[u8]) -> Vec<u8> {
    padding::pad(content, BLOCK_BYTES).unwrap_or_default()
}
