//! Errors of the book.

use std::path::PathBuf;

use thiserror::Error;

use crate::MAX_NAME;
use crate::conversation::Refusal;

/// The book could not do what was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BookError {
    /// The file cannot be opened. Look at its permissions, and at the disk.
    #[error("{} cannot be opened", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no database, or a damaged one. It has to be restored from a backup, or moved away.
    #[error("{} is damaged ({reason}): the names of your contacts, who was verified, and your conversations are in it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The damage.
        reason: String,
    },
    /// The file is of a later version, or its tables cannot be brought up to date.
    #[error("the contacts file cannot be brought up to date")]
    Schema(#[from] sqlx::migrate::MigrateError),
    /// The database failed: a full disk for instance, see the cause.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A row is not as this version writes it.
    #[error("an item of a conversation is not understood")]
    Item(#[source] serde_json::Error),
    /// The name cannot be typed again.
    #[error("A contact's name is 1 to {MAX_NAME} visible characters, with single spaces; choose another.")]
    BadName,
    /// Another contact has the name.
    #[error("There is a contact called “{0}” already; choose another name.")]
    NameTaken(String),
    /// There is nobody at all.
    #[error("There are no contacts yet")]
    NoContacts,
    /// Nobody has this name.
    #[error("There is no contact called “{name}”; {}", known(nearest, *count))]
    UnknownName {
        /// The name.
        name: String,
        /// Those that are most like it.
        nearest: Vec<String>,
        /// How many contacts there are.
        count: usize,
    },
    /// Another process or task has removed the contact.
    #[error("The contact was removed meanwhile")]
    Removed,
    /// The conversation has no such item.
    #[error("The conversation with {contact} has no message {number}; see its history")]
    UnknownItem {
        /// The contact's name.
        contact: String,
        /// The number.
        number: i64,
    },
    /// The item is not one for that.
    #[error("Message {number} cannot be used for that: {refusal}")]
    Refused {
        /// The number.
        number: i64,
        /// Why.
        #[source]
        refusal: Refusal,
    },
}

/// SQLite's result codes for a full disk, and for an index of the log that cannot grow.
const NO_SPACE: [&str; 2] = ["13", "4874"];

impl BookError {
    /// Whether there was no space on the disk to do it, so that it may be done later.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| NO_SPACE.contains(&&*code))
            }
            _ => false,
        }
    }
}

fn known(nearest: &[String], count: usize) -> String {
    let names = nearest.join(", ");
    if nearest.len() == count {
        format!("there are: {names}")
    } else {
        format!("most like it are: {names}, of {count}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_disk_is_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(folder.path().join("book"))
            .create_if_missing(true)
            .pragma("max_page_count", "1");
        let mut file = sqlx::ConnectOptions::connect(&options).await.unwrap();
        let made = sqlx::query("CREATE TABLE t (a)").execute(&mut file).await;
        assert!(BookError::from(made.unwrap_err()).is_no_space());
        let syntax = sqlx::query("nonsense").execute(&mut file).await;
        assert!(!BookError::from(syntax.unwrap_err()).is_no_space());
    }
}
