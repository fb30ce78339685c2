//! The rows of connections.

use super::Step;
use super::columns::{column, damaged, private_auth_key, read, relay, relay_column};
use crate::connection::{Connection, Effects, NotAState, Phase};
use crate::error::{AgentError, StorageError};
use crate::id::ConnectionId;
use smp_crypto::PrivateAuthKey;
use smp_protocol::address::RelayAddress;
use smp_protocol::id::{LinkId, RecipientId, SenderId};

/// What is needed to subscribe to a queue.
pub(crate) struct Subscription {
    pub(crate) recipient_id: RecipientId,
    pub(crate) recipient_key: PrivateAuthKey,
}

impl Step {
    /// Adds a connection and gives it its number.
    pub(crate) async fn insert(&mut self, connection: &mut Connection, now: i64) -> Result<(), StorageError> {
        let result = sqlx::query(
            "INSERT INTO connections (state, busy, joined, unfinished, created_at) VALUES (x'', 0, 0, 0, ?)",
        )
        .bind(now)
        .execute(self.db())
        .await?;
        connection.id = ConnectionId::new(result.last_insert_rowid());
        self.save(connection).await
    }

    /// Writes the whole state of a connection.
    pub(crate) async fn save(&mut self, connection: &Connection) -> Result<(), StorageError> {
        sqlx::query("UPDATE connections SET state = ?, busy = ?, joined = ?, unfinished = ? WHERE id = ?")
            .bind(connection.state_bytes().map_err(unwritable)?.to_vec())
            .bind(connection.command().is_some() || connection.errand().is_some())
            .bind(connection.phase == Phase::AwaitingReply)
            .bind(connection.is_unfinished_invitation())
            .bind(connection.id.number())
            .execute(self.db())
            .await?;
        self.save_position(connection).await?;
        self.save_receive_queues(connection).await
    }

