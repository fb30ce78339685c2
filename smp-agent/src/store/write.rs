//! A transaction with the changes of many steps. All run on the one connection that writes.

use super::Fault;
use super::changes::{Changes, Lasting, QueueRow, RequestRow, Upkeep};
use super::columns::damaged;
use super::read::{HASH_LENGTH, StoredEvent};
use super::rows::{delete, for_rows};
use crate::connection::Receipt;
use crate::error::SendError;
use crate::event::Event;
use crate::id::{ConnectionId, MessageId};
use smp_ratchet::{SkippedChange, SkippedKey};
use sqlx::SqliteConnection;
use std::collections::HashMap;

/// What a transaction writes.
#[derive(Default)]
pub(crate) struct Writing<'a> {
    pub(crate) steps: Vec<&'a Changes>,
    pub(crate) upkeep: Vec<&'a Upkeep>,
    /// The day, for what is forgotten after some.
    pub(crate) day: i64,
    /// The last event that was stored.
    pub(crate) last_event: i64,
}

impl Writing<'_> {
    /// All or nothing. Returns the events that were stored, in order.
    pub(crate) async fn commit(&self, db: &mut SqliteConnection) -> Result<Vec<StoredEvent>, Fault> {
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *db).await?;
        let result = match self.write(db).await {
            Ok(events) => sqlx::query("COMMIT").execute(&mut *db).await.map(|_| events).map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        if result.is_err() {
            // SQLite may have rolled back already; then this is an error without meaning.
            let _ = sqlx::query("ROLLBACK").execute(&mut *db).await;
        }
        result
    }

    async fn write(&self, db: &mut SqliteConnection) -> Result<Vec<StoredEvent>, Fault> {
        self.write_connections(db).await?;
        self.write_queues(db).await?;
        self.write_messages(db).await?;
        for step in &self.steps {
            if step.forget_skipped {
                let sql = "DELETE FROM skipped_keys WHERE connection_id = ?";
                sqlx::query(sql).bind(step.connection.number()).execute(&mut *db).await?;
            }
            for change in &step.skipped {
                change_skipped_keys(db, step.connection, change).await?;
            }
        }
        let events = self.write_events(db).await?;
        let removed: Vec<_> =
            self.steps.iter().filter(|step| step.remove).map(|step| step.connection.number()).collect();
        delete(db, "DELETE FROM connections WHERE id", &removed).await?;
        for upkeep in &self.upkeep {
            upkeep.run(db).await?;
        }
        Ok(events)
    }

    /// The states, of each connection the last one only.
    async fn write_connections(&self, db: &mut SqliteConnection) -> Result<(), Fault> {
        let mut lasting: HashMap<ConnectionId, &Lasting> = HashMap::new();
        let mut positions: HashMap<ConnectionId, &[u8]> = HashMap::new();
        for step in &self.steps {
            if step.insert {
                insert_connection(db, step.connection, self.day).await?;
            }
            if let Some(state) = &step.lasting {
                lasting.insert(step.connection, state);
            }
            positions.insert(step.connection, &step.position);
        }
        for (id, Lasting { state, busy, joined, unfinished, request_of }) in lasting {
            let sql = "UPDATE connections SET state = ?, busy = ?, joined = ?, unfinished = ?, request_of = ? WHERE id = ?";
            let query = sqlx::query(sql).bind(state.as_slice()).bind(busy).bind(joined).bind(unfinished);
            query.bind(request_of.map(ConnectionId::number)).bind(id.number()).execute(&mut *db).await?;
        }
        let positions: Vec<_> = positions.into_iter().collect();
        let tail = "ON CONFLICT (connection_id) DO UPDATE SET position = excluded.position";
        let sql = ("INSERT INTO positions (connection_id, position) VALUES", "(?, ?)", tail);
        for_rows(db, sql, &positions, |query, (id, position)| query.bind(id.number()).bind(*position)).await
    }

    async fn write_queues(&self, db: &mut SqliteConnection) -> Result<(), Fault> {
        for step in &self.steps {
            if let Some(queues) = &step.queues {
                save_queues(db, step.connection, queues).await?;
            }
            for queue in &step.deleted {
                let sql = "INSERT INTO deleted_queues (relay, recipient_id, recipient_key, deleted_on) VALUES (?, ?, ?, ?)";
                let query = sqlx::query(sql).bind(queue.relay.as_slice()).bind(queue.recipient_id.as_slice());
                query.bind(queue.recipient_key.as_slice()).bind(self.day).execute(&mut *db).await?;
            }
        }
        Ok(())
    }

    async fn write_messages(&self, db: &mut SqliteConnection) -> Result<(), Fault> {
        let steps = &self.steps;
        let outgoing: Vec<_> =
            steps.iter().flat_map(|step| step.outgoing.iter().map(|row| (step.connection, row))).collect();
        let sql =
            ("INSERT INTO outgoing (id, connection_id, message_id, content) VALUES", "(?, ?, ?, ?)", "");
        for_rows(db, sql, &outgoing, |query, (connection, (row, message, content))| {
            let query = query.bind(*row).bind(connection.number());
            query.bind(message.map(MessageId::number)).bind(content.as_slice())
        })
        .await?;
        let gone: Vec<_> = steps.iter().flat_map(|step| step.sent_outgoing.iter().copied()).collect();
        delete(db, "DELETE FROM outgoing WHERE id", &gone).await?;
        let sent: Vec<_> =
            steps.iter().flat_map(|step| step.sent.iter().map(|sent| (step.connection, sent))).collect();
        let head = "INSERT INTO sent_messages (connection_id, number, message_id, hash, sent_on, mismatch_told) VALUES";
        for_rows(db, (head, "(?, ?, ?, ?, ?, 0)", ""), &sent, |query, (connection, sent)| {
            let query = query.bind(connection.number()).bind(sent.number).bind(sent.message.number());
            query.bind(sent.hash.as_slice()).bind(self.day)
        })
        .await?;
        let received: Vec<_> =
            steps.iter().filter_map(|step| Some((step.connection, step.received.as_ref()?))).collect();
        let sql = (
            "INSERT INTO received_messages (connection_id, hash, received_on) VALUES",
            "(?, ?, ?)",
            "ON CONFLICT DO NOTHING",
        );
        for_rows(db, sql, &received, |query, (connection, hash)| {
            query.bind(connection.number()).bind(&hash[..HASH_LENGTH]).bind(self.day)
        })
        .await
    }

    async fn write_events(&self, db: &mut SqliteConnection) -> Result<Vec<StoredEvent>, Fault> {
        let mut events = Vec::new();
        for step in &self.steps {
            events.extend(step.events.iter().cloned());
            for request in &step.requested {
                if insert_request(db, step.connection, request, self.day).await? {
                    events.push(request.event.clone());
                }
            }
            for receipt in &step.receipts {
                events.extend(take_receipt(db, step.connection, receipt).await?);
            }
            if let Some(error) = &step.give_up {
                events.extend(give_up_outgoing(db, step.connection, error).await?);
            }
        }
        let events: Vec<_> = (self.last_event + 1..)
            .zip(events)
            .map(|(sequence, event)| StoredEvent { sequence, event })
            .collect();
        let mut rows = Vec::with_capacity(events.len());
        for stored in &events {
            let content = serde_json::to_string(&stored.event).map_err(|_| damaged("content"))?;
            rows.push((stored, content));
        }
        let head = "INSERT INTO events (sequence, connection_id, message_id, content, body) VALUES";
        for_rows(
            db,
            (head, "(?, ?, ?, ?, ?)", ""),
            &rows,
            |query, (StoredEvent { sequence, event }, content)| {
                let query = query.bind(*sequence).bind(event.connection().map(ConnectionId::number));
                let message = event.received_message().map(MessageId::number);
                query.bind(message).bind(content.as_str()).bind(event.body())
            },
        )
        .await?;
        let done: Vec<_> = self.steps.iter().flat_map(|step| step.done.iter().copied()).collect();
        delete(db, "DELETE FROM events WHERE sequence", &done).await?;
        Ok(events)
    }
}

