//! Bodies that wait to be sent, and what was sent.

use super::Step;
use super::columns::{column, damaged};
use crate::connection::{Outgoing, OutgoingKind, Receipt, SentMessage};
use crate::error::StorageError;
use crate::event::Event;
use crate::id::{ConnectionId, MessageId};
use sqlx::sqlite::SqliteRow;

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
        sqlx::query(
            "INSERT INTO outgoing (connection_id, kind, message_id, authorized, notify, body) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(connection.number())
        .bind(outgoing.kind.name())
        .bind(outgoing.message.map(MessageId::number))
        .bind(outgoing.authorized)
        .bind(outgoing.notify)
        .bind(outgoing.body.as_slice())
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

    pub(super) async fn add_sent(
        &mut self,
        connection: ConnectionId,
        sent: &SentMessage,
        now: i64,
    ) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO sent_messages (connection_id, number, message_id, hash, sent_at) VALUES (?, ?, ?, ?, ?)",
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

    /// Makes an event of a receipt. A second one for the same message says nothing new.
    pub(super) async fn add_receipt(
        &mut self,
        connection: ConnectionId,
        receipt: &Receipt,
    ) -> Result<(), StorageError> {
        if let Some(sent) = self.take_sent(connection, receipt.number).await? {
            let matches = receipt.hash == sent.hash;
            self.add_event(connection, &Event::Receipt { connection, id: sent.message, matches }).await?;
        }
        Ok(())
    }

    async fn take_sent(
        &mut self,
        connection: ConnectionId,
        number: i64,
    ) -> Result<Option<SentMessage>, StorageError> {
        let row = sqlx::query(
            "DELETE FROM sent_messages WHERE connection_id = ? AND number = ? RETURNING message_id, hash",
        )
        .bind(connection.number())
        .bind(number)
        .fetch_optional(self.db())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let hash = column::<&[u8]>(&row, "hash")?.try_into().map_err(|_| damaged("hash"))?;
        Ok(Some(SentMessage { number, message: MessageId::new(column(&row, "message_id")?), hash }))
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
    let outgoing = Outgoing {
        kind: OutgoingKind::from_name(column(row, "kind")?).ok_or_else(|| damaged("kind"))?,
        message: column::<Option<i64>>(row, "message_id")?.map(MessageId::new),
        authorized: column(row, "authorized")?,
        notify: column(row, "notify")?,
        body: column(row, "body")?,
    };
    Ok(StoredOutgoing { row: column(row, "id")?, outgoing })
}
