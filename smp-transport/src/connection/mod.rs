//! SMP connections: TLS, then the SMP handshake, then blocks (`protocol-spec/2-transport.md`).
//!
//! A relay makes them with a [`RelayAcceptor`] of any stream that its listener accepted, a client with a
//! [`RelayConnector`]. A [`Connection`] has two halves for two tasks, [`BlockReader`] and [`BlockWriter`]. They exchange
//! blocks of 16,384 bytes; from version 11 blocks are encrypted again inside TLS, so that traffic of different queues
//! cannot be told apart where TLS ends.
//!
//! An idle connection holds no block buffer; what remains is the state of TLS with its read buffer of 4 KiB.

mod accept;
mod buffer;
mod connect;
mod error;
mod reader;
mod stream;
mod writer;

use std::time::Duration;

use rustls_pki_types::CertificateDer;
use smp_crypto::{Ed25519PrivateKey, X25519PrivateKey};
use smp_protocol::certificate::{CertificateChain, CertifiedKey};
use smp_protocol::error::{HandshakeError, TransportError};
use smp_protocol::handshake::ServiceRole;
use smp_protocol::handshake::relay::VerifiedService;
use smp_protocol::id::{ServiceId, SessionId};
use smp_protocol::session::AgreedSession;

pub use accept::{Accepted, AcceptorSettings, RelayAcceptor};
pub use buffer::ReceivedBlock;
pub use connect::{ConnectorSettings, RelayConnector, ServiceIdentity};
pub use error::ConnectionError;
pub use reader::BlockReader;
pub use writer::BlockWriter;

/// How long TLS and SMP handshakes may take together, unless set otherwise.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a block that has begun may take to arrive, unless set otherwise.
pub const BLOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// An established connection, from the side `S`: [`RelaySide`] or [`ClientSide`].
#[derive(Debug)]
pub struct Connection<S> {
    /// The agreement of both sides.
    pub session: AgreedSession,
    /// The knowledge of this side only.
    pub side: S,
    /// The half that reads.
    pub reader: BlockReader,
    /// The half that writes.
    pub writer: BlockWriter,
}

/// A relay's side of a connection.
#[derive(Debug)]
pub struct RelaySide {
    /// The relay's key in this session. With it the relay checks authenticators.
    pub key: X25519PrivateKey,
    /// The protocol that the client negotiated by ALPN, if any.
    pub alpn: Option<Vec<u8>>,
    /// The certificates that the client showed in TLS: services only.
    pub client_chain: Option<CertificateChain>,
    /// The service that the client is, and the ID that it was registered under.
    pub service: Option<(VerifiedService, ServiceId)>,
}

/// A client's side of a connection.
#[derive(Debug)]
pub struct ClientSide {
    /// The relay's certificates in TLS.
    pub relay_chain: CertificateChain,
    /// The relay's key in this session, with the certificates that it is signed with: what a proxy passes on in `PKEY`.
    pub relay_key: Option<CertifiedKey>,
    /// The protocol that was negotiated by ALPN; none with old relays.
    pub alpn: Option<Vec<u8>>,
    /// As what service we are registered, if we are one.
    pub service: Option<RegisteredService>,
}

/// How a relay knows this service.
#[derive(Debug)]
pub struct RegisteredService {
    /// The entity ID of its commands.
    pub id: ServiceId,
    /// Its role.
    pub role: ServiceRole,
    /// The key that signs its commands in this session.
    pub key: Ed25519PrivateKey,
}

/// Certificates of TLS as the SMP handshake has them. `None` if there are none.
fn to_chain(certificates: &[CertificateDer<'_>]) -> Result<Option<CertificateChain>, ConnectionError> {
    if certificates.is_empty() {
        return Ok(None);
    }
    let certificates = certificates.iter().map(|der| der.to_vec()).collect();
    match CertificateChain::new(certificates) {
        Ok(chain) => Ok(Some(chain)),
        Err(_) => Err(ConnectionError::Handshake(HandshakeError::BadAuth.into())),
    }
}

/// The channel binding as an ID.
fn to_session_id(binding: &[u8; 32]) -> Result<SessionId, ConnectionError> {
    SessionId::new(binding).map_err(|_| TransportError::BadSession.into())
}
