//! Private message routing, the client's half: sending to a relay through another one, so that it does not see who sends.

use std::borrow::Cow;
use std::fmt;

use rustls_pki_types::CertificateDer;
use smp_crypto::{Nonce, PrivateAuthKey, X25519PrivateKey, X25519PublicKey};
use smp_protocol::address::{Password, RelayAddress};
use smp_protocol::certificate::CertifiedKey;
use smp_protocol::command::Command;
use smp_protocol::error::{BrokerErrorType, ErrorType, HandshakeError, ProxyError};
use smp_protocol::id::{CorrelationId, EntityId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::proxy::{open_answer, seal_content};
use smp_protocol::session::SessionParameters;
use smp_protocol::transmission::{BlockContent, CommandKey, authorize, prepare, read_messages};
use smp_protocol::version::{SmpVersion, VersionRange};

use super::{ClientError, RelayClient, Request, Response};
use crate::identity::check_relay_chain;
use crate::surroundings::Time;

/// How commands of a sender get to their relay: `SKEY`, `SEND`, `LKEY`, `LGET`.
#[derive(Debug, Clone)]
pub enum SendPath {
    /// Over a connection of our own. The relay sees our network address.
    Direct(RelayClient),
    /// Through another relay. Neither of both learns who sends to whom.
    Proxied(ProxiedRelay),
}

impl SendPath {
    /// Sends a command of a sender and waits for the answer.
    ///
    /// # Errors
    /// As [`RelayClient::send`] and [`ProxiedRelay::send`]: what the destination says is [`ClientError::Relay`] either way.
    pub async fn send(
        &self,
        key: Option<&PrivateAuthKey>,
        entity_id: impl Into<EntityId>,
        command: Command<'_>,
    ) -> Result<Response, ClientError> {
        match self {
            Self::Direct(client) => client.send(key, entity_id, command).await,
            Self::Proxied(relay) => relay.send(key, entity_id, command).await,
        }
    }

    /// The version in which commands are written, which bounds how long messages may be.
    #[must_use]
    pub fn version(&self) -> SmpVersion {
        match self {
            Self::Direct(client) => client.session().parameters.version,
            Self::Proxied(relay) => relay.destination.version,
        }
    }

    /// Why it is of no more use; `None` while it is. The proxy may lose the destination all the same: then commands fail with
    /// [`ClientError::Proxy`] and `NO_SESSION`, and [`ProxiedRelay::open`] opens it again.
    #[must_use]
    pub fn ended(&self) -> Option<ClientError> {
        match self {
            Self::Direct(client) => client.ended(),
            Self::Proxied(relay) => relay.proxy.ended(),
        }
    }
}

/// A destination relay, as it is reached through a proxy. Clones share the connection to the proxy.
///
/// Each command is authorized for the session of proxy and destination, and encrypted for the destination with a key of its own:
/// the proxy sees neither, and the destination cannot tell that two commands are of one sender.
#[derive(Clone)]
pub struct ProxiedRelay {
    proxy: RelayClient,
    /// The session of the proxy with the destination, in the version that we chose.
    destination: SessionParameters,
    /// The destination's key in that session.
    relay_key: X25519PublicKey,
}

impl ProxiedRelay {
    /// Asks a proxy to connect to a destination (`PRXY`), and checks that the answer (`PKEY`) is of the relay that the address
    /// names. `password` is the proxy's; the destination's stays here.
    ///
    /// # Errors
    /// [`ClientError::Proxy`] if the proxy cannot or will not, [`ClientError::WrongRelay`] if it shows another relay,
    /// [`ClientError::Version`] if there is no version in common.
    pub async fn open(
        proxy: &RelayClient,
        destination: &RelayAddress,
        password: Option<Password>,
        versions: VersionRange<SmpVersion>,
    ) -> Result<Self, ClientError> {
        let command = Command::ProxySession { relay: Box::new(destination.without_password()), password };
        let answer = proxy.send(None, EntityId::empty(), command).await.map_err(of_proxy)?;
        let BrokerMessage::ProxySessionKey { session_id, versions: theirs, key } = answer else {
            return Err(ClientError::UnreadableAnswer(unexpected()));
        };
        let time = &proxy.0.shared.config.surroundings.time;
        let relay_key = verify(destination, &key, time)?;
        let common = theirs.intersect(&versions);
        let version = common.ok_or(ClientError::Version { relay: theirs, ours: versions })?.max();
        let destination = SessionParameters { version, id: session_id };
        Ok(Self { proxy: proxy.clone(), destination, relay_key })
    }

    /// Has a command of a sender forwarded (`PFWD`) and returns the destination's answer (`PRES`).
    ///
    /// # Errors
    /// [`ClientError::Relay`] if the destination answers with an error, [`ClientError::Proxy`] if the proxy does;
    /// [`ClientError::UnreadableAnswer`] and [`ClientError::UnexpectedEntity`] if what it returns is not an answer of the
    /// destination to this command; the others are about the connection to the proxy.
    pub async fn send(
        &self,
        key: Option<&PrivateAuthKey>,
        entity_id: impl Into<EntityId>,
        command: Command<'_>,
    ) -> Result<Response, ClientError> {
        let shared = &self.proxy.0.shared;
        let (id, entity_id) = (shared.correlation_id(), entity_id.into());
        let content = self.content(key, &id, &entity_id, &command)?;
        let command_key = X25519PrivateKey::generate(&mut shared.config.surroundings.randomness.rng());
        let secret = command_key.agree(&self.relay_key).box_key();
        let sealed = seal_content(&secret, &id, content.as_bytes()).map_err(|_| ClientError::TooLarge)?;
        let forward = Command::ProxyForward {
            version: self.destination.version,
            key: command_key.public_key().into(),
            transmission: Cow::Owned(sealed),
        };
        let session =
            EntityId::new(self.destination.id.as_bytes()).map_err(|_| ClientError::UnexpectedEntity)?;
        let mut request = Request::new(None, session, forward);
        request.correlation_id = Some(id.clone());
        let BrokerMessage::ProxyResponse(answer) = self.proxy.request(request).await.map_err(of_proxy)?
        else {
            return Err(ClientError::UnreadableAnswer(unexpected()));
        };
        let opened = open_answer(&secret, &id, &answer);
        let opened = opened.map_err(|_| ClientError::UnreadableAnswer(ErrorType::Crypto))?;
        self.read(&opened, &id, &entity_id)
    }

    /// The content of a block with the command alone, for the session of proxy and destination.
    fn content(
        &self,
        key: Option<&PrivateAuthKey>,
        id: &CorrelationId,
        entity_id: &EntityId,
        command: &Command<'_>,
    ) -> Result<BlockContent, ClientError> {
        let prepared = prepare(&self.destination, id, entity_id, command);
        let nonce = Nonce::from_slice_padded(id.as_bytes());
        let authorization = key.map(|key| {
            authorize(CommandKey::Queue(key), Some(&self.relay_key), &nonce, prepared.authorized(), None)
        });
        let authorization = authorization.transpose().map_err(ClientError::Authorization)?;
        let mut content = BlockContent::new();
        content
            .push(|out| prepared.write(authorization.as_ref(), &self.destination, out))
            .map_err(|_| ClientError::TooLarge)?;
        Ok(content)
    }

    /// The one answer in what was opened.
    fn read(
        &self,
        content: &[u8],
        id: &CorrelationId,
        entity_id: &EntityId,
    ) -> Result<Response, ClientError> {
        let mut answers = read_messages(content, &self.destination);
        let (Some(answer), None) = (answers.next(), answers.next()) else {
            return Err(ClientError::UnreadableAnswer(ErrorType::Block));
        };
        if answer.correlation_id != *id {
            return Err(ClientError::UnreadableAnswer(ErrorType::Block));
        }
        match answer.message.map(BrokerMessage::into_owned) {
            Ok(BrokerMessage::Error(error)) => Err(ClientError::Relay(error)),
            Ok(_) if answer.entity_id != *entity_id => Err(ClientError::UnexpectedEntity),
            Ok(message) => Ok(message),
            Err(error) => Err(ClientError::UnreadableAnswer(error)),
        }
    }
}

impl fmt::Debug for ProxiedRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxiedRelay").field("version", &self.destination.version).finish_non_exhaustive()
    }
}

