//! A transaction with the changes of many steps. All run on the one connection that writes.
//!
//! Most need no answer of the database on the way: those are one query, whose text is always the same.

use super::Fault;
use super::changes::{Changes, Lasting, QueueRow, RequestRow, Upkeep};
use super::columns::{column, damaged};
use super::deferred;
use super::joins;
use super::read::{HASH_LENGTH, StoredEvent};
use super::send_keys::{self, Keyed};
use super::shared_bodies;
use crate::connection::Receipt;
use crate::error::SendError;
use crate::event::Event;
use crate::id::{ConnectionId, MessageId};
use smp_ratchet::SkippedChange;
use smp_sqlite::{Query, Rows};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Everything but events. See `Rows` for how the rows are given.
macro_rules! write_rows {
    () => {
        "INSERT INTO connections (id, state, busy, joined, unfinished, made_on, user_id)
            SELECT value ->> 0, x'', 0, 0, 0, value ->> 1, value ->> 2 FROM json_each(?);
        UPDATE connections SET state = substr(?, value ->> 1, value ->> 2), busy = value ->> 3, joined = value ->> 4,
            unfinished = value ->> 5, request_of = value ->> 6 FROM json_each(?) WHERE connections.id = value ->> 0;
        INSERT INTO positions (connection_id, position, plain)
            SELECT value ->> 0, substr(?, value ->> 1, value ->> 2), value ->> 3 FROM json_each(?) WHERE true
            ON CONFLICT (connection_id) DO UPDATE SET position = excluded.position, plain = excluded.plain;
        INSERT INTO receive_queues (connection_id, relay, recipient_id, recipient_key, sender_id, link_id, user_id)
            SELECT value ->> 0, unhex(value ->> 1), unhex(value ->> 2), unhex(value ->> 3), unhex(value ->> 4),
            unhex(value ->> 5), value ->> 6 FROM json_each(?);
        DELETE FROM receive_queues WHERE (recipient_id, connection_id) IN
            (SELECT unhex(value ->> 1), value ->> 0 FROM json_each(?));
        INSERT INTO deleted_queues (relay, recipient_id, recipient_key, deleted_on, user_id, connection_id)
            SELECT unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), value ->> 3, value ->> 4, value ->> 5
            FROM json_each(?);
        INSERT INTO outgoing (id, connection_id, message_id, content)
            SELECT value ->> 0, value ->> 1, value ->> 2, substr(?, value ->> 3, value ->> 4) FROM json_each(?);
        DELETE FROM outgoing WHERE id IN (SELECT value FROM json_each(?));
        INSERT INTO sent_messages (connection_id, number, message_id, hash, sent_on, mismatch_told)
            SELECT value ->> 0, value ->> 1, value ->> 2, substr(?, value ->> 3, value ->> 4), value ->> 5, 0 FROM json_each(?);
        INSERT INTO received_messages (connection_id, number, hash, received_on)
            SELECT value ->> 0, value ->> 1, substr(?, value ->> 2, value ->> 3), value ->> 4 FROM json_each(?) WHERE true
            ON CONFLICT DO NOTHING;
        INSERT INTO send_keys (connection_id, key, message_id, sent_on)
            SELECT value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3 FROM json_each(?);"
    };
}

/// Takes the receipts that have the right hash: what they are for is forgotten, and returned.
macro_rules! take_receipts {
    () => {
        "DELETE FROM sent_messages WHERE (connection_id, number, hash) IN
            (SELECT value ->> 0, value ->> 1, unhex(value ->> 2) FROM json_each(?)) RETURNING connection_id, number, message_id"
    };
}

/// The events that are new, the outcomes of messages with keys, and the events that the application is done with.
macro_rules! write_events {
    () => {
        "INSERT INTO events (sequence, connection_id, message_id, content, body)
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 5, substr(?, value ->> 3, value ->> 4) FROM json_each(?);
        UPDATE send_keys SET outcome = value ->> 2 FROM json_each(?)
            WHERE connection_id = value ->> 0 AND message_id = value ->> 1 AND outcome IS NULL;
        DELETE FROM events WHERE sequence IN (SELECT value FROM json_each(?));"
    };
}

