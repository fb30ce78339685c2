//! Answers and events on their way to a client.

use std::sync::Arc;

use smp_crypto::DhSecret;
use smp_protocol::{
    error::{ErrorType, ProxyError},
    id::{CorrelationId, EntityId, NotifierId, RecipientId, ServiceId},
    message::BrokerMessage,
};

use super::Permit;
use crate::{
    commands::Envelope,
    metrics::Timer,
    store::{Completion, Message, QueueRecord, StoreError},
};

/// What a command is answered with.
pub(crate) struct Answer {
    /// The answer itself.
    pub(crate) content: Content,
    /// It is given once the store has kept something; if the store fails, `ERR` is given instead.
    pub(crate) kept: Option<Completion>,
    /// What follows it.
    pub(crate) then: Then,
}

/// What is started once the answer is on its way, so that it cannot overtake the answer to the same client.
#[derive(Debug)]
pub(crate) enum Then {
    Nothing,
    /// The recipient of this queue is told that there is a message. Of two sessions that have something to send, a thread
    /// usually serves the one first that it learned of last, and it is the message that somebody waits for.
    Tell(Arc<QueueRecord>),
    /// Delivery of the messages of this queue.
    Deliver(RecipientId),
    /// Delivery of the notifications that waited.
    Notify(NotifierId),
    /// Delivery of the messages of all queues of this service.
    DeliverAll(ServiceId),
    /// Delivery of the notifications of all queues of this service.
    NotifyAll(ServiceId),
}

/// The content of one transmission to the client.
pub(crate) enum Content {
    /// Anything that is ready to be sent.
    Message(BrokerMessage<'static>),
    /// A message of a queue; its body is encrypted when it is sent, so that waiting costs no copy of it.
    Delivery(Delivery),
    /// The answer to a command that a proxy forwarded.
    Forwarded(Box<Envelope>),
}

/// A message of a queue for its recipient.
pub(crate) struct Delivery {
    /// Encrypts the body.
    pub(crate) recipient_dh: DhSecret,
    /// The message.
    pub(crate) message: Arc<Message>,
}

/// One transmission to the client.
pub(crate) struct Reply {
    /// That of the command; empty in events.
    pub(crate) corr_id: CorrelationId,
    /// What it is about.
    pub(crate) entity_id: EntityId,
    /// What it says.
    pub(crate) content: Content,
    /// Given back when it is sent: then the session may have another command.
    pub(crate) permit: Option<Permit>,
    /// How long the command has taken, if it was one.
    pub(crate) timer: Option<Timer>,
}

impl Reply {
    /// Something that no command has asked for.
    pub(crate) fn event(entity_id: impl Into<EntityId>, message: BrokerMessage<'static>) -> Self {
        Self {
            corr_id: CorrelationId::empty(),
            entity_id: entity_id.into(),
            content: Content::Message(message),
            permit: None,
            timer: None,
        }
    }
}

impl Reply {
    /// The store has kept what this stands for, or not.
    pub(crate) fn settle(&mut self, result: Result<(), StoreError>) {
        if let Err(error) = result {
            self.content.fail(error.into());
        }
    }
}

impl Content {
    /// The error that it is, if it is one.
    pub(crate) fn error(&self) -> Option<&ErrorType> {
        match self {
            Self::Message(BrokerMessage::Error(error)) => Some(error),
            Self::Forwarded(envelope) => match &envelope.message {
                BrokerMessage::Error(error) => Some(error),
                _ => None,
            },
            _ => None,
        }
    }

    /// Replaces it by an error.
    pub(crate) fn fail(&mut self, error: ErrorType) {
        match self {
            Self::Forwarded(envelope) => envelope.message = error.into(),
            _ => *self = Self::Message(error.into()),
        }
    }
}

impl From<BrokerMessage<'static>> for Answer {
    fn from(message: BrokerMessage<'static>) -> Self {
        Self { content: Content::Message(message), kept: None, then: Then::Nothing }
    }
}

impl From<ErrorType> for Answer {
    fn from(error: ErrorType) -> Self {
        BrokerMessage::Error(error).into()
    }
}

impl Answer {
    /// `OK`.
    pub(crate) fn ok() -> Self {
        BrokerMessage::Ok.into()
    }

    /// Whether the client has shown a wrong authorization or password.
    pub(crate) fn is_refusal(&self) -> bool {
        match &self.content {
            Content::Message(BrokerMessage::Error(ErrorType::Auth)) => true,
            Content::Message(BrokerMessage::Error(ErrorType::Proxy(error))) => {
                matches!(**error, ProxyError::BasicAuth)
            }
            _ => false,
        }
    }

    /// This message of a queue.
    pub(crate) fn delivery(recipient_dh: DhSecret, message: Arc<Message>) -> Self {
        let content = Content::Delivery(Delivery { recipient_dh, message });
        Self { content, kept: None, then: Then::Nothing }
    }

    /// Given once the store has kept what it stands for.
    pub(crate) fn when_kept(mut self, completion: Completion) -> Self {
        self.kept = Some(completion);
        self
    }

    /// With something to follow.
    pub(crate) fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }
}
