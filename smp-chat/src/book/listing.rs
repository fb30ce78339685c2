//! The list of contacts, read at once: of a book that is open, or of one that need not be opened for more.

use std::path::Path;

use smp_sqlite::Options;
use sqlx::{Connection as _, SqliteConnection};

use super::contacts::Contact;
use super::overview::{MAX_UNREAD, unread_of_c};
use super::status::Status;
use super::{Book, BookError, damaged, schema};

/// A contact as a list shows it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListedContact {
    /// The agent's number of the connection.
    pub connection: i64,
    /// The user's name for it.
    pub name: String,
    /// How far the connection has come.
    pub status: Status,
    /// Whether both sides compared their security codes.
    pub is_verified: bool,
    /// Whether their messages are kept without making a line.
    pub is_muted: bool,
    /// The invitation, while it waits to be used.
    pub link: Option<String>,
    /// Messages of theirs that were not read, [`MAX_UNREAD`] at most.
    pub unread: u32,
}

/// The columns of a contact in JSON, its number first.
type Row = (i64, i64, String, Status, i64, i64, Option<String>, u32);

impl From<Row> for ListedContact {
    fn from((_, connection, name, status, verified, muted, link, unread): Row) -> Self {
        Self { connection, name, status, is_verified: verified != 0, is_muted: muted != 0, link, unread }
    }
}

impl ListedContact {
    /// A contact of whom this much was not read.
    #[must_use]
    pub fn of(contact: &Contact, unread: u32) -> Self {
        Self {
            connection: contact.connection,
            name: contact.name.clone(),
            status: contact.status,
            is_verified: contact.verified_code.is_some(),
            is_muted: contact.is_muted,
            link: contact.link.clone(),
            unread,
        }
    }
}

impl Book {
    /// The contacts of a file that is not encrypted, in the order of [`contacts`](Self::contacts), at this Unix time in milliseconds. Nothing is
    /// changed. None if there is something to do first, which opening the book does: tables of another version, messages whose time
    /// is over, or that the agent may not have.
    ///
    /// # Errors
    /// If the file is damaged where the contacts are, or cannot be read.
    pub async fn listing(path: &Path, now: i64) -> Result<Option<Vec<ListedContact>>, BookError> {
        // Nothing else is set: that would write, and make a book of an empty file.
        let options = Options::new(path, None).pragma("query_only", "ON");
        let mut file = options.connect().await.map_err(|error| damaged(path, error))?;
        let contacts = if is_of_this_version(&mut file).await? { all(&mut file, now).await? } else { None };
        file.close().await?;
        let Some(contacts) = contacts else { return Ok(None) };
        let mut rows: Vec<Row> = serde_json::from_str(&contacts).map_err(|error| damaged(path, error))?;
        rows.sort_unstable_by_key(|row| row.0);
        Ok(Some(rows.into_iter().map(Into::into).collect()))
    }
}

async fn is_of_this_version(file: &mut SqliteConnection) -> Result<bool, BookError> {
    let query = sqlx::query_scalar("SELECT (SELECT max(version) FROM _sqlx_migrations) = ?");
    Ok(query.bind(schema::VERSION).fetch_one(file).await?)
}

/// In one row: each costs a turn of SQLite's thread. In any order: SQLite would copy them to sort them.
async fn all(file: &mut SqliteConnection, now: i64) -> Result<Option<String>, BookError> {
    let query = concat!(
        "SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM items WHERE expires <= ?)
            AND NOT EXISTS (SELECT 1 FROM items WHERE ours = 1 AND number IS NULL)
         THEN (SELECT json_group_array(json_array(id, connection, name, CASE WHEN asks THEN 'requested' ELSE status END,
            verified_code IS NOT NULL, muted, link, ",
        unread_of_c!(),
        ")) FROM contacts c) END"
    );
    Ok(sqlx::query_scalar(query).bind(now).bind(MAX_UNREAD).fetch_one(file).await?)
}
