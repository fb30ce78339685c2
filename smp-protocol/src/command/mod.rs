//! Commands: what clients send to relays (chapter `4-commands.md`).
//!
//! A command is its name, then a space and parameters if it has any. `NEW`, `SUBS` and `NSUBS` have different parameters in
//! different versions; every other command is the same in all of them and is read in all of them, also before the version
//! that introduced it ([`crate::version_table`]).

mod credentials;
mod flags;
mod link_data;
mod new_queue;
mod service_queues;
mod tag;

use std::borrow::Cow;

pub use flags::MessageFlags;
pub use link_data::LinkData;
pub use new_queue::{LinkRequest, NewQueue, NotifierCredentials, QueueMode, QueueRequest, SubscriptionMode};
pub use service_queues::{IDS_HASH_BYTES, IdsHash, ServiceQueues};
pub use tag::CommandTag;

use crate::address::{Password, RelayAddress};
use crate::encoding::{DecodeError, Encode, NonEmpty, Reader};
use crate::error::CommandError;
use crate::id::{LinkId, MessageId};
use crate::key::{
    NotifierAuthKey, ProxiedCommandKey, RecipientAuthKey, RecipientNotificationDhKey, SenderAuthKey,
};
use crate::version::SmpVersion;

/// A command of a client. Bodies are borrowed from the block that they were read from.
///
/// Source: chapter 4 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// `NEW`: create a queue. Answer: `IDS`.
    New(Box<NewQueue<'a>>),
    /// `SUB`: deliver the messages of a queue to this connection. Answer: `SOK`, or a `MSG`.
    Subscribe,
    /// `SUBS`: deliver the messages of all queues of a service. Answer: `SOKS`.
    SubscribeAll(ServiceQueues),
    /// `KEY`: the recipient secures the queue with the sender's key. Answer: `OK`.
    Secure(SenderAuthKey),
    /// `RKEY`: replace the recipient keys. Answer: `OK`.
    SetRecipientKeys(NonEmpty<RecipientAuthKey>),
    /// `LSET`: attach the data of a short link. Answer: `OK`.
    SetLink(LinkId, LinkData<'a>),
    /// `LDEL`: delete the short link. Answer: `OK`.
    DeleteLink,
    /// `NKEY`: allow notifications. Answer: `NID`.
    SetNotifier(NotifierAuthKey, RecipientNotificationDhKey),
    /// `NDEL`: forbid notifications. Answer: `OK`.
    DeleteNotifier,
    /// `GET`: get one message without subscribing. Answer: `MSG` or `OK`.
    Get,
    /// `ACK`: the message has been received for good. Answer: `OK`, or the next `MSG`.
    Acknowledge(MessageId),
    /// `OFF`: accept no more messages. Answer: `OK`.
    Suspend,
    /// `DEL`: delete the queue with all messages. Answer: `OK`.
    Delete,
    /// `QUE`: the state of the queue. Answer: `INFO`.
    QueueInfo,
    /// `SKEY`: the sender secures the queue with its key. Answer: `OK`.
    SenderSecure(SenderAuthKey),
    /// `SEND`: put a message into the queue. Answer: `OK`.
    Send(MessageFlags, Cow<'a, [u8]>),
    /// `PING`: is anybody there? Answer: `PONG`.
    Ping,
    /// `LKEY`: the sender secures the queue of a one-time link and gets the link's data. Answer: `LNK`.
    SecureAndGetLink(SenderAuthKey),
    /// `LGET`: get the data of a link. Answer: `LNK`.
    GetLink,
    /// `NSUB`: notify this connection of a queue's messages. Answer: `SOK`.
    SubscribeNotifications,
    /// `NSUBS`: notify this connection of the messages of all queues of a service. Answer: `SOKS`.
    SubscribeAllNotifications(ServiceQueues),
    /// `PRXY`: connect to a destination relay. The password is the proxy's. Answer: `PKEY`.
    ProxySession {
        /// The destination relay; a password in it is not sent.
        relay: Box<RelayAddress>,
        /// The password of the proxy.
        password: Option<Password>,
    },
    /// `PFWD`: forward a command to a destination relay. Answer: `PRES`.
    ProxyForward {
        /// The version of the forwarded command.
        version: SmpVersion,
        /// The client's key for this command and its answer.
        key: ProxiedCommandKey,
        /// The box with the command; see [`crate::proxy`].
        transmission: Cow<'a, [u8]>,
    },
    /// `RFWD`: a command that a proxy forwards. Answer: `RRES`.
    RelayForward(Cow<'a, [u8]>),
}

impl<'a> Command<'a> {
    /// Appends the command as it is written in `version`. Fields that older versions do not have are left out.
    pub fn encode(&self, version: SmpVersion, out: &mut Vec<u8>) {
        out.extend_from_slice(self.tag().name().as_bytes());
        let mut write = |parameters: &dyn Encode| {
            out.push(b' ');
            parameters.encode(out);
        };
        match self {
            Command::New(queue) => {
                out.push(b' ');
                queue.encode(version, out);
            }
            Command::SubscribeAll(queues) | Command::SubscribeAllNotifications(queues) => {
                if version >= SmpVersion::SERVICE_SUBSCRIPTIONS {
                    write(queues);
                }
            }
            Command::Secure(key) | Command::SenderSecure(key) | Command::SecureAndGetLink(key) => write(key),
            Command::SetRecipientKeys(keys) => write(keys),
            Command::SetLink(id, data) => write(&(id, data)),
            Command::SetNotifier(key, dh_key) => write(&(key, dh_key)),
            Command::Acknowledge(id) => write(id),
            Command::Send(flags, body) => {
                write(flags);
                out.push(b' ');
                out.extend_from_slice(body);
            }
            Command::ProxySession { relay, password } => write(&(&**relay, password)),
            Command::ProxyForward { version, key, transmission } => {
                write(&(*version, *key));
                out.extend_from_slice(transmission);
            }
            Command::RelayForward(transmission) => {
                out.push(b' ');
                out.extend_from_slice(transmission);
            }
            Command::Subscribe
            | Command::DeleteLink
            | Command::DeleteNotifier
            | Command::Get
            | Command::Suspend
            | Command::Delete
            | Command::QueueInfo
            | Command::Ping
            | Command::GetLink
            | Command::SubscribeNotifications => {}
        }
    }

    /// The command as it is written in `version`, in a new vector.
    pub fn to_bytes(&self, version: SmpVersion) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(version, &mut out);
        out
    }

    /// Reads a command that takes all of `bytes`.
    ///
    /// # Errors
    /// [`CommandError::Unknown`] if there is no command of this name, [`CommandError::Syntax`] if its parameters cannot be
    /// read or something follows it. These are also the errors that a relay answers with.
    pub fn decode(bytes: &'a [u8], version: SmpVersion) -> Result<Self, CommandError> {
        let mut input = Reader::new(bytes);
        let tag = CommandTag::from_name(input.word()).ok_or(CommandError::Unknown)?;
        decode_parameters(tag, &mut input, version)
            .and_then(|command| input.finish().map(|()| command))
            .map_err(|_| CommandError::Syntax)
    }

    /// The same command with its own copy of what it borrowed.
    pub fn into_owned(self) -> Command<'static> {
        match self {
            Command::New(queue) => Command::New(Box::new(queue.into_owned())),
            Command::Subscribe => Command::Subscribe,
            Command::SubscribeAll(queues) => Command::SubscribeAll(queues),
            Command::Secure(key) => Command::Secure(key),
            Command::SetRecipientKeys(keys) => Command::SetRecipientKeys(keys),
            Command::SetLink(id, data) => Command::SetLink(id, data.into_owned()),
            Command::DeleteLink => Command::DeleteLink,
            Command::SetNotifier(key, dh_key) => Command::SetNotifier(key, dh_key),
            Command::DeleteNotifier => Command::DeleteNotifier,
            Command::Get => Command::Get,
            Command::Acknowledge(id) => Command::Acknowledge(id),
            Command::Suspend => Command::Suspend,
            Command::Delete => Command::Delete,
            Command::QueueInfo => Command::QueueInfo,
            Command::SenderSecure(key) => Command::SenderSecure(key),
            Command::Send(flags, body) => Command::Send(flags, owned(body)),
            Command::Ping => Command::Ping,
            Command::SecureAndGetLink(key) => Command::SecureAndGetLink(key),
            Command::GetLink => Command::GetLink,
            Command::SubscribeNotifications => Command::SubscribeNotifications,
            Command::SubscribeAllNotifications(queues) => Command::SubscribeAllNotifications(queues),
            Command::ProxySession { relay, password } => Command::ProxySession { relay, password },
            Command::ProxyForward { version, key, transmission } => {
                Command::ProxyForward { version, key, transmission: owned(transmission) }
            }
            Command::RelayForward(transmission) => Command::RelayForward(owned(transmission)),
        }
    }
}

fn decode_parameters<'a>(
    tag: CommandTag,
    input: &mut Reader<'a>,
    version: SmpVersion,
) -> Result<Command<'a>, DecodeError> {
    if tag.has_parameters(version) {
        // `word` has stopped at the space or at the end.
        crate::error::after_space(input)?;
    }
    Ok(match tag {
        CommandTag::New => Command::New(Box::new(NewQueue::decode(input, version)?)),
        CommandTag::Subscribe => Command::Subscribe,
        CommandTag::SubscribeAll => Command::SubscribeAll(ServiceQueues::decode(input, version)?),
        CommandTag::Secure => Command::Secure(input.read()?),
        CommandTag::SetRecipientKeys => Command::SetRecipientKeys(input.read()?),
        CommandTag::SetLink => Command::SetLink(input.read()?, input.read()?),
        CommandTag::DeleteLink => Command::DeleteLink,
        CommandTag::SetNotifier => Command::SetNotifier(input.read()?, input.read()?),
        CommandTag::DeleteNotifier => Command::DeleteNotifier,
        CommandTag::Get => Command::Get,
        CommandTag::Acknowledge => Command::Acknowledge(input.read()?),
        CommandTag::Suspend => Command::Suspend,
        CommandTag::Delete => Command::Delete,
        CommandTag::QueueInfo => Command::QueueInfo,
        CommandTag::SenderSecure => Command::SenderSecure(input.read()?),
        CommandTag::Send => {
            let flags = input.read()?;
            crate::error::after_space(input)?;
            Command::Send(flags, Cow::Borrowed(input.rest()))
        }
        CommandTag::Ping => Command::Ping,
        CommandTag::SecureAndGetLink => Command::SecureAndGetLink(input.read()?),
        CommandTag::GetLink => Command::GetLink,
        CommandTag::SubscribeNotifications => Command::SubscribeNotifications,
        CommandTag::SubscribeAllNotifications => {
            Command::SubscribeAllNotifications(ServiceQueues::decode(input, version)?)
        }
        CommandTag::ProxySession => {
            Command::ProxySession { relay: Box::new(input.read()?), password: input.read()? }
        }
        CommandTag::ProxyForward => Command::ProxyForward {
            version: input.read()?,
            key: input.read()?,
            transmission: Cow::Borrowed(input.rest()),
        },
        CommandTag::RelayForward => Command::RelayForward(Cow::Borrowed(input.rest())),
    })
}

pub(crate) fn owned(bytes: Cow<'_, [u8]>) -> Cow<'static, [u8]> {
    Cow::Owned(bytes.into_owned())
}
