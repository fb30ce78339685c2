//! Troubles that outlive the process: relays that cannot be reached, and connections on which nothing comes.

use super::columns::{column, damaged, read, relay, relay_column};
use super::{Fault, Store};
use crate::error::{RelayError, SubscriptionError};
use crate::id::ConnectionId;
use smp_protocol::address::RelayAddress;
use sqlx::SqliteConnection;

/// Tables that were added to those of `schema.sql`: programs that do not know them do not miss them.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS relays_down (
    relay BLOB    PRIMARY KEY,                  -- binary address, which has no password
    since INTEGER NOT NULL,                     -- unix seconds
    error TEXT    NOT NULL                      -- in JSON
) STRICT;
CREATE TABLE IF NOT EXISTS receiving_stopped (
    connection_id INTEGER PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    error         TEXT    NOT NULL              -- in JSON
) STRICT;
";

/// A trouble that begins or ends.
pub(crate) enum TroubleChange {
    /// A relay cannot be reached since this time, in seconds since 1970.
    Down(RelayAddress, i64, RelayError),
    /// It is connected, or nobody needs it.
    Up(RelayAddress),
    /// Nothing comes on a connection.
    Stopped(ConnectionId, SubscriptionError),
    /// It does again.
    Receiving(ConnectionId),
}

impl TroubleChange {
    pub(super) async fn write(&self, db: &mut SqliteConnection) -> Result<(), Fault> {
        let json = |error: Result<String, serde_json::Error>| error.map_err(|_| damaged("error"));
        match self {
            Self::Down(address, since, error) => {
                let sql = "INSERT INTO relays_down (relay, since, error) VALUES (?, ?, ?)
                    ON CONFLICT (relay) DO UPDATE SET error = excluded.error";
                let query = sqlx::query(sql).bind(relay_column(address)).bind(since);
                query.bind(json(serde_json::to_string(error))?).execute(db).await?;
            }
            Self::Up(address) => {
                let sql = "DELETE FROM relays_down WHERE relay = ?";
                sqlx::query(sql).bind(relay_column(address)).execute(db).await?;
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
    /// Relays that could not be reached when the agent ran last, and since when.
    pub(crate) async fn relays_down(&self) -> Result<Vec<(RelayAddress, i64, RelayError)>, Fault> {
        let rows =
            sqlx::query("SELECT relay, since, error FROM relays_down").fetch_all(&self.readers).await?;
        let rows = rows.iter().map(|row| {
            let error = serde_json::from_str(column(row, "error")?).map_err(|_| damaged("error"))?;
            Ok((read(row, "relay", relay)?, column(row, "since")?, error))
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
