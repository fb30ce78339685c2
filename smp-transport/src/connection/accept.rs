//! The relay's side of the handshake of a connection.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use smp_crypto::X25519PrivateKey;
use smp_protocol::certificate::CertificateChain;
use smp_protocol::encoding::to_bytes;
use smp_protocol::error::{HandshakeError, TransportError};
use smp_protocol::handshake::relay::{self, VerifiedService};
use smp_protocol::handshake::{ClientHello, ClientService, ServiceResponse};
use smp_protocol::id::ServiceId;
use smp_protocol::version::{SmpVersion, VersionRange};
use tokio::time::timeout;

use super::stream::SharedStream;
use super::{
    BLOCK_TIMEOUT, BlockReader, BlockWriter, Connection, ConnectionError, HANDSHAKE_TIMEOUT, RelaySide,
    to_chain, to_session_id,
};
use crate::identity::RelayIdentity;
use crate::surroundings::Surroundings;
use crate::tls::{ALPN, ALPN_WEB, ByteStream, TlsError, TlsServer, TlsSession};

/// Offered versions and time limits of a relay.
#[derive(Debug, Clone)]
pub struct AcceptorSettings {
    /// Clock and randomness. Default: those of this machine.
    pub surroundings: Surroundings,
    /// The versions to offer. Clients that negotiate nothing by ALPN are offered version 6 only, or
    /// nothing if that is not among them.
    pub versions: VersionRange<SmpVersion>,
    /// How long both handshakes may take together.
    pub handshake_timeout: Duration,
    /// How long a block that has begun may take to arrive.
    pub block_timeout: Duration,
    /// Names of protocols besides SMP on which clients may agree by ALPN, for [`RelayAcceptor::accept_any`].
    pub others: Vec<&'static [u8]>,
}

impl Default for AcceptorSettings {
    fn default() -> Self {
        Self {
            surroundings: Surroundings::machine(),
            versions: SmpVersion::SUPPORTED,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            block_timeout: BLOCK_TIMEOUT,
            others: Vec::new(),
        }
    }
}

/// A connection, by the protocol on which its client has agreed.
#[derive(Debug)]
pub enum Accepted {
    /// SMP, after its handshake.
    Smp(Box<Connection<RelaySide>>),
    /// One of [`AcceptorSettings::others`], after that of TLS.
    Other(Box<TlsSession>),
}

/// Makes connections of accepted streams. Cheap to clone. Listeners and limits are the caller's.
#[derive(Debug, Clone)]
pub struct RelayAcceptor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    tls: TlsServer,
    identity: RelayIdentity,
    chain: CertificateChain,
    settings: AcceptorSettings,
}

impl RelayAcceptor {
    /// Prepares to accept connections with this identity. After a rotation of certificates make a new acceptor.
    ///
    /// # Errors
    /// [`ConnectionError::Tls`] if rustls refuses the configuration.
    pub fn new(identity: &RelayIdentity, settings: AcceptorSettings) -> Result<Self, ConnectionError> {
        let no_chain = ConnectionError::Tls(TlsError::Certificate(crate::identity::ChainError::Length(0)));
        let chain = to_chain(identity.chain())?.ok_or(no_chain)?;
        let protocols: Vec<&[u8]> =
            [ALPN, ALPN_WEB].into_iter().chain(settings.others.iter().copied()).collect();
        let tls = TlsServer::speaking(&protocols, identity, settings.surroundings.time.clone())?;
        Ok(Self(Arc::new(Inner { tls, identity: identity.clone(), chain, settings })))
    }

    /// Does both handshakes with a client; services are refused.
    ///
    /// # Errors
    /// [`ConnectionError`]; the stream is closed then.
    pub async fn accept(&self, stream: impl ByteStream) -> Result<Connection<RelaySide>, ConnectionError> {
        self.accept_with(stream, async |_| Err(HandshakeError::BadService.into())).await
    }

    /// Does both handshakes with a client. If it is a service, whose certificates have been checked, `register` says
    /// under which ID it is known, or why it is refused.
    ///
    /// # Errors
    /// [`ConnectionError`]; the stream is closed then.
    pub async fn accept_with<R>(
        &self,
        stream: impl ByteStream,
        register: impl FnOnce(VerifiedService) -> R,
    ) -> Result<Connection<RelaySide>, ConnectionError>
    where
        R: Future<Output = Result<ServiceId, TransportError>>,
    {
        self.in_time(async { self.0.handshake(self.0.tls.accept(stream).await?, register).await }).await
    }

