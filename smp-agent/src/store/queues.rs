//! The queues in which this side receives, as lookups and subscriptions need them.

use super::Step;
use super::columns::relay_column;
use crate::connection::Connection;
use crate::error::StorageError;
use std::collections::HashSet;

impl Step {
    /// Makes the rows of a connection's queues those that it has now.
    pub(super) async fn save_receive_queues(&mut self, connection: &Connection) -> Result<(), StorageError> {
        let sql = "SELECT recipient_id FROM receive_queues WHERE connection_id = ?";
        let rows: Vec<Vec<u8>> =
            sqlx::query_scalar(sql).bind(connection.id.number()).fetch_all(self.db()).await?;
        let mut gone: HashSet<_> = rows.into_iter().collect();
        for (queue, created) in connection.receive_queues() {
            if gone.remove(created.recipient_id.as_bytes()) {
                continue;
            }
            sqlx::query(
                "INSERT INTO receive_queues (connection_id, relay, recipient_id, recipient_key, sender_id, link_id)
                 VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(connection.id.number())
            .bind(relay_column(&queue.relay))
            .bind(created.recipient_id.as_bytes().to_vec())
            .bind(queue.recipient_key.to_der().to_vec())
            .bind(created.sender_id.as_bytes().to_vec())
            .bind(created.link_id.as_ref().map(|id| id.as_bytes().to_vec()))
            .execute(self.db())
            .await?;
        }
        for recipient_id in gone {
            let sql = "DELETE FROM receive_queues WHERE connection_id = ? AND recipient_id = ?";
            sqlx::query(sql).bind(connection.id.number()).bind(recipient_id).execute(self.db()).await?;
        }
        Ok(())
    }
}
