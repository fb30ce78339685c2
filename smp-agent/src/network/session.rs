//! A session with a relay, in the agent's terms.

use crate::config::AgentConfig;
use crate::connection::{CreatedQueue, LinkOffer, ReceiveQueue};
use crate::error::RelayError;
use crate::store::Subscription;
use smp_crypto::PrivateAuthKey;
use smp_protocol::address::{Password, RelayAddress};
use smp_protocol::agent::QueueMode;
use smp_protocol::command::{Command, LinkData, LinkRequest, NewQueue, QueueRequest, SubscriptionMode};
use smp_protocol::error::ErrorType;
use smp_protocol::id::{EntityId, LinkId, MessageId, RecipientId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::version::SmpVersion;
use smp_transport::client::{ClientConfig, ClientError, RelayClient, RelayEvents, Request, Response};
use smp_transport::dial::Isolation;
use smp_transport::surroundings::Surroundings;
use tokio::sync::mpsc;

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// It may be done later. Whether the relay has done it is not known.
    #[error("the relay {0}")]
    Again(RelayError),
    /// The queue does not exist, or is not ours.
    #[error("AUTH")]
    Auth,
    /// The queue is full.
    #[error("QUOTA")]
    Quota,
    /// There is no such message to acknowledge.
    #[error("NO_MSG")]
    NoMessage,
    /// Anything else. It will not be done later either.
    #[error("{0}")]
    Refused(String),
}

/// A delivery of a relay.
pub(super) enum Delivered {
    /// A message; encrypted by the relay.
    Message(RecipientId, MessageId, Vec<u8>),
    /// The relay deleted the queue.
    Deleted(RecipientId),
    /// Another session has taken the queue.
    Displaced(RecipientId),
}

/// A session with a relay.
pub(crate) struct RelaySession {
    client: RelayClient,
    /// Messages that come as the answer to SUB or ACK. At most one for each queue, so the channel needs no bound.
    answers: mpsc::UnboundedSender<Delivered>,
}

/// Deliveries in a session.
pub(super) struct Deliveries {
    events: RelayEvents,
    answers: mpsc::UnboundedReceiver<Delivered>,
}

impl RelaySession {
    pub(super) async fn connect(
        config: &AgentConfig,
        surroundings: &Surroundings,
        relay: &RelayAddress,
        is_own: bool,
        isolation: Option<Isolation>,
    ) -> Result<(Self, Deliveries), RelayError> {
        let hosts = config.network.hosts(relay).ok_or(RelayError::NoOnionHost)?;
        let client_config = ClientConfig {
            dialler: config.network.dialler(is_own, isolation),
            surroundings: surroundings.clone(),
            versions: config.versions.smp,
            connect_timeout: config.timeouts.connect,
            response_timeout: config.timeouts.command,
            ping_interval: Some(config.timeouts.ping),
            ..ClientConfig::default()
        };
        let (client, events) = RelayClient::connect(&hosts, client_config).await.map_err(relay_error)?;
        let (sender, answers) = mpsc::unbounded_channel();
        Ok((Self { client, answers: sender }, Deliveries { events, answers }))
    }

    pub(super) fn client(&self) -> &RelayClient {
        &self.client
    }

