//! Reading from the database: a few connections that see what was committed last.

use std::sync::Arc;

use smp_protocol::id::{RecipientId, ServiceId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqlitePool, query};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::fault::{fault, unavailable};
use crate::store::engine::backend::{Nearest, Result, StoredQueue};
use crate::store::engine::rows::{self, limit_number, select_queues};
use crate::store::{
    Day, LinkData, Message, NewService, QueueId, QueueRecord, ServiceQueues, ServiceRole, StorageFault,
    StoreCounts, StoreError,
};

/// Reads from the database.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) pool: SqlitePool,
    /// Places for searches by IDs that memory does not know: one less than there are connections. Anybody can invent IDs, and the
    /// search for one that does not exist costs more than any other; so some are left for queues that do.
    strangers: Semaphore,
    #[cfg(test)]
    searches: std::sync::atomic::AtomicUsize,
}

fn read<T>(result: std::result::Result<T, StorageFault>) -> Result<T> {
    result.map_err(StoreError::Unavailable)
}

impl Reader {
    pub(super) fn new(pool: SqlitePool, readers: u32) -> Self {
        Reader {
            pool,
            strangers: Semaphore::new(readers.saturating_sub(1).max(1) as usize),
            #[cfg(test)]
            searches: Default::default(),
        }
    }

    /// How many searches for queues there were.
    #[cfg(test)]
    pub(super) fn searches(&self) -> usize {
        self.searches.load(std::sync::atomic::Ordering::Relaxed)
    }

    #[cfg(test)]
    fn count_search(&self) {
        self.searches.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    /// Waits for a place to search by an ID that may be invented. It is to be kept during all reads of that search.
    pub(super) async fn place(&self) -> Result<SemaphorePermit<'_>> {
        self.strangers.acquire().await.map_err(|_| StoreError::Closed)
    }

    /// The queue with this ID, or the next one: that is the same work, also for the disk.
    pub(super) async fn resolve(&self, id: QueueId<'_>) -> Result<Nearest> {
        #[cfg(test)]
        self.count_search();
        macro_rules! next_by {
            ($column:literal) => {
                concat!(
                    "SELECT recipient_id, ",
                    $column,
                    " FROM queues WHERE ",
                    $column,
                    " >= ? ORDER BY ",
                    $column,
                    " LIMIT 1"
                )
            };
        }
        let (sql, id) = match id {
            QueueId::Recipient(id) => (next_by!("recipient_id"), id.as_bytes()),
            QueueId::Sender(id) => (next_by!("sender_id"), id.as_bytes()),
            QueueId::Notifier(id) => (next_by!("notifier_id"), id.as_bytes()),
            QueueId::Link(id) => (next_by!("link_id"), id.as_bytes()),
        };
        // Behind the last ID comes the first one.
        for from in [id, &[]] {
            let row = query(sql).bind(from).fetch_optional(&self.pool).await.map_err(unavailable)?;
            if let Some(row) = row {
                let is_it = read(rows::bytes(&row, 1))? == id;
                return Ok(Nearest { recipient: read(rows::id(&row, 0))?, is_it, owner: None });
            }
        }
        Ok(Nearest { recipient: RecipientId::empty(), is_it: false, owner: None })
    }

    /// A queue and its messages, without their bodies.
    pub(super) async fn queue(&self, id: &RecipientId) -> Result<Option<StoredQueue>> {
        #[cfg(test)]
        self.count_search();
        let mut connection = self.pool.acquire().await.map_err(unavailable)?;
        let sql = select_queues!("WHERE q.recipient_id = ?");
        let row =
            query(sql).bind(id.as_bytes()).fetch_optional(&mut *connection).await.map_err(unavailable)?;
        let found = row.map(|row| read(rows::record(&row))).transpose()?;
        let Some((key, record)) = found else { return Ok(None) };
        let sql =
            "SELECT message, timestamp, kind, message_id FROM messages WHERE queue = ? ORDER BY message";
        let found_messages = query(sql).bind(key).fetch_all(&mut *connection).await.map_err(unavailable)?;
        let messages =
            found_messages.iter().map(|row| read(rows::message_info(row))).collect::<Result<_>>()?;
        Ok(Some(StoredQueue { key, record, messages }))
    }

    /// A message with its body.
    pub(super) async fn message(&self, key: i64) -> Result<Option<Message>> {
        let sql = "SELECT message, timestamp, kind, message_id, body FROM messages WHERE message = ?";
        let row = query(sql).bind(key).fetch_optional(&self.pool).await.map_err(unavailable)?;
        row.map(|row| read(rows::message(&row))).transpose()
    }

    pub(super) async fn link_data(&self, queue: i64) -> Result<Option<LinkData>> {
        let sql = "SELECT fixed_data, user_data FROM links WHERE queue = ?";
        let row = query(sql).bind(queue).fetch_optional(&self.pool).await.map_err(unavailable)?;
        row.map(|row| {
            Ok(LinkData {
                fixed: read(rows::bytes(&row, 0))?.to_vec(),
                user: read(rows::bytes(&row, 1))?.to_vec(),
            })
        })
        .transpose()
    }

    /// Keys and queues of messages that have expired, the oldest first.
    pub(super) async fn expired(&self, before: u64, limit: usize) -> Result<Vec<(i64, RecipientId)>> {
        let sql = "SELECT m.message, q.recipient_id FROM messages m INDEXED BY messages_by_time \
                   JOIN queues q ON q.queue = m.queue WHERE m.kind < 2 AND m.timestamp < ? ORDER BY m.timestamp LIMIT ?";
        let found = query(sql).bind(rows::to_signed(before)).bind(limit_number(limit));
        let found = found.fetch_all(&self.pool).await.map_err(unavailable)?;
        found.iter().map(|row| Ok((read(rows::number(row, 0))?, read(rows::id(row, 1))?))).collect()
    }

