//! Events that the application has yet to acknowledge.

use super::Step;
use super::columns::{column, damaged};
use crate::error::StorageError;
use crate::event::Event;
use crate::id::{ConnectionId, MessageId};
use sqlx::sqlite::SqliteRow;

/// An event with its place in the sequence of all events of this data directory.
#[derive(Debug)]
pub(crate) struct StoredEvent {
    pub(crate) sequence: i64,
    pub(crate) event: Event,
}

impl Step {
    pub(super) async fn add_event(
        &mut self,
        connection: ConnectionId,
        event: &Event,
    ) -> Result<(), StorageError> {
        if matches!(event, Event::ReceiveFailed { .. }) && self.has_receive_failure(connection).await? {
            return Ok(());
        }
        let content = serde_json::to_string(event).map_err(|_| damaged("content"))?;
        sqlx::query("INSERT INTO events (connection_id, message_id, content, body) VALUES (?, ?, ?, ?)")
            .bind(connection.number())
            .bind(event.received_message().map(MessageId::number))
            .bind(content)
            .bind(event.body())
            .execute(self.db())
            .await?;
        Ok(())
    }

    /// Whoever can write to a queue can fill it with what cannot be read: it is told once until the application is done with that.
    async fn has_receive_failure(&mut self, connection: ConnectionId) -> Result<bool, StorageError> {
        let sql = r#"SELECT EXISTS (SELECT 1 FROM events
            WHERE connection_id = ? AND message_id IS NULL AND content LIKE '{"ReceiveFailed"%')"#;
        Ok(sqlx::query_scalar(sql).bind(connection.number()).fetch_one(self.db()).await?)
    }

    /// The first events after a place in the sequence.
    pub(crate) async fn events_after(
        &mut self,
        sequence: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StorageError> {
        let rows = sqlx::query("SELECT * FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?")
            .bind(sequence)
            .bind(limit)
            .fetch_all(self.db())
            .await?;
        rows.iter().map(stored_event).collect()
    }

    /// Removes an event that the application is done with.
    pub(crate) async fn remove_event(&mut self, sequence: i64) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM events WHERE sequence = ?").bind(sequence).execute(self.db()).await?;
        Ok(())
    }

    /// Removes a received message that the application is done with, and returns it.
    pub(crate) async fn take_message(
        &mut self,
        connection: ConnectionId,
        message: MessageId,
    ) -> Result<Option<Event>, StorageError> {
        let row = sqlx::query("DELETE FROM events WHERE connection_id = ? AND message_id = ? RETURNING *")
            .bind(connection.number())
            .bind(message.number())
            .fetch_optional(self.db())
            .await?;
        row.as_ref().map(|row| Ok(stored_event(row)?.event)).transpose()
    }
}

fn stored_event(row: &SqliteRow) -> Result<StoredEvent, StorageError> {
    let event: Event = serde_json::from_str(column(row, "content")?).map_err(|_| damaged("content"))?;
    Ok(StoredEvent { sequence: column(row, "sequence")?, event: event.with_body(column(row, "body")?) })
}