async fn insert_connection(db: &mut SqliteConnection, id: ConnectionId, day: i64) -> Result<(), Fault> {
    let sql =
        "INSERT INTO connections (id, state, busy, joined, unfinished, made_on) VALUES (?, x'', 0, 0, 0, ?)";
    sqlx::query(sql).bind(id.number()).bind(day).execute(db).await?;
    Ok(())
}

/// Adds a connection that somebody has asked for. False if the same request has come to the address before.
async fn insert_request(
    db: &mut SqliteConnection,
    address: ConnectionId,
    request: &RequestRow,
    day: i64,
) -> Result<bool, Fault> {
    let sql = "INSERT INTO received_messages (connection_id, hash, received_on) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    let query = sqlx::query(sql).bind(address.number()).bind(&request.hash[..HASH_LENGTH]).bind(day);
    if query.execute(&mut *db).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let id = request.connection.number();
    let sql = "INSERT INTO connections (id, state, busy, joined, unfinished, made_on, request_of) VALUES (?, ?, 0, 0, 0, ?, ?)";
    let query = sqlx::query(sql).bind(id).bind(request.state.as_slice()).bind(day);
    query.bind(address.number()).execute(&mut *db).await?;
    let sql = "INSERT INTO positions (connection_id, position) VALUES (?, ?)";
    sqlx::query(sql).bind(id).bind(request.position.as_slice()).execute(db).await?;
    Ok(true)
}

