//! `Content`: the content of an answer or an event.

use std::{borrow::Cow, sync::Arc};

use smp_crypto::DhSecret;
use smp_protocol::{
    body::{MAX_BODY, RECEIVED_ENCRYPTED_LENGTH, ReceivedBody},
    command::MessageFlags,
    encoding::UnixSeconds,
    error::ErrorType,
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
    /// The message to be sent, with its body encrypted.
    pub(crate) fn into_message(self) -> BrokerMessage<'static> {
        let delivery = match self {
            Self::Message(message) => return message,
            Self::Delivery(delivery) => delivery,
        };
        let mut body = Vec::new();
        match delivery.sealed_length() {
            Some(_) => delivery.seal_into(&mut body),
            None => return ErrorType::LargeMessage.into(),
        }
        BrokerMessage::Message(delivery.message.id.clone(), Cow::Owned(body))
    }

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
    /// `MSG` with an empty body, which [`seal_into`](Self::seal_into) appends: the body is the end of it.
    pub(crate) fn without_body(&self) -> BrokerMessage<'static> {
        BrokerMessage::Message(self.message.id.clone(), Cow::Borrowed(&[]))
    }

    /// How many bytes [`seal_into`](Self::seal_into) appends; `None` if the body is too long. Bodies are checked when they
    /// are sent.
    pub(crate) fn sealed_length(&self) -> Option<usize> {
        let fits = match &self.message.content {
            MessageContent::Sent { body, .. } => body.len() <= MAX_BODY,
            MessageContent::QuotaMarker => true,
        };
        fits.then_some(RECEIVED_ENCRYPTED_LENGTH)
    }

    /// Appends the body, encrypted for the recipient.
    pub(crate) fn seal_into(&self, out: &mut Vec<u8>) {
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
        // `sealed_length` was asked.
        let _ = body.seal_into(&self.recipient_dh.box_key(), id, out);
    }
}