/// A transaction that needs no answers.
const WHOLE: &str = concat!("BEGIN IMMEDIATE;", write_rows!(), write_events!(), "COMMIT");
/// The end of one after which nothing is removed.
const LAST: &str = concat!(write_events!(), "COMMIT");
/// The beginning of one that needs some.
const BEGINNING: &str = concat!("BEGIN IMMEDIATE;", write_rows!(), take_receipts!());

/// A transaction that writes.
#[derive(Default)]
pub(crate) struct Writing<'a> {
    pub(crate) steps: Vec<&'a Changes>,
    pub(crate) upkeep: Vec<&'a Upkeep>,
    /// Events that the application is done with, besides those of the steps.
    pub(crate) done: Vec<i64>,
    /// The day, for what is forgotten after some.
    pub(crate) day: i64,
    /// The last event that was stored.
    pub(crate) last_event: i64,
    /// Messages that were sent with keys, whose outcome is to be kept.
    pub(crate) keyed: Keyed,
}

impl Writing<'_> {
    /// All or nothing. Returns the events that were stored, in order.
    pub(crate) async fn commit(&self, db: &mut SqliteConnection) -> Result<Vec<StoredEvent>, Fault> {
        let result = match self.needs_answers() {
            false => self.write(db).await,
            true => self.write_in_parts(db).await,
        };
        if result.is_err() {
            // SQLite may have rolled back already; then this is an error without meaning.
            let _ = sqlx::query("ROLLBACK").execute(&mut *db).await;
        }
        result
    }

    fn needs_answers(&self) -> bool {
        !self.upkeep.is_empty() || self.steps.iter().any(|step| step.needs_answers())
    }

    async fn write(&self, db: &mut SqliteConnection) -> Result<Vec<StoredEvent>, Fault> {
        let events = self.numbered(self.steps.iter().flat_map(|step| step.events.iter().cloned()));
        let query = self.bind_rows(sqlx::query(WHOLE));
        self.bind_events(query, &events)?.execute(db).await?;
        Ok(events)
    }

    async fn write_in_parts(&self, db: &mut SqliteConnection) -> Result<Vec<StoredEvent>, Fault> {
        let mut receipts = TakenReceipts::of(&self.steps);
        let rows = self.bind_rows(sqlx::query(BEGINNING));
        let rows = std::mem::take(&mut receipts.rows).bind_numbers(rows);
        receipts.take(rows.fetch_all(&mut *db).await?)?;
        for step in &self.steps {
            if step.forget_skipped {
                let sql = "DELETE FROM skipped_keys WHERE connection_id = ?";
                sqlx::query(sql).bind(step.connection.number()).execute(&mut *db).await?;
            }
            for change in &step.skipped {
                change_skipped_keys(db, step.connection, change).await?;
            }
        }
        let mut events = Vec::new();
        for step in &self.steps {
            events.extend(step.events.iter().cloned());
            for request in &step.requested {
                if insert_request(db, step, request, self.day).await? {
                    events.push(request.event.clone());
                }
            }
            for receipt in &step.receipts {
                events.extend(receipts.event(db, step.connection, receipt).await?);
            }
            deferred::write(db, step).await?;
            for (row, body) in &step.shared {
                shared_bodies::refer(db, *row, *body).await?;
            }
            if let Some(invitation) = &step.joins {
                joins::insert(db, step.user, invitation, step.connection).await?;
            }
            if let Some((error, last)) = &step.give_up {
                events.extend(give_up_outgoing(db, step.connection, *last, error).await?);
            }
        }
        let events = self.numbered(events);
        let is_last = self.upkeep.is_empty() && self.steps.iter().all(|step| !step.remove);
        let sql = if is_last { LAST } else { write_events!() };
        self.bind_events(sqlx::query(sql), &events)?.execute(&mut *db).await?;
        if is_last {
            return Ok(events);
        }
        for step in self.steps.iter().filter(|step| step.remove) {
            let sql = "DELETE FROM connections WHERE id = ?";
            sqlx::query(sql).bind(step.connection.number()).execute(&mut *db).await?;
        }
        for upkeep in &self.upkeep {
            upkeep.run(db).await?;
        }
        sqlx::query("COMMIT").execute(&mut *db).await?;
        Ok(events)
    }

    fn numbered(&self, events: impl IntoIterator<Item = Event>) -> Vec<StoredEvent> {
        let events = (self.last_event + 1..).zip(events);
        events.map(|(sequence, event)| StoredEvent { sequence, event }).collect()
    }

    /// In the order of the statements.
    fn bind_rows<'q>(&self, query: Query<'q>) -> Query<'q> {
        let query = self.bind_queues(self.bind_connections(query));
        let (mut outgoing, mut gone) = (Rows::default(), Rows::default());
        let (mut sent, mut received, mut keys) = (Rows::default(), Rows::default(), Rows::default());
        for step in &self.steps {
            let id = step.connection.number();
            for (row, message, content) in &step.outgoing {
                outgoing
                    .row()
                    .number(*row)
                    .number(id)
                    .number(message.map(MessageId::number))
                    .bytes(content)
                    .end();
            }
            step.sent_outgoing.iter().for_each(|row| gone.number(*row));
            for message in &step.sent {
                let row = sent.row().number(id).number(message.number).number(message.message.number());
                row.bytes(&message.hash).number(self.day).end();
            }
            if let Some((number, hash)) = &step.received {
                received.row().number(id).number(*number).bytes(&hash[..HASH_LENGTH]).number(self.day).end();
            }
            if let Some((key, message)) = &step.send_key {
                let row = keys.row().number(id).hex(key.as_slice());
                row.number(message.number()).number(self.day).end();
            }
        }
        keys.bind_numbers(received.bind(sent.bind(gone.bind_numbers(outgoing.bind(query)))))
    }

    /// The states, of each connection the last one only.
    fn bind_connections<'q>(&self, query: Query<'q>) -> Query<'q> {
        let mut lasting: BTreeMap<i64, &Lasting> = BTreeMap::new();
        let mut last_positions: BTreeMap<i64, &Changes> = BTreeMap::new();
        let (mut new, mut states, mut positions) = (Rows::default(), Rows::default(), Rows::default());
        for step in &self.steps {
            let id = step.connection.number();
            if step.insert {
                new.row().number(id).number(self.day).number(step.user.number()).end();
            }
            lasting.extend(step.lasting.iter().map(|state| (id, state)));
            last_positions.insert(id, step);
        }
        for (id, Lasting { state, busy, joined, unfinished, request_of }) in lasting {
            let row = states.row().number(id).bytes(state).flag(*busy).flag(*joined).flag(*unfinished);
            row.number(request_of.map(ConnectionId::number)).end();
        }
        for (id, Changes { position, plain, .. }) in last_positions {
            // A phase is a name, which cannot fail to be written.
            let plain = serde_json::to_string(plain).unwrap_or_else(|_| "null".to_owned());
            positions.row().number(id).bytes(position).json_text(&plain).end();
        }
        positions.bind(states.bind(new.bind_numbers(query)))
    }

    fn bind_queues<'q>(&self, query: Query<'q>) -> Query<'q> {
        let (mut new, mut gone, mut deleted) = (Rows::default(), Rows::default(), Rows::default());
        for step in &self.steps {
            let (id, user) = (step.connection.number(), step.user.number());
            for queue in &step.new_queues {
                let row = new.row().number(id).hex(queue.relay.as_slice()).hex(queue.recipient_id.as_slice());
                let row = row.hex(queue.recipient_key.as_slice()).hex(queue.sender_id.as_slice());
                row.hex(queue.link_id.as_deref()).number(user).end();
            }
            for recipient_id in &step.gone_queues {
                gone.row().number(id).hex(recipient_id.as_slice()).end();
            }
            for QueueRow { relay, recipient_id, recipient_key, .. } in &step.deleted {
                let row = deleted.row().hex(relay.as_slice()).hex(recipient_id.as_slice());
                row.hex(recipient_key.as_slice()).number(self.day).number(user).number(id).end();
            }
        }
        deleted.bind_numbers(gone.bind_numbers(new.bind_numbers(query)))
    }

    fn bind_events<'q>(&self, query: Query<'q>, stored: &[StoredEvent]) -> Result<Query<'q>, Fault> {
        let (mut events, mut outcomes, mut done) = (Rows::default(), Rows::default(), Rows::default());
        for StoredEvent { sequence, event } in stored {
            let content = serde_json::to_string(event).and_then(|content| serde_json::to_string(&content));
            let row = events.row().number(*sequence).number(event.connection().map(ConnectionId::number));
            let row = row.number(event.received_message().map(MessageId::number)).bytes(event.body());
            row.json_text(&content.map_err(|_| damaged("content"))?).end();
            if let Some(((connection, message), outcome)) = self.keyed.settled(event) {
                let row = outcomes.row().number(connection.number()).number(message.number());
                row.json_text(&send_keys::written(&outcome)?).end();
            }
        }
        let of_steps = self.steps.iter().flat_map(|step| &step.done);
        of_steps.chain(&self.done).for_each(|sequence| done.number(*sequence));
        Ok(done.bind_numbers(outcomes.bind_numbers(events.bind(query))))
    }
}

