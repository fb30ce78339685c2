//! The parameters of `NEW`, which differ most between versions.

use super::LinkData;
use crate::address::Password;
use crate::encoding::{Decode, DecodeError, Encode, Reader};
use crate::id::{LinkId, SenderId};
use crate::key::{NotifierAuthKey, RecipientAuthKey, RecipientDhKey, RecipientNotificationDhKey};
use crate::version::SmpVersion;

/// Parameters of `NEW`.
///
/// | versions | password | what follows the subscription mode |
/// |---|---|---|
/// | 6 to 8 | `A` and the password, or nothing | |
/// | 9 to 14 | optional | `T` for messaging, `F` for all else (read as contact) |
/// | 15, 16 | optional | optional request |
/// | 17 to 19 | optional | optional request, optional notifier credentials |
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewQueue<'a> {
    /// Authorizes this command and those that follow.
    pub auth_key: RecipientAuthKey,
    /// For the secret between relay and recipient.
    pub dh_key: RecipientDhKey,
    /// The password of the relay, if it wants one.
    pub password: Option<Password>,
    /// Whether to subscribe at once.
    pub subscription: SubscriptionMode,
    /// The wanted kind of queue, with the data of its link.
    pub request: Option<QueueRequest<'a>>,
    /// Allows notifications at once.
    pub notifier: Option<NotifierCredentials>,
}

/// Whether `NEW` also subscribes.
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionMode {
    /// `S`: create and subscribe.
    Subscribe,
    /// `C`: create only.
    OnlyCreate,
}

/// The kind of a queue: one contact, or many.
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueMode {
    /// `M`: messages of one sender, who can secure the queue.
    Messaging,
    /// `C`: requests of many senders; it is never secured by them.
    Contact,
}

/// The wanted kind of a queue, with the data of its link.
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueRequest<'a> {
    /// A messaging queue, with the data of a one-time link. The relay chooses the link ID.
    Messaging(Option<LinkRequest<'a>>),
    /// A contact queue, with the data of a link and the link ID, which follows from the link key.
    Contact(Option<(LinkId, LinkRequest<'a>)>),
}

/// Link data for a new queue.
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRequest<'a> {
    /// The sender ID that the queue must get: the first 24 bytes of the SHA3-384 of the command's correlation ID.
    pub sender_id: SenderId,
    /// Data to store.
    pub data: LinkData<'a>,
}

/// Keys that allow notifications.
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotifierCredentials {
    /// Authorizes `NSUB`.
    pub auth_key: NotifierAuthKey,
    /// For the secret between relay and recipient.
    pub dh_key: RecipientNotificationDhKey,
}

impl<'a> NewQueue<'a> {
    /// Writes the parameters. Fields that the version does not have are left out.
    pub(super) fn encode(&self, version: SmpVersion, out: &mut Vec<u8>) {
        self.auth_key.encode(out);
        self.dh_key.encode(out);
        if version >= SmpVersion::SENDER_AUTH_KEY {
            self.password.encode(out);
        } else if let Some(password) = &self.password {
            out.push(b'A');
            password.encode(out);
        }
        self.subscription.encode(out);
        if version >= SmpVersion::SHORT_LINKS {
            self.request.encode(out);
        } else if version >= SmpVersion::SENDER_AUTH_KEY {
            matches!(self.request, Some(QueueRequest::Messaging(_))).encode(out);
        }
        if version >= SmpVersion::NEW_NOTIFICATIONS {
            self.notifier.encode(out);
        }
    }

    pub(super) fn decode(input: &mut Reader<'a>, version: SmpVersion) -> Result<Self, DecodeError> {
        Ok(NewQueue {
            auth_key: input.read()?,
            dh_key: input.read()?,
            password: decode_password(input, version)?,
            subscription: input.read()?,
            request: decode_request(input, version)?,
            notifier: if version >= SmpVersion::NEW_NOTIFICATIONS { input.read()? } else { None },
        })
    }

    /// The same with its own copy of the link data.
    pub fn into_owned(self) -> NewQueue<'static> {
        let request = self.request.map(|request| match request {
            QueueRequest::Messaging(link) => QueueRequest::Messaging(link.map(LinkRequest::into_owned)),
            QueueRequest::Contact(link) => {
                QueueRequest::Contact(link.map(|(id, link)| (id, link.into_owned())))
            }
        });
        NewQueue { request, ..self }
    }
}

fn decode_password(input: &mut Reader<'_>, version: SmpVersion) -> Result<Option<Password>, DecodeError> {
    if version >= SmpVersion::SENDER_AUTH_KEY {
        return input.read();
    }
    if input.skip(b"A") { input.read().map(Some) } else { Ok(None) }
}

fn decode_request<'a>(
    input: &mut Reader<'a>,
    version: SmpVersion,
) -> Result<Option<QueueRequest<'a>>, DecodeError> {
    if version >= SmpVersion::SHORT_LINKS {
        return input.read();
    }
    if version < SmpVersion::SENDER_AUTH_KEY {
        return Ok(None);
    }
    let messaging = input.read()?;
    Ok(Some(if messaging { QueueRequest::Messaging(None) } else { QueueRequest::Contact(None) }))
}

impl QueueRequest<'_> {
    /// The kind of queue that is wanted.
    pub fn mode(&self) -> QueueMode {
        match self {
            QueueRequest::Messaging(_) => QueueMode::Messaging,
            QueueRequest::Contact(_) => QueueMode::Contact,
        }
    }
}

impl LinkRequest<'_> {
    /// The same with its own copy of the data.
    pub fn into_owned(self) -> LinkRequest<'static> {
        LinkRequest { sender_id: self.sender_id, data: self.data.into_owned() }
    }
}

impl Encode for QueueRequest<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.mode().encode(out);
        match self {
            QueueRequest::Messaging(link) => link.encode(out),
            QueueRequest::Contact(link) => link.encode(out),
        }
    }
}

impl<'a> Decode<'a> for QueueRequest<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match input.read()? {
            QueueMode::Messaging => QueueRequest::Messaging(input.read()?),
            QueueMode::Contact => QueueRequest::Contact(input.read()?),
        })
    }
}

impl Encode for LinkRequest<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.sender_id.encode(out);
        self.data.encode(out);
    }
}

impl<'a> Decode<'a> for LinkRequest<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(LinkRequest { sender_id: input.read()?, data: input.read()? })
    }
}

impl Encode for NotifierCredentials {
    fn encode(&self, out: &mut Vec<u8>) {
        self.auth_key.encode(out);
        self.dh_key.encode(out);
    }
}

impl Decode<'_> for NotifierCredentials {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(NotifierCredentials { auth_key: input.read()?, dh_key: input.read()? })
    }
}

impl Encode for SubscriptionMode {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            SubscriptionMode::Subscribe => b'S',
            SubscriptionMode::OnlyCreate => b'C',
        });
    }
}

impl Decode<'_> for SubscriptionMode {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.byte()? {
            b'S' => Ok(SubscriptionMode::Subscribe),
            b'C' => Ok(SubscriptionMode::OnlyCreate),
            _ => Err(DecodeError::Invalid("subscription mode")),
        }
    }
}

impl Encode for QueueMode {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            QueueMode::Messaging => b'M',
            QueueMode::Contact => b'C',
        });
    }
}

impl Decode<'_> for QueueMode {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.byte()? {
            b'M' => Ok(QueueMode::Messaging),
            b'C' => Ok(QueueMode::Contact),
            _ => Err(DecodeError::Invalid("queue mode")),
        }
    }
}
