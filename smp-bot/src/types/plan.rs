//! Plans: what can be done with a link before it is used.

use serde::Serialize;
use serde_json::Value;

use super::contact::Contact;
use super::shared::Shared;

/// A kind of link, and whether it was used.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ConnectionPlan {
    /// An invitation for one person.
    InvitationLink {
        /// Whether it was used.
        invitation_link_plan: LinkPlan,
    },
    /// A contact address.
    ContactAddress {
        /// Whether it was used.
        contact_address_plan: LinkPlan,
    },
}

/// Whether a link was used.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum LinkPlan {
    /// It can be used.
    Ok {
        /// The data that it shows.
        #[serde(rename = "contactSLinkData_", skip_serializing_if = "Option::is_none")]
        shown: Option<Value>,
    },
    /// It is one's own.
    OwnLink,
    /// It was used, and the other side has not answered.
    ConnectingProhibit {
        /// The contact that it will be.
        contact: Shared<Contact>,
    },
    /// It was used.
    Known {
        /// The contact that it was used for.
        contact: Shared<Contact>,
    },
}