    /// As [`Self::accept_with`], also for clients of other protocols.
    ///
    /// # Errors
    /// [`ConnectionError`]; the stream is closed then.
    pub async fn accept_any<R>(
        &self,
        stream: impl ByteStream,
        register: impl FnOnce(VerifiedService) -> R,
    ) -> Result<Accepted, ConnectionError>
    where
        R: Future<Output = Result<ServiceId, TransportError>>,
    {
        self.in_time(async {
            let tls = self.0.tls.accept(stream).await?;
            if tls.alpn().is_some_and(|agreed| self.0.settings.others.contains(&agreed)) {
                return Ok(Accepted::Other(Box::new(tls)));
            }
            Ok(Accepted::Smp(Box::new(self.0.handshake(tls, register).await?)))
        })
        .await
    }

    async fn in_time<T>(
        &self,
        handshakes: impl Future<Output = Result<T, ConnectionError>>,
    ) -> Result<T, ConnectionError> {
        let limit = self.0.settings.handshake_timeout;
        // on the heap: afterwards the task should not keep room for handshakes
        let handshakes = Box::pin(handshakes);
        timeout(limit, handshakes).await.map_err(|_| ConnectionError::HandshakeTimeout(limit))?
    }
}

impl Inner {
    async fn handshake<R>(
        &self,
        tls: TlsSession,
        register: impl FnOnce(VerifiedService) -> R,
    ) -> Result<Connection<RelaySide>, ConnectionError>
    where
        R: Future<Output = Result<ServiceId, TransportError>>,
    {
        let alpn = tls.alpn().map(<[u8]>::to_vec);
        let client_chain = to_chain(tls.peer_chain())?;
        let TlsSession { stream, session_id, .. } = tls;
        let stream = SharedStream::new(stream);
        let mut reader = BlockReader::new(
            stream.clone(),
            self.settings.block_timeout,
            self.settings.surroundings.time.clone(),
        );
        let mut writer = BlockWriter::new(stream);

        let session_id = to_session_id(&session_id)?;
        let versions = relay::offered_versions(self.settings.versions, alpn.is_some());
        let versions = versions.ok_or(TransportError::Version)?;
        let key = X25519PrivateKey::generate(&mut self.settings.surroundings.randomness.rng());
        let hello = relay::hello(versions, session_id.clone(), &self.chain, self.identity.key(), &key);
        writer.write_block(&to_bytes(&hello)).await?;
        writer.flush().await?;

        let hello = ClientHello::read(&reader.read_block().await?)?;
        let fingerprint = self.identity.fingerprint();
        let session = relay::agree(&hello, versions, session_id, &fingerprint, &key)?;
        let service = match &hello.service {
            Some(service) => Some(welcome(service, client_chain.as_ref(), register, &mut writer).await?),
            None => None,
        };
        if let Some((sealing, opening)) = session.chain_keys().map(|keys| keys.into_relay_chains()) {
            writer.set_chain(sealing);
            reader.set_chain(opening);
        }
        let side = RelaySide { key, alpn, client_chain, service };
        Ok(Connection { session, side, reader, writer })
    }
}

/// Checks and registers a service and tells it the result.
async fn welcome<R>(
    service: &ClientService,
    client_chain: Option<&CertificateChain>,
    register: impl FnOnce(VerifiedService) -> R,
    writer: &mut BlockWriter,
) -> Result<(VerifiedService, ServiceId), ConnectionError>
where
    R: Future<Output = Result<ServiceId, TransportError>>,
{
    let registered = match relay::verify_service(service, client_chain) {
        Ok(verified) => register(verified.clone()).await.map(|id| (verified, id)),
        Err(error) => Err(error),
    };
    let response = match &registered {
        Ok((_, id)) => ServiceResponse::Registered(id.clone()),
        Err(error) => ServiceResponse::Refused(*error),
    };
    writer.write_block(&to_bytes(&response)).await?;
    writer.flush().await?;
    registered.map_err(ConnectionError::from)
}
