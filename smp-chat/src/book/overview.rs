//! The overview: all contacts, those with whom something happened last first, and how much of each conversation is unread.

use std::collections::HashMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use super::contacts::Contact;
use super::{Book, BookError};

/// How many messages of the contact `c` were not read, up to the number that is bound: looks at places in an index only.
macro_rules! unread_of_c {
    () => {
        "(SELECT count(*) FROM (SELECT 1 FROM items i WHERE i.contact = c.id AND i.visible = 1 AND i.ours = 0
            AND i.id > c.read_to LIMIT ?))"
    };
}
pub(super) use unread_of_c;

/// Unread items of one contact are counted up to this number.
pub const MAX_UNREAD: u32 = 1000;

/// A contact with the state of the conversation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Overview {
    /// The contact.
    pub contact: Contact,
    /// Messages of theirs that were not read, [`MAX_UNREAD`] at most.
    pub unread: u32,
    /// The number of the last item.
    pub last: Option<i64>,
}

impl FromRow<'_, SqliteRow> for Overview {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            contact: Contact::from_row(row)?,
            unread: row.try_get("unread")?,
            last: row.try_get("last")?,
        })
    }
}

impl Book {
    /// How many messages of each contact were not read, by the contact's number, [`MAX_UNREAD`] at most; without those of whom all was read.
    pub async fn unread(&self) -> Result<HashMap<i64, u32>, BookError> {
        let query = concat!(
            "SELECT id, unread FROM (SELECT c.id, ",
            unread_of_c!(),
            " AS unread FROM contacts c) WHERE unread > 0"
        );
        let counts: Vec<(i64, u32)> = sqlx::query_as(query).bind(MAX_UNREAD).fetch_all(&self.pool).await?;
        Ok(counts.into_iter().collect())
    }

    /// All contacts, the last ones with whom something happened first. Looks at no message, but at places in indices: one for each
    /// contact, and one for each unread message.
    pub async fn overview(&self) -> Result<Vec<Overview>, BookError> {
        let query = concat!(
            "SELECT c.*, (SELECT max(i.id) FROM items i WHERE i.contact = c.id AND i.visible = 1) AS last, ",
            unread_of_c!(),
            " AS unread FROM contacts c ORDER BY max(coalesce(last, 0), c.active) DESC, c.id DESC"
        );
        Ok(sqlx::query_as(query).bind(MAX_UNREAD).fetch_all(&self.pool).await?)
    }
}
