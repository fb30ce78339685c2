//! Errors as the interface has them.

use serde::Serialize;

use super::contact::Contact;
use super::shared::Shared;

/// An error.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ChatError {
    /// The command cannot be done.
    Error {
        /// Why.
        error_type: ErrorType,
    },
    /// Something is not there.
    ErrorStore {
        /// The missing thing.
        store_error: StoreError,
    },
}

impl ChatError {
    /// The command cannot be done.
    #[must_use]
    pub fn of(error_type: ErrorType) -> Self {
        Self::Error { error_type }
    }

    /// A reason in words.
    #[must_use]
    pub fn command(message: impl Into<String>) -> Self {
        Self::of(ErrorType::CommandError { message: message.into() })
    }
}

impl From<StoreError> for ChatError {
    fn from(store_error: StoreError) -> Self {
        Self::ErrorStore { store_error }
    }
}

/// Why a command cannot be done.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ErrorType {
    /// It is not understood, or there is no such command.
    CommandError {
        /// The reason in words.
        message: String,
    },
    /// Another user is active.
    DifferentActiveUser {
        /// The user that was named.
        command_user_id: i64,
        /// The active one.
        active_user_id: i64,
    },
    /// The active user cannot be deleted.
    CantDeleteActiveUser {
        /// Its number.
        user_id: i64,
    },
    /// The name is taken.
    UserExists {
        /// The name.
        contact_name: String,
    },
    /// The name cannot be one.
    InvalidDisplayName {
        /// The name.
        display_name: String,
        /// One that can.
        valid_name: String,
    },
    /// The link is none, or a damaged one.
    InvalidConnReq,
    /// The link is of something that is not there yet.
    UnsupportedConnReq,
    /// The contact is not connected yet.
    ContactNotReady {
        /// The contact.
        contact: Shared<Contact>,
    },
    /// The contact is gone.
    ContactNotActive {
        /// The contact.
        contact: Shared<Contact>,
    },
    /// The item cannot be edited.
    InvalidChatItemUpdate,
    /// The item cannot be deleted like that.
    InvalidChatItemDelete,
    /// The file is not there.
    FileNotFound {
        /// Its name.
        message: String,
    },
    /// The program failed.
    InternalError {
        /// How.
        message: String,
    },
}

/// A thing that is not there.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum StoreError {
    /// There is no such user.
    UserNotFound {
        /// Its number.
        user_id: i64,
    },
    /// There is no such contact.
    ContactNotFound {
        /// Its number.
        contact_id: i64,
    },
    /// There is no contact of this name.
    ContactNotFoundByName {
        /// The name.
        contact_name: String,
    },
    /// There is no contact address.
    UserContactLinkNotFound,
    /// There is a contact address already.
    DuplicateContactLink,
    /// Nobody asks under this number.
    ContactRequestNotFound {
        /// The number.
        contact_request_id: i64,
    },
    /// Nobody of this name asks.
    ContactRequestNotFoundByName {
        /// The name.
        contact_name: String,
    },
    /// There is no such item.
    ChatItemNotFound {
        /// Its number.
        item_id: i64,
    },
    /// The quoted item cannot be quoted.
    InvalidQuote,
    /// There is no such group.
    GroupNotFound {
        /// Its number.
        group_id: i64,
    },
    /// There is no such file that came.
    RcvFileNotFound {
        /// Its number.
        file_id: i64,
    },
    /// There is no such file.
    FileNotFound {
        /// Its number.
        file_id: i64,
    },
}