    /// Writes what messages change of a connection.
    pub(crate) async fn save_position(&mut self, connection: &Connection) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO positions (connection_id, position) VALUES (?, ?)
             ON CONFLICT (connection_id) DO UPDATE SET position = excluded.position",
        )
        .bind(connection.id.number())
        .bind(connection.position_bytes().map_err(unwritable)?.to_vec())
        .execute(self.db())
        .await?;
        Ok(())
    }

    /// Stores what a step asks for: events in their order, outgoing bodies in theirs.
    pub(crate) async fn add_effects(
        &mut self,
        connection: ConnectionId,
        effects: &Effects,
        now: i64,
    ) -> Result<(), StorageError> {
        for outgoing in &effects.outgoing {
            self.add_outgoing(connection, outgoing).await?;
        }
        for sent in &effects.sent {
            self.add_sent(connection, sent, now).await?;
        }
        if effects.forget_skipped {
            self.forget_skipped_keys(connection).await?;
        }
        for change in &effects.skipped {
            self.change_skipped_keys(connection, change).await?;
        }
        for (queue, created) in effects.deleted_queues() {
            self.add_deleted_queue(queue, created).await?;
        }
        for event in &effects.events {
            self.add_event(connection, event).await?;
        }
        for receipt in &effects.receipts {
            self.add_receipt(connection, receipt).await?;
        }
        Ok(())
    }

    /// A connection with its queues.
    pub(crate) async fn find(&mut self, id: ConnectionId) -> Result<Option<Connection>, StorageError> {
        let sql = "SELECT state, position FROM connections JOIN positions ON connection_id = id WHERE id = ?";
        let row = sqlx::query(sql).bind(id.number()).fetch_optional(self.db()).await?;
        let Some(row) = row else { return Ok(None) };
        let (state, position) = (column(&row, "state")?, column(&row, "position")?);
        let read = Connection::from_stored(id, state, position);
        let (mut connection, skipped) = read.map_err(|NotAState| damaged("state"))?;
        if skipped > 0 {
            connection.skipped = self.skipped_keys(id).await?;
        }
        Ok(Some(connection))
    }

    /// A connection that an application names.
    pub(crate) async fn get(&mut self, id: ConnectionId) -> Result<Connection, AgentError> {
        self.find(id).await?.ok_or(AgentError::UnknownConnection(id))
    }

    /// The connection that receives in a queue.
    pub(crate) async fn find_by_queue(
        &mut self,
        relay: &RelayAddress,
        recipient_id: &RecipientId,
    ) -> Result<Option<Connection>, StorageError> {
        let id: Option<i64> = sqlx::query_scalar(
            "SELECT connection_id FROM receive_queues WHERE recipient_id = ? AND relay = ?",
        )
        .bind(recipient_id.as_bytes().to_vec())
        .bind(relay_column(relay))
        .fetch_optional(self.db())
        .await?;
        match id {
            Some(id) => self.find(ConnectionId::new(id)).await,
            None => Ok(None),
        }
    }

    /// Whether a sender ID is that of a queue in which this agent receives.
    pub(crate) async fn receives_from(&mut self, sender_id: &SenderId) -> Result<bool, StorageError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM receive_queues WHERE sender_id = ?)";
        Ok(sqlx::query_scalar(sql).bind(sender_id.as_bytes().to_vec()).fetch_one(self.db()).await?)
    }

    /// Whether a link ID is that of an own invitation.
    pub(crate) async fn has_link(&mut self, link_id: &LinkId) -> Result<bool, StorageError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM receive_queues WHERE link_id = ?)";
        Ok(sqlx::query_scalar(sql).bind(link_id.as_bytes().to_vec()).fetch_one(self.db()).await?)
    }

    /// The numbers of all connections, in the order in which they were made.
    pub(crate) async fn connection_ids(&mut self) -> Result<Vec<ConnectionId>, StorageError> {
        let ids: Vec<i64> =
            sqlx::query_scalar("SELECT id FROM connections ORDER BY id").fetch_all(self.db()).await?;
        Ok(ids.into_iter().map(ConnectionId::new).collect())
    }

    /// The numbers of connections for which something is to be done on the network.
    pub(crate) async fn busy_connections(&mut self) -> Result<Vec<ConnectionId>, StorageError> {
        let sql = "SELECT id FROM connections WHERE busy UNION SELECT connection_id FROM outgoing ORDER BY 1";
        let ids: Vec<i64> = sqlx::query_scalar(sql).fetch_all(self.db()).await?;
        Ok(ids.into_iter().map(ConnectionId::new).collect())
    }

    /// The connections that were joined before a time, in seconds since 1970, and still wait to be accepted.
    pub(crate) async fn joined_before(&mut self, before: i64) -> Result<Vec<ConnectionId>, StorageError> {
        let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM connections WHERE joined AND created_at < ?")
            .bind(before)
            .fetch_all(self.db())
            .await?;
        Ok(ids.into_iter().map(ConnectionId::new).collect())
    }

    /// Removes a connection with its messages and events. Its queue is left to be deleted at the relay.
    pub(crate) async fn remove(&mut self, connection: &Connection) -> Result<(), StorageError> {
        for (queue, created) in connection.receive_queues() {
            self.add_deleted_queue(queue, created).await?;
        }
        sqlx::query("DELETE FROM connections WHERE id = ?")
            .bind(connection.id.number())
            .execute(self.db())
            .await?;
        Ok(())
    }

    /// Removes invitations whose queue was still being made when the agent died: nobody has their links.
    pub(crate) async fn remove_unfinished_invitations(&mut self) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM connections WHERE unfinished").execute(self.db()).await?;
        Ok(())
    }

    /// The relays on which queues are received.
    pub(crate) async fn receiving_relays(&mut self) -> Result<Vec<RelayAddress>, StorageError> {
        let rows = sqlx::query("SELECT DISTINCT relay FROM receive_queues").fetch_all(self.db()).await?;
        rows.iter().map(|row| read(row, "relay", relay)).collect()
    }

    /// Whether any queue is received on a relay.
    pub(crate) async fn receives_at(&mut self, at: &RelayAddress) -> Result<bool, StorageError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM receive_queues WHERE relay = ?)";
        Ok(sqlx::query_scalar(sql).bind(relay_column(at)).fetch_one(self.db()).await?)
    }

    /// All queues that are received on a relay.
    pub(crate) async fn subscriptions(
        &mut self,
        at: &RelayAddress,
    ) -> Result<Vec<Subscription>, StorageError> {
        let rows = sqlx::query(
            "SELECT recipient_id, recipient_key FROM receive_queues
             WHERE relay = ? ORDER BY id",
        )
        .bind(relay_column(at))
        .fetch_all(self.db())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Subscription {
                    recipient_id: read(row, "recipient_id", |bytes| RecipientId::new(bytes).ok())?,
                    recipient_key: read(row, "recipient_key", private_auth_key)?,
                })
            })
            .collect()
    }
}

fn unwritable(NotAState: NotAState) -> StorageError {
    damaged("state in memory")
}
