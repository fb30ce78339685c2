//! Keys by which the application names what it sends, so that a second attempt is known as one.

use super::changes::SendKey;
use super::columns::{column, damaged};
use super::{Fault, Store, StoredEvent};
use crate::error::SendError;
use crate::event::Event;
use crate::id::{ConnectionId, MessageId};
use crate::send_handle::SendOutcome;
use sqlx::SqliteConnection;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A table that was added to those of `schema.sql`: programs that do not know it do not miss it.
pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS send_keys (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    key           BLOB    NOT NULL,             -- SHA-256 of that of the application
    message_id    INTEGER NOT NULL,
    sent_on       INTEGER NOT NULL,             -- day
    outcome       TEXT,                         -- in JSON, once it is known: null, or the error
    PRIMARY KEY (connection_id, key)
) STRICT, WITHOUT ROWID;
";

/// Messages that were sent with keys, whose outcome is not known yet.
#[derive(Clone, Default)]
pub(crate) struct Keyed(Arc<Mutex<HashSet<(ConnectionId, MessageId)>>>);

impl Keyed {
    pub(crate) fn new(messages: impl IntoIterator<Item = (ConnectionId, MessageId)>) -> Self {
        Self(Arc::new(Mutex::new(messages.into_iter().collect())))
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<(ConnectionId, MessageId)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message with a key is about to be stored. If it is not, nothing is done with this.
    pub(crate) fn add(&self, connection: ConnectionId, message: MessageId) {
        self.lock().insert((connection, message));
    }

    /// Whether an event tells the outcome of one of them.
    pub(super) fn settles(&self, event: &Event) -> bool {
        let messages = self.lock();
        let settled = if messages.is_empty() { None } else { settled(event) };
        settled.is_some_and(|(message, _)| messages.contains(&message))
    }

    /// These events are durable.
    pub(crate) fn settle(&self, events: &[StoredEvent]) {
        let mut messages = self.lock();
        if !messages.is_empty() {
            events.iter().filter_map(|stored| settled(&stored.event)).for_each(|(message, _)| {
                messages.remove(&message);
            });
        }
    }

    /// A connection was removed.
    pub(crate) fn forget(&self, connection: ConnectionId) {
        self.lock().retain(|(of, _)| *of != connection);
    }
}

impl Store {
    /// The message that was sent with a key, and its outcome if that is known.
    pub(crate) async fn sent_with_key(
        &self,
        connection: ConnectionId,
        key: &SendKey,
    ) -> Result<Option<(MessageId, Option<SendOutcome>)>, Fault> {
        let sql = "SELECT message_id, outcome FROM send_keys WHERE connection_id = ? AND key = ?";
        let query = sqlx::query(sql).bind(connection.number()).bind(key.as_slice());
        let Some(row) = query.fetch_optional(&self.readers).await? else { return Ok(None) };
        let outcome = column::<Option<&str>>(&row, "outcome")?.map(|json| {
            let error: Option<SendError> = serde_json::from_str(json).map_err(|_| damaged("outcome"))?;
            Ok(error.map_or(SendOutcome::Sent, SendOutcome::Failed))
        });
        Ok(Some((MessageId::new(column(&row, "message_id")?), outcome.transpose().map_err(Fault)?)))
    }

    /// Messages with keys whose outcome is not known.
    pub(crate) async fn sent_with_keys(&self) -> Result<Vec<(ConnectionId, MessageId)>, Fault> {
        let sql = "SELECT connection_id, message_id FROM send_keys WHERE outcome IS NULL";
        let rows = sqlx::query(sql).fetch_all(&self.readers).await?;
        let rows = rows.iter().map(|row| {
            let connection = ConnectionId::new(column(row, "connection_id")?);
            Ok((connection, MessageId::new(column(row, "message_id")?)))
        });
        rows.collect()
    }
}

/// The message whose outcome an event tells.
pub(crate) fn settled(event: &Event) -> Option<((ConnectionId, MessageId), SendOutcome)> {
    match event {
        Event::Sent { connection, id } => Some(((*connection, *id), SendOutcome::Sent)),
        Event::SendFailed { connection, id, error } => {
            Some(((*connection, *id), SendOutcome::Failed(error.clone())))
        }
        _ => None,
    }
}

/// Keeps a key.
pub(super) async fn insert(
    db: &mut SqliteConnection,
    connection: ConnectionId,
    (key, message): &(SendKey, MessageId),
    day: i64,
) -> Result<(), Fault> {
    let sql = "INSERT INTO send_keys (connection_id, key, message_id, sent_on) VALUES (?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(connection.number()).bind(key.as_slice());
    query.bind(message.number()).bind(day).execute(db).await?;
    Ok(())
}

/// Keeps the outcome of a message that has a key.
pub(super) async fn settle(db: &mut SqliteConnection, event: &Event) -> Result<(), Fault> {
    let Some(((connection, message), outcome)) = settled(event) else { return Ok(()) };
    let error = match outcome {
        SendOutcome::Sent => None,
        SendOutcome::Failed(error) => Some(error),
    };
    let json = serde_json::to_string(&error).map_err(|_| damaged("outcome"))?;
    let sql = "UPDATE send_keys SET outcome = ? WHERE connection_id = ? AND message_id = ?";
    sqlx::query(sql).bind(json).bind(connection.number()).bind(message.number()).execute(db).await?;
    Ok(())
}
