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
    let connections = if schema::is_of_this_version(&mut db).await? { all(&mut db).await? } else { None };
    db.close().await?;
    Ok(connections)
}

/// All of them, if no trouble is noted.
async fn all(db: &mut SqliteConnection) -> Result<Option<AtAGlance>, Fault> {
    // One row: each costs a turn of SQLite's thread.
    let sql = "SELECT EXISTS (SELECT 1 FROM relays_down) OR EXISTS (SELECT 1 FROM receiving_stopped)
                   OR EXISTS (SELECT 1 FROM users WHERE deleted),
               json_group_array(json_array(connection_id, plain)) FILTER (WHERE plain IS NOT NULL),
               count(plain) < count(*) FROM positions";
    let (trouble, plain, has_others): (bool, String, bool) = sqlx::query_as(sql).fetch_one(&mut *db).await?;
    if trouble {
        return Ok(None);
    }
    let plain: Vec<(i64, Phase)> = serde_json::from_str(&plain).map_err(|_| damaged("plain"))?;
    Ok(Some(AtAGlance {
        plain: plain.into_iter().map(|(id, phase)| (ConnectionId::new(id), phase)).collect(),
        others: if has_others { others(db).await? } else { Vec::new() },
    }))
}

async fn others(db: &mut SqliteConnection) -> Result<Vec<Connection>, Fault> {
    let sql = "SELECT id, state, position FROM positions JOIN connections ON id = connection_id
               WHERE plain IS NULL AND NOT unfinished";
    let rows = sqlx::query(sql).fetch_all(db).await?;
    rows.iter().map(connection).collect()
}

fn connection(row: &SqliteRow) -> Result<Connection, Fault> {
    let (id, state, position) = (column(row, "id")?, column(row, "state")?, column(row, "position")?);
    Ok(Connection::from_stored(ConnectionId::new(id), state, position)?.0)
}