    /// Whether the connection to the relay has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.client.ended().is_some()
    }

    /// Ends the connection to the relay, whoever else holds this.
    pub(super) fn close(&self) {
        self.client.close();
    }

    /// NEW: creates a queue, subscribed in this session; with what belongs to a short link if there is an offer.
    pub(crate) async fn create_queue(
        &self,
        queue: &ReceiveQueue,
        mode: QueueMode,
        password: Option<Password>,
        offer: Option<&LinkOffer>,
    ) -> Result<CreatedQueue, CommandError> {
        let link =
            |offer: &LinkOffer| LinkRequest { sender_id: offer.sender_id.clone(), data: offer.data.clone() };
        let kind = match mode {
            QueueMode::Messaging => QueueRequest::Messaging(offer.map(link)),
            QueueMode::Contact => {
                QueueRequest::Contact(offer.and_then(|offer| Some((offer.link_id.clone()?, link(offer)))))
            }
        };
        let command = Command::New(Box::new(NewQueue {
            auth_key: queue.recipient_key.public_key().into(),
            dh_key: queue.relay_dh_key.public_key().into(),
            password,
            subscription: SubscriptionMode::Subscribe,
            request: Some(kind),
            notifier: None,
        }));
        let request = Request {
            correlation_id: offer.map(|offer| (*offer.correlation_id.as_bytes()).into()),
            ..Request::new(Some(&queue.recipient_key), EntityId::empty(), command)
        };
        match self.client.request(request).await? {
            BrokerMessage::QueueIds(ids) if offer.is_some_and(|offer| offer.sender_id != ids.sender_id) => {
                Err(CommandError::Refused("another sender ID than was asked for".to_owned()))
            }
            BrokerMessage::QueueIds(ids) if ids.mode.is_some_and(|made| made != mode) => {
                Err(CommandError::Refused("another kind of queue than was asked for".to_owned()))
            }
            BrokerMessage::QueueIds(ids) => Ok(CreatedQueue {
                link_id: ids.link_id.or_else(|| offer?.link_id.clone()),
                recipient_id: ids.recipient_id,
                sender_id: ids.sender_id,
                mode: ids.mode,
                relay_secret: queue.relay_dh_key.agree(&ids.dh_key.0),
            }),
            other => Err(unexpected(&other)),
        }
    }

    /// KEY: from now on the queue takes what its sender has signed.
    pub(super) async fn secure_by_recipient(&self, queue: &ReceiveQueue) -> Result<(), CommandError> {
        let (Some(created), Some(sender_key)) = (&queue.created, queue.sender_key) else {
            return Err(CommandError::Refused("no key to secure the queue with".to_owned()));
        };
        let command = Command::Secure(sender_key.into());
        self.expect_ok(&queue.recipient_key, &created.recipient_id, command).await
    }

    /// Whether the relay knows short links.
    pub(crate) fn has_short_links(&self) -> bool {
        self.client.session().parameters.version >= SmpVersion::SHORT_LINKS
    }

    /// SUB, for many queues at once.
    pub(super) async fn subscribe(&self, queues: &[Subscription]) -> Vec<Result<(), CommandError>> {
        let requests: Vec<_> = queues
            .iter()
            .map(|queue| Request::new(Some(&queue.recipient_key), &queue.recipient_id, Command::Subscribe))
            .collect();
        let answers = self.client.send_many(requests).await;
        let results = answers.into_iter().zip(queues);
        results.map(|(answer, queue)| self.subscribed(&queue.recipient_id, answer)).collect()
    }

    /// QUE: whether the relay has nothing for the queue, and everything that it has delivered is acknowledged. The answer to SUB
    /// does not tell: the first message may follow it.
    pub(super) async fn is_empty(&self, queue: &ReceiveQueue) -> Result<bool, CommandError> {
        let Some(created) = &queue.created else { return Ok(true) };
        let key = Some(&queue.recipient_key);
        match self.client.send(key, &created.recipient_id, Command::QueueInfo).await? {
            BrokerMessage::QueueInfo(info) => Ok(info.size == 0),
            other => Err(unexpected(&other)),
        }
    }

    fn subscribed(
        &self,
        queue: &RecipientId,
        answer: Result<Response, ClientError>,
    ) -> Result<(), CommandError> {
        match answer? {
            BrokerMessage::Ok | BrokerMessage::Subscribed(_) => Ok(()),
            other => self.delivered(queue, other),
        }
    }

    /// ACK: the message is stored here, the relay may delete it.
    pub(super) async fn acknowledge(
        &self,
        queue: &RecipientId,
        key: &PrivateAuthKey,
        message: &MessageId,
    ) -> Result<(), CommandError> {
        match self.client.send(Some(key), queue, Command::Acknowledge(message.clone())).await? {
            BrokerMessage::Ok => Ok(()),
            other => self.delivered(queue, other),
        }
    }

    /// An answer that is the next message.
    fn delivered(&self, queue: &RecipientId, answer: Response) -> Result<(), CommandError> {
        match answer {
            BrokerMessage::Message(id, body) => {
                // Without a receiver the session is over, and the relay delivers it again in the next one.
                let _ = self.answers.send(Delivered::Message(queue.clone(), id, body.into_owned()));
                Ok(())
            }
            other => Err(unexpected(&other)),
        }
    }

    /// LSET: replaces what is stored under the short link of an own contact address.
    pub(super) async fn set_link(
        &self,
        queue: &ReceiveQueue,
        link_id: &LinkId,
        data: LinkData<'static>,
    ) -> Result<(), CommandError> {
        self.do_for(queue, Command::SetLink(link_id.clone(), data)).await
    }

    /// LDEL: removes what is stored under the short link of an own queue.
    pub(super) async fn delete_link(&self, queue: &ReceiveQueue) -> Result<(), CommandError> {
        self.do_for(queue, Command::DeleteLink).await
    }

    /// OFF: the relay takes nothing more for the queue, and gives out what it has.
    pub(super) async fn suspend(&self, queue: &ReceiveQueue) -> Result<(), CommandError> {
        self.do_for(queue, Command::Suspend).await
    }

    /// DEL.
    pub(super) async fn delete(&self, queue: &RecipientId, key: &PrivateAuthKey) -> Result<(), CommandError> {
        self.expect_ok(key, queue, Command::Delete).await
    }

    /// A command for an own queue, which a relay has not that has not made it.
    async fn do_for(&self, queue: &ReceiveQueue, command: Command<'_>) -> Result<(), CommandError> {
        let Some(created) = &queue.created else { return Err(CommandError::Auth) };
        self.expect_ok(&queue.recipient_key, &created.recipient_id, command).await
    }

    async fn expect_ok(
        &self,
        key: &PrivateAuthKey,
        entity: impl Into<EntityId>,
        command: Command<'_>,
    ) -> Result<(), CommandError> {
        match self.client.send(Some(key), entity, command).await? {
            BrokerMessage::Ok => Ok(()),
            other => Err(unexpected(&other)),
        }
    }
}

