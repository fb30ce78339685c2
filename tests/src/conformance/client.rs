//! A client that can send anything.

use std::collections::VecDeque;

use anyhow::{Context as _, Result, bail, ensure};
use smp_crypto::{Ed25519PrivateKey, Nonce, PrivateAuthKey, X25519PublicKey};
use smp_protocol::command::Command;
use smp_protocol::error::ErrorType;
use smp_protocol::handshake::{ServiceResponse, ServiceRole};
use smp_protocol::id::{CorrelationId, EntityId, ServiceId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::session::SessionParameters;
use smp_protocol::transmission::{
    BlockContent, CommandKey, RawTransmission, ServiceSigner, Transmissions, authorize,
};
use smp_protocol::version::SmpVersion;
use smp_transport::identity::RelayIdentity;

use super::target::Target;
use super::wire::{Greeted, Introduction, Wire};

/// The authorization in front of a transmission.
#[derive(Debug, Clone, Copy)]
pub enum Auth<'a> {
    /// Nothing.
    None,
    /// By this key.
    Key(&'a PrivateAuthKey),
    /// By this key, as if the session had this ID.
    OtherSession(&'a PrivateAuthKey, &'a [u8]),
    /// These bytes, whatever they are.
    Bytes(&'a [u8]),
    /// By this key, and next to it these bytes as the signature of a service.
    WithSignature(&'a PrivateAuthKey, &'a [u8; 64]),
    /// By this key, and next to it the signature of the service of this connection.
    WithService(&'a PrivateAuthKey),
    /// The signature of the service of this connection.
    Service,
}

impl<'a> From<&'a PrivateAuthKey> for Auth<'a> {
    fn from(key: &'a PrivateAuthKey) -> Self {
        Auth::Key(key)
    }
}

/// A transmission of the relay.
#[derive(Debug, Clone)]
pub struct Received {
    /// The transmission without its length.
    pub raw: Vec<u8>,
    /// That of the command; empty for what the relay sends on its own.
    pub correlation_id: CorrelationId,
    /// The entity that it is about.
    pub entity_id: EntityId,
    /// The message.
    pub message: BrokerMessage<'static>,
}

/// A connection to the relay.
pub struct Client {
    pub(crate) wire: Wire,
    /// Version and session ID.
    pub session: SessionParameters,
    /// The relay's key in this session.
    pub relay_key: Option<X25519PublicKey>,
    /// The secret of both session keys: with it a proxy makes `RFWD`.
    pub(crate) secret: Option<smp_crypto::DhSecret>,
    /// As what service the relay knows this client.
    pub service: Option<Service>,
    received: VecDeque<Received>,
    password: Option<smp_protocol::address::Password>,
}

/// The service that a client is.
pub struct Service {
    /// The entity ID of `SUBS` and `NSUBS`.
    pub id: ServiceId,
    fingerprint: [u8; 32],
    key: Ed25519PrivateKey,
}

impl Client {
    /// An ordinary client.
    pub(crate) async fn connect(target: &Target, version: SmpVersion) -> Result<Self> {
        Self::connect_as(target, &Introduction::client(version)).await
    }

    /// A client of any kind, but not a service.
    pub(crate) async fn connect_as(target: &Target, introduction: &Introduction<'_>) -> Result<Self> {
        let greeted = Greeted::connect(target, None).await?;
        Self::introduce(target, greeted, introduction).await
    }

    /// A service with this identity.
    pub(crate) async fn connect_service(
        target: &Target,
        version: SmpVersion,
        role: ServiceRole,
        identity: &RelayIdentity,
    ) -> Result<Self> {
        let key = Ed25519PrivateKey::generate(&mut rand::rng());
        let service = Some((role, identity, &key));
        let introduction = Introduction { service, ..Introduction::client(version) };
        let mut greeted = Greeted::connect(target, Some(identity)).await?;
        let (hello, session) = greeted.answer(target, &introduction)?;
        greeted.introduce(&hello).await?;
        // The answer to a service is the last block that is only padded.
        let answer = greeted.wire.read().await?.context("the relay closed instead of answering a service")?;
        let id = match ServiceResponse::read(&answer)? {
            ServiceResponse::Registered(id) => id,
            ServiceResponse::Refused(error) => bail!("the service was refused: {error}"),
        };
        let chain = smp_protocol::certificate::CertificateChain::new(
            identity.chain().iter().map(|certificate| certificate.to_vec()).collect(),
        )?;
        let fingerprint = chain.service_fingerprint().context("the service has no fingerprint")?;
        let mut client = Self::new(target, greeted.into_wire(&session), session);
        client.service = Some(Service { id, fingerprint, key });
        Ok(client)
    }

    /// Goes on after the relay's hello.
    pub(crate) async fn introduce(
        target: &Target,
        mut greeted: Greeted,
        introduction: &Introduction<'_>,
    ) -> Result<Self> {
        let (hello, session) = greeted.answer(target, introduction)?;
        greeted.introduce(&hello).await?;
        Ok(Self::new(target, greeted.into_wire(&session), session))
    }

    pub(crate) fn new(target: &Target, wire: Wire, session: smp_protocol::session::AgreedSession) -> Self {
        Client {
            wire,
            session: session.parameters,
            relay_key: session.relay_key,
            secret: session.secret,
            service: None,
            received: VecDeque::new(),
            password: target.address.password.clone(),
        }
    }

    /// The version of this connection.
    #[must_use]
    pub fn version(&self) -> SmpVersion {
        self.session.version
    }

    /// The password of the relay.
    #[must_use]
    pub fn password(&self) -> Option<smp_protocol::address::Password> {
        self.password.clone()
    }

    /// A new correlation ID.
    #[must_use]
    pub fn correlation_id() -> CorrelationId {
        CorrelationId::generate(&mut rand::rng())
    }

    /// A transmission of these bytes as its command, without its length.
    ///
    /// # Errors
    /// If the key cannot authorize in this session.
    pub fn transmission(
        &self,
        auth: Auth<'_>,
        correlation_id: &[u8],
        entity_id: &[u8],
        command: &[u8],
    ) -> Result<Vec<u8>> {
        self.transmission_in(&self.session, auth, correlation_id, entity_id, command)
    }

    /// Like [`Client::transmission`] for a session with other parameters: what a proxy forwards.
    ///
    /// # Errors
    /// As for [`Client::transmission`].
    pub fn transmission_in(
        &self,
        session: &SessionParameters,
        auth: Auth<'_>,
        correlation_id: &[u8],
        entity_id: &[u8],
        command: &[u8],
    ) -> Result<Vec<u8>> {
        let covered = covered(session.id.as_bytes(), correlation_id, entity_id, command);
        let nonce = Nonce::from_slice_padded(correlation_id);
        let by = |key: &PrivateAuthKey, covered: &[u8]| -> Result<Vec<u8>> {
            let key = CommandKey::Queue(key);
            Ok(authorize(key, self.relay_key.as_ref(), &nonce, covered, None)?.as_bytes().to_vec())
        };
        let mut service_signature = None;
        let authorization = match auth {
            Auth::None => Vec::new(),
            Auth::Key(key) => by(key, &covered)?,
            Auth::OtherSession(key, id) => by(key, &self::covered(id, correlation_id, entity_id, command))?,
            Auth::Bytes(bytes) => bytes.to_vec(),
            Auth::WithSignature(key, signature) => {
                service_signature = Some(*signature);
                by(key, &covered)?
            }
            Auth::WithService(key) => {
                let service = self.service.as_ref().context("this connection is not of a service")?;
                let signer = ServiceSigner { fingerprint: &service.fingerprint, key: &service.key };
                let key = CommandKey::Queue(key);
                let made = authorize(key, self.relay_key.as_ref(), &nonce, &covered, Some(signer))?;
                service_signature = made.service_signature().copied();
                made.as_bytes().to_vec()
            }
            Auth::Service => {
                let service = self.service.as_ref().context("this connection is not of a service")?;
                service.key.sign(&covered).to_vec()
            }
        };
        let mut bytes = vec![u8::try_from(authorization.len())?];
        bytes.extend_from_slice(&authorization);
        if session.has_service_field() && !authorization.is_empty() {
            match service_signature {
                None => bytes.push(b'0'),
                Some(signature) => {
                    bytes.extend_from_slice(&[b'1', 64]);
                    bytes.extend_from_slice(&signature);
                }
            }
        }
        if !session.implies_session_id() {
            bytes.extend_from_slice(&short(session.id.as_bytes()));
        }
        bytes.extend_from_slice(&parts(correlation_id, entity_id, command));
        Ok(bytes)
    }

    /// Sends transmissions in one block.
    ///
    /// # Errors
    /// If they do not fit, or the connection is lost.
    pub async fn send(&mut self, transmissions: &[Vec<u8>]) -> Result<()> {
        let content = block_of(transmissions)?;
        self.send_content(content.as_bytes()).await
    }

    /// Sends a block with any content.
    ///
    /// # Errors
    /// If it does not fit, or the connection is lost.
    pub async fn send_content(&mut self, content: &[u8]) -> Result<()> {
        self.wire.write(content).await
    }

    /// The next transmission.
    ///
    /// # Errors
    /// If nothing comes, or nothing that can be read.
    pub async fn receive(&mut self) -> Result<Received> {
        if self.received.is_empty() {
            self.receive_block().await?;
        }
        self.received.pop_front().context("an empty block")
    }

    async fn receive_block(&mut self) -> Result<()> {
        let content = self.wire.read().await?.context("the relay has closed the connection")?;
        for raw in Transmissions::read(&content)? {
            let read = RawTransmission::read(raw, &self.session)?;
            ensure!(read.authorization.is_empty(), "the relay authorized something");
            ensure!(read.is_of(&self.session), "the answer is of another session");
            let message = BrokerMessage::decode(read.command, self.session.version).map_err(|error| {
                anyhow::anyhow!(
                    "{error} in {:?}",
                    String::from_utf8_lossy(&read.command[..read.command.len().min(80)])
                )
            })?;
            self.received.push_back(Received {
                raw: raw.to_vec(),
                correlation_id: CorrelationId::new(read.correlation_id)?,
                entity_id: EntityId::new(read.entity_id)?,
                message: message.into_owned(),
            });
        }
        Ok(())
    }

    /// The answer with this correlation ID. Others that come before it are kept.
    ///
    /// # Errors
    /// As for [`Client::receive`].
    pub async fn answer(&mut self, correlation_id: &[u8]) -> Result<Received> {
        let is_it = |received: &Received| received.correlation_id.as_bytes() == correlation_id;
        loop {
            if let Some(at) = self.received.iter().position(is_it) {
                return self.received.remove(at).context("it was there");
            }
            self.receive_block().await?;
        }
    }

    /// Sends these bytes as a command and waits for the answer, which must be about the same entity.
    ///
    /// # Errors
    /// If there is no answer, or one about another entity.
    pub async fn ask_bytes(&mut self, auth: Auth<'_>, entity_id: &[u8], command: &[u8]) -> Result<Received> {
        self.ask_as(&Self::correlation_id(), auth, entity_id, command).await
    }

    /// Like [`Client::ask_bytes`] with a chosen correlation ID.
    ///
    /// # Errors
    /// As for [`Client::ask_bytes`].
    pub async fn ask_as(
        &mut self,
        correlation_id: &CorrelationId,
        auth: Auth<'_>,
        entity_id: &[u8],
        command: &[u8],
    ) -> Result<Received> {
        let transmission = self.transmission(auth, correlation_id.as_bytes(), entity_id, command)?;
        self.send(&[transmission]).await?;
        let answer = self.answer(correlation_id.as_bytes()).await?;
        ensure!(answer.entity_id.as_bytes() == entity_id, "the answer is about another entity: {answer:?}");
        Ok(answer)
    }

    /// Sends a command and waits for the answer, which must be about the same entity.
    ///
    /// # Errors
    /// As for [`Client::ask_bytes`].
    pub async fn ask(
        &mut self,
        auth: impl Into<Auth<'_>>,
        entity_id: impl AsRef<[u8]>,
        command: &Command<'_>,
    ) -> Result<BrokerMessage<'static>> {
        let bytes = command.to_bytes(self.session.version);
        let answer = self.ask_bytes(auth.into(), entity_id.as_ref(), &bytes).await;
        Ok(answer.with_context(|| format!("{:?}", command.tag()))?.message)
    }

    /// Sends a command whose answer must be `OK`.
    ///
    /// # Errors
    /// If it is another one.
    pub async fn ok(
        &mut self,
        auth: impl Into<Auth<'_>>,
        entity_id: impl AsRef<[u8]>,
        command: &Command<'_>,
    ) -> Result<()> {
        let answer = self.ask(auth, entity_id, command).await?;
        ensure!(answer == BrokerMessage::Ok, "{:?} was answered with {answer:?}, not OK", command.tag());
        Ok(())
    }

    /// Sends a command that must be refused with this error.
    ///
    /// # Errors
    /// If it is not.
    pub async fn refused(
        &mut self,
        auth: impl Into<Auth<'_>>,
        entity_id: impl AsRef<[u8]>,
        command: &Command<'_>,
        error: impl Into<ErrorType>,
    ) -> Result<()> {
        let (answer, error) = (self.ask(auth, entity_id, command).await?, error.into());
        ensure!(
            answer == BrokerMessage::Error(error.clone()),
            "{:?} was answered with {answer:?}, not ERR {error}",
            command.tag()
        );
        Ok(())
    }

    /// Sends bytes as a command that must be refused with this error.
    ///
    /// # Errors
    /// If it is not.
    pub async fn refused_bytes(
        &mut self,
        auth: Auth<'_>,
        entity_id: impl AsRef<[u8]>,
        command: &[u8],
        error: impl Into<ErrorType>,
    ) -> Result<()> {
        let (answer, error) = (self.ask_bytes(auth, entity_id.as_ref(), command).await?, error.into());
        let text = String::from_utf8_lossy(&command[..command.len().min(40)]).into_owned();
        ensure!(
            answer.message == BrokerMessage::Error(error.clone()),
            "{text:?} was answered with {:?}, not ERR {error}",
            answer.message
        );
        Ok(())
    }

    /// The next thing that the relay sends on its own.
    ///
    /// # Errors
    /// If an answer comes instead, or nothing.
    pub async fn event(&mut self) -> Result<(EntityId, BrokerMessage<'static>)> {
        let received = self.receive().await?;
        ensure!(received.correlation_id.is_empty(), "not an event: {received:?}");
        Ok((received.entity_id, received.message))
    }

    /// The next event, which must be this one.
    ///
    /// # Errors
    /// If it is another one.
    pub async fn expect_event(
        &mut self,
        entity_id: impl AsRef<[u8]>,
        message: &BrokerMessage<'_>,
    ) -> Result<()> {
        let (entity, event) = self.event().await?;
        ensure!(
            entity.as_bytes() == entity_id.as_ref() && event == *message,
            "{event:?} and not {message:?}"
        );
        Ok(())
    }

    /// Checks that nothing has come that was not expected: whatever the relay has sent comes before `PONG`.
    ///
    /// A relay that sends events later than they happen is not caught: it is their absence that cannot be shown.
    ///
    /// # Errors
    /// If something has come.
    pub async fn expect_quiet(&mut self) -> Result<()> {
        let pong = self.ask(Auth::None, [], &Command::Ping).await?;
        ensure!(pong == BrokerMessage::Pong, "PING was answered with {pong:?}");
        match self.received.pop_front() {
            None => Ok(()),
            Some(received) => bail!("unexpected: {received:?}"),
        }
    }
}

/// A block with these transmissions.
///
/// # Errors
/// If they do not fit.
pub(super) fn block_of(transmissions: &[Vec<u8>]) -> Result<BlockContent> {
    let mut content = BlockContent::new();
    for transmission in transmissions {
        content.push(|out| out.extend_from_slice(transmission))?;
    }
    Ok(content)
}

/// The answer in the content of a block in which there is nothing else: what comes back through a proxy.
///
/// # Errors
/// If there is none, more than one, or one to something else.
pub(super) fn only_answer(
    content: &[u8],
    session: &SessionParameters,
    correlation_id: &CorrelationId,
    entity_id: &[u8],
) -> Result<BrokerMessage<'static>> {
    let mut transmissions = Transmissions::read(content)?;
    let raw = RawTransmission::read(transmissions.next().context("no answer")?, session)?;
    ensure!(transmissions.next().is_none(), "more than one answer");
    ensure!(raw.correlation_id == correlation_id.as_bytes(), "the answer to another command");
    ensure!(raw.entity_id == entity_id, "the answer is about another entity");
    Ok(BrokerMessage::decode(raw.command, session.version)?.into_owned())
}

/// Whether a command was answered as it must be.
pub(crate) fn answered(
    command: &Command<'_>,
    answer: &BrokerMessage<'_>,
    expected: &BrokerMessage<'_>,
) -> Result<()> {
    ensure!(answer == expected, "{:?} was answered with {answer:?} and not {expected:?}", command.tag());
    Ok(())
}

/// The bytes that an authorization covers: the same in all versions. Only whether the session ID is sent differs.
fn covered(session_id: &[u8], correlation_id: &[u8], entity_id: &[u8], command: &[u8]) -> Vec<u8> {
    [short(session_id), parts(correlation_id, entity_id, command)].concat()
}

fn parts(correlation_id: &[u8], entity_id: &[u8], command: &[u8]) -> Vec<u8> {
    [&short(correlation_id), &short(entity_id), command].concat()
}

/// A short string. Longer ones than 255 bytes do not occur here.
fn short(bytes: &[u8]) -> Vec<u8> {
    [&[bytes.len() as u8], bytes].concat()
}
