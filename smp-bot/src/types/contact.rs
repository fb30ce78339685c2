//! Contacts, people who ask to become one, and connections that nobody has used yet.

use serde::Serialize;
use serde_json::{Map, Value, json};
use smp_chat::Status;
use smp_chat::profile::{Feature, profile_for};
use smp_protocol::chat;

use super::at;
use super::link::ConnectionLinks;
use super::preferences::merged;
use super::profile::{LocalProfile, Profile};

/// The chat version that is spoken with somebody who has said none.
const FIRST_VERSION: u16 = 1;

/// A contact with all that its view is made of.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The contact.
    pub contact: &'a smp_chat::Contact,
    /// The profile that it last sent.
    pub profile: Option<&'a chat::Profile>,
    /// Our profile.
    pub own: &'a chat::Profile,
}

/// A contact.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// Its number: of no other contact, ever.
    pub contact_id: i64,
    /// The name that it has here: of no other contact now.
    pub local_display_name: String,
    /// Its profile.
    pub profile: LocalProfile,
    /// Its connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_conn: Option<ContactConnection>,
    /// Whether it is more than a way to a group.
    pub contact_used: bool,
    /// `active`, or `deleted` by the other side.
    pub contact_status: &'static str,
    /// Whether its messages are told.
    pub chat_settings: Value,
    /// Preferences for this contact only.
    pub user_preferences: Value,
    /// Features that both sides may use.
    pub merged_preferences: Value,
    /// Its beginning.
    pub created_at: String,
    /// Its last change.
    pub updated_at: String,
    /// Its last message.
    pub chat_ts: String,
    /// The number of the request that it came by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_request_id: Option<i64>,
    /// Whether it was invited to a group.
    pub contact_grp_inv_sent: bool,
    /// Lists that it is in.
    pub chat_tags: Vec<i64>,
    /// Whether its conversation is hidden.
    pub chat_deleted: bool,
    /// Data that a program keeps with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_data: Option<Value>,
}

/// The state of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStats {
    /// Whether the encryption of both sides fits together: `ok`, `allowed`, `required`, `started` or `agreed`.
    pub ratchet_sync_state: &'static str,
    /// Whether it can be renewed.
    pub ratchet_sync_supported: bool,
}

/// The connection of a contact.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ContactConnection {
    /// Its number.
    pub conn_id: i64,
    /// The agent's number of it.
    pub agent_conn_id: String,
    /// The chat version that both sides speak.
    pub conn_chat_version: u16,
    /// The versions that the other side speaks.
    pub peer_chat_v_range: VersionRange,
    /// How many people it leads over.
    pub conn_level: i64,
    /// The contact address by which it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via_user_contact_link: Option<i64>,
    /// Whether it came by the link of a group.
    pub via_group_link: bool,
    /// Its kind.
    pub conn_type: &'static str,
    /// How far it is.
    pub conn_status: Value,
    /// Whether this side has begun it.
    pub contact_conn_initiated: bool,
    /// The name that it has here only.
    pub local_alias: String,
    /// The contact's number.
    pub entity_id: i64,
    /// Whether it may have post-quantum keys.
    pub pq_support: bool,
    /// Whether they are wanted.
    pub pq_encryption: bool,
    /// How often the relay has refused.
    pub auth_err_counter: i64,
    /// How often the queue was full.
    pub quota_err_counter: i64,
    /// Its beginning.
    pub created_at: String,
}

/// Chat versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VersionRange {
    /// The first.
    pub min_version: u16,
    /// The last.
    pub max_version: u16,
}

impl VersionRange {
    fn of(contact: &smp_chat::Contact) -> Self {
        match contact.versions {
            Some(versions) => Self { min_version: versions.min().0, max_version: versions.max().0 },
            None => Self { min_version: FIRST_VERSION, max_version: FIRST_VERSION },
        }
    }
}

