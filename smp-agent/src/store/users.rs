//! Users, and the relays that they have of their own.

use super::columns::{column, damaged};
use super::{Fault, Store};
use crate::id::{ConnectionId, UserId};
use crate::relay_set::RelayEntry;
use crate::stored::{from_bytes, to_bytes};
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use zeroize::Zeroize as _;

/// First capacity of a buffer for relays.
const CAPACITY: usize = 1024;

/// A user, as it is stored.
pub(crate) struct StoredUser {
    pub(crate) id: UserId,
    /// None: those of the configuration.
    pub(crate) relays: Option<Vec<RelayEntry>>,
}

/// A change of the users.
pub(crate) enum UserChange {
    /// There is one more.
    Added(UserId, Option<Vec<RelayEntry>>),
    /// It has other relays.
    Relays(UserId, Option<Vec<RelayEntry>>),
    /// It is being deleted: its connections are to be removed.
    Deleted(UserId),
    /// The connections of those that are being deleted are removed.
    Gone,
}

/// A relay at rest.
#[derive(Serialize, Deserialize)]
struct StoredRelay {
    /// In text, with the password.
    address: String,
    operator: Option<String>,
    storage: bool,
    proxy: bool,
}

impl Drop for StoredRelay {
    fn drop(&mut self) {
        self.address.zeroize();
    }
}

impl UserChange {
    pub(super) async fn write(&self, db: &mut SqliteConnection) -> Result<(), Fault> {
        let query = match self {
            Self::Added(id, relays) => {
                let sql = "INSERT INTO users (id, relays, deleted) VALUES (?, ?, 0)";
                sqlx::query(sql).bind(id.number()).bind(relays_column(relays.as_deref())?)
            }
            Self::Relays(id, relays) => {
                let sql = "UPDATE users SET relays = ? WHERE id = ?";
                sqlx::query(sql).bind(relays_column(relays.as_deref())?).bind(id.number())
            }
            Self::Deleted(id) => {
                let sql = "UPDATE users SET deleted = 1, relays = NULL WHERE id = ?";
                sqlx::query(sql).bind(id.number())
            }
            Self::Gone => {
                sqlx::query("DELETE FROM users WHERE deleted AND id NOT IN (SELECT user_id FROM connections)")
            }
        };
        query.execute(db).await?;
        Ok(())
    }
}

impl Store {
    /// All users that are not being deleted.
    pub(crate) async fn users(&self) -> Result<Vec<StoredUser>, Fault> {
        let sql = "SELECT id, relays FROM users WHERE NOT deleted ORDER BY id";
        let rows = sqlx::query(sql).fetch_all(&self.readers).await?;
        let users = rows.iter().map(|row| {
            let relays = column::<Option<&[u8]>>(row, "relays")?.map(relays).transpose()?;
            Ok(StoredUser { id: UserId::new(column(row, "id")?), relays })
        });
        users.collect()
    }

    /// The connections of a user, in the order in which they were made.
    pub(crate) async fn connections_of_user(&self, user: UserId) -> Result<Vec<ConnectionId>, Fault> {
        let sql = "SELECT id FROM connections WHERE user_id = ? ORDER BY id";
        self.ids(sqlx::query_scalar(sql).bind(user.number())).await
    }

    /// The connections of users that are being deleted, or are gone.
    pub(crate) async fn connections_of_deleted_users(&self) -> Result<Vec<ConnectionId>, Fault> {
        let sql = "SELECT id FROM connections WHERE user_id NOT IN (SELECT id FROM users WHERE NOT deleted)";
        self.ids(sqlx::query_scalar(sql)).await
    }
}

fn relays_column(relays: Option<&[RelayEntry]>) -> Result<Option<Vec<u8>>, Fault> {
    let Some(relays) = relays else { return Ok(None) };
    let stored = relays.iter().map(|relay| StoredRelay {
        address: relay.address.to_string(),
        operator: relay.operator.clone(),
        storage: relay.storage,
        proxy: relay.proxy,
    });
    Ok(Some(to_bytes(&stored.collect::<Vec<_>>(), CAPACITY)?.to_vec()))
}

fn relays(bytes: &[u8]) -> Result<Vec<RelayEntry>, Fault> {
    let relays = from_bytes::<Vec<StoredRelay>>(bytes)?.into_iter().map(|stored| {
        let address = stored.address.parse().map_err(|_| damaged("relays"))?;
        let relay = RelayEntry { operator: stored.operator.clone(), ..RelayEntry::new(address) };
        Ok(relay.roles(stored.storage, stored.proxy))
    });
    relays.collect()
}
