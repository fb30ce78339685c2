//! Answers and events, told apart by their type.

use serde::Serialize;
use serde_json::Value;

use crate::types::{
    Chat, ChatError, ChatInfo, ConnectionLinks, ConnectionPlan, ConnectionStats, Contact, ContactAddress,
    ContactRequest, Deletion, ItemInChat, PendingConnection, Profile, ReactionInChat, Shared, User, UserInfo,
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
        user: Option<Shared<User>>,
    },
    /// Messages are received: they always are.
    ChatRunning,
    /// The version of the interface.
    VersionInfo { version_info: Value, chat_migrations: [Value; 0], agent_migrations: [Value; 0] },
    /// The active user.
    ActiveUser { user: Shared<User> },
    /// All users.
    UsersList { users: Vec<UserInfo> },
    /// The profile is as it was.
    UserProfileNoChange { user: Shared<User> },
    /// The profile is another one, and contacts are told.
    UserProfileUpdated {
        user: Shared<User>,
        from_profile: Profile,
        to_profile: Profile,
        update_summary: Value,
    },
    /// The contact address.
    UserContactLink { user: Shared<User>, contact_link: Box<ContactAddress> },
    /// The contact address was made.
    UserContactLinkCreated {
        user: Shared<User>,
        conn_link_contact: ConnectionLinks,
        /// For SDKs that know only one link.
        conn_req_contact: String,
    },
    /// The settings of the contact address are other ones.
    UserContactLinkUpdated { user: Shared<User>, contact_link: Box<ContactAddress> },
    /// The contact address was deleted.
    UserContactLinkDeleted { user: Shared<User> },
    /// An invitation.
    Invitation {
        user: Shared<User>,
        conn_link_invitation: ConnectionLinks,
        /// For SDKs that know only one link.
        conn_req_invitation: String,
        connection: PendingConnection,
    },
    /// The kind of a link, and whether it was used.
    ConnectionPlan { user: Shared<User>, conn_link: ConnectionLinks, connection_plan: ConnectionPlan },
    /// An invitation is being used.
    SentConfirmation { user: Shared<User>, connection: PendingConnection },
    /// The owner of a contact address is asked.
    SentInvitation { user: Shared<User>, connection: PendingConnection },
    /// The link was used before.
    ContactAlreadyExists { user: Shared<User>, contact: Shared<Contact> },
    /// Somebody who asked is being let in.
    AcceptingContactRequest { user: Shared<User>, contact: Shared<Contact> },
    /// Somebody who asked was refused.
    ContactRequestRejected { user: Shared<User>, contact_request: Box<ContactRequest> },
    /// Messages.
    NewChatItems { user: Shared<User>, chat_items: Vec<ItemInChat> },
    /// A message got other words.
    ChatItemUpdated { user: Shared<User>, chat_item: Box<ItemInChat> },
    /// A message has these words already.
    ChatItemNotChanged { user: Shared<User>, chat_item: Box<ItemInChat> },
    /// Messages were deleted.
    ChatItemsDeleted { user: Shared<User>, chat_item_deletions: Vec<Deletion>, by_user: bool, timed: bool },
    /// A reaction was given, or taken back.
    ChatItemReaction { user: Shared<User>, added: bool, reaction: Box<ReactionInChat> },
    /// Messages have come further.
    ChatItemsStatusesUpdated { user: Shared<User>, chat_items: Vec<ItemInChat> },
    /// All contacts.
    ContactsList { user: Shared<User>, contacts: Vec<Shared<Contact>> },
    /// All groups: none.
    GroupsList { user: Shared<User>, groups: [Value; 0] },
    /// Chats, for people.
    Chats { chats: Vec<Chat> },
    /// Chats, for programs.
    ApiChats { user: Shared<User>, chats: Vec<Chat> },
    /// A page of a chat.
    ApiChat { user: Shared<User>, chat: Box<Chat> },
    /// A contact was deleted.
    ContactDeleted { user: Shared<User>, contact: Shared<Contact> },
    /// All messages of a chat were deleted here.
    ChatCleared { user: Shared<User>, chat_info: ChatInfo },
    /// A connection that was not made yet was deleted.
    ContactConnectionDeleted { user: Shared<User>, connection: PendingConnection },
    /// Somebody asks to connect.
    ReceivedContactRequest { user: Shared<User>, contact_request: Box<ContactRequest> },
    /// Somebody uses our invitation, or has accepted us.
    ContactConnecting { user: Shared<User>, contact: Shared<Contact> },
    /// Messages can be sent.
    ContactSndReady { user: Shared<User>, contact: Shared<Contact> },
    /// Messages can be exchanged.
    ContactConnected { user: Shared<User>, contact: Shared<Contact> },
    /// A contact has another profile.
    ContactUpdated { user: Shared<User>, from_contact: Shared<Contact>, to_contact: Shared<Contact> },
    /// Preferences for one contact are other ones.
    ContactPrefsUpdated { user: Shared<User>, from_contact: Shared<Contact>, to_contact: Shared<Contact> },
    /// A contact has another alias.
    ContactAliasUpdated { user: Shared<User>, to_contact: Shared<Contact> },
    /// A connection that was not made yet has another alias.
    ConnectionAliasUpdated { user: Shared<User>, to_connection: PendingConnection },
    /// A contact, and the state of its connection.
    ContactInfo {
        user: Shared<User>,
        contact: Shared<Contact>,
        connection_stats: ConnectionStats,
        /// By its newer name.
        #[serde(rename = "connectionStats_")]
        newer_connection_stats: ConnectionStats,
    },
    /// The security code of a contact.
    ContactCode { user: Shared<User>, contact: Shared<Contact>, connection_code: String },
    /// A security code was compared.
    ConnectionVerified { user: Shared<User>, verified: bool, expected_code: String },
    /// A contact has deleted us.
    ContactDeletedByContact { user: Shared<User>, contact: Shared<Contact> },
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
