//! Reading: single connections when they are needed, and lists a part at a time.

use super::columns::{column, damaged, private_auth_key, read, relay, relay_column};
use super::{Fault, QueueRow, Store};
use crate::connection::{Connection, Outgoing};
use crate::event::Event;
use crate::id::{ConnectionId, MessageId, UserId};
use crate::network_settings::SessionMode;
use crate::session_key::{Owner, SessionKey};
use crate::stored::from_bytes;
use smp_crypto::PrivateAuthKey;
use smp_protocol::address::RelayAddress;
use smp_protocol::id::{LinkId, RecipientId, SenderId};
use smp_ratchet::{MessageKey, ReceivingHeaderKey, SkippedKey, SkippedKeyId, SkippedKeys};
use sqlx::query::QueryScalar;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Sqlite, SqliteConnection};
use zeroize::Zeroizing;

/// How much of the hash of a received message is kept, in bytes.
pub(super) const HASH_LENGTH: usize = 16;

/// A connection, and what is known of its rows.
pub(crate) struct Loaded {
    pub(crate) connection: Connection,
    /// The state that lasts, as it is stored.
    pub(crate) state: Zeroizing<Vec<u8>>,
    pub(crate) queues: Vec<QueueRow>,
}

/// A body that waits to be sent.
#[derive(Debug)]
pub(crate) struct StoredOutgoing {
    pub(crate) row: i64,
    pub(crate) outgoing: Outgoing,
}

/// An event with its place in the sequence of all events of this data directory.
#[derive(Debug)]
pub(crate) struct StoredEvent {
    pub(crate) sequence: i64,
    pub(crate) event: Event,
}

/// Relay, ID and key of a queue to subscribe to.
#[derive(Clone)]
pub(crate) struct Subscription {
    pub(crate) row: i64,
    pub(crate) recipient_id: RecipientId,
    pub(crate) recipient_key: PrivateAuthKey,
}

/// A queue that its relay is to delete.
pub(crate) struct DeletedQueue {
    pub(crate) row: i64,
    pub(crate) relay: RelayAddress,
    pub(crate) owner: Owner,
    pub(crate) recipient_id: RecipientId,
    pub(crate) recipient_key: PrivateAuthKey,
}

/// The last numbers that were given, and the day.
pub(crate) struct Last {
    pub(crate) connection: i64,
    pub(crate) user: i64,
    pub(crate) outgoing: i64,
    pub(crate) shared_body: i64,
    pub(crate) event: i64,
    pub(crate) day: i64,
    pub(crate) day_began_at: i64,
}

