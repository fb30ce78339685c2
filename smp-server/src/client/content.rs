//! `Content`: what an answer or an event says.

use std::{borrow::Cow, sync::Arc};

use smp_crypto::DhSecret;
use smp_protocol::{
    body::ReceivedBody, command::MessageFlags, encoding::UnixSeconds, error::ErrorType,
    message::BrokerMessage,
};

use crate::store::{Message, MessageContent};

/// Content of a transmission.
pub(crate) enum Content {
    /// Anything that is ready to be sent.
    Message(BrokerMessage<'static>),
    /// `MSG`. The body is encrypted when it is sent, so that waiting costs no copy of it.
    Delivery(Delivery),
}

/// A message of a queue for its recipient.
pub(crate) struct Delivery {
    /// Encrypts the body.
    pub(crate) recipient_dh: DhSecret,
    /// The message.
    pub(crate) message: Arc<Message>,
}

impl Content {
    /// The error that it is, if it is one.
    pub(crate) fn error(&self) -> Option<&ErrorType> {
        match self {
            Self::Message(BrokerMessage::Error(error)) => Some(error),
            _ => None,
        }
    }
}

impl From<BrokerMessage<'static>> for Content {
    fn from(message: BrokerMessage<'static>) -> Self {
        Self::Message(message)
    }
}

impl From<Delivery> for Content {
    fn from(delivery: Delivery) -> Self {
        Self::Delivery(delivery)
    }
}

impl Delivery {
    /// `MSG` with the body encrypted for the recipient.
    pub(crate) fn seal(&self) -> BrokerMessage<'static> {
        let Message { id, timestamp, content } = &*self.message;
        let time = UnixSeconds(i64::try_from(*timestamp).unwrap_or(i64::MAX));
        let body = match content {
            MessageContent::Sent { notification, body } => ReceivedBody::Message {
                time,
                flags: MessageFlags { notification: *notification },
                body: Cow::Borrowed(body),
            },
            MessageContent::QuotaMarker => ReceivedBody::Quota { time },
        };
        let mut sealed = Vec::new();
        match body.seal_into(&self.recipient_dh.box_key(), id, &mut sealed) {
            Ok(()) => BrokerMessage::Message(id.clone(), Cow::Owned(sealed)),
            // Bodies are checked when they are sent.
            Err(_) => ErrorType::LargeMessage.into(),
        }
    }
}
