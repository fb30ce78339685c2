//! The rows of connections.

use super::Step;
use super::columns::{column, damaged, private_auth_key, read, read_optional, relay, relay_column, version};
use crate::connection::{ChainEnd, Connection, Effects, InitialKeys, Phase, Role};
use crate::error::{AgentError, StorageError};
use crate::id::{ConnectionId, MessageId};
use smp_crypto::PrivateAuthKey;
use smp_protocol::address::RelayAddress;
use smp_protocol::encoding;
use smp_protocol::id::{LinkId, RecipientId, SenderId};
use smp_protocol::version::AgentVersion;
use smp_ratchet::{JoiningKeys, OfferedKeys, Ratchet, SkippedKeys};
use sqlx::sqlite::SqliteRow;

/// What is needed to subscribe to a queue.
pub(crate) struct Subscription {
    pub(crate) recipient_id: RecipientId,
    pub(crate) recipient_key: PrivateAuthKey,
}

impl Step {
    /// Adds a connection and gives it its number.
    pub(crate) async fn insert(&mut self, connection: &mut Connection, now: i64) -> Result<(), StorageError> {
        let result = sqlx::query(
            "INSERT INTO connections (role, phase, agent_version, pq_support, own_info, sent_number, sent_hash,
                received_number, received_hash, last_message, created_at)
             VALUES (?, '', 0, 0, x'', 0, x'', 0, x'', 0, ?)",
        )
        .bind(connection.role.name())
        .bind(now)
        .execute(self.db())
        .await?;
        connection.id = ConnectionId::new(result.last_insert_rowid());
        self.save(connection).await
    }

    /// Writes the state of a connection and of its queues.
    pub(crate) async fn save(&mut self, connection: &Connection) -> Result<(), StorageError> {
        self.save_messages(connection).await?;
        if let Some(queue) = &connection.receive {
            self.save_receive_queue(connection.id, queue).await?;
        }
        if let Some(queue) = &connection.send {
            self.save_send_queue(connection.id, queue).await?;
        }
        Ok(())
    }

    /// Writes the state of a connection without its queues, which messages do not change.
    pub(crate) async fn save_messages(&mut self, connection: &Connection) -> Result<(), StorageError> {
        sqlx::query(
            "UPDATE connections SET phase = ?, agent_version = ?, pq_support = ?, own_info = ?, link = ?,
                link_fetch = ?, short_link = ?, initial_keys = ?, ratchet = ?, sent_number = ?, sent_hash = ?, received_number = ?, received_hash = ?,
                last_message = ? WHERE id = ?",
        )
        .bind(connection.phase.name())
        .bind(i64::from(connection.agent_version.0))
        .bind(connection.pq_support)
        .bind(connection.own_info.as_slice())
        .bind(connection.link.as_deref())
        .bind(connection.link_fetch.as_ref().map(encoding::to_bytes))
        .bind(connection.short_link.as_deref())
        .bind(connection.initial_keys.as_ref().map(initial_keys_column))
        .bind(connection.ratchet.as_ref().map(|ratchet| ratchet.to_bytes().to_vec()))
        .bind(connection.sent.number)
        .bind(connection.sent.hash.as_slice())
        .bind(connection.received.number)
        .bind(connection.received.hash.as_slice())
        .bind(connection.last_message.number())
        .bind(connection.id.number())
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
        for change in &effects.skipped {
            self.change_skipped_keys(connection, change).await?;
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
        let row = sqlx::query("SELECT * FROM connections WHERE id = ?")
            .bind(id.number())
            .fetch_optional(self.db())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut connection = connection(&row)?;
        connection.skipped = self.skipped_keys(id).await?;
        connection.receive = self.receive_queue(id).await?;
        connection.send = self.send_queue(id).await?;
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
        let ids: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM connections WHERE phase IN (?, ?, ?, ?) UNION SELECT connection_id FROM outgoing ORDER BY 1",
        )
        .bind(Phase::FetchingLink.name())
        .bind(Phase::Creating.name())
        .bind(Phase::SecuringOwn.name())
        .bind(Phase::SecuringPeer.name())
        .fetch_all(self.db())
        .await?;
        Ok(ids.into_iter().map(ConnectionId::new).collect())
    }

    /// The connections that were joined before a time, in seconds since 1970, and still wait to be accepted.
    pub(crate) async fn joined_before(&mut self, before: i64) -> Result<Vec<ConnectionId>, StorageError> {
        let ids: Vec<i64> =
            sqlx::query_scalar("SELECT id FROM connections WHERE phase = ? AND created_at < ?")
                .bind(Phase::AwaitingReply.name())
                .bind(before)
                .fetch_all(self.db())
                .await?;
        Ok(ids.into_iter().map(ConnectionId::new).collect())
    }

    /// Removes a connection with its messages and events. Its queue is left to be deleted at the relay.
    pub(crate) async fn remove(&mut self, connection: &Connection) -> Result<(), StorageError> {
        if let Some(queue) = &connection.receive {
            self.add_deleted_queue(queue).await?;
        }
        sqlx::query("DELETE FROM connections WHERE id = ?")
            .bind(connection.id.number())
            .execute(self.db())
            .await?;
        Ok(())
    }

    /// Removes invitations whose queue was still being made when the agent died: nobody has their links.
    pub(crate) async fn remove_unfinished_invitations(&mut self) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM connections WHERE role = ? AND phase = ?")
            .bind(Role::Initiator.name())
            .bind(Phase::Creating.name())
            .execute(self.db())
            .await?;
        Ok(())
    }

    /// The relays on which queues are received.
    pub(crate) async fn receiving_relays(&mut self) -> Result<Vec<RelayAddress>, StorageError> {
        let rows = sqlx::query(
            "SELECT DISTINCT relay FROM receive_queues WHERE recipient_id IS NOT NULL ORDER BY relay",
        )
        .fetch_all(self.db())
        .await?;
        rows.iter().map(|row| read(row, "relay", relay)).collect()
    }

    /// Whether any queue is received on a relay.
    pub(crate) async fn receives_at(&mut self, at: &RelayAddress) -> Result<bool, StorageError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM receive_queues WHERE relay = ? AND recipient_id IS NOT NULL)";
        Ok(sqlx::query_scalar(sql).bind(relay_column(at)).fetch_one(self.db()).await?)
    }

    /// All queues that are received on a relay.
    pub(crate) async fn subscriptions(
        &mut self,
        at: &RelayAddress,
    ) -> Result<Vec<Subscription>, StorageError> {
        let rows = sqlx::query(
            "SELECT recipient_id, recipient_key FROM receive_queues
             WHERE relay = ? AND recipient_id IS NOT NULL ORDER BY id",
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

fn connection(row: &SqliteRow) -> Result<Connection, StorageError> {
    Ok(Connection {
        id: ConnectionId::new(column(row, "id")?),
        role: Role::from_name(column(row, "role")?).ok_or_else(|| damaged("role"))?,
        phase: Phase::from_name(column(row, "phase")?).ok_or_else(|| damaged("phase"))?,
        agent_version: AgentVersion(version(row, "agent_version")?),
        pq_support: column(row, "pq_support")?,
        own_info: column(row, "own_info")?,
        link: column(row, "link")?,
        short_link: column(row, "short_link")?,
        link_fetch: read_optional(row, "link_fetch", |bytes| encoding::from_bytes(bytes).ok())?,
        initial_keys: initial_keys(row)?,
        ratchet: read_optional(row, "ratchet", |bytes| Ratchet::from_bytes(bytes).ok())?,
        skipped: SkippedKeys::default(),
        sent: ChainEnd { number: column(row, "sent_number")?, hash: column(row, "sent_hash")? },
        received: ChainEnd { number: column(row, "received_number")?, hash: column(row, "received_hash")? },
        last_message: MessageId::new(column(row, "last_message")?),
        receive: None,
        send: None,
    })
}

fn initial_keys_column(keys: &InitialKeys) -> Vec<u8> {
    match keys {
        InitialKeys::Offered(keys) => keys.to_bytes().to_vec(),
        InitialKeys::Joining(keys) => keys.to_bytes().to_vec(),
    }
}

/// Which keys they are follows from the role.
fn initial_keys(row: &SqliteRow) -> Result<Option<InitialKeys>, StorageError> {
    match column::<&str>(row, "role")? {
        "initiator" => read_optional(row, "initial_keys", |bytes| {
            OfferedKeys::from_bytes(bytes).ok().map(InitialKeys::Offered)
        }),
        _ => read_optional(row, "initial_keys", |bytes| {
            JoiningKeys::from_bytes(bytes).ok().map(InitialKeys::Joining)
        }),
    }
}