impl Deliveries {
    /// The next delivery, or the reason why none will come.
    pub(super) async fn next(&mut self) -> Result<Delivered, RelayError> {
        loop {
            tokio::select! {
                Some(delivered) = self.answers.recv() => return Ok(delivered),
                event = self.events.recv() => {
                    let event = event.map_err(relay_error)?;
                    let queue = event.entity_id.into();
                    match event.message {
                        Ok(BrokerMessage::Message(id, body)) => {
                            return Ok(Delivered::Message(queue, id, body.into_owned()));
                        }
                        Ok(BrokerMessage::Deleted) => return Ok(Delivered::Deleted(queue)),
                        Ok(BrokerMessage::End) => return Ok(Delivered::Displaced(queue)),
                        // Messages for services, or late answers of no interest.
                        Ok(_) | Err(_) => {}
                    }
                }
            }
        }
    }
}

pub(super) fn unexpected(answer: &Response) -> CommandError {
    CommandError::Refused(format!("an unexpected {}", answer.tag().name()))
}

impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Relay(ErrorType::Auth) => Self::Auth,
            ClientError::Relay(ErrorType::Quota) => Self::Quota,
            ClientError::Relay(ErrorType::NoMessage) => Self::NoMessage,
            ClientError::Relay(ref relay) if !error.is_temporary() => Self::Refused(relay.to_string()),
            // An error that the next attempt will not change is no reason to try for ever without a word.
            ClientError::TooLarge
            | ClientError::Authorization(_)
            | ClientError::UnreadableAnswer(_)
            | ClientError::UnexpectedEntity => Self::Refused(error.to_string()),
            other => Self::Again(relay_error(other)),
        }
    }
}

impl CommandError {
    /// Its kind.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Again(error) => error.name(),
            Self::Auth => "Auth",
            Self::Quota => "Quota",
            Self::NoMessage => "NoMessage",
            Self::Refused(_) => "Refused",
        }
    }
}

/// Why a queue was not made.
pub(crate) fn creation_error(error: CommandError) -> RelayError {
    match error {
        CommandError::Again(error) => error,
        CommandError::Auth => RelayError::NotAllowed,
        other => RelayError::Refused(other.to_string()),
    }
}

fn with_advice(reason: String, error: &ClientError) -> String {
    match error.advice() {
        advice if advice.is_empty() => reason,
        advice => format!("{reason}; {advice}"),
    }
}

pub(super) fn relay_error(error: ClientError) -> RelayError {
    match error {
        ClientError::WrongRelay { .. } => RelayError::Fingerprint,
        ClientError::Version { .. } => RelayError::Version,
        ClientError::Timeout(_) | ClientError::NotResponding => RelayError::Timeout,
        ClientError::Relay(error) => RelayError::Refused(error.to_string()),
        ClientError::Proxy(error) => RelayError::NotForwarded(error.to_string()),
        ClientError::Unreachable(ref attempts) => {
            let attempts = attempts.iter().map(|attempt| format!("{}: {}", attempt.host, attempt.reason));
            RelayError::Unreachable(with_advice(attempts.collect::<Vec<_>>().join("; "), &error))
        }
        // Those of connecting are among the attempts.
        ClientError::Connection(_) | ClientError::Closed | ClientError::Protocol(_) => {
            RelayError::Lost(with_advice(error.to_string(), &error))
        }
        other => RelayError::Unreachable(with_advice(other.to_string(), &other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smp_protocol::error::{CommandError as Forbidden, TransportError};

    #[test]
    fn errors_that_stay_are_not_tried_again_for_ever() {
        let stays = [
            ClientError::TooLarge,
            ClientError::Authorization(TransportError::Version),
            ClientError::UnreadableAnswer(ErrorType::Internal),
            ClientError::UnexpectedEntity,
            ClientError::Relay(ErrorType::Command(Forbidden::Prohibited)),
        ];
        for error in stays {
            assert!(!error.is_temporary());
            assert!(matches!(CommandError::from(error), CommandError::Refused(_)));
        }
        for error in
            [ClientError::NotResponding, ClientError::Closed, ClientError::Relay(ErrorType::Internal)]
        {
            assert!(error.is_temporary());
            assert!(matches!(CommandError::from(error), CommandError::Again(_)));
        }
    }
}
