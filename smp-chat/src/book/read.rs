//! Reading: the mark up to which a conversation was read.

use sqlx::SqliteConnection;

use super::contacts::Contact;
use super::{Book, BookError};

impl Book {
    /// Notes that the conversation was read up to this item, at this Unix time in milliseconds: its lines need not be shown any more, and
    /// the time after which its items disappear counts from now on. Returns whether that is new. For a book that keeps its history.
    pub async fn read(&self, contact: &Contact, item: i64, now: i64) -> Result<bool, BookError> {
        let mut step = self.pool.begin().await?;
        let is_new = mark(&mut step, contact, item).await?;
        let begun = "UPDATE items SET expires = coalesce(expires, ?3 + ttl * 1000) WHERE ours = 0 AND ttl IS NOT NULL AND id IN
                     (SELECT item FROM texts WHERE contact = ?1 AND text IS NOT NULL AND item <= ?2)";
        sqlx::query(begun).bind(contact.id).bind(item).bind(now).execute(&mut *step).await?;
        let shown = "UPDATE texts SET text = NULL WHERE contact = ? AND text IS NOT NULL AND (item IS NULL OR item <= ?)";
        let shown = sqlx::query(shown).bind(contact.id).bind(item).execute(&mut *step).await?;
        step.commit().await?;
        if shown.rows_affected() > 0 {
            self.clean().await?;
        }
        Ok(is_new || shown.rows_affected() > 0)
    }

    /// Notes that the conversation was read up to this item, whose lines are shown one by one ([`shown`](Self::shown)).
    pub async fn mark_read(&self, contact: &Contact, item: i64) -> Result<(), BookError> {
        mark(&mut *self.pool.acquire().await?, contact, item).await?;
        Ok(())
    }
}

/// Moves the mark forward to this item. False if it is there already, or behind it.
async fn mark(db: &mut SqliteConnection, contact: &Contact, item: i64) -> Result<bool, BookError> {
    let query = "UPDATE contacts SET read_to = ?1 WHERE id = ?2 AND read_to < ?1";
    let marked = sqlx::query(query).bind(item).bind(contact.id).execute(db).await?;
    Ok(marked.rows_affected() > 0)
}

/// An item that was begun before others were read can be seen now: the mark goes back before it.
pub(super) async fn appeared(step: &mut SqliteConnection, contact: i64, item: i64) -> Result<(), BookError> {
    sqlx::query("UPDATE contacts SET read_to = ?1 - 1 WHERE id = ?2 AND read_to >= ?1")
        .bind(item)
        .bind(contact)
        .execute(step)
        .await?;
    Ok(())
}
