//! Queues of deleted connections that their relays still have.

use super::Step;
use super::columns::{private_auth_key, read, relay, relay_column};
use crate::connection::{CreatedQueue, ReceiveQueue};
use crate::core::now;
use crate::error::StorageError;
use smp_crypto::PrivateAuthKey;
use smp_protocol::address::RelayAddress;
use smp_protocol::id::RecipientId;

/// A queue that its relay is to delete.
pub(crate) struct DeletedQueue {
    pub(crate) row: i64,
    pub(crate) relay: RelayAddress,
    pub(crate) recipient_id: RecipientId,
    pub(crate) recipient_key: PrivateAuthKey,
}

impl Step {
    pub(super) async fn add_deleted_queue(
        &mut self,
        queue: &ReceiveQueue,
        created: &CreatedQueue,
    ) -> Result<(), StorageError> {
        let sql =
            "INSERT INTO deleted_queues (relay, recipient_id, recipient_key, deleted_at) VALUES (?, ?, ?, ?)";
        sqlx::query(sql)
            .bind(relay_column(&queue.relay))
            .bind(created.recipient_id.as_bytes().to_vec())
            .bind(queue.recipient_key.to_der().to_vec())
            .bind(now())
            .execute(self.db())
            .await?;
        Ok(())
    }

    /// All queues that are to be deleted.
    pub(crate) async fn deleted_queues(&mut self) -> Result<Vec<DeletedQueue>, StorageError> {
        let rows = sqlx::query("SELECT * FROM deleted_queues ORDER BY id").fetch_all(self.db()).await?;
        rows.iter()
            .map(|row| {
                Ok(DeletedQueue {
                    row: super::columns::column(row, "id")?,
                    relay: read(row, "relay", relay)?,
                    recipient_id: read(row, "recipient_id", |bytes| RecipientId::new(bytes).ok())?,
                    recipient_key: read(row, "recipient_key", private_auth_key)?,
                })
            })
            .collect()
    }

    /// Forgets the queues that were deleted before a time: their relays have not answered since.
    pub(crate) async fn forget_deleted_queues(&mut self, before: i64) -> Result<(), StorageError> {
        let sql = "DELETE FROM deleted_queues WHERE deleted_at < ?";
        sqlx::query(sql).bind(before).execute(self.db()).await?;
        Ok(())
    }

    /// Forgets a queue that its relay does not have any more.
    pub(crate) async fn remove_deleted_queue(&mut self, row: i64) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM deleted_queues WHERE id = ?").bind(row).execute(self.db()).await?;
        Ok(())
    }
}