/// Adds a connection that somebody has asked for. False if the same request has come to the address before.
async fn insert_request(
    db: &mut SqliteConnection,
    step: &Changes,
    request: &RequestRow,
    day: i64,
) -> Result<bool, Fault> {
    let (address, user) = (step.connection, step.user);
    let sql = "INSERT INTO received_messages (connection_id, number, hash, received_on) VALUES (?, 0, ?, ?) ON CONFLICT DO NOTHING";
    let query = sqlx::query(sql).bind(address.number()).bind(&request.hash[..HASH_LENGTH]).bind(day);
    if query.execute(&mut *db).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let id = request.connection.number();
    let sql = "INSERT INTO connections (id, state, busy, joined, unfinished, made_on, request_of, user_id)
        VALUES (?, ?, 0, 0, 0, ?, ?, ?)";
    let query = sqlx::query(sql).bind(id).bind(request.state.as_slice()).bind(day);
    query.bind(address.number()).bind(user.number()).execute(&mut *db).await?;
    let sql = "INSERT INTO positions (connection_id, position) VALUES (?, ?)";
    sqlx::query(sql).bind(id).bind(request.position.as_slice()).execute(db).await?;
    Ok(true)
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
            let mut rows = Rows::default();
            for key in keys {
                let row = rows.row().number(connection.number()).hex(&key.id.header_key.as_bytes()[..]);
                row.number(i64::from(key.id.number)).bytes(&key.key.to_bytes()[..]).end();
            }
            let sql = "INSERT INTO skipped_keys (message_key, connection_id, header_key, number)
                SELECT substr(?, value ->> 3, value ->> 4), value ->> 0, unhex(value ->> 1), value ->> 2 FROM json_each(?)";
            rows.bind(sqlx::query(sql)).execute(db).await?;
            Ok(())
        }
    }
}

