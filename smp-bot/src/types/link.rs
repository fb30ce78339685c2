//! Links: of invitations and of the contact address, with its settings.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A link in both its forms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConnectionLinks {
    /// The link with everything in it; the short one where only that is known.
    pub conn_full_link: String,
    /// The short link, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conn_short_link: Option<String>,
}

/// The contact address.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ContactAddress {
    /// Its number.
    pub user_contact_link_id: i64,
    /// Its links.
    pub conn_link_contact: ConnectionLinks,
    /// Its link, for SDKs that know only one.
    pub conn_req_contact: String,
    /// Whether the short link shows a profile.
    pub short_link_data_set: bool,
    /// The same, for larger ones.
    pub short_link_large_data_set: bool,
    /// Its settings.
    pub address_settings: AddressSettings,
    /// Its settings, for SDKs of an older interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_accept: Option<Value>,
}

impl ContactAddress {
    /// The address with these links and settings.
    #[must_use]
    pub fn new(links: ConnectionLinks, settings: AddressSettings) -> Self {
        let has_short = links.conn_short_link.is_some();
        let auto_accept = settings.auto_accept.as_ref().map(|accept| {
            serde_json::json!({ "acceptIncognito": accept.accept_incognito, "autoReply": settings.auto_reply })
        });
        Self {
            user_contact_link_id: 1,
            conn_req_contact: links.conn_full_link.clone(),
            conn_link_contact: links,
            short_link_data_set: has_short,
            short_link_large_data_set: has_short,
            address_settings: settings,
            auto_accept,
        }
    }
}

/// Settings of the contact address. Each may be missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct AddressSettings {
    /// Whether each contact becomes a group of its own.
    pub business_address: bool,
    /// Whether everybody who asks is let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_accept: Option<AutoAccept>,
    /// The content of the message to those who were let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_reply: Option<Value>,
}

/// Letting in everybody who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct AutoAccept {
    /// Whether under another profile.
    pub accept_incognito: bool,
}
