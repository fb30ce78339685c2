//! The invitations that were joined, so that a second attempt is known as one.

use super::{Fault, Store};
use crate::id::{ConnectionId, UserId};
use sqlx::SqliteConnection;

/// A table that was added to those of `schema.sql`: programs that do not know it do not miss it.
pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS joins (
    user_id       INTEGER NOT NULL,
    invitation    BLOB    NOT NULL,             -- fingerprint of its relay, ID of its link, or of its queue if it was a full one
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, invitation)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS joins_by_connection ON joins (connection_id);
";

impl Store {
    /// The connection by which a user joined an invitation last.
    pub(crate) async fn joined(
        &self,
        user: UserId,
        invitation: &[u8],
    ) -> Result<Option<ConnectionId>, Fault> {
        let sql = "SELECT connection_id FROM joins WHERE user_id = ? AND invitation = ?";
        let query = sqlx::query_scalar(sql).bind(user.number()).bind(invitation);
        let id: Option<i64> = query.fetch_optional(&self.readers).await?;
        Ok(id.map(ConnectionId::new))
    }
}

/// Keeps the invitation of a new connection.
pub(super) async fn insert(
    db: &mut SqliteConnection,
    user: UserId,
    invitation: &[u8],
    connection: ConnectionId,
) -> Result<(), Fault> {
    let sql = "INSERT INTO joins (user_id, invitation, connection_id) VALUES (?, ?, ?)
               ON CONFLICT DO UPDATE SET connection_id = excluded.connection_id";
    let query = sqlx::query(sql).bind(user.number()).bind(invitation);
    query.bind(connection.number()).execute(db).await?;
    Ok(())
}