/// The receipts of a transaction.
#[derive(Default)]
struct TakenReceipts {
    /// Those that are taken together: of each message the only one.
    rows: Rows,
    together: HashSet<(i64, i64)>,
    /// The messages that those with the right hash were for.
    messages: HashMap<(i64, i64), MessageId>,
}

impl TakenReceipts {
    fn of(steps: &[&Changes]) -> Self {
        let mut receipts = Self::default();
        let all = || {
            steps.iter().flat_map(|step| {
                step.receipts.iter().map(|receipt| ((step.connection.number(), receipt.number), receipt))
            })
        };
        let mut counts: HashMap<(i64, i64), usize> = HashMap::new();
        all().for_each(|(message, _)| *counts.entry(message).or_default() += 1);
        for (message, receipt) in all().filter(|(message, _)| counts.get(message) == Some(&1)) {
            receipts.rows.row().number(message.0).number(message.1).hex(receipt.hash.as_slice()).end();
            receipts.together.insert(message);
        }
        receipts
    }

    /// Those that were taken together.
    fn take(&mut self, rows: Vec<SqliteRow>) -> Result<(), Fault> {
        for row in rows {
            let message = MessageId::new(column(&row, "message_id")?);
            self.messages.insert((column(&row, "connection_id")?, column(&row, "number")?), message);
        }
        Ok(())
    }