impl Store {
    /// The last numbers that were given.
    pub(crate) async fn last(&self) -> Result<Last, Fault> {
        let sql =
            "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'connections'), 0) AS connection,
            coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'users'), 1) AS user,
            coalesce((SELECT max(id) FROM outgoing), 0) AS outgoing,
            coalesce((SELECT max(id) FROM shared_bodies), 0) AS shared_body,
            coalesce((SELECT max(sequence) FROM events), 0) AS event, day, began_at FROM days";
        let row = sqlx::query(sql).fetch_one(&self.readers).await?;
        Ok(Last {
            connection: column(&row, "connection")?,
            user: column(&row, "user")?,
            outgoing: column(&row, "outgoing")?,
            shared_body: column(&row, "shared_body")?,
            event: column(&row, "event")?,
            day: column(&row, "day")?,
            day_began_at: column(&row, "began_at")?,
        })
    }

    /// A connection.
    pub(crate) async fn load(&self, id: ConnectionId) -> Result<Option<Loaded>, Fault> {
        let mut db = self.readers.acquire().await?;
        let sql = "SELECT state, position FROM connections JOIN positions ON connection_id = id WHERE id = ?";
        let row = sqlx::query(sql).bind(id.number()).fetch_optional(&mut *db).await?;
        let Some(row) = row else { return Ok(None) };
        let state: &[u8] = column(&row, "state")?;
        let (mut connection, skipped) = Connection::from_stored(id, state, column(&row, "position")?)?;
        if skipped > 0 {
            connection.skipped = skipped_keys(&mut db, id).await?;
        }
        let queues = QueueRow::all(&connection);
        Ok(Some(Loaded { connection, state: Zeroizing::new(state.to_vec()), queues }))
    }

    /// The connection that receives in a queue, if that belongs to a session: a relay that delivers something in another one would
    /// learn from the answer that both are of one agent.
    pub(crate) async fn find_by_queue(
        &self,
        session: &SessionKey,
        recipient_id: &RecipientId,
    ) -> Result<Option<ConnectionId>, Fault> {
        let sql = "SELECT connection_id, user_id FROM receive_queues WHERE recipient_id = ? AND relay = ?";
        let query = sqlx::query(sql).bind(recipient_id.as_bytes()).bind(relay_column(&session.relay));
        let Some(row) = query.fetch_optional(&self.readers).await? else { return Ok(None) };
        let owner = owner(&row)?;
        Ok(session.is_of(owner).then_some(owner.connection))
    }

    /// Whether a sender ID is that of a queue in which this user receives.
    pub(crate) async fn receives_from(&self, user: UserId, sender_id: &SenderId) -> Result<bool, Fault> {
        let sql = "SELECT EXISTS (SELECT 1 FROM receive_queues WHERE sender_id = ? AND user_id = ?)";
        let query = sqlx::query_scalar(sql).bind(sender_id.as_bytes()).bind(user.number());
        Ok(query.fetch_one(&self.readers).await?)
    }

    /// Whether a link ID is that of an own invitation or contact address of this user.
    pub(crate) async fn has_link(&self, user: UserId, link_id: &LinkId) -> Result<bool, Fault> {
        let sql = "SELECT EXISTS (SELECT 1 FROM receive_queues WHERE link_id = ? AND user_id = ?)";
        let query = sqlx::query_scalar(sql).bind(link_id.as_bytes()).bind(user.number());
        Ok(query.fetch_one(&self.readers).await?)
    }

    /// The numbers of all connections, in the order in which they were made.
    pub(crate) async fn connection_ids(&self) -> Result<Vec<ConnectionId>, Fault> {
        self.ids(sqlx::query_scalar("SELECT id FROM connections ORDER BY id")).await
    }

    /// The numbers of connections for which something is to be done on the network.
    pub(crate) async fn busy_connections(&self) -> Result<Vec<ConnectionId>, Fault> {
        let sql = "SELECT id FROM connections WHERE busy UNION SELECT connection_id FROM outgoing ORDER BY 1";
        self.ids(sqlx::query_scalar(sql)).await
    }

    /// The connections whose numbers a query returns.
    pub(super) async fn ids(
        &self,
        query: QueryScalar<'_, Sqlite, i64, SqliteArguments>,
    ) -> Result<Vec<ConnectionId>, Fault> {
        Ok(query.fetch_all(&self.readers).await?.into_iter().map(ConnectionId::new).collect())
    }

    /// The connections that were joined on a day or before and still wait to be accepted.
    pub(crate) async fn joined_until(&self, day: i64) -> Result<Vec<ConnectionId>, Fault> {
        let sql = "SELECT id FROM connections WHERE joined AND made_on <= ?";
        self.ids(sqlx::query_scalar(sql).bind(day)).await
    }

    /// Messages that were sent up to this day and wait still, in the order in which they go out, after that in `row`: at most `limit`.
    pub(crate) async fn waiting_since(
        &self,
        day: i64,
        row: i64,
        limit: u32,
    ) -> Result<Vec<(i64, ConnectionId, MessageId)>, Fault> {
        let sql = "WITH waiting AS MATERIALIZED
                (SELECT id, connection_id, message_id FROM outgoing WHERE message_id IS NOT NULL AND id > ?)
            SELECT waiting.id, waiting.connection_id, waiting.message_id
            FROM sent_messages AS sent JOIN waiting USING (connection_id, message_id)
            WHERE sent.sent_on <= ? ORDER BY waiting.id LIMIT ?";
        let query = sqlx::query_as(sql).bind(row).bind(day).bind(limit);
        let rows: Vec<(i64, i64, i64)> = query.fetch_all(&self.readers).await?;
        let named =
            |(row, connection, message)| (row, ConnectionId::new(connection), MessageId::new(message));
        Ok(rows.into_iter().map(named).collect())
    }

    /// Requests to a contact address that are neither accepted nor rejected.
    pub(crate) async fn count_requests(&self, address: ConnectionId) -> Result<i64, Fault> {
        let sql = "SELECT count(*) FROM connections WHERE request_of = ?";
        Ok(sqlx::query_scalar(sql).bind(address.number()).fetch_one(&self.readers).await?)
    }

    /// The sessions in which queues are received.
    pub(crate) async fn receiving_sessions(&self, mode: SessionMode) -> Result<Vec<SessionKey>, Fault> {
        let sql = match mode {
            SessionMode::User => "SELECT DISTINCT relay, user_id, 0 AS connection_id FROM receive_queues",
            SessionMode::Connection => "SELECT DISTINCT relay, user_id, connection_id FROM receive_queues",
        };
        let rows = sqlx::query(sql).fetch_all(&self.readers).await?;
        let sessions =
            rows.iter().map(|row| Ok(SessionKey::new(&read(row, "relay", relay)?, owner(row)?, mode)));
        sessions.collect()
    }

    /// Whether any queue is received in a session, or is to be deleted.
    pub(crate) async fn uses(&self, session: &SessionKey) -> Result<bool, Fault> {
        let sql = match session.connection {
            None => {
                "SELECT EXISTS (SELECT 1 FROM receive_queues WHERE relay = ?1 AND user_id = ?2)
                OR EXISTS (SELECT 1 FROM deleted_queues WHERE relay = ?1 AND user_id = ?2)"
            }
            Some(_) => {
                "SELECT EXISTS (SELECT 1 FROM receive_queues WHERE relay = ?1 AND connection_id = ?2)
                OR EXISTS (SELECT 1 FROM deleted_queues WHERE relay = ?1 AND connection_id = ?2)"
            }
        };
        let query = sqlx::query_scalar(sql).bind(relay_column(&session.relay)).bind(owner_column(session));
        Ok(query.fetch_one(&self.readers).await?)
    }

    /// The queues that are received in a session, from the one after a row on, at most `limit`.
    pub(crate) async fn subscriptions(
        &self,
        session: &SessionKey,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Subscription>, Fault> {
        let sql = match session.connection {
            None => {
                "SELECT id, recipient_id, recipient_key FROM receive_queues
                WHERE relay = ? AND user_id = ? AND id > ? ORDER BY id LIMIT ?"
            }
            Some(_) => {
                "SELECT id, recipient_id, recipient_key FROM receive_queues
                WHERE relay = ? AND connection_id = ? AND id > ? ORDER BY id LIMIT ?"
            }
        };
        let query = sqlx::query(sql).bind(relay_column(&session.relay)).bind(owner_column(session));
        let rows = query.bind(after).bind(limit).fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| {
                Ok(Subscription {
                    row: column(row, "id")?,
                    recipient_id: read(row, "recipient_id", |bytes| RecipientId::new(bytes).ok())?,
                    recipient_key: read(row, "recipient_key", private_auth_key)?,
                })
            })
            .collect()
    }

    /// The bodies that are to be sent next on a connection after a row, in order.
    pub(crate) async fn outgoing(
        &self,
        connection: ConnectionId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<StoredOutgoing>, Fault> {
        let sql = "SELECT id, content FROM outgoing WHERE connection_id = ? AND id > ? ORDER BY id LIMIT ?";
        let rows = sqlx::query(sql)
            .bind(connection.number())
            .bind(after)
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                let outgoing = from_bytes(column(row, "content")?)?;
                Ok(StoredOutgoing { row: column(row, "id")?, outgoing })
            })
            .collect()
    }

    /// Whether the encrypted message with this hash was received.
    pub(crate) async fn has_received(
        &self,
        connection: ConnectionId,
        hash: &[u8; 32],
    ) -> Result<bool, Fault> {
        let sql = "SELECT EXISTS (SELECT 1 FROM received_messages WHERE connection_id = ? AND hash = ?)";
        let query = sqlx::query_scalar(sql).bind(connection.number()).bind(&hash[..HASH_LENGTH]);
        Ok(query.fetch_one(&self.readers).await?)
    }

    /// The first events after a place in the sequence.
    pub(crate) async fn events_after(&self, sequence: i64, limit: u32) -> Result<Vec<StoredEvent>, Fault> {
        let sql = "SELECT sequence, content, body FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?";
        let rows = sqlx::query(sql).bind(sequence).bind(limit).fetch_all(&self.readers).await?;
        rows.iter().map(stored_event).collect()
    }

    /// Queues that are to be deleted, from the one after a row on.
    pub(crate) async fn deleted_queues(&self, after: i64, limit: u32) -> Result<Vec<DeletedQueue>, Fault> {
        let sql = "SELECT * FROM deleted_queues WHERE id > ? ORDER BY id LIMIT ?";
        let rows = sqlx::query(sql).bind(after).bind(limit).fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| {
                Ok(DeletedQueue {
                    row: column(row, "id")?,
                    relay: read(row, "relay", relay)?,
                    owner: owner(row)?,
                    recipient_id: read(row, "recipient_id", |bytes| RecipientId::new(bytes).ok())?,
                    recipient_key: read(row, "recipient_key", private_auth_key)?,
                })
            })
            .collect()
    }
}