/// The destination's key, if the proxy shows the relay that the address names: the proxy could not make this up.
fn verify(
    destination: &RelayAddress,
    key: &CertifiedKey,
    time: &Time,
) -> Result<X25519PublicKey, ClientError> {
    if key.chain.relay_fingerprint() != Some(destination.fingerprint) {
        return Err(ClientError::WrongRelay { host: destination.hosts.first().canonical().to_string() });
    }
    let damaged = || ClientError::UnreadableAnswer(unexpected());
    let chain: Vec<_> = key.chain.certificates().map(|der| CertificateDer::from(der.to_vec())).collect();
    check_relay_chain(&chain, time.for_certificates()).map_err(|_| damaged())?;
    let leaf_key = key.chain.leaf_key().ok_or_else(damaged)?;
    let verified = key.signed_key.verify_x25519(&leaf_key);
    verified.map_err(|_: HandshakeError| damaged())
}

/// Errors of the proxy are told from those of the destination, which come in a box of their own.
fn of_proxy(error: ClientError) -> ClientError {
    match error {
        ClientError::Relay(ErrorType::Proxy(error)) => ClientError::Proxy(error),
        other => other,
    }
}

/// The proxy answers with something else than was asked for.
fn unexpected() -> ErrorType {
    ErrorType::Proxy(Box::new(ProxyError::Broker(BrokerErrorType::Unexpected(Default::default()))))
}
