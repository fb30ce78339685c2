//! One chat message: version range, ID, event.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::container::{take_live, take_ttl};
use super::{
    ChatEncodeError, ChatError, ChatVersionRange, MessageContainer, MessageContent, Profile, Reaction,
    SUPPORTED_CHAT_VERSIONS, SharedMessageId,
};

/// A chat message.
///
/// Source: section 9.3 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, PartialEq)]
pub struct ChatMessage {
    /// The versions that its sender speaks: remember the latest of a contact.
    pub versions: ChatVersionRange,
    /// The ID under which both sides know the message; absent in messages that are not shown.
    pub message_id: Option<SharedMessageId>,
    /// The event that it tells.
    pub event: ChatEvent,
}

/// The event of a message: its `event` and `params`.
///
/// Source: section 9.4 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ChatEvent {
    /// `x.info`: the sender's profile, while connecting or when it has changed.
    Info(Profile),
    /// `x.contact`: a request to connect, sent to a contact address.
    Contact(ContactRequest),
    /// `x.msg.new`: a new message.
    MessageNew(MessageContainer),
    /// `x.msg.update`: another content for an earlier message of the same sender. If there is no such message it is a
    /// new one with that ID.
    MessageUpdate {
        /// The message to change.
        message_id: SharedMessageId,
        /// The new content.
        content: MessageContent,
        /// The message disappears this many seconds after it was read.
        ttl: Option<u32>,
        /// Whether the sender is still typing.
        live: bool,
        /// Everything else, as it came.
        other: Map<String, Value>,
    },
    /// `x.msg.del`: the sender asks to delete an earlier message of theirs. Mark it as deleted; ignore the request if
    /// the message is not theirs.
    MessageDelete {
        /// The message to delete.
        message_id: SharedMessageId,
        /// Everything else (used in groups only), as it came.
        other: Map<String, Value>,
    },
    /// `x.msg.react`: an emoji for a message of either side, or that it was taken back.
    Reaction {
        /// The message that it is about.
        message_id: SharedMessageId,
        /// The reaction.
        reaction: Reaction,
        /// Whether it is given, else taken back.
        add: bool,
        /// Everything else (used in groups only), as it came.
        other: Map<String, Value>,
    },
    /// `x.direct.del`: the sender has deleted this contact; nothing more will come.
    DirectDelete,
    /// `x.ok`: sent while connecting in place of a profile.
    Ok,
    /// Any other event. Ignore it, or show its name.
    Other {
        /// The name of the event, e.g. `x.grp.inv`.
        event: String,
        /// Its parameters.
        params: Map<String, Value>,
    },
}

/// The parameters of `x.contact`.
///
/// Source: section 9.4 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ContactRequest {
    /// The profile of the person who asks.
    pub profile: Profile,
    /// The same in repeated requests of one person.
    pub request_id: Option<SharedMessageId>,
    /// A message that came with the request.
    pub message: Option<(SharedMessageId, MessageContent)>,
    /// Everything else, as it came.
    pub other: Map<String, Value>,
}

impl ContactRequest {
    /// A request with only a profile.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self { profile, request_id: None, message: None, other: Map::new() }
    }
}

/// The frame of every message.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Frame {
    #[serde(default)]
    v: Option<ChatVersionRange>,
    #[serde(default)]
    msg_id: Option<SharedMessageId>,
    event: String,
    params: Map<String, Value>,
}

impl ChatMessage {
    /// A message of ours.
    #[must_use]
    pub fn new(message_id: Option<SharedMessageId>, event: ChatEvent) -> Self {
        Self { versions: SUPPORTED_CHAT_VERSIONS, message_id, event }
    }

    /// The JSON form, which is also the body to send.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (event, params) = self.event.to_params();
        let mut frame = Map::new();
        frame.insert("v".into(), self.versions.to_string().into());
        if let Some(id) = &self.message_id {
            frame.insert("msgId".into(), id.to_string().into());
        }
        frame.insert("event".into(), event.into());
        frame.insert("params".into(), params.into());
        Value::Object(frame).to_string().into_bytes()
    }

    /// The body to send, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// [`ChatEncodeError::TooLong`] if it has more.
    pub fn encode_limited(&self, limit: usize) -> Result<Vec<u8>, ChatEncodeError> {
        let body = self.encode();
        match body.len() {
            length if length > limit => Err(ChatEncodeError::TooLong { length, limit }),
            _ => Ok(body),
        }
    }

    pub(super) fn from_json(json: &[u8]) -> Result<Self, ChatError> {
        serde_json::from_slice(json).map_err(invalid).and_then(Self::from_frame)
    }

    pub(super) fn from_value(value: Value) -> Result<Self, ChatError> {
        serde_json::from_value(value).map_err(invalid).and_then(Self::from_frame)
    }

    fn from_frame(frame: Frame) -> Result<Self, ChatError> {
        Ok(Self {
            versions: frame.v.unwrap_or(ChatVersionRange::INITIAL),
            message_id: frame.msg_id,
            event: ChatEvent::from_params(frame.event, frame.params)?,
        })
    }
}

