//! Texts of messages to many connections, each stored once.
//!
//! Invariant: a text is there as long as a body that waits to be sent refers to it, or is about to. A trigger of the database removes it
//! together with the last of them, in every way in which that can happen.

use super::{Fault, Store};
use crate::connection::BodyId;
use sqlx::SqliteConnection;
use zeroize::Zeroizing;

/// Tables that were added to those of `schema.sql`: programs that do not know them do not miss them. A text that
/// was held when the agent ended is not held any more.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS shared_bodies (
    id      INTEGER PRIMARY KEY,
    body    BLOB    NOT NULL,
    is_held INTEGER NOT NULL                    -- whether more will refer to it
) STRICT;
CREATE TABLE IF NOT EXISTS shared_by (
    outgoing_id INTEGER PRIMARY KEY REFERENCES outgoing (id) ON DELETE CASCADE,
    body_id     INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS shared_by_body ON shared_by (body_id);
CREATE TRIGGER IF NOT EXISTS shared_bodies_end AFTER DELETE ON shared_by
WHEN NOT EXISTS (SELECT 1 FROM shared_by WHERE body_id = OLD.body_id)
BEGIN
    DELETE FROM shared_bodies WHERE id = OLD.body_id AND NOT is_held;
END;
UPDATE shared_bodies SET is_held = 0 WHERE is_held;
DELETE FROM shared_bodies WHERE id NOT IN (SELECT body_id FROM shared_by);
";

/// A change of what is shared.
pub(crate) enum Sharing {
    /// A text that bodies are about to refer to.
    Begins(BodyId, Zeroizing<Vec<u8>>),
    /// No more will.
    Ends(BodyId),
}

impl Sharing {
    pub(super) async fn write(&self, db: &mut SqliteConnection) -> Result<(), Fault> {
        match self {
            Self::Begins(BodyId(id), body) => {
                let sql = "INSERT INTO shared_bodies (id, body, is_held) VALUES (?, ?, 1)";
                sqlx::query(sql).bind(id).bind(body.as_slice()).execute(db).await?;
            }
            Self::Ends(BodyId(id)) => {
                let sql = "UPDATE shared_bodies SET is_held = 0 WHERE id = ?";
                sqlx::query(sql).bind(id).execute(&mut *db).await?;
                let sql =
                    "DELETE FROM shared_bodies WHERE id = ? AND id NOT IN (SELECT body_id FROM shared_by)";
                sqlx::query(sql).bind(id).execute(db).await?;
            }
        }
        Ok(())
    }
}

/// A body that waits to be sent refers to a text.
pub(super) async fn refer(db: &mut SqliteConnection, row: i64, BodyId(id): BodyId) -> Result<(), Fault> {
    let sql = "INSERT INTO shared_by (outgoing_id, body_id) VALUES (?, ?)";
    sqlx::query(sql).bind(row).bind(id).execute(db).await?;
    Ok(())
}

impl Store {
    /// A text. None if no body that waits refers to it any more.
    pub(crate) async fn shared_body(&self, BodyId(id): BodyId) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        let query = sqlx::query_scalar("SELECT body FROM shared_bodies WHERE id = ?").bind(id);
        let body: Option<Vec<u8>> = query.fetch_optional(&self.readers).await?;
        Ok(body.map(Zeroizing::new))
    }
}
