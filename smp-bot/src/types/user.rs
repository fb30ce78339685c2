//! The user: the identity of the data directory. There is one.

use serde::Serialize;
use serde_json::Value;
use smp_protocol::chat;

use super::preferences::full;
use super::profile::LocalProfile;
use super::shared::Shared;

/// The user.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Its number.
    pub user_id: i64,
    /// Its number at the agent: text, as the app writes it.
    pub agent_user_id: String,
    /// The number of the user as a contact of itself.
    pub user_contact_id: i64,
    /// The name to show.
    pub local_display_name: String,
    /// Its profile.
    pub profile: LocalProfile,
    /// All that it allows.
    pub full_preferences: Value,
    /// Whether commands without a number are for it.
    pub active_user: bool,
    /// Its place among the users.
    pub active_order: i64,
    /// Whether it is told of messages.
    pub show_ntfs: bool,
    /// Whether contacts are told that a message was received.
    pub send_rcpts_contacts: bool,
    /// The same for small groups.
    pub send_rcpts_small_groups: bool,
    /// Whether members of groups are let in.
    pub auto_accept_member_contacts: bool,
    /// Whether it relays chats.
    pub user_chat_relay: bool,
    /// Whether it is a service.
    pub client_service: bool,
}

impl User {
    /// The number of the one user.
    pub const ID: i64 = 1;

    /// The user of this profile.
    #[must_use]
    pub fn of(profile: &chat::Profile, receipts: bool) -> Self {
        Self {
            user_id: Self::ID,
            agent_user_id: Self::ID.to_string(),
            user_contact_id: Self::ID,
            local_display_name: profile.display_name.clone(),
            profile: LocalProfile {
                profile_id: Self::ID,
                profile: profile.into(),
                local_alias: String::new(),
            },
            full_preferences: full(Some(profile)),
            active_user: true,
            active_order: 1,
            show_ntfs: true,
            send_rcpts_contacts: receipts,
            send_rcpts_small_groups: receipts,
            auto_accept_member_contacts: false,
            user_chat_relay: false,
            client_service: false,
        }
    }
}

/// The user in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UserInfo {
    /// The user.
    pub user: Shared<User>,
    /// Messages that nobody has taken.
    pub unread_count: i64,
}
