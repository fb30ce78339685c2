//! Messages of relays: answers and deliveries (chapter `4-commands.md`, answers).
//!
//! `IDS`, `SOK`, `SOKS`, `ENDS`, `DELD` and `ERR` are written differently in different versions; `ALLS` is only known from version 19.

mod info;
mod queue_ids;
mod tag;

use std::borrow::Cow;

use smp_crypto::Nonce;

pub use info::{MessageInfo, MessageKind, QueueInfo, SubscriptionInfo, SubscriptionThread};
pub use queue_ids::{QueueIds, RelayNotifierCredentials};
pub use tag::MessageTag;

use crate::certificate::CertifiedKey;
use crate::command::{LinkData, ServiceQueues, owned};
use crate::encoding::{DecodeError, Encode, Reader, ShortString};
use crate::error::{CommandError, ErrorType, after_space};
use crate::id::{MessageId, NotifierId, SenderId, ServiceId, SessionId};
use crate::key::RelayNotificationDhKey;
use crate::version::{SmpVersion, VersionRange};

/// A message of a relay. Bodies are borrowed from the block that they were read from.
///
/// Source: chapter 4 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerMessage<'a> {
    /// `IDS`: the queue has been created. Sent without entity ID.
    QueueIds(Box<QueueIds>),
    /// `LNK`: the data of a link and the sender ID of its queue.
    Link(SenderId, LinkData<'a>),
    /// `SOK`: subscribed, for this service if there is one. Written as `OK` before version 16.
    Subscribed(Option<ServiceId>),
    /// `SOKS`: subscribed to all these queues of the service.
    SubscribedAll(ServiceQueues),
    /// `MSG`: a message; the body is a box, see [`crate::body`].
    Message(MessageId, Cow<'a, [u8]>),
    /// `ALLS`: all messages that were stored for the service have been delivered. Sent without entity ID, from version 19.
    AllDelivered,
    /// `NID`: notifications are allowed under this ID.
    NotifierId(NotifierId, RelayNotificationDhKey),
    /// `NMSG`: there is a message; the metadata is a box with this nonce, see [`crate::body`].
    Notification(Nonce, ShortString<'a>),
    /// `PKEY`: the proxy's session with a destination relay. Sent without entity ID.
    ProxySessionKey {
        /// The session of proxy and destination relay; the entity ID of `PFWD`.
        session_id: SessionId,
        /// Versions that the destination relay and the proxy both speak.
        versions: VersionRange<SmpVersion>,
        /// The key of the destination relay for this session.
        key: Box<CertifiedKey>,
    },
    /// `RRES`: the answer of a destination relay to a proxy. Sent without entity ID.
    RelayResponse(Cow<'a, [u8]>),
    /// `PRES`: the answer of a destination relay to a client.
    ProxyResponse(Cow<'a, [u8]>),
    /// `END`: another connection has subscribed to the queue.
    End,
    /// `ENDS`: another connection has subscribed to all queues of the service.
    EndAll(ServiceQueues),
    /// `DELD`: the queue has been deleted by another connection. Written as `END` before version 10.
    Deleted,
    /// `INFO`: the state of the queue.
    QueueInfo(Box<QueueInfo>),
    /// `OK`: done.
    Ok,
    /// `ERR`: not done. Sent with or without entity ID.
    Error(ErrorType),
    /// `PONG`: yes, here. Sent without entity ID.
    Pong,
}

impl<'a> BrokerMessage<'a> {
    /// Appends the message as it is written in `version`. Fields that older versions do not have are left out.
    pub fn encode(&self, version: SmpVersion, out: &mut Vec<u8>) {
        out.extend_from_slice(self.tag().written_in(version).name().as_bytes());
        let mut write = |parameters: &dyn Encode| {
            out.push(b' ');
            parameters.encode(out);
        };
        match self {
            BrokerMessage::QueueIds(ids) => {
                out.push(b' ');
                ids.encode(version, out);
            }
            BrokerMessage::Link(sender_id, data) => write(&(sender_id, data)),
            BrokerMessage::Subscribed(service_id) => {
                if version >= SmpVersion::SERVICE_CERTIFICATES {
                    write(service_id);
                }
            }
            BrokerMessage::SubscribedAll(queues) | BrokerMessage::EndAll(queues) => {
                out.push(b' ');
                queues.encode_answer(version, out);
            }
            BrokerMessage::Message(id, body) => {
                write(id);
                out.extend_from_slice(body);
            }
            BrokerMessage::NotifierId(id, key) => write(&(id, key)),
            BrokerMessage::Notification(nonce, meta) => write(&(nonce, meta)),
            BrokerMessage::ProxySessionKey { session_id, versions, key } => {
                write(&(session_id, versions, &**key));
            }
            BrokerMessage::RelayResponse(response) | BrokerMessage::ProxyResponse(response) => {
                out.push(b' ');
                out.extend_from_slice(response);
            }
            BrokerMessage::QueueInfo(info) => write(&**info),
            BrokerMessage::Error(error) => {
                out.push(b' ');
                error.encode(version, out);
            }
            BrokerMessage::AllDelivered
            | BrokerMessage::End
            | BrokerMessage::Deleted
            | BrokerMessage::Ok
            | BrokerMessage::Pong => {}
        }
    }

    /// The message as it is written in `version`, in a new vector.
    pub fn to_bytes(&self, version: SmpVersion) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(version, &mut out);
        out
    }

    /// Reads a message that takes all of `bytes`.
    ///
    /// # Errors
    /// [`CommandError::Unknown`] if there is no message of this name, [`CommandError::Syntax`] if its parameters cannot be
    /// read or something follows it.
    pub fn decode(bytes: &'a [u8], version: SmpVersion) -> Result<Self, CommandError> {
        let mut input = Reader::new(bytes);
        let tag = MessageTag::from_name(input.word())
            .filter(|tag| tag.is_read_in(version))
            .ok_or(CommandError::Unknown)?;
        decode_parameters(tag, &mut input, version)
            .and_then(|message| input.finish().map(|()| message))
            .map_err(|_| CommandError::Syntax)
    }

    /// The same message with its own copy of what it borrowed.
    pub fn into_owned(self) -> BrokerMessage<'static> {
        match self {
            BrokerMessage::QueueIds(ids) => BrokerMessage::QueueIds(ids),
            BrokerMessage::Link(sender_id, data) => BrokerMessage::Link(sender_id, data.into_owned()),
            BrokerMessage::Subscribed(service_id) => BrokerMessage::Subscribed(service_id),
            BrokerMessage::SubscribedAll(queues) => BrokerMessage::SubscribedAll(queues),
            BrokerMessage::Message(id, body) => BrokerMessage::Message(id, owned(body)),
            BrokerMessage::AllDelivered => BrokerMessage::AllDelivered,
            BrokerMessage::NotifierId(id, key) => BrokerMessage::NotifierId(id, key),
            BrokerMessage::Notification(nonce, meta) => BrokerMessage::Notification(nonce, meta.into_owned()),
            BrokerMessage::ProxySessionKey { session_id, versions, key } => {
                BrokerMessage::ProxySessionKey { session_id, versions, key }
            }
            BrokerMessage::RelayResponse(response) => BrokerMessage::RelayResponse(owned(response)),
            BrokerMessage::ProxyResponse(response) => BrokerMessage::ProxyResponse(owned(response)),
            BrokerMessage::End => BrokerMessage::End,
            BrokerMessage::EndAll(queues) => BrokerMessage::EndAll(queues),
            BrokerMessage::Deleted => BrokerMessage::Deleted,
            BrokerMessage::QueueInfo(info) => BrokerMessage::QueueInfo(info),
            BrokerMessage::Ok => BrokerMessage::Ok,
            BrokerMessage::Error(error) => BrokerMessage::Error(error),
            BrokerMessage::Pong => BrokerMessage::Pong,
        }
    }
}

impl From<ErrorType> for BrokerMessage<'_> {
    fn from(error: ErrorType) -> Self {
        BrokerMessage::Error(error)
    }
}

fn decode_parameters<'a>(
    tag: MessageTag,
    input: &mut Reader<'a>,
    version: SmpVersion,
) -> Result<BrokerMessage<'a>, DecodeError> {
    if tag.has_parameters() {
        after_space(input)?;
    }
    Ok(match tag {
        MessageTag::QueueIds => BrokerMessage::QueueIds(Box::new(QueueIds::decode(input, version)?)),
        MessageTag::Link => BrokerMessage::Link(input.read()?, input.read()?),
        MessageTag::Subscribed => BrokerMessage::Subscribed(input.read()?),
        MessageTag::SubscribedAll => {
            BrokerMessage::SubscribedAll(ServiceQueues::decode_answer(input, version)?)
        }
        MessageTag::Message => BrokerMessage::Message(input.read()?, Cow::Borrowed(input.rest())),
        MessageTag::AllDelivered => BrokerMessage::AllDelivered,
        MessageTag::NotifierId => BrokerMessage::NotifierId(input.read()?, input.read()?),
        MessageTag::Notification => BrokerMessage::Notification(input.read()?, input.read()?),
        MessageTag::ProxySessionKey => BrokerMessage::ProxySessionKey {
            session_id: input.read()?,
            versions: input.read()?,
            key: Box::new(input.read()?),
        },
        MessageTag::RelayResponse => BrokerMessage::RelayResponse(Cow::Borrowed(input.rest())),
        MessageTag::ProxyResponse => BrokerMessage::ProxyResponse(Cow::Borrowed(input.rest())),
        MessageTag::End => BrokerMessage::End,
        MessageTag::EndAll => BrokerMessage::EndAll(ServiceQueues::decode_answer(input, version)?),
        MessageTag::Deleted => BrokerMessage::Deleted,
        MessageTag::QueueInfo => BrokerMessage::QueueInfo(Box::new(input.read()?)),
        MessageTag::Ok => BrokerMessage::Ok,
        MessageTag::Error => BrokerMessage::Error(ErrorType::decode(input)?),
        MessageTag::Pong => BrokerMessage::Pong,
    })
}
