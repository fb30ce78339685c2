//! Messages of the application that wait for the encryption to be renewed.

use super::changes::Changes;
use super::columns::column;
use super::{Fault, Store};
use crate::connection::Deferred;
use crate::id::{ConnectionId, MessageId};
use sqlx::SqliteConnection;

/// A table that was added to those of `schema.sql`: programs that do not know it do not miss it.
pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS deferred (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    message_id    INTEGER NOT NULL,
    body          BLOB    NOT NULL,
    PRIMARY KEY (connection_id, message_id)
) STRICT;
";

impl Store {
    /// Those of a connection, the oldest first, at most `limit`.
    pub(crate) async fn deferred(&self, id: ConnectionId, limit: u32) -> Result<Vec<Deferred>, Fault> {
        let sql = "SELECT message_id, body FROM deferred WHERE connection_id = ? ORDER BY message_id LIMIT ?";
        let rows = sqlx::query(sql).bind(id.number()).bind(limit).fetch_all(&self.readers).await?;
        let rows = rows.iter().map(|row| {
            let message = MessageId::new(column(row, "message_id")?);
            Ok(Deferred { message, body: column::<Vec<u8>>(row, "body")?.into() })
        });
        rows.collect()
    }
}

/// Keeps those that a step has added, and no more those that it has encrypted.
pub(super) async fn write(db: &mut SqliteConnection, step: &Changes) -> Result<(), Fault> {
    let connection = step.connection.number();
    for Deferred { message, body } in &step.deferred {
        let sql = "INSERT INTO deferred (connection_id, message_id, body) VALUES (?, ?, ?)";
        let query = sqlx::query(sql).bind(connection).bind(message.number()).bind(body.as_slice());
        query.execute(&mut *db).await?;
    }
    for message in &step.released {
        let sql = "DELETE FROM deferred WHERE connection_id = ? AND message_id = ?";
        sqlx::query(sql).bind(connection).bind(message.number()).execute(&mut *db).await?;
    }
    Ok(())
}

/// Those of a connection that are given up, in order.
pub(super) async fn give_up(db: &mut SqliteConnection, connection: ConnectionId) -> Result<Vec<i64>, Fault> {
    let sql = "SELECT message_id FROM deferred WHERE connection_id = ? ORDER BY message_id";
    let messages = sqlx::query_scalar(sql).bind(connection.number()).fetch_all(&mut *db).await?;
    let sql = "DELETE FROM deferred WHERE connection_id = ?";
    sqlx::query(sql).bind(connection.number()).execute(db).await?;
    Ok(messages)
}