    /// Queues that were not used since this day.
    pub(super) async fn idle(&self, before: Day, limit: usize) -> Result<Vec<RecipientId>> {
        let sql = "SELECT recipient_id FROM queues WHERE updated_day < ? ORDER BY updated_day LIMIT ?";
        let found = query(sql).bind(before.0).bind(limit_number(limit));
        let found = found.fetch_all(&self.pool).await.map_err(unavailable)?;
        found.iter().map(|row| read(rows::id(row, 0))).collect()
    }

    pub(super) async fn queue_page(
        &self,
        after: Option<&RecipientId>,
        limit: usize,
    ) -> Result<Vec<Arc<QueueRecord>>> {
        let sql = select_queues!("WHERE q.recipient_id > ? ORDER BY q.recipient_id LIMIT ?");
        let found = query(sql).bind(start(after)).bind(limit_number(limit));
        records(&found.fetch_all(&self.pool).await.map_err(unavailable)?)
    }

    pub(super) async fn service_queue_page(
        &self,
        service: &ServiceId,
        role: ServiceRole,
        after: Option<&RecipientId>,
        limit: usize,
    ) -> Result<Vec<Arc<QueueRecord>>> {
        let sql = match role {
            ServiceRole::Messaging => select_queues!(
                "WHERE q.recipient_service = (SELECT service FROM services WHERE service_id = ?) \
                 AND q.recipient_id > ? ORDER BY q.recipient_id LIMIT ?"
            ),
            ServiceRole::Notifier => select_queues!(
                "WHERE q.notifier_service = (SELECT service FROM services WHERE service_id = ?) \
                 AND q.recipient_id > ? ORDER BY q.recipient_id LIMIT ?"
            ),
        };
        let found = query(sql).bind(service.as_bytes()).bind(start(after)).bind(limit_number(limit));
        records(&found.fetch_all(&self.pool).await.map_err(unavailable)?)
    }

    /// ID and role of the service with this certificate.
    pub(super) async fn service(&self, fingerprint: &[u8]) -> Result<Option<(ServiceId, ServiceRole)>> {
        let sql = "SELECT service_id, role FROM services WHERE fingerprint = ?";
        let row = query(sql).bind(fingerprint).fetch_optional(&self.pool).await.map_err(unavailable)?;
        row.map(|row| Ok((read(rows::id(&row, 0))?, read(rows::role(&row, 1))?))).transpose()
    }

    pub(super) async fn services(&self) -> Result<Vec<NewService>> {
        let found = query(rows::SELECT_SERVICES).fetch_all(&self.pool).await.map_err(unavailable)?;
        found.iter().map(|row| read(rows::service(row))).collect()
    }

    pub(super) async fn service_queues(
        &self,
        service: &ServiceId,
        role: ServiceRole,
    ) -> Result<Option<ServiceQueues>> {
        let sql = "SELECT queue_count, ids_hash FROM services WHERE service_id = ? AND role = ?";
        let row = query(sql).bind(service.as_bytes()).bind(rows::role_number(role));
        let row = row.fetch_optional(&self.pool).await.map_err(unavailable)?;
        row.map(|row| read(rows::service_queues(&row))).transpose()
    }

    /// The text that the store was told of the relay's clock.
    pub(super) async fn clock(&self) -> Result<String> {
        let row = query("SELECT clock FROM store").fetch_one(&self.pool).await.map_err(unavailable)?;
        read(row.try_get(0).map_err(|error| fault(&error)))
    }

    /// Counts everything. Walks indexes: for the start.
    pub(super) async fn counts(&self) -> Result<StoreCounts> {
        Self::counts_on(&self.pool).await
    }

    /// As [`Self::counts`], over this connection.
    pub(super) async fn counts_on(
        connection: impl sqlx::Executor<'_, Database = sqlx::Sqlite>,
    ) -> Result<StoreCounts> {
        let sql = "SELECT (SELECT count(*) FROM queues), (SELECT count(*) FROM queues WHERE notifier_id IS NOT NULL), \
                   (SELECT count(*) FROM messages), (SELECT count(*) FROM services WHERE role = 0), \
                   (SELECT count(*) FROM services WHERE role = 1)";
        let row = query(sql).fetch_one(connection).await.map_err(unavailable)?;
        Ok(StoreCounts {
            queues: read(rows::count(&row, 0))?,
            notifiers: read(rows::count(&row, 1))?,
            messages: read(rows::count(&row, 2))?,
            messaging_services: read(rows::count(&row, 3))?,
            notifier_services: read(rows::count(&row, 4))?,
        })
    }

    /// The largest keys of queues and messages in use.
    pub(super) async fn last_keys(&self) -> Result<(i64, i64)> {
        let sql = "SELECT (SELECT coalesce(max(queue), 0) FROM queues), (SELECT coalesce(max(message), 0) FROM messages)";
        let row = query(sql).fetch_one(&self.pool).await.map_err(unavailable)?;
        Ok((read(rows::number(&row, 0))?, read(rows::number(&row, 1))?))
    }
}

fn records(found: &[SqliteRow]) -> Result<Vec<Arc<QueueRecord>>> {
    found.iter().map(|row| Ok(Arc::new(read(rows::record(row))?.1))).collect()
}

/// Every ID is greater than the empty blob.
fn start(after: Option<&RecipientId>) -> &[u8] {
    after.map_or(&[], RecipientId::as_bytes)
}
