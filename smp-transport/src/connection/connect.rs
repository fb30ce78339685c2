//! The client's side of the handshake of a connection.

use std::time::Duration;

use smp_crypto::{Ed25519PrivateKey, X25519PrivateKey};
use smp_protocol::encoding::to_bytes;
use smp_protocol::error::{HandshakeError, TransportError};
use smp_protocol::handshake::client::{self, Client, ServiceCredentials};
use smp_protocol::handshake::{ClientHello, RelayHello, ServiceResponse, ServiceRole};
use smp_protocol::session::AgreedSession;
use smp_protocol::version::{SmpVersion, VersionRange};
use tokio::time::timeout;

use super::stream::SharedStream;
use super::{
    BLOCK_TIMEOUT, BlockReader, BlockWriter, ClientSide, Connection, ConnectionError, HANDSHAKE_TIMEOUT,
    RegisteredService, to_chain, to_session_id,
};
use crate::identity::RelayIdentity;
use crate::surroundings::Surroundings;
use crate::tls::{ByteStream, TlsClient, TlsSession};

/// Versions, role and time limits of a client.
#[derive(Debug, Clone)]
pub struct ConnectorSettings {
    /// Clock and randomness. Default: those of this machine.
    pub surroundings: Surroundings,
    /// The versions to accept.
    pub versions: VersionRange<SmpVersion>,
    /// Whether this is a proxy on its way to a destination relay.
    pub proxy: bool,
    /// Certificates and role, if this is a service. Relays that know no services (before version 16) are told nothing.
    pub service: Option<ServiceIdentity>,
    /// How long both handshakes may take together.
    pub handshake_timeout: Duration,
    /// How long a block that has begun may take to arrive.
    pub block_timeout: Duration,
}

impl Default for ConnectorSettings {
    fn default() -> Self {
        Self {
            surroundings: Surroundings::machine(),
            versions: SmpVersion::SUPPORTED,
            proxy: false,
            service: None,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            block_timeout: BLOCK_TIMEOUT,
        }
    }
}

/// Proof of a service's identity. Its certificates are made as those of relays.
#[derive(Debug, Clone)]
pub struct ServiceIdentity {
    /// Its role.
    pub role: ServiceRole,
    /// Its certificates and the key of the first one.
    pub identity: RelayIdentity,
}

/// Makes connections to one relay, of streams to it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RelayConnector {
    tls: TlsClient,
    fingerprint: [u8; 32],
    settings: ConnectorSettings,
}

impl RelayConnector {
    /// Prepares connections to the relay that has this fingerprint.
    ///
    /// # Errors
    /// [`ConnectionError::Tls`] if rustls refuses the configuration.
    pub fn new(fingerprint: [u8; 32], settings: ConnectorSettings) -> Result<Self, ConnectionError> {
        let certificate = settings.service.as_ref().map(|service| &service.identity);
        let tls = TlsClient::new(fingerprint, certificate, settings.surroundings.time.clone())?;
        Ok(Self { tls, fingerprint, settings })
    }

    /// Does both handshakes over a stream to the relay.
    ///
    /// # Errors
    /// [`ConnectionError`]; the stream is closed then.
    pub async fn connect(&self, stream: impl ByteStream) -> Result<Connection<ClientSide>, ConnectionError> {
        let limit = self.settings.handshake_timeout;
        let handshakes = Box::pin(self.handshakes(stream));
        timeout(limit, handshakes).await.map_err(|_| ConnectionError::HandshakeTimeout(limit))?
    }

    async fn handshakes(&self, stream: impl ByteStream) -> Result<Connection<ClientSide>, ConnectionError> {
        let tls = self.tls.connect(stream).await?;
        let alpn = tls.alpn().map(<[u8]>::to_vec);
        let relay_chain = to_chain(tls.peer_chain())?.ok_or(TransportError::from(HandshakeError::BadAuth))?;
        let TlsSession { stream, session_id, certificate_sent } = tls;
        let stream = SharedStream::new(stream);
        let mut reader = BlockReader::new(
            stream.clone(),
            self.settings.block_timeout,
            self.settings.surroundings.time.clone(),
        );
        let mut writer = BlockWriter::new(stream);

        let relay_hello = RelayHello::read(&reader.read_block().await?)?;
        let key = X25519PrivateKey::generate(&mut self.settings.surroundings.randomness.rng());
        let service_key = Ed25519PrivateKey::generate(&mut self.settings.surroundings.randomness.rng());
        let service_chain = match &self.settings.service {
            Some(service) if certificate_sent => to_chain(service.identity.chain())?,
            _ => None,
        };
        let credentials = self.settings.service.as_ref().zip(service_chain.as_ref());
        let ours = Client {
            versions: self.settings.versions,
            session_id: &to_session_id(&session_id)?,
            fingerprint: &self.fingerprint,
            relay_chain: &relay_chain,
            key: Some(&key),
            proxy: self.settings.proxy,
            service: credentials.map(|(service, chain)| ServiceCredentials {
                role: service.role,
                chain,
                leaf_key: service.identity.key(),
                key: &service_key,
            }),
        };
        let (hello, session) = self.answer(&relay_hello, &ours)?;
        writer.write_block(&to_bytes(&hello)).await?;
        writer.flush().await?;
        let service = match hello.service {
            Some(service) => Some(read_service_response(&mut reader, service.role, service_key).await?),
            None => None,
        };
        if let Some((sealing, opening)) = session.chain_keys().map(|keys| keys.into_client_chains()) {
            writer.set_chain(sealing);
            reader.set_chain(opening);
        }
        let side = ClientSide { relay_chain, relay_key: relay_hello.key, alpn, service };
        Ok(Connection { session, side, reader, writer })
    }

    fn answer(
        &self,
        hello: &RelayHello,
        ours: &Client<'_>,
    ) -> Result<(ClientHello, AgreedSession), ConnectionError> {
        client::answer(hello, ours).map_err(|error| match error {
            TransportError::Version => {
                ConnectionError::Version { relay: hello.versions, ours: self.settings.versions }
            }
            other => ConnectionError::Handshake(other),
        })
    }
}

async fn read_service_response(
    reader: &mut BlockReader,
    role: ServiceRole,
    key: Ed25519PrivateKey,
) -> Result<RegisteredService, ConnectionError> {
    match ServiceResponse::read(&reader.read_block().await?)? {
        ServiceResponse::Registered(id) => Ok(RegisteredService { id, role, key }),
        ServiceResponse::Refused(error) => Err(ConnectionError::Handshake(error)),
    }
}