/// Makes the rows of a connection's queues these. Those that stay keep their places among the subscriptions.
async fn save_queues(
    db: &mut SqliteConnection,
    connection: ConnectionId,
    queues: &[QueueRow],
) -> Result<(), Fault> {
    let sql = "SELECT recipient_id FROM receive_queues WHERE connection_id = ?";
    let before: Vec<Vec<u8>> = sqlx::query_scalar(sql).bind(connection.number()).fetch_all(&mut *db).await?;
    for gone in before.iter().filter(|id| !queues.iter().any(|queue| queue.recipient_id == **id)) {
        let sql = "DELETE FROM receive_queues WHERE connection_id = ? AND recipient_id = ?";
        sqlx::query(sql).bind(connection.number()).bind(gone.as_slice()).execute(&mut *db).await?;
    }
    for queue in queues.iter().filter(|queue| !before.contains(&queue.recipient_id)) {
        sqlx::query(
            "INSERT INTO receive_queues (connection_id, relay, recipient_id, recipient_key, sender_id, link_id)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(connection.number())
        .bind(queue.relay.as_slice())
        .bind(queue.recipient_id.as_slice())
        .bind(queue.recipient_key.as_slice())
        .bind(queue.sender_id.as_slice())
        .bind(queue.link_id.as_deref())
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

async fn change_skipped_keys(
    db: &mut SqliteConnection,
    connection: ConnectionId,
    change: &SkippedChange,
) -> Result<(), Fault> {
    match change {
        SkippedChange::None => Ok(()),
        SkippedChange::Removed(id) => {
            let sql = "DELETE FROM skipped_keys WHERE connection_id = ? AND header_key = ? AND number = ?";
            let query = sqlx::query(sql).bind(connection.number()).bind(id.header_key.as_bytes().as_slice());
            query.bind(i64::from(id.number)).execute(db).await?;
            Ok(())
        }
        SkippedChange::Added(keys) => {
            let head = "INSERT INTO skipped_keys (connection_id, header_key, number, message_key) VALUES";
            for_rows(db, (head, "(?, ?, ?, ?)", ""), keys, |query, SkippedKey { id, key }| {
                let query = query.bind(connection.number()).bind(id.header_key.as_bytes().as_slice());
                query.bind(i64::from(id.number)).bind(key.to_bytes().to_vec())
            })
            .await
        }
    }
}

/// Makes an event of a receipt. After one with the right hash the message is forgotten; of those with another hash only
/// the first is told, and the right one may follow.
async fn take_receipt(
    db: &mut SqliteConnection,
    connection: ConnectionId,
    receipt: &Receipt,
) -> Result<Option<Event>, Fault> {
    let right =
        "DELETE FROM sent_messages WHERE connection_id = ? AND number = ? AND hash = ? RETURNING message_id";
    let wrong = "UPDATE sent_messages SET mismatch_told = 1
        WHERE connection_id = ? AND number = ? AND hash <> ? AND mismatch_told = 0 RETURNING message_id";
    for (sql, matches) in [(right, true), (wrong, false)] {
        let query = sqlx::query_scalar(sql).bind(connection.number()).bind(receipt.number);
        let message: Option<i64> = query.bind(receipt.hash.as_slice()).fetch_optional(&mut *db).await?;
        if let Some(message) = message {
            return Ok(Some(Event::Receipt { connection, id: MessageId::new(message), matches }));
        }
    }
    Ok(None)
}

/// Removes all bodies of a connection that failed, and tells which messages were among them.
async fn give_up_outgoing(
    db: &mut SqliteConnection,
    connection: ConnectionId,
    error: &SendError,
) -> Result<Vec<Event>, Fault> {
    let sql =
        "SELECT message_id FROM outgoing WHERE connection_id = ? AND message_id IS NOT NULL ORDER BY id";
    let messages: Vec<i64> = sqlx::query_scalar(sql).bind(connection.number()).fetch_all(&mut *db).await?;
    let sql = "DELETE FROM outgoing WHERE connection_id = ?";
    sqlx::query(sql).bind(connection.number()).execute(db).await?;
    let failed = |id| Event::SendFailed { connection, id: MessageId::new(id), error: error.clone() };
    Ok(messages.into_iter().map(failed).collect())
}

/// Removes invitations whose queue was still being made when the agent died: nobody has their links.
pub(super) async fn remove_unfinished(db: &mut SqliteConnection) -> Result<(), Fault> {
    sqlx::query("DELETE FROM connections WHERE unfinished").execute(db).await?;
    Ok(())
}

impl Upkeep {
    async fn run(&self, db: &mut SqliteConnection) -> Result<(), Fault> {
        match self {
            Self::Day(day, began_at) => {
                let query = sqlx::query("UPDATE days SET day = ?, began_at = ?").bind(day).bind(began_at);
                query.execute(db).await?;
            }
            Self::Forget { hashes, deleted } => {
                for (sql, before) in [
                    ("DELETE FROM received_messages WHERE received_on < ?", hashes),
                    ("DELETE FROM sent_messages WHERE sent_on < ?", hashes),
                    ("DELETE FROM deleted_queues WHERE deleted_on < ?", deleted),
                ] {
                    sqlx::query(sql).bind(before).execute(&mut *db).await?;
                }
            }
            Self::Deleted(row) => {
                sqlx::query("DELETE FROM deleted_queues WHERE id = ?").bind(row).execute(db).await?;
            }
            Self::Trouble(change) => change.write(db).await?,
            Self::Nothing => {}
        }
        Ok(())
    }
}