fn owner(row: &SqliteRow) -> Result<Owner, Fault> {
    Ok(Owner {
        user: UserId::new(column(row, "user_id")?),
        connection: ConnectionId::new(column(row, "connection_id")?),
    })
}

/// The number of the connection, or of the user, whose session it is.
fn owner_column(session: &SessionKey) -> i64 {
    session.connection.map_or(session.user.number(), ConnectionId::number)
}

fn stored_event(row: &SqliteRow) -> Result<StoredEvent, Fault> {
    let event: Event = serde_json::from_str(column(row, "content")?).map_err(|_| damaged("content"))?;
    Ok(StoredEvent { sequence: column(row, "sequence")?, event: event.with_body(column(row, "body")?) })
}

async fn skipped_keys(db: &mut SqliteConnection, connection: ConnectionId) -> Result<SkippedKeys, Fault> {
    let sql = "SELECT * FROM skipped_keys WHERE connection_id = ? ORDER BY id";
    let rows = sqlx::query(sql).bind(connection.number()).fetch_all(db).await?;
    Ok(rows.iter().map(skipped_key).collect::<Result<Vec<_>, Fault>>()?.into())
}

fn skipped_key(row: &SqliteRow) -> Result<SkippedKey, Fault> {
    let number = u32::try_from(column::<i64>(row, "number")?).map_err(|_| damaged("number"))?;
    let header_key =
        read(row, "header_key", |bytes| bytes.try_into().ok().map(ReceivingHeaderKey::from_bytes))?;
    let key = read(row, "message_key", |bytes| bytes.try_into().ok().map(MessageKey::from_bytes))?;
    Ok(SkippedKey { id: SkippedKeyId { header_key, number }, key })
}