impl ChatEvent {
    /// The name of the event on the wire.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Info(_) => "x.info",
            Self::Contact(_) => "x.contact",
            Self::MessageNew(_) => "x.msg.new",
            Self::MessageUpdate { .. } => "x.msg.update",
            Self::MessageDelete { .. } => "x.msg.del",
            Self::Reaction { .. } => "x.msg.react",
            Self::DirectDelete => "x.direct.del",
            Self::Ok => "x.ok",
            Self::Other { event, .. } => event,
        }
    }

    /// Whether the recipient should be woken by a push notification: the flag of the agent's message.
    #[must_use]
    pub fn notifies(&self) -> bool {
        matches!(self, Self::MessageNew(_) | Self::Contact(_))
    }

    /// Whether the recipient's agent should confirm the delivery of this event.
    #[must_use]
    pub fn wants_receipt(&self) -> bool {
        matches!(self, Self::MessageNew(_))
    }

    fn to_params(&self) -> (&str, Map<String, Value>) {
        let params = match self {
            Self::Info(profile) => {
                let mut params = Map::new();
                params.insert("profile".into(), profile.to_json());
                params
            }
            Self::Contact(request) => request.to_params(),
            Self::MessageNew(container) => container.to_params(),
            Self::MessageUpdate { message_id, content, ttl, live, other } => {
                let mut params = other.clone();
                params.insert("msgId".into(), message_id.to_string().into());
                params.insert("content".into(), content.to_json());
                if let Some(ttl) = ttl {
                    params.insert("ttl".into(), (*ttl).into());
                }
                if *live {
                    params.insert("live".into(), true.into());
                }
                params
            }
            Self::MessageDelete { message_id, other } => {
                let mut params = other.clone();
                params.insert("msgId".into(), message_id.to_string().into());
                params
            }
            Self::Reaction { message_id, reaction, add, other } => {
                let mut params = other.clone();
                params.insert("msgId".into(), message_id.to_string().into());
                params.insert("reaction".into(), reaction.to_json());
                params.insert("add".into(), (*add).into());
                params
            }
            Self::DirectDelete | Self::Ok => Map::new(),
            Self::Other { params, .. } => params.clone(),
        };
        (self.name(), params)
    }

    fn from_params(event: String, mut params: Map<String, Value>) -> Result<Self, ChatError> {
        Ok(match event.as_str() {
            "x.info" => Self::Info(take(&mut params, "profile")?),
            "x.contact" => Self::Contact(ContactRequest::from_params(params)?),
            "x.msg.new" => Self::MessageNew(MessageContainer::from_params(params)?),
            "x.msg.update" => Self::MessageUpdate {
                message_id: take(&mut params, "msgId")?,
                content: MessageContent::from_json(params.remove("content").unwrap_or_default())?,
                ttl: take_ttl(&mut params),
                live: take_live(&mut params),
                other: params,
            },
            "x.msg.del" => Self::MessageDelete { message_id: take(&mut params, "msgId")?, other: params },
            "x.msg.react" => Self::Reaction {
                message_id: take(&mut params, "msgId")?,
                reaction: Reaction::from_json(params.remove("reaction").unwrap_or_default())?,
                add: take(&mut params, "add")?,
                other: params,
            },
            "x.direct.del" => Self::DirectDelete,
            "x.ok" => Self::Ok,
            _ => Self::Other { event, params },
        })
    }
}

impl ContactRequest {
    fn to_params(&self) -> Map<String, Value> {
        let mut params = self.other.clone();
        params.insert("profile".into(), self.profile.to_json());
        if let Some(id) = &self.request_id {
            params.insert("contactReqId".into(), id.to_string().into());
        }
        if let Some((id, content)) = &self.message {
            params.insert("msgId".into(), id.to_string().into());
            params.insert("content".into(), content.to_json());
        }
        params
    }

    fn from_params(mut params: Map<String, Value>) -> Result<Self, ChatError> {
        let profile = take(&mut params, "profile")?;
        let request_id = take(&mut params, "contactReqId")?;
        let id: Option<SharedMessageId> = take(&mut params, "msgId")?;
        let content = params.remove("content").map(MessageContent::from_json).transpose()?;
        Ok(Self { profile, request_id, message: id.zip(content), other: params })
    }
}

/// Takes one parameter; an absent one is read as `null`.
fn take<T: serde::de::DeserializeOwned>(params: &mut Map<String, Value>, key: &str) -> Result<T, ChatError> {
    let value = params.remove(key).unwrap_or_default();
    serde_json::from_value(value).map_err(|error| ChatError::Invalid(format!("{key}: {}", describe(&error))))
}

fn invalid(error: serde_json::Error) -> ChatError {
    ChatError::Invalid(describe(&error))
}

/// Where the error is, without quoting the message.
fn describe(error: &serde_json::Error) -> String {
    let category = match error.classify() {
        serde_json::error::Category::Io | serde_json::error::Category::Eof => "ends too early",
        serde_json::error::Category::Syntax => "not JSON",
        serde_json::error::Category::Data => "not of the expected shape",
    };
    match error.line() {
        0 => category.to_owned(),
        line => format!("{category} (line {line}, column {})", error.column()),
    }
}
