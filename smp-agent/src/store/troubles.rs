//! Troubles that outlive the process: relays that cannot be reached, and connections on which nothing comes.

use super::columns::{column, damaged, read, relay, relay_column};
use super::{Fault, Store};
use crate::error::{RelayError, SubscriptionError};
use crate::id::{ConnectionId, UserId};
use crate::session_key::SessionKey;
use sqlx::SqliteConnection;

/// A table that was added to those of `schema.sql`: programs that do not know it do not miss it.
pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS receiving_stopped (
    connection_id INTEGER PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    error         TEXT    NOT NULL              -- in JSON
) STRICT;
";

/// A trouble that begins or ends.
pub(crate) enum TroubleChange {
    /// A relay cannot be reached in a session since this time, in seconds since 1970.
    Down(SessionKey, i64, RelayError),
    /// It is connected, or nobody needs it.
    Up(SessionKey),
    /// Nothing comes on a connection.
    Stopped(ConnectionId, SubscriptionError),
    /// It does again.
    Receiving(ConnectionId),
}

/// Connections are numbered from 1 on.
fn connection_column(session: &SessionKey) -> i64 {
    session.connection.map_or(0, ConnectionId::number)
}

fn connection(number: i64) -> Option<ConnectionId> {
    (number != 0).then_some(ConnectionId::new(number))
}

impl TroubleChange {
    pub(super) async fn write(&self, db: &mut SqliteConnection) -> Result<(), Fault> {
        let json = |error: Result<String, serde_json::Error>| error.map_err(|_| damaged("error"));
        match self {
            Self::Down(session, since, error) => {
                let sql = "INSERT INTO relays_down (relay, user_id, connection_id, since, error) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT (relay, user_id, connection_id) DO UPDATE SET error = excluded.error";
                let query = sqlx::query(sql).bind(relay_column(&session.relay)).bind(session.user.number());
                let query = query.bind(connection_column(session)).bind(since);
                query.bind(json(serde_json::to_string(error))?).execute(db).await?;
            }
            Self::Up(session) => {
                let sql = "DELETE FROM relays_down WHERE relay = ? AND user_id = ? AND connection_id = ?";
                let query = sqlx::query(sql).bind(relay_column(&session.relay)).bind(session.user.number());
                query.bind(connection_column(session)).execute(db).await?;
            }
            Self::Stopped(connection, error) => {
                // It may have been deleted since.
                let sql = "INSERT INTO receiving_stopped (connection_id, error) SELECT id, ?2 FROM connections WHERE id = ?1
                    ON CONFLICT (connection_id) DO UPDATE SET error = excluded.error";
                let query = sqlx::query(sql).bind(connection.number());
                query.bind(json(serde_json::to_string(error))?).execute(db).await?;
            }
            Self::Receiving(connection) => {
                let sql = "DELETE FROM receiving_stopped WHERE connection_id = ?";
                sqlx::query(sql).bind(connection.number()).execute(db).await?;
            }
        }
        Ok(())
    }
}

impl Store {
    /// Relays that could not be reached when the agent ran last, in which session, and since when.
    pub(crate) async fn relays_down(&self) -> Result<Vec<(SessionKey, i64, RelayError)>, Fault> {
        let rows = sqlx::query("SELECT * FROM relays_down").fetch_all(&self.readers).await?;
        let rows = rows.iter().map(|row| {
            let error = serde_json::from_str(column(row, "error")?).map_err(|_| damaged("error"))?;
            let session = SessionKey {
                relay: read(row, "relay", relay)?,
                user: UserId::new(column(row, "user_id")?),
                connection: connection(column(row, "connection_id")?),
            };
            Ok((session, column(row, "since")?, error))
        });
        rows.collect()
    }

    /// Connections on which nothing came when the agent ran last.
    pub(crate) async fn receiving_stopped(&self) -> Result<Vec<(ConnectionId, SubscriptionError)>, Fault> {
        let rows = sqlx::query("SELECT connection_id, error FROM receiving_stopped")
            .fetch_all(&self.readers)
            .await?;
        let rows = rows.iter().map(|row| {
            let error = serde_json::from_str(column(row, "error")?).map_err(|_| damaged("error"))?;
            Ok((ConnectionId::new(column(row, "connection_id")?), error))
        });
        rows.collect()
    }
}
