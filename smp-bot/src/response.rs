//! Answers and events, told apart by their type.

use serde::Serialize;
use serde_json::Value;

use crate::types::{
    Chat, ChatError, ChatInfo, ConnectionLinks, ConnectionPlan, ConnectionStats, Contact, ContactAddress,
    ContactRequest, Deletion, ItemInChat, PendingConnection, Profile, ReactionInChat, User, UserInfo,
};

/// An answer or an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the interface, and their types say what they are")]
pub enum Response {
    /// The command was not done.
    ChatCmdError { chat_error: ChatError },
    /// It was done, and there is nothing to say.
    CmdOk {
        #[serde(rename = "user_")]
        user: Option<Box<User>>,
    },
    /// Messages are received: they always are.
    ChatRunning,
    /// The version of the interface.
    VersionInfo { version_info: Value, chat_migrations: [Value; 0], agent_migrations: [Value; 0] },
    /// The active user.
    ActiveUser { user: Box<User> },
    /// All users.
    UsersList { users: Vec<UserInfo> },
    /// The profile is as it was.
    UserProfileNoChange { user: Box<User> },
    /// The profile is another one, and contacts are told.
    UserProfileUpdated { user: Box<User>, from_profile: Profile, to_profile: Profile, update_summary: Value },
    /// The contact address.
    UserContactLink { user: Box<User>, contact_link: Box<ContactAddress> },
    /// The contact address was made.
    UserContactLinkCreated {
        user: Box<User>,
        conn_link_contact: ConnectionLinks,
        /// For SDKs that know only one link.
        conn_req_contact: String,
    },
    /// The settings of the contact address are other ones.
    UserContactLinkUpdated { user: Box<User>, contact_link: Box<ContactAddress> },
    /// The contact address was deleted.
    UserContactLinkDeleted { user: Box<User> },
    /// An invitation.
    Invitation {
        user: Box<User>,
        conn_link_invitation: ConnectionLinks,
        /// For SDKs that know only one link.
        conn_req_invitation: String,
        connection: PendingConnection,
    },
    /// The kind of a link, and whether it was used.
    ConnectionPlan { user: Box<User>, conn_link: ConnectionLinks, connection_plan: ConnectionPlan },
    /// An invitation is being used.
    SentConfirmation { user: Box<User>, connection: PendingConnection },
    /// The owner of a contact address is asked.
    SentInvitation { user: Box<User>, connection: PendingConnection },
    /// The link was used before.
    ContactAlreadyExists { user: Box<User>, contact: Box<Contact> },
    /// Somebody who asked is being let in.
    AcceptingContactRequest { user: Box<User>, contact: Box<Contact> },
    /// Somebody who asked was refused.
    ContactRequestRejected { user: Box<User>, contact_request: Box<ContactRequest> },
    /// Messages.
    NewChatItems { user: Box<User>, chat_items: Vec<ItemInChat> },
    /// A message got other words.
    ChatItemUpdated { user: Box<User>, chat_item: Box<ItemInChat> },
    /// A message has these words already.
    ChatItemNotChanged { user: Box<User>, chat_item: Box<ItemInChat> },
    /// Messages were deleted.
    ChatItemsDeleted { user: Box<User>, chat_item_deletions: Vec<Deletion>, by_user: bool, timed: bool },
    /// A reaction was given, or taken back.
    ChatItemReaction { user: Box<User>, added: bool, reaction: Box<ReactionInChat> },
    /// Messages have come further.
    ChatItemsStatusesUpdated { user: Box<User>, chat_items: Vec<ItemInChat> },
    /// All contacts.
    ContactsList { user: Box<User>, contacts: Vec<Contact> },
    /// All groups: none.
    GroupsList { user: Box<User>, groups: [Value; 0] },
    /// Chats, for people.
    Chats { chats: Vec<Chat> },
    /// Chats, for programs.
    ApiChats { user: Box<User>, chats: Vec<Chat> },
    /// A page of a chat.
    ApiChat { user: Box<User>, chat: Box<Chat> },
    /// A contact was deleted.
    ContactDeleted { user: Box<User>, contact: Box<Contact> },
    /// All messages of a chat were deleted here.
    ChatCleared { user: Box<User>, chat_info: ChatInfo },
    /// A connection that was not made yet was deleted.
    ContactConnectionDeleted { user: Box<User>, connection: PendingConnection },
    /// Somebody asks to connect.
    ReceivedContactRequest { user: Box<User>, contact_request: Box<ContactRequest> },
    /// Somebody uses our invitation, or has accepted us.
    ContactConnecting { user: Box<User>, contact: Box<Contact> },
    /// Messages can be sent.
    ContactSndReady { user: Box<User>, contact: Box<Contact> },
    /// Messages can be exchanged.
    ContactConnected { user: Box<User>, contact: Box<Contact> },
    /// A contact has another profile.
    ContactUpdated { user: Box<User>, from_contact: Box<Contact>, to_contact: Box<Contact> },
    /// Preferences for one contact are other ones.
    ContactPrefsUpdated { user: Box<User>, from_contact: Box<Contact>, to_contact: Box<Contact> },
    /// A contact has another alias.
    ContactAliasUpdated { user: Box<User>, to_contact: Box<Contact> },
    /// A connection that was not made yet has another alias.
    ConnectionAliasUpdated { user: Box<User>, to_connection: PendingConnection },
    /// A contact, and the state of its connection.
    ContactInfo {
        user: Box<User>,
        contact: Box<Contact>,
        connection_stats: ConnectionStats,
        /// By its newer name.
        #[serde(rename = "connectionStats_")]
        newer_connection_stats: ConnectionStats,
    },
    /// The security code of a contact.
    ContactCode { user: Box<User>, contact: Box<Contact>, connection_code: String },
    /// A security code was compared.
    ConnectionVerified { user: Box<User>, verified: bool, expected_code: String },
    /// A contact has deleted us.
    ContactDeletedByContact { user: Box<User>, contact: Box<Contact> },
}

impl Response {
    /// An error.
    #[must_use]
    pub fn error(error: impl Into<ChatError>) -> Self {
        Self::ChatCmdError { chat_error: error.into() }
    }

    /// The version of the interface, with that of this program.
    #[must_use]
    pub fn version(version: &str, program: &str) -> Self {
        let version_info = serde_json::json!({
            "version": version,
            "simplexmqVersion": version,
            "simplexmqCommit": "",
            "program": program,
        });
        Self::VersionInfo { version_info, chat_migrations: [], agent_migrations: [] }
    }
}
