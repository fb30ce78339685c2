//! Keys by which the application names what it sends, so that a second attempt is known as one.

use super::changes::SendKey;
use super::columns::{column, damaged, read};
use super::{Fault, Store, StoredEvent};
use crate::error::SendError;
use crate::event::Event;
use crate::id::{ConnectionId, MessageId};
use crate::send_handle::SendOutcome;
use smp_sqlite::Rows;
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
CREATE INDEX IF NOT EXISTS send_keys_unsettled ON send_keys (connection_id, message_id) WHERE outcome IS NULL;
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

    /// The one of them whose outcome an event tells.
    pub(super) fn settled(&self, event: &Event) -> Option<Settled> {
        let settled = settled(event)?;
        self.lock().contains(&settled.0).then_some(settled)
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

    /// Those of some keys of connections under which a message was sent.
    pub(crate) async fn known_keys(
        &self,
        keys: impl Iterator<Item = (ConnectionId, SendKey)>,
    ) -> Result<HashSet<(ConnectionId, SendKey)>, Fault> {
        let mut rows = Rows::default();
        keys.for_each(|(connection, key)| rows.row().number(connection.number()).hex(key.as_slice()).end());
        let sql = "SELECT connection_id, key FROM send_keys WHERE (connection_id, key) IN
            (SELECT value ->> 0, unhex(value ->> 1) FROM json_each(?))";
        let known = rows.bind_numbers(sqlx::query(sql)).fetch_all(&self.readers).await?;
        let known = known.iter().map(|row| {
            let key = read(row, "key", |bytes| bytes.try_into().ok())?;
            Ok((ConnectionId::new(column(row, "connection_id")?), key))
        });
        known.collect()
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

/// A message, and its outcome.
pub(crate) type Settled = ((ConnectionId, MessageId), SendOutcome);

/// The message whose outcome an event tells.
pub(crate) fn settled(event: &Event) -> Option<Settled> {
    match event {
        Event::Sent { connection, id } => Some(((*connection, *id), SendOutcome::Sent)),
        Event::SendFailed { connection, id, error } => {
            Some(((*connection, *id), SendOutcome::Failed(error.clone())))
        }
        _ => None,
    }
}

/// An outcome as the table has it, quoted: null, or the error.
pub(super) fn written(outcome: &SendOutcome) -> Result<String, Fault> {
    let error = match outcome {
        SendOutcome::Sent => None,
        SendOutcome::Failed(error) => Some(error),
    };
    let json = serde_json::to_string(&error).and_then(|json| serde_json::to_string(&json));
    Ok(json.map_err(|_| damaged("outcome"))?)
}
