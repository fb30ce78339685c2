//! Queues of a check, with all keys.

use std::borrow::Cow;

use anyhow::{Context as _, Result, bail, ensure};
use smp_crypto::{BoxKey, Ed448PrivateKey, Ed25519PrivateKey, PrivateAuthKey, X25519PrivateKey};
use smp_protocol::body::ReceivedBody;
use smp_protocol::command::{
    Command, MessageFlags, NewQueue, NotifierCredentials, QueueRequest, SubscriptionMode,
};
use smp_protocol::id::{EntityId, MessageId, RecipientId, SenderId};
use smp_protocol::key::SenderAuthKey;
use smp_protocol::message::{BrokerMessage, QueueIds};
use smp_protocol::version::SmpVersion;

use super::client::{Auth, Client};

/// Kinds of keys that authorize commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Signs with 64 bytes.
    Ed25519,
    /// Signs with 114 bytes.
    Ed448,
    /// Makes authenticators of 80 bytes, from version 7.
    X25519,
}

impl KeyKind {
    /// The kinds that a client can use in this version.
    #[must_use]
    pub fn all(version: SmpVersion) -> &'static [KeyKind] {
        if version >= SmpVersion::AUTH_COMMANDS {
            &[KeyKind::Ed25519, KeyKind::Ed448, KeyKind::X25519]
        } else {
            &[KeyKind::Ed25519, KeyKind::Ed448]
        }
    }

    /// A new key.
    #[must_use]
    pub fn generate(self) -> PrivateAuthKey {
        let rng = &mut rand::rng();
        match self {
            KeyKind::Ed25519 => Ed25519PrivateKey::generate(rng).into(),
            KeyKind::Ed448 => Ed448PrivateKey::generate(rng).into(),
            KeyKind::X25519 => X25519PrivateKey::generate(rng).into(),
        }
    }
}

/// A new key of the kind that clients prefer in this version: for senders one that leaves no proof.
#[must_use]
pub(super) fn sender_key(version: SmpVersion) -> PrivateAuthKey {
    let has_authenticators = version >= SmpVersion::AUTH_COMMANDS;
    if has_authenticators { KeyKind::X25519.generate() } else { KeyKind::Ed25519.generate() }
}

/// How to create a queue.
#[derive(Debug, Clone)]
pub struct NewOptions<'a> {
    /// The recipient's key.
    pub key: PrivateAuthKey,
    /// Whether to subscribe.
    pub subscription: SubscriptionMode,
    /// Kind of queue.
    pub request: Option<QueueRequest<'a>>,
    /// Whether to allow notifications.
    pub notifier: Option<NotifierCredentials>,
}

impl NewOptions<'_> {
    /// A messaging queue that is subscribed to.
    #[must_use]
    pub fn messaging() -> Self {
        NewOptions {
            key: KeyKind::Ed25519.generate(),
            subscription: SubscriptionMode::Subscribe,
            request: Some(QueueRequest::Messaging(None)),
            notifier: None,
        }
    }

    /// A contact queue that is subscribed to.
    #[must_use]
    pub fn contact() -> Self {
        NewOptions { request: Some(QueueRequest::Contact(None)), ..Self::messaging() }
    }

    /// Without subscription.
    #[must_use]
    pub fn unsubscribed(self) -> Self {
        NewOptions { subscription: SubscriptionMode::OnlyCreate, ..self }
    }
}

/// A queue with the recipient's keys.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Authorizes the recipient's commands.
    pub key: PrivateAuthKey,
    /// The relay's answer.
    pub ids: QueueIds,
    /// Opens bodies of `MSG`.
    pub box_key: BoxKey,
}

impl Queue {
    /// The recipient's ID.
    #[must_use]
    pub fn recipient(&self) -> &RecipientId {
        &self.ids.recipient_id
    }

    /// The sender's ID.
    #[must_use]
    pub fn sender(&self) -> &SenderId {
        &self.ids.sender_id
    }

    /// The recipient's authorization.
    #[must_use]
    pub fn auth(&self) -> Auth<'_> {
        Auth::Key(&self.key)
    }

    /// Opens a message.
    ///
    /// # Errors
    /// If it is not for this queue.
    pub fn open(&self, message: BrokerMessage<'_>) -> Result<Delivered> {
        let BrokerMessage::Message(id, body) = message else { bail!("not MSG: {message:?}") };
        let content = ReceivedBody::open(&self.box_key, &id, &body)?;
        Ok(Delivered { id, content })
    }
}

/// A message that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Its ID.
    pub id: MessageId,
    /// The content of the box.
    pub content: ReceivedBody<'static>,
}

impl Delivered {
    /// The body that was sent; nothing if it is the marker of a full queue.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        match &self.content {
            ReceivedBody::Message { body, .. } => Some(body),
            ReceivedBody::Quota { .. } => None,
        }
    }
}

/// A message ID that no message has.
#[must_use]
pub(super) fn no_message_id() -> MessageId {
    MessageId::generate(&mut rand::rng())
}

/// An ID that nothing has.
#[must_use]
pub(super) fn unknown_id() -> EntityId {
    EntityId::generate(&mut rand::rng())
}

