//! Profiles: as they are sent to others, and with what only this side knows.

use serde::Serialize;
use serde_json::{Map, Value};
use smp_protocol::chat;

/// A profile, as its owner shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The name to show.
    pub display_name: String,
    /// A longer name, often empty.
    pub full_name: String,
    /// A line about the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_descr: Option<String>,
    /// A picture as a `data:` URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The owner's contact address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_link: Option<String>,
    /// Everything else: `preferences`, `peerType`.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl From<&chat::Profile> for Profile {
    fn from(profile: &chat::Profile) -> Self {
        Self {
            display_name: profile.display_name.clone(),
            full_name: profile.full_name.clone(),
            short_descr: profile.short_descr.clone(),
            image: profile.image.clone(),
            contact_link: profile.contact_link.clone(),
            other: profile.other.clone(),
        }
    }
}

/// A profile with a number and the name that it has here.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LocalProfile {
    /// Its number: that of its contact, or of the user.
    pub profile_id: i64,
    /// The profile.
    #[serde(flatten)]
    pub profile: Profile,
    /// The name that it has here only; empty if there is none.
    pub local_alias: String,
}

/// A profile that a client gives: an object with a name that is not empty.
#[must_use]
pub fn profile_of_json(value: Value) -> Option<chat::Profile> {
    let profile: chat::Profile = serde_json::from_value(value).ok()?;
    (!profile.display_name.is_empty()).then_some(profile)
}
