//! Profiles: what people show to those they talk with.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A profile. Nothing in it is verified: two contacts may have the same name.
///
/// Source: section 9.4 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Profile {
    /// The name to show. Applications refuse an empty one, and one with control characters.
    pub display_name: String,
    /// A longer name, often empty. Applications require the property.
    #[serde(default)]
    pub full_name: String,
    /// A line about oneself, at most 160 characters.
    #[serde(default)]
    pub short_descr: Option<String>,
    /// A picture as a `data:` URI.
    #[serde(default)]
    pub image: Option<String>,
    /// The person's contact address.
    #[serde(default)]
    pub contact_link: Option<String>,
    /// Everything else (`preferences` for instance), as it came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Profile {
    /// A profile with only a name.
    #[must_use]
    pub fn new(display_name: impl Into<String>) -> Self {
        Self {
            display_name: display_name.into(),
            full_name: String::new(),
            short_descr: None,
            image: None,
            contact_link: None,
            other: Map::new(),
        }
    }

    /// The object that stands for it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = self.other.clone();
        object.insert("displayName".into(), self.display_name.as_str().into());
        object.insert("fullName".into(), self.full_name.as_str().into());
        for (key, value) in
            [("shortDescr", &self.short_descr), ("image", &self.image), ("contactLink", &self.contact_link)]
        {
            if let Some(value) = value {
                object.insert(key.into(), value.as_str().into());
            }
        }
        Value::Object(object)
    }
}
