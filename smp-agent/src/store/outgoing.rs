//! Bodies that wait to be sent, and what was sent.

use super::Step;
use super::columns::{column, damaged};
use crate::connection::{Outgoing, Receipt, SentMessage, from_bytes, to_bytes};
use crate::error::{SendError, StorageError};
use crate::event::Event;
use crate::id::{ConnectionId, MessageId};
use sqlx::sqlite::SqliteRow;

/// First capacity of a buffer for a body at rest: with a header that has a KEM and a short text.
const CONTENT_CAPACITY: usize = 4096;

/// A body that waits to be sent.
#[derive(Debug)]
pub(crate) struct StoredOutgoing {
    pub(crate) row: i64,
    pub(crate) outgoing: Outgoing,
}

impl Step {
    pub(super) async fn add_outgoing(
        &mut self,
        connection: ConnectionId,
        outgoing: &Outgoing,
    ) -> Result<(), StorageError> {
        let content = to_bytes(outgoing, CONTENT_CAPACITY).map_err(|_| damaged("content in memory"))?;
        sqlx::query("INSERT INTO outgoing (connection_id, message_id, content) VALUES (?, ?, ?)")
            .bind(connection.number())
            .bind(outgoing.message.map(MessageId::number))
            .bind(content.to_vec())
            .execute(self.db())
            .await?;
        Ok(())
    }

    /// The bodies that are to be sent next on a connection, in order.
    pub(crate) async fn outgoing(
        &mut self,
        connection: ConnectionId,
        limit: u32,
    ) -> Result<Vec<StoredOutgoing>, StorageError> {
        let rows = sqlx::query("SELECT * FROM outgoing WHERE connection_id = ? ORDER BY id LIMIT ?")
            .bind(connection.number())
            .bind(limit)
            .fetch_all(self.db())
            .await?;
        rows.iter().map(stored_outgoing).collect()
    }

    /// Removes a body that needs not be sent any more. False if it was not there.
    pub(crate) async fn remove_outgoing(&mut self, row: i64) -> Result<bool, StorageError> {
        let result = sqlx::query("DELETE FROM outgoing WHERE id = ?").bind(row).execute(self.db()).await?;
        Ok(result.rows_affected() > 0)
    }

    /// Removes all bodies of a connection that failed, and tells which messages were among them.
    pub(crate) async fn give_up_outgoing(&mut self, connection: ConnectionId) -> Result<(), StorageError> {
        let sql =
            "SELECT message_id FROM outgoing WHERE connection_id = ? AND message_id IS NOT NULL ORDER BY id";
        let messages: Vec<i64> =
            sqlx::query_scalar(sql).bind(connection.number()).fetch_all(self.db()).await?;
        for message in messages {
            let (id, error) = (MessageId::new(message), SendError::ConnectionFailed);
            self.add_event(connection, &Event::SendFailed { connection, id, error }).await?;
        }
        let sql = "DELETE FROM outgoing WHERE connection_id = ?";
        sqlx::query(sql).bind(connection.number()).execute(self.db()).await?;
        Ok(())
    }

    pub(super) async fn add_sent(
        &mut self,
        connection: ConnectionId,
        sent: &SentMessage,
        now: i64,
    ) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO sent_messages (connection_id, number, message_id, hash, sent_at, mismatch_told) VALUES (?, ?, ?, ?, ?, 0)",
        )
        .bind(connection.number())
        .bind(sent.number)
        .bind(sent.message.number())
        .bind(sent.hash.as_slice())
        .bind(now)
        .execute(self.db())
        .await?;
        Ok(())
    }

    /// Makes an event of a receipt. After one with the right hash the message is forgotten; of those with another hash only
    /// the first is told, and the right one may follow.
    pub(super) async fn add_receipt(
        &mut self,
        connection: ConnectionId,
        receipt: &Receipt,
    ) -> Result<(), StorageError> {
        let matches = self.has_sent(connection, receipt).await?;
        let sql = if matches {
            "DELETE FROM sent_messages WHERE connection_id = ? AND number = ? RETURNING message_id"
        } else {
            "UPDATE sent_messages SET mismatch_told = 1
             WHERE connection_id = ? AND number = ? AND mismatch_told = 0 RETURNING message_id"
        };
        let message: Option<i64> = sqlx::query_scalar(sql)
            .bind(connection.number())
            .bind(receipt.number)
            .fetch_optional(self.db())
            .await?;
        if let Some(message) = message {
            let id = MessageId::new(message);
            self.add_event(connection, &Event::Receipt { connection, id, matches }).await?;
        }
        Ok(())
    }

    async fn has_sent(&mut self, connection: ConnectionId, receipt: &Receipt) -> Result<bool, StorageError> {
        let sql =
            "SELECT EXISTS (SELECT 1 FROM sent_messages WHERE connection_id = ? AND number = ? AND hash = ?)";
        let sent = sqlx::query_scalar(sql)
            .bind(connection.number())
            .bind(receipt.number)
            .bind(receipt.hash.as_slice());
        Ok(sent.fetch_one(self.db()).await?)
    }

    /// Whether this encrypted message was received before; if not, it is now.
    pub(crate) async fn is_repeated(
        &mut self,
        connection: ConnectionId,
        hash: &[u8; 32],
        now: i64,
    ) -> Result<bool, StorageError> {
        let result = sqlx::query(
            "INSERT INTO received_messages (connection_id, hash, received_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(connection.number())
        .bind(hash.as_slice())
        .bind(now)
        .execute(self.db())
        .await?;
        Ok(result.rows_affected() == 0)
    }

    /// Forgets hashes of messages that were sent or received before `before`: no relay keeps a message that long.
    pub(crate) async fn forget_hashes(&mut self, before: i64) -> Result<(), StorageError> {
        for sql in [
            "DELETE FROM received_messages WHERE received_at < ?",
            "DELETE FROM sent_messages WHERE sent_at < ?",
        ] {
            sqlx::query(sql).bind(before).execute(self.db()).await?;
        }
        Ok(())
    }
}

fn stored_outgoing(row: &SqliteRow) -> Result<StoredOutgoing, StorageError> {
    let outgoing = from_bytes(column(row, "content")?).map_err(|_| damaged("content"))?;
    Ok(StoredOutgoing { row: column(row, "id")?, outgoing })
}