impl View<'_> {
    /// The contact as programs see it.
    #[must_use]
    pub fn contact(self) -> Contact {
        let contact = self.contact;
        let made = at(contact.made.unwrap_or_default());
        let (user_preferences, merged_preferences) = self.preferences();
        Contact {
            contact_id: contact.id,
            local_display_name: contact.name.clone(),
            profile: LocalProfile {
                profile_id: contact.id,
                profile: self.shown(),
                local_alias: self.alias(),
            },
            active_conn: Some(self.connection(made.clone())),
            contact_used: true,
            contact_status: if contact.status == Status::Ended { "deleted" } else { "active" },
            chat_settings: json!({ "enableNtfs": "all", "favorite": false }),
            user_preferences: user_preferences.into(),
            merged_preferences,
            created_at: made.clone(),
            updated_at: made.clone(),
            chat_ts: made,
            contact_request_id: contact.by_address.then_some(contact.id),
            contact_grp_inv_sent: false,
            chat_tags: Vec::new(),
            chat_deleted: false,
            custom_data: contact.custom.clone(),
        }
    }

    /// Words for this contact only, and what follows from the words of both sides.
    fn preferences(self) -> (Map<String, Value>, Value) {
        let contact = self.contact;
        if contact.preferences.is_none() && contact.disappearing.is_none() {
            let none = Map::new();
            let merged = merged(self.own, &none, self.profile);
            return (none, merged);
        }
        let own = profile_for(self.own.clone(), contact.preferences.as_ref(), contact.disappearing);
        let mut words = contact.preferences.as_ref().map(|words| words.words().clone()).unwrap_or_default();
        if contact.disappearing.is_some() {
            let timed = Feature::TimedMessages.name();
            words.insert(timed.to_owned(), own.other["preferences"][timed].clone());
        }
        let merged = merged(&own, &words, self.profile);
        (words, merged)
    }

    /// Somebody who asks to connect.
    #[must_use]
    pub fn request(self) -> ContactRequest {
        let contact = self.contact;
        let made = at(contact.made.unwrap_or_default());
        ContactRequest {
            contact_request_id: contact.id,
            agent_invitation_id: contact.connection.to_string(),
            user_contact_link_id: 1,
            agent_contact_conn_id: contact.connection.to_string(),
            c_req_chat_v_range: VersionRange::of(contact),
            local_display_name: contact.name.clone(),
            profile_id: contact.id,
            profile: self.shown(),
            created_at: made.clone(),
            updated_at: made,
            pq_support: true,
        }
    }

    /// A connection that was not made yet, with the link that makes it.
    #[must_use]
    pub fn pending(self, link: Option<ConnectionLinks>) -> PendingConnection {
        let contact = self.contact;
        let made = at(contact.made.unwrap_or_default());
        PendingConnection {
            pcc_conn_id: contact.id,
            pcc_agent_conn_id: contact.connection.to_string(),
            pcc_conn_status: if contact.status == Status::Invited { "new" } else { "joined" },
            via_contact_uri: false,
            conn_link_inv: link,
            local_alias: self.alias(),
            created_at: made.clone(),
            updated_at: made,
        }
    }

    fn shown(self) -> Profile {
        match self.profile {
            Some(profile) => profile.into(),
            None => (&chat::Profile::new(self.contact.name.clone())).into(),
        }
    }

    /// The name that a program gave, or that the user chose, where it is another one than the contact's.
    fn alias(self) -> String {
        let contact = self.contact;
        if let Some(alias) = &contact.alias {
            return alias.clone();
        }
        let is_other = self.profile.is_none_or(|profile| profile.display_name != contact.name);
        if contact.is_name_chosen() && is_other { contact.name.clone() } else { String::new() }
    }

    fn connection(self, made: String) -> ContactConnection {
        let contact = self.contact;
        let versions = VersionRange::of(contact);
        let status = match contact.status {
            Status::Invited => "new",
            Status::Requested => "requested",
            Status::Joining => "accepted",
            Status::Connected => "ready",
            Status::Ended => "deleted",
        };
        ContactConnection {
            conn_id: contact.id,
            agent_conn_id: contact.connection.to_string(),
            conn_chat_version: versions.max_version,
            peer_chat_v_range: versions,
            conn_level: 0,
            via_user_contact_link: contact.by_address.then_some(1),
            via_group_link: false,
            conn_type: "contact",
            conn_status: json!({ "type": status }),
            contact_conn_initiated: false,
            local_alias: String::new(),
            entity_id: contact.id,
            pq_support: true,
            pq_encryption: true,
            auth_err_counter: 0,
            quota_err_counter: 0,
            created_at: made,
        }
    }
}

/// Somebody who asks to connect by the contact address.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ContactRequest {
    /// Its number; also that of the contact that it becomes.
    pub contact_request_id: i64,
    /// The agent's number of it.
    pub agent_invitation_id: String,
    /// The address that was used.
    #[serde(rename = "userContactLinkId_")]
    pub user_contact_link_id: i64,
    /// The agent's number of it, by its older name.
    pub agent_contact_conn_id: String,
    /// The versions that the other side speaks.
    #[serde(rename = "cReqChatVRange")]
    pub c_req_chat_v_range: VersionRange,
    /// The name that it has here.
    pub local_display_name: String,
    /// The number of its profile.
    pub profile_id: i64,
    /// Its profile.
    pub profile: Profile,
    /// Its beginning.
    pub created_at: String,
    /// Its last change.
    pub updated_at: String,
    /// Whether it may have post-quantum keys.
    pub pq_support: bool,
}

/// A connection that was not made yet.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PendingConnection {
    /// Its number; also that of the contact that it becomes.
    pub pcc_conn_id: i64,
    /// The agent's number of it.
    pub pcc_agent_conn_id: String,
    /// How far it is.
    pub pcc_conn_status: &'static str,
    /// Whether it was begun by a contact address.
    pub via_contact_uri: bool,
    /// The link that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conn_link_inv: Option<ConnectionLinks>,
    /// The name that it has here only.
    pub local_alias: String,
    /// Its beginning.
    pub created_at: String,
    /// Its last change.
    pub updated_at: String,
}
