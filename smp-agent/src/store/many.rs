//! Reading many connections at once, with an agent that has the database open or without.

use super::columns::{column, damaged};
use super::{Fault, Store, schema};
use crate::connection::{Connection, Phase};
use crate::error::StorageError;
use crate::id::ConnectionId;
use smp_sqlite::Options;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, SqliteConnection};
use std::path::Path;

impl Store {
    /// These connections, in the order of their numbers, without their keys of skipped messages.
    pub(crate) async fn connections(&self, ids: &[ConnectionId]) -> Result<Vec<Connection>, Fault> {
        let ids: Vec<i64> = ids.iter().map(|id| id.number()).collect();
        let sql = "SELECT id, state, position FROM connections JOIN positions ON connection_id = id
                   WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id";
        let ids = serde_json::to_string(&ids).map_err(|_| damaged("id"))?;
        let rows = sqlx::query(sql).bind(ids).fetch_all(&self.readers).await?;
        rows.iter().map(connection).collect()
    }

    /// All connections of a database that is not encrypted and no agent has open. None if its tables are of another version, or a trouble is
    /// noted of which only an agent knows whether it goes on.
    pub(crate) async fn glance(path: &Path) -> Result<Option<AtAGlance>, StorageError> {
        Ok(glance(path).await?)
    }
}

/// Connections as a list needs them.
pub(crate) struct AtAGlance {
    /// Those of which a list has no more to tell than the phase.
    pub(crate) plain: Vec<(ConnectionId, Phase)>,
    /// The others, without their keys of skipped messages.
    pub(crate) others: Vec<Connection>,
}

async fn glance(path: &Path) -> Result<Option<AtAGlance>, Fault> {
    let mut db = Options::new(path, None).pragma("query_only", "ON").connect().await?;
    let connections = if is_told_by_its_states(&mut db).await? { Some(all(&mut db).await?) } else { None };
    db.close().await?;
    Ok(connections)
}

async fn is_told_by_its_states(db: &mut SqliteConnection) -> Result<bool, Fault> {
    if !schema::is_of_this_version(db).await? {
        return Ok(false);
    }
    let sql = "SELECT EXISTS (SELECT 1 FROM relays_down) OR EXISTS (SELECT 1 FROM receiving_stopped)
               OR EXISTS (SELECT 1 FROM users WHERE deleted)";
    Ok(!sqlx::query_scalar::<_, bool>(sql).fetch_one(db).await?)
}

async fn all(db: &mut SqliteConnection) -> Result<AtAGlance, Fault> {
    // One row: each costs a turn of SQLite's thread.
    let sql =
        "SELECT json_group_array(json_array(connection_id, plain)) FROM positions WHERE plain IS NOT NULL";
    let plain: String = sqlx::query_scalar(sql).fetch_one(&mut *db).await?;
    let plain: Vec<(i64, Phase)> = serde_json::from_str(&plain).map_err(|_| damaged("plain"))?;
    let sql = "SELECT id, state, position FROM positions JOIN connections ON id = connection_id
               WHERE plain IS NULL AND NOT unfinished";
    let others = sqlx::query(sql).fetch_all(db).await?;
    Ok(AtAGlance {
        plain: plain.into_iter().map(|(id, phase)| (ConnectionId::new(id), phase)).collect(),
        others: others.iter().map(connection).collect::<Result<_, _>>()?,
    })
}

fn connection(row: &SqliteRow) -> Result<Connection, Fault> {
    let (id, state, position) = (column(row, "id")?, column(row, "state")?, column(row, "position")?);
    Ok(Connection::from_stored(ConnectionId::new(id), state, position)?.0)
}
