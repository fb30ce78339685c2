//! The container of a new message: its content, and how it relates to other messages.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{ChatError, FileOffer, MessageContent, SharedMessageId};

/// The parameters of `x.msg.new`.
///
/// Source: section 9.4 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MessageContainer {
    /// The content: kind, text, and more for some kinds.
    pub content: MessageContent,
    /// The message that this one answers.
    pub quote: Option<Quote>,
    /// Whether somebody else said it first. Where a public group did, `forward` stays among the other parameters.
    pub forwarded: bool,
    /// The message disappears this many seconds after it was read.
    pub ttl: Option<u32>,
    /// Whether the sender is still typing it: updates follow.
    pub live: bool,
    /// Everything else (`file`, `mentions`, ...), as it came.
    pub other: Map<String, Value>,
}

/// A quoted message: which one, and what it said according to the one who quotes it (nobody checks).
///
/// Source: section 9.4 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, PartialEq)]
pub struct Quote {
    /// Which message.
    pub message: MessageReference,
    /// Its content.
    pub content: MessageContent,
    /// Everything else, as it came.
    pub other: Map<String, Value>,
}

/// Which message is quoted.
///
/// Source: section 9.4 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, PartialEq)]
pub struct MessageReference {
    /// Its shared ID.
    pub message_id: Option<SharedMessageId>,
    /// Time of sending.
    pub sent_at: OffsetDateTime,
    /// Whether the one who quotes had sent it (else: had received it).
    pub sent: bool,
    /// In a group, the member that had sent it (base64url).
    pub member_id: Option<String>,
    /// Everything else, as it came.
    pub other: Map<String, Value>,
}

impl MessageContainer {
    /// A message with only this content.
    #[must_use]
    pub fn new(content: MessageContent) -> Self {
        Self { content, quote: None, forwarded: false, ttl: None, live: false, other: Map::new() }
    }

    /// A text message.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(MessageContent::text(text))
    }

    /// The file that comes with the message.
    #[must_use]
    pub fn file(&self) -> Option<FileOffer> {
        FileOffer::from_json(self.other.get("file")?)
    }

    /// Offers a file with the message.
    pub fn offer(&mut self, file: &FileOffer) {
        self.other.insert("file".into(), file.to_json());
    }

    pub(super) fn to_params(&self) -> Map<String, Value> {
        let mut params = self.other.clone();
        params.insert("content".into(), self.content.to_json());
        if let Some(quote) = &self.quote {
            params.insert("quote".into(), quote.to_json());
        }
        if self.forwarded {
            params.entry("forward").or_insert(true.into());
        }
        if let Some(ttl) = self.ttl {
            params.insert("ttl".into(), ttl.into());
        }
        if self.live {
            params.insert("live".into(), true.into());
        }
        params
    }

    pub(super) fn from_params(mut params: Map<String, Value>) -> Result<Self, ChatError> {
        let content = params.remove("content").ok_or_else(|| ChatError::Invalid("no content".into()))?;
        Ok(Self {
            content: MessageContent::from_json(content)?,
            // A quote that cannot be read must not cost the message.
            quote: take_if_read(&mut params, "quote", |quote| Quote::from_json(quote.clone())),
            forwarded: take_true(&mut params, "forward")
                || params.get("forward").is_some_and(Value::is_object),
            ttl: take_ttl(&mut params),
            live: take_live(&mut params),
            other: params,
        })
    }
}

pub(super) fn take_ttl(params: &mut Map<String, Value>) -> Option<u32> {
    take_if_read(params, "ttl", |ttl| ttl.as_u64().and_then(|ttl| u32::try_from(ttl).ok()))
}

pub(super) fn take_live(params: &mut Map<String, Value>) -> bool {
    take_true(params, "live")
}

/// Takes a flag that is set; one that is not stays as it came.
fn take_true(params: &mut Map<String, Value>, key: &str) -> bool {
    take_if_read(params, key, |flag| (*flag == true).then_some(true)).unwrap_or(false)
}

/// Takes a parameter that is of the expected shape; another one stays as it came.
fn take_if_read<T>(
    params: &mut Map<String, Value>,
    key: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Option<T> {
    let value = params.get(key).and_then(read)?;
    params.remove(key);
    Some(value)
}

impl Quote {
    fn to_json(&self) -> Value {
        let mut quote = self.other.clone();
        quote.insert("msgRef".into(), self.message.to_json());
        quote.insert("content".into(), self.content.to_json());
        quote.into()
    }

    fn from_json(value: Value) -> Option<Self> {
        let Value::Object(mut other) = value else { return None };
        let message = MessageReference::from_json(other.remove("msgRef")?)?;
        let content = MessageContent::from_json(other.remove("content")?).ok()?;
        Some(Self { message, content, other })
    }
}

impl MessageReference {
    fn to_json(&self) -> Value {
        let mut reference = self.other.clone();
        if let Some(id) = &self.message_id {
            reference.insert("msgId".into(), id.to_string().into());
        }
        // Only years beyond 9999 cannot be written.
        let sent_at = self.sent_at.format(&Rfc3339).unwrap_or_else(|_| "1970-01-01T00:00:00Z".into());
        reference.insert("sentAt".into(), sent_at.into());
        reference.insert("sent".into(), self.sent.into());
        if let Some(member) = &self.member_id {
            reference.insert("memberId".into(), member.as_str().into());
        }
        reference.into()
    }

    fn from_json(value: Value) -> Option<Self> {
        let Value::Object(mut other) = value else { return None };
        let message_id = match other.remove("msgId") {
            None | Some(Value::Null) => None,
            Some(id) => Some(serde_json::from_value(id).ok()?),
        };
        Some(Self {
            message_id,
            sent_at: OffsetDateTime::parse(other.remove("sentAt")?.as_str()?, &Rfc3339).ok()?,
            sent: other.remove("sent")?.as_bool()?,
            member_id: take_if_read(&mut other, "memberId", |id| id.as_str().map(str::to_owned)),
            other,
        })
    }
}
