//! Keys of messages that were left out.

use super::Step;
use super::columns::{column, damaged, read};
use crate::error::StorageError;
use crate::id::ConnectionId;
use smp_ratchet::{MessageKey, ReceivingHeaderKey, SkippedChange, SkippedKey, SkippedKeyId, SkippedKeys};
use sqlx::sqlite::SqliteRow;

impl Step {
    pub(super) async fn skipped_keys(
        &mut self,
        connection: ConnectionId,
    ) -> Result<SkippedKeys, StorageError> {
        let rows = sqlx::query("SELECT * FROM skipped_keys WHERE connection_id = ? ORDER BY id")
            .bind(connection.number())
            .fetch_all(self.db())
            .await?;
        Ok(rows.iter().map(skipped_key).collect::<Result<Vec<_>, _>>()?.into())
    }

    /// Forgets them all, with the ratchet that they belong to.
    pub(super) async fn forget_skipped_keys(&mut self, connection: ConnectionId) -> Result<(), StorageError> {
        let sql = "DELETE FROM skipped_keys WHERE connection_id = ?";
        sqlx::query(sql).bind(connection.number()).execute(self.db()).await?;
        Ok(())
    }

    pub(super) async fn change_skipped_keys(
        &mut self,
        connection: ConnectionId,
        change: &SkippedChange,
    ) -> Result<(), StorageError> {
        match change {
            SkippedChange::None => {}
            SkippedChange::Removed(id) => {
                sqlx::query(
                    "DELETE FROM skipped_keys WHERE connection_id = ? AND header_key = ? AND number = ?",
                )
                .bind(connection.number())
                .bind(id.header_key.as_bytes().as_slice())
                .bind(i64::from(id.number))
                .execute(self.db())
                .await?;
            }
            SkippedChange::Added(keys) => {
                for SkippedKey { id, key } in keys {
                    sqlx::query(
                        "INSERT INTO skipped_keys (connection_id, header_key, number, message_key) VALUES (?, ?, ?, ?)",
                    )
                    .bind(connection.number())
                    .bind(id.header_key.as_bytes().as_slice())
                    .bind(i64::from(id.number))
                    .bind(key.to_bytes().as_slice())
                    .execute(self.db())
                    .await?;
                }
            }
        }
        Ok(())
    }
}

fn skipped_key(row: &SqliteRow) -> Result<SkippedKey, StorageError> {
    let number = u32::try_from(column::<i64>(row, "number")?).map_err(|_| damaged("number"))?;
    let header_key =
        read(row, "header_key", |bytes| bytes.try_into().ok().map(ReceivingHeaderKey::from_bytes))?;
    let key = read(row, "message_key", |bytes| bytes.try_into().ok().map(MessageKey::from_bytes))?;
    Ok(SkippedKey { id: SkippedKeyId { header_key, number }, key })
}