/// A new key to agree a secret with.
#[must_use]
pub(super) fn dh_key() -> X25519PrivateKey {
    X25519PrivateKey::generate(&mut rand::rng())
}

/// `SEND` without notification.
#[must_use]
pub(super) fn send(body: &[u8]) -> Command<'_> {
    Command::Send(MessageFlags { notification: false }, Cow::Borrowed(body))
}

/// `SEND` with notification.
#[must_use]
pub(super) fn send_notified(body: &[u8]) -> Command<'_> {
    Command::Send(MessageFlags { notification: true }, Cow::Borrowed(body))
}

impl Client {
    /// `NEW` as these options say, and the key that opens bodies once the relay has sent its own.
    #[must_use]
    pub fn new_command<'a>(&self, options: &NewOptions<'a>) -> (Command<'a>, X25519PrivateKey) {
        let dh = X25519PrivateKey::generate(&mut rand::rng());
        let command = Command::New(Box::new(NewQueue {
            auth_key: options.key.public_key().into(),
            dh_key: dh.public_key().into(),
            password: self.password(),
            subscription: options.subscription,
            request: options.request.clone(),
            notifier: options.notifier,
        }));
        (command, dh)
    }

    /// Creates a queue.
    ///
    /// # Errors
    /// If the relay refuses it.
    pub async fn create(&mut self, options: NewOptions<'_>) -> Result<Queue> {
        let (command, dh) = self.new_command(&options);
        let auth =
            if self.service.is_some() { Auth::WithService(&options.key) } else { Auth::Key(&options.key) };
        match self.ask(auth, [], &command).await? {
            BrokerMessage::QueueIds(ids) => {
                let box_key = dh.agree(&ids.dh_key.0).box_key();
                Ok(Queue { key: options.key, ids: *ids, box_key })
            }
            other => bail!("NEW was answered with {other:?}"),
        }
    }

    /// Creates a messaging queue that is subscribed to.
    ///
    /// # Errors
    /// If the relay refuses it.
    pub async fn queue(&mut self) -> Result<Queue> {
        self.create(NewOptions::messaging()).await.context("creating a queue")
    }

    /// Secures a queue as its sender, before version 9 as its recipient.
    ///
    /// # Errors
    /// If the relay refuses it.
    pub async fn secure(&mut self, queue: &Queue) -> Result<PrivateAuthKey> {
        let key = sender_key(self.version());
        let public = SenderAuthKey(key.public_key());
        if self.version() >= SmpVersion::SENDER_AUTH_KEY {
            self.ok(&key, queue.sender(), &Command::SenderSecure(public)).await?;
        } else {
            self.ok(queue.auth(), queue.recipient(), &Command::Secure(public)).await?;
        }
        Ok(key)
    }

    /// Subscribes. The first message may come as the answer, or after it as an event: this only sees the first.
    ///
    /// # Errors
    /// If the relay refuses it.
    pub async fn subscribe(&mut self, queue: &Queue) -> Result<Option<Delivered>> {
        match self.ask(queue.auth(), queue.recipient(), &Command::Subscribe).await? {
            BrokerMessage::Ok | BrokerMessage::Subscribed(_) => Ok(None),
            message @ BrokerMessage::Message(..) => queue.open(message).map(Some),
            other => bail!("SUB was answered with {other:?}"),
        }
    }

    /// Subscribes and waits for the first message, of which there must be one.
    ///
    /// # Errors
    /// If there is none.
    pub async fn subscribe_and_receive(&mut self, queue: &Queue) -> Result<Delivered> {
        match self.subscribe(queue).await? {
            Some(message) => Ok(message),
            None => self.message(queue).await,
        }
    }

    /// The next event, which must be a message of this queue.
    ///
    /// # Errors
    /// If it is something else.
    pub async fn message(&mut self, queue: &Queue) -> Result<Delivered> {
        let (entity, message) = self.event().await?;
        ensure!(entity == EntityId::from(queue.recipient()), "about another queue: {message:?}");
        queue.open(message)
    }

    /// Acknowledges, and returns the next message if there is one.
    ///
    /// # Errors
    /// If the relay refuses it.
    pub async fn ack(&mut self, queue: &Queue, id: &MessageId) -> Result<Option<Delivered>> {
        let command = Command::Acknowledge(id.clone());
        match self.ask(queue.auth(), queue.recipient(), &command).await? {
            BrokerMessage::Ok => Ok(None),
            message @ BrokerMessage::Message(..) => queue.open(message).map(Some),
            other => bail!("ACK was answered with {other:?}"),
        }
    }

    /// Acknowledges the last message there is.
    ///
    /// # Errors
    /// If there is another one.
    pub async fn ack_last(&mut self, queue: &Queue, id: &MessageId) -> Result<()> {
        let next = self.ack(queue, id).await?;
        ensure!(next.is_none(), "there is another message");
        Ok(())
    }

    /// The next event, which must be a message with this body; acknowledges it as the last one.
    ///
    /// # Errors
    /// If it is another one.
    pub async fn expect_message(&mut self, queue: &Queue, body: &[u8]) -> Result<()> {
        let message = self.message(queue).await?;
        ensure!(message.body() == Some(body), "another body: {message:?}");
        self.ack_last(queue, &message.id).await
    }
}
