//! Reactions: an emoji, or a kind that this version does not know.

use serde_json::{Map, Value};

use super::ChatError;

/// A reaction, as it came.
///
/// Source: section 9.4 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, PartialEq)]
pub struct Reaction(Map<String, Value>);

impl Reaction {
    /// An emoji. Applications refuse those that are not in their list.
    #[must_use]
    pub fn emoji(emoji: &str) -> Self {
        Self(Map::from_iter([("type".to_owned(), "emoji".into()), ("emoji".to_owned(), emoji.into())]))
    }

    /// The emoji; none if it is of another kind.
    #[must_use]
    pub fn as_emoji(&self) -> Option<&str> {
        self.0.get("emoji")?.as_str().filter(|_| self.0.get("type").is_some_and(|kind| kind == "emoji"))
    }

    /// The object that stands for it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.0.clone().into()
    }

    /// An object that says its kind.
    pub(super) fn from_json(value: Value) -> Result<Self, ChatError> {
        match value {
            Value::Object(object) if object.get("type").is_some_and(Value::is_string) => Ok(Self(object)),
            _ => Err(ChatError::Invalid("reaction: not an object with a type".into())),
        }
    }
}
