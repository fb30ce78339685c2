//! The rows of a connection's queues.

use super::Step;
use super::columns::{
    column, damaged, dh_secret, mode, mode_column, private_auth_key, private_dh_key, public_auth_key,
    public_dh_key, read, read_optional, relay, relay_column, version,
};
use crate::connection::{CreatedQueue, ReceiveQueue, SendQueue};
use crate::error::StorageError;
use crate::id::ConnectionId;
use smp_protocol::id::{LinkId, RecipientId, SenderId};
use smp_protocol::version::SmpClientVersion;
use sqlx::sqlite::SqliteRow;

impl Step {
    pub(super) async fn save_receive_queue(
        &mut self,
        connection: ConnectionId,
        queue: &ReceiveQueue,
    ) -> Result<(), StorageError> {
        let created = queue.created.as_ref();
        sqlx::query(
            "INSERT INTO receive_queues (connection_id, relay, client_version, recipient_key, relay_dh_key, e2e_key,
                recipient_id, sender_id, mode, relay_secret, e2e_secret, sender_key, link_id)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (connection_id) DO UPDATE SET relay = excluded.relay, client_version = excluded.client_version,
                recipient_key = excluded.recipient_key, relay_dh_key = excluded.relay_dh_key, e2e_key = excluded.e2e_key,
                recipient_id = excluded.recipient_id, sender_id = excluded.sender_id, mode = excluded.mode,
                relay_secret = excluded.relay_secret, e2e_secret = excluded.e2e_secret,
                sender_key = excluded.sender_key, link_id = excluded.link_id",
        )
        .bind(connection.number())
        .bind(relay_column(&queue.relay))
        .bind(i64::from(queue.client_version.0))
        .bind(queue.recipient_key.to_der().to_vec())
        .bind(queue.relay_dh_key.as_bytes().to_vec())
        .bind(queue.e2e_key.as_bytes().to_vec())
        .bind(created.map(|created| created.recipient_id.as_bytes().to_vec()))
        .bind(created.map(|created| created.sender_id.as_bytes().to_vec()))
        .bind(mode_column(created.and_then(|created| created.mode)))
        .bind(created.map(|created| created.relay_secret.as_bytes().to_vec()))
        .bind(queue.e2e_secret.as_ref().map(|secret| secret.as_bytes().to_vec()))
        .bind(queue.sender_key.as_ref().map(|key| key.to_der()))
        .bind(created.and_then(|created| created.link_id.as_ref()).map(|id| id.as_bytes().to_vec()))
        .execute(self.db())
        .await?;
        Ok(())
    }

    pub(super) async fn receive_queue(
        &mut self,
        connection: ConnectionId,
    ) -> Result<Option<ReceiveQueue>, StorageError> {
        let row = sqlx::query("SELECT * FROM receive_queues WHERE connection_id = ?")
            .bind(connection.number())
            .fetch_optional(self.db())
            .await?;
        row.as_ref().map(receive_queue).transpose()
    }

    pub(super) async fn save_send_queue(
        &mut self,
        connection: ConnectionId,
        queue: &SendQueue,
    ) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO send_queues (connection_id, relay, client_version, sender_id, mode, sender_key, e2e_public,
                e2e_secret)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (connection_id) DO NOTHING",
        )
        .bind(connection.number())
        .bind(relay_column(&queue.relay))
        .bind(i64::from(queue.client_version.0))
        .bind(queue.sender_id.as_bytes().to_vec())
        .bind(mode_column(queue.mode))
        .bind(queue.sender_key.to_der().to_vec())
        .bind(queue.e2e_public.as_bytes().to_vec())
        .bind(queue.e2e_secret.as_bytes().to_vec())
        .execute(self.db())
        .await?;
        Ok(())
    }

    pub(super) async fn send_queue(
        &mut self,
        connection: ConnectionId,
    ) -> Result<Option<SendQueue>, StorageError> {
        let row = sqlx::query("SELECT * FROM send_queues WHERE connection_id = ?")
            .bind(connection.number())
            .fetch_optional(self.db())
            .await?;
        row.as_ref().map(send_queue).transpose()
    }
}

fn receive_queue(row: &SqliteRow) -> Result<ReceiveQueue, StorageError> {
    Ok(ReceiveQueue {
        relay: read(row, "relay", relay)?,
        client_version: SmpClientVersion(version(row, "client_version")?),
        recipient_key: read(row, "recipient_key", private_auth_key)?,
        relay_dh_key: read(row, "relay_dh_key", private_dh_key)?,
        e2e_key: read(row, "e2e_key", private_dh_key)?,
        created: created_queue(row)?,
        e2e_secret: read_optional(row, "e2e_secret", dh_secret)?,
        sender_key: read_optional(row, "sender_key", public_auth_key)?,
    })
}

fn created_queue(row: &SqliteRow) -> Result<Option<CreatedQueue>, StorageError> {
    let Some(recipient_id) = column::<Option<&[u8]>>(row, "recipient_id")? else { return Ok(None) };
    Ok(Some(CreatedQueue {
        recipient_id: RecipientId::new(recipient_id).map_err(|_| damaged("recipient_id"))?,
        sender_id: read(row, "sender_id", |bytes| SenderId::new(bytes).ok())?,
        link_id: read_optional(row, "link_id", |bytes| LinkId::new(bytes).ok())?,
        mode: mode(row)?,
        relay_secret: read(row, "relay_secret", dh_secret)?,
    }))
}

fn send_queue(row: &SqliteRow) -> Result<SendQueue, StorageError> {
    Ok(SendQueue {
        relay: read(row, "relay", relay)?,
        client_version: SmpClientVersion(version(row, "client_version")?),
        sender_id: read(row, "sender_id", |bytes| SenderId::new(bytes).ok())?,
        mode: mode(row)?,
        sender_key: read(row, "sender_key", private_auth_key)?,
        e2e_public: read(row, "e2e_public", public_dh_key)?,
        e2e_secret: read(row, "e2e_secret", dh_secret)?,
    })
}
