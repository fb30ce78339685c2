//! The tables, and how those of earlier versions become these.

use super::Fault;
use crate::error::StorageError;
use sqlx::{AssertSqlSafe, SqliteConnection};

/// The version of the tables, in SQLite's `user_version`.
const SCHEMA_VERSION: usize = 5;
const SCHEMA: &str = include_str!("schema.sql");
/// Statements that make the tables of a version into those of the next one, from version 1 on.
const UPGRADES: [&str; SCHEMA_VERSION - 1] = [REQUESTS, HASHES_IN_ORDER, USERS, PLAIN];
/// To version 2: requests to contact addresses.
const REQUESTS: &str = "ALTER TABLE connections ADD COLUMN request_of INTEGER;
    CREATE INDEX connections_by_request ON connections (request_of) WHERE request_of IS NOT NULL;";
/// To version 3: hashes of messages that came one after the other are near each other in the file. Before, each was on another page.
const HASHES_IN_ORDER: &str = "ALTER TABLE received_messages RENAME TO received_before;
    CREATE TABLE received_messages (
        connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
        number        INTEGER NOT NULL,
        hash          BLOB    NOT NULL,
        received_on   INTEGER NOT NULL,
        PRIMARY KEY (connection_id, number, hash)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO received_messages (connection_id, number, hash, received_on)
        SELECT connection_id, 0, hash, received_on FROM received_before;
    DROP TABLE received_before;";
/// To version 4: users. All connections are of the first one.
const USERS: &str = "CREATE TABLE users (
        id      INTEGER PRIMARY KEY AUTOINCREMENT,
        relays  BLOB,
        deleted INTEGER NOT NULL
    ) STRICT;
    INSERT INTO users VALUES (1, NULL, 0);
    ALTER TABLE connections ADD COLUMN user_id INTEGER NOT NULL DEFAULT 1;
    CREATE INDEX connections_by_user ON connections (user_id);
    ALTER TABLE receive_queues ADD COLUMN user_id INTEGER NOT NULL DEFAULT 1;
    DROP INDEX receive_queues_by_relay;
    CREATE INDEX receive_queues_by_relay ON receive_queues (relay, user_id);
    ALTER TABLE deleted_queues ADD COLUMN user_id INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE deleted_queues ADD COLUMN connection_id INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE IF NOT EXISTS relays_down (relay BLOB PRIMARY KEY, since INTEGER NOT NULL, error TEXT NOT NULL) STRICT;
    ALTER TABLE relays_down RENAME TO relays_down_before;
    CREATE TABLE relays_down (
        relay         BLOB    NOT NULL,
        user_id       INTEGER NOT NULL,
        connection_id INTEGER NOT NULL,
        since         INTEGER NOT NULL,
        error         TEXT    NOT NULL,
        PRIMARY KEY (relay, user_id, connection_id)
    ) STRICT;
    INSERT INTO relays_down SELECT relay, 1, 0, since, error FROM relays_down_before;
    DROP TABLE relays_down_before;";

/// To version 5: a list need not read the states of connections of which it has little to tell.
const PLAIN: &str = "ALTER TABLE positions ADD COLUMN plain TEXT;";

/// Whether the tables are those of this version.
pub(super) async fn is_of_this_version(db: &mut SqliteConnection) -> Result<bool, Fault> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(db).await?;
    Ok(usize::try_from(version) == Ok(SCHEMA_VERSION))
}

/// Makes the tables in an empty file, or those of an earlier version into those of this one; refuses those of others.
pub(super) async fn make_tables(db: &mut SqliteConnection) -> Result<(), Fault> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *db).await?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *db).await?;
    let statements = match usize::try_from(version) {
        Ok(SCHEMA_VERSION) => return Ok(()),
        Ok(0) if tables == 0 => SCHEMA.to_owned(),
        Ok(version @ 1..SCHEMA_VERSION) => UPGRADES[version - 1..].join("\n"),
        _ => return Err(StorageError::OtherVersion.into()),
    };
    let mut transaction = sqlx::Connection::begin(db).await?;
    let statements = format!("{statements}\nPRAGMA user_version = {SCHEMA_VERSION};");
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

#[cfg(test)]
mod tests;
