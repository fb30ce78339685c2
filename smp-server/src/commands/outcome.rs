//! `Outcome`: what a command has come to: its answer, what the answer waits for, and what follows it.
//!
//! A command does itself all that its answer depends on. Everything else it only names, as an
//! [`Effect`]; the session carries it out once the answer is in the client's mailbox, so that nothing overtakes the answer.

use std::sync::Arc;

use smp_crypto::DhSecret;
use smp_protocol::{
    error::{ErrorType, ProxyError},
    id::{NotifierId, RecipientId, ServiceId},
    message::BrokerMessage,
};

use crate::{
    broker::Notification,
    client::{Content, Delivery},
    store::{Completion, MOVED, Message, QueueRecord, ServiceRole},
};

/// The outcome of a command.
pub(crate) struct Outcome {
    /// The answer.
    pub(crate) answer: Content,
    /// The answer is given when this resolves; if it resolves to an error, `ERR` is given instead.
    pub(crate) durable: Option<Completion>,
    /// The effect, once the answer is in the mailbox.
    pub(crate) effect: Effect,
}

/// A step after a command was answered.
#[derive(Debug)]
pub(crate) enum Effect {
    Nothing,
    /// A message was put into this queue: the notifier gets the notification, and the recipient is signalled.
    ///
    /// This has to follow the answer also for speed: tokio runs the task first that was woken last, and of the sender's and the
    /// recipient's writers the recipient's should run first.
    Sent(Arc<QueueRecord>, Option<Notification>),
    /// Delivery of the messages of this queue begins.
    Deliver(RecipientId),
    /// Delivery of the notifications that waited begins.
    Notify(NotifierId),
    /// Delivery to a service of what all its queues have begins.
    DeliverAll(ServiceRole, ServiceId),
}

/// The result of each command's file; an error is answered as `ERR`.
pub(super) type CommandResult = Result<Outcome, ErrorType>;

impl From<BrokerMessage<'static>> for Outcome {
    fn from(message: BrokerMessage<'static>) -> Self {
        Self { answer: Content::Message(message), durable: None, effect: Effect::Nothing }
    }
}

impl From<CommandResult> for Outcome {
    fn from(result: CommandResult) -> Self {
        result.unwrap_or_else(|error| BrokerMessage::Error(error).into())
    }
}

impl Outcome {
    /// `OK`.
    pub(super) fn ok() -> Self {
        BrokerMessage::Ok.into()
    }

    /// This message of a queue.
    pub(super) fn delivery(recipient_dh: DhSecret, message: Arc<Message>) -> Self {
        let answer = Content::Delivery(Delivery { recipient_dh, message });
        Self { answer, durable: None, effect: Effect::Nothing }
    }

    /// Answered only when `completion` resolves.
    pub(super) fn when_durable(mut self, completion: Completion) -> Self {
        self.durable = Some(completion);
        self
    }

    /// With something to follow.
    pub(super) fn then(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Whether it has not been done because another process has the queue.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self.answer.error(), Some(ErrorType::Store(text)) if text == MOVED)
    }

    /// Whether the client has shown a wrong authorization or password.
    pub(crate) fn is_refusal(&self) -> bool {
        match self.answer.error() {
            Some(ErrorType::Auth) => true,
            Some(ErrorType::Proxy(error)) => matches!(**error, ProxyError::BasicAuth),
            _ => false,
        }
    }
}