    /// The event of a receipt.
    async fn event(
        &mut self,
        db: &mut SqliteConnection,
        connection: ConnectionId,
        receipt: &Receipt,
    ) -> Result<Option<Event>, Fault> {
        let message = (connection.number(), receipt.number);
        match self.messages.remove(&message) {
            Some(id) => Ok(Some(Event::Receipt { connection, id, matches: true })),
            None if self.together.contains(&message) => take_wrong_receipt(db, connection, receipt).await,
            None => take_receipt(db, connection, receipt).await,
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
    let sql =
        "DELETE FROM sent_messages WHERE connection_id = ? AND number = ? AND hash = ? RETURNING message_id";
    match taken(db, sql, connection, receipt).await? {
        Some(id) => Ok(Some(Event::Receipt { connection, id, matches: true })),
        None => take_wrong_receipt(db, connection, receipt).await,
    }
}

async fn take_wrong_receipt(
    db: &mut SqliteConnection,
    connection: ConnectionId,
    receipt: &Receipt,
) -> Result<Option<Event>, Fault> {
    let sql = "UPDATE sent_messages SET mismatch_told = 1
        WHERE connection_id = ? AND number = ? AND hash <> ? AND mismatch_told = 0 RETURNING message_id";
    let id = taken(db, sql, connection, receipt).await?;
    Ok(id.map(|id| Event::Receipt { connection, id, matches: false }))
}

async fn taken(
    db: &mut SqliteConnection,
    sql: &'static str,
    connection: ConnectionId,
    receipt: &Receipt,
) -> Result<Option<MessageId>, Fault> {
    let query = sqlx::query_scalar(sql).bind(connection.number()).bind(receipt.number);
    let message: Option<i64> = query.bind(receipt.hash.as_slice()).fetch_optional(db).await?;
    Ok(message.map(MessageId::new))
}

/// Removes all bodies of a connection that failed, and tells which messages were among them.
async fn give_up_outgoing(
    db: &mut SqliteConnection,
    connection: ConnectionId,
    last: i64,
    error: &SendError,
) -> Result<Vec<Event>, Fault> {
    let sql = "SELECT message_id FROM outgoing WHERE connection_id = ? AND id <= ? AND message_id IS NOT NULL ORDER BY id";
    let query = sqlx::query_scalar(sql).bind(connection.number()).bind(last);
    let mut messages: Vec<i64> = query.fetch_all(&mut *db).await?;
    let sql = "DELETE FROM outgoing WHERE connection_id = ? AND id <= ?";
    sqlx::query(sql).bind(connection.number()).bind(last).execute(&mut *db).await?;
    messages.extend(deferred::give_up(db, connection).await?);
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
                    ("DELETE FROM send_keys WHERE sent_on < ? AND outcome IS NOT NULL", hashes),
                    ("DELETE FROM deleted_queues WHERE deleted_on < ?", deleted),
                ] {
                    sqlx::query(sql).bind(before).execute(&mut *db).await?;
                }
            }
            Self::Deleted(row) => {
                sqlx::query("DELETE FROM deleted_queues WHERE id = ?").bind(row).execute(db).await?;
            }
            Self::Trouble(change) => change.write(db).await?,
            Self::User(change) => change.write(db).await?,
            Self::Sharing(sharing) => sharing.write(db).await?,
            // They are written with those of the steps.
            Self::Done(_) | Self::Nothing => {}
        }
        Ok(())
    }
}
