//! The content of a message: a kind, a text, and for some kinds more.

use serde_json::{Map, Value};

use super::ChatError;

/// The kind of a message's content (`type`).
///
/// Source: section 9.4 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentKind {
    /// `text`: only text.
    Text,
    /// `link`: text with a preview of a web page.
    Link,
    /// `image`: a preview picture and a file; the text may be empty.
    Image,
    /// `video`: a preview picture, a duration and a file; the text may be empty.
    Video,
    /// `voice`: a duration and a file; the text may be empty.
    Voice,
    /// `file`: a file; the text may be empty.
    File,
    /// `report`: a report to the moderators of a group.
    Report,
    /// `chat`: a link to a contact or group.
    Chat,
    /// Any other kind.
    Other(String),
}

impl ContentKind {
    fn from_name(name: &str) -> Self {
        match name {
            "text" => Self::Text,
            "link" => Self::Link,
            "image" => Self::Image,
            "video" => Self::Video,
            "voice" => Self::Voice,
            "file" => Self::File,
            "report" => Self::Report,
            "chat" => Self::Chat,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The name on the wire.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Text => "text",
            Self::Link => "link",
            Self::Image => "image",
            Self::Video => "video",
            Self::Voice => "voice",
            Self::File => "file",
            Self::Report => "report",
            Self::Chat => "chat",
            Self::Other(name) => name,
        }
    }
}

/// The content of a message: any kind is read, with its text; what else belongs to the kind is kept as it came.
///
/// Source: section 9.4 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MessageContent {
    /// The kind.
    pub kind: ContentKind,
    /// The text, `None` where a message of an unknown kind has none.
    pub text: Option<String>,
    /// Further properties: `preview`, `image`, `duration`, `reason`, `chatLink`, and those of unknown kinds.
    pub other: Map<String, Value>,
}

impl MessageContent {
    /// Content of kind `text`.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { kind: ContentKind::Text, text: Some(text.into()), other: Map::new() }
    }

    /// Content of kind `file`, with a text beside it that may be empty.
    #[must_use]
    pub fn file(text: impl Into<String>) -> Self {
        Self { kind: ContentKind::File, text: Some(text.into()), other: Map::new() }
    }

    /// Content of kind `image`, with a thumbnail as a `data:` URL, and a text beside it that may be empty.
    #[must_use]
    pub fn image(text: impl Into<String>, thumbnail: impl Into<String>) -> Self {
        let other = Map::from_iter([("image".to_owned(), Value::String(thumbnail.into()))]);
        Self { kind: ContentKind::Image, text: Some(text.into()), other }
    }

    /// One text for a display that can show nothing else: `[image] a walk`, `[voice message 0:07]`.
    #[must_use]
    pub fn display_text(&self) -> String {
        let text = self.text.as_deref().unwrap_or_default();
        match self.label() {
            None => text.to_owned(),
            Some(label) if text.is_empty() => format!("[{label}]"),
            Some(label) => format!("[{label}] {text}"),
        }
    }

    fn label(&self) -> Option<String> {
        match &self.kind {
            ContentKind::Text | ContentKind::Link | ContentKind::Chat => None,
            ContentKind::Image | ContentKind::File => Some(self.kind.name().to_owned()),
            ContentKind::Video => Some(format!("video {}", self.duration())),
            ContentKind::Voice => Some(format!("voice message {}", self.duration())),
            ContentKind::Report => {
                let reason = self.other.get("reason").and_then(Value::as_str).unwrap_or("other");
                Some(format!("report: {reason}"))
            }
            ContentKind::Other(_) if self.text.is_some() => None,
            ContentKind::Other(name) => Some(format!("message of unknown kind {name}")),
        }
    }

    fn duration(&self) -> String {
        let seconds = self.other.get("duration").and_then(Value::as_u64).unwrap_or(0);
        format!("{}:{:02}", seconds / 60, seconds % 60)
    }

    /// The object that stands for it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("type".into(), self.kind.name().into());
        if let Some(text) = &self.text {
            object.insert("text".into(), text.as_str().into());
        }
        object.extend(self.other.iter().map(|(key, value)| (key.clone(), value.clone())));
        Value::Object(object)
    }

    /// Reads the object.
    ///
    /// # Errors
    /// [`ChatError::Invalid`] if it is none, or has no kind, or no text where its kind has one.
    pub fn from_json(value: Value) -> Result<Self, ChatError> {
        let invalid = |what: &str| ChatError::Invalid(format!("content: {what}"));
        let Value::Object(mut object) = value else { return Err(invalid("not an object")) };
        let kind = match object.remove("type") {
            Some(Value::String(name)) => ContentKind::from_name(&name),
            _ => return Err(invalid("no type")),
        };
        let text = match object.remove("text") {
            Some(Value::String(text)) => Some(text),
            None | Some(Value::Null) if matches!(kind, ContentKind::Other(_)) => None,
            _ => return Err(invalid("no text")),
        };
        Ok(Self { kind, text, other: object })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> MessageContent {
        let content = MessageContent::from_json(value.clone()).unwrap();
        assert_eq!(content.to_json(), value);
        content
    }

    #[test]
    fn every_kind_is_read_as_text() {
        assert_eq!(read(json!({"type": "text", "text": "hi"})).display_text(), "hi");
        let link =
            json!({"type": "link", "text": "see https://a.example", "preview": {"uri": "https://a.example"}});
        assert_eq!(read(link).display_text(), "see https://a.example");
        assert_eq!(read(json!({"type": "image", "text": "", "image": "data:,"})).display_text(), "[image]");
        assert_eq!(
            read(json!({"type": "video", "text": "v", "image": "data:,", "duration": 65})).display_text(),
            "[video 1:05] v"
        );
        assert_eq!(
            read(json!({"type": "voice", "text": "", "duration": 7})).display_text(),
            "[voice message 0:07]"
        );
        assert_eq!(read(json!({"type": "file", "text": "notes"})).display_text(), "[file] notes");
        assert_eq!(
            read(json!({"type": "report", "text": "", "reason": "spam"})).display_text(),
            "[report: spam]"
        );
        assert_eq!(read(json!({"type": "poll", "text": "tea?", "options": [1]})).display_text(), "tea?");
        assert_eq!(read(json!({"type": "poll"})).display_text(), "[message of unknown kind poll]");
    }

    #[test]
    fn content_without_type_or_text_is_refused() {
        for bad in
            [json!("text"), json!({"text": "a"}), json!({"type": "text"}), json!({"type": 1, "text": "a"})]
        {
            assert!(MessageContent::from_json(bad).is_err());
        }
    }
}
