//! Reading from the database: a few connections that see what was committed last.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use smp_protocol::id::{RecipientId, ServiceId};
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{Row as _, query};
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;

use super::Postgres;
use super::fault::{fault, is_lost, unavailable};
use crate::store::engine::backend::{Backend, Nearest, Result, StoredQueue};
use crate::store::engine::rows::{self, limit_number, select_queues};
use crate::store::{
    Day, LinkData, Message, Neighbour, NewService, ProcessId, QueueId, QueueRecord, ServiceQueues,
    ServiceRole, StorageFault, StoreCounts, StoreError, StoreLoad,
};

/// How long a read may take.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

fn read<T>(result: std::result::Result<T, StorageFault>) -> Result<T> {
    result.map_err(StoreError::Unavailable)
}

type Statement<'q> = Query<'q, sqlx::Postgres, PgArguments>;

impl Postgres {
    /// Rows of a statement. After a restart of the server each connection says once that it is lost.
    async fn rows<'q>(&self, statement: impl Fn() -> Statement<'q> + Sync) -> Result<Vec<PgRow>> {
        for _ in 0..self.attempts {
            match timeout(READ_TIMEOUT, statement().fetch_all(&self.pool)).await {
                Ok(Err(error)) if is_lost(&error) => {}
                Ok(result) => return result.map_err(|error| unavailable(&error)),
                Err(_) => break,
            }
        }
        Err(StoreError::Unavailable(StorageFault::Io("the database does not answer".into())))
    }

    /// The process that has a queue, and whether that one lives; `None` if there is no such queue.
    async fn owner(&self, id: &RecipientId) -> Result<Option<(Option<i64>, bool)>> {
        let sql = "SELECT q.owner, p.process IS NOT NULL FROM queues q LEFT JOIN processes p ON p.process = q.owner \
                   WHERE q.recipient_id = $1";
        let row = self.row(|| query(sql).bind(id.as_bytes())).await?;
        let columns = |row: PgRow| Ok((row.try_get(0)?, row.try_get(1)?));
        row.map(columns).transpose().map_err(|error| unavailable(&error))
    }

    /// Takes a queue that nobody has, so that it is this process's. `false` if there is no such queue.
    async fn claim(&self, own: ProcessId, id: &RecipientId) -> Result<bool> {
        loop {
            let Some((owner, lives)) = self.owner(id).await? else { return Ok(false) };
            match owner {
                Some(owner) if owner == own.0 => return Ok(true),
                Some(owner) if lives => return Err(StoreError::Elsewhere(ProcessId(owner))),
                _ => {}
            }
            // A process that is dead never lives again. Of several that take it the first one has it, and the others look again.
            let sql = "UPDATE queues SET owner = $1 WHERE recipient_id = $2 AND owner IS NOT DISTINCT FROM $3 RETURNING 1";
            self.row(|| query(sql).bind(own.0).bind(id.as_bytes()).bind(owner)).await?;
        }
    }

    /// A queue and its messages as they are, whoever has it.
    async fn read_queue(&self, id: &RecipientId) -> Result<Option<StoredQueue>> {
        let sql = select_queues!("WHERE q.recipient_id = $1");
        let Some(row) = self.row(|| query(sql).bind(id.as_bytes())).await? else { return Ok(None) };
        let (key, record) = read(rows::record(&row))?;
        let sql =
            "SELECT message, timestamp, kind, message_id FROM messages WHERE queue = $1 ORDER BY message";
        let found = self.rows(|| query(sql).bind(key)).await?;
        let messages = found.iter().map(|row| read(rows::message_info(row))).collect::<Result<_>>()?;
        Ok(Some(StoredQueue { key, record, messages }))
    }

    async fn row<'q>(&self, statement: impl Fn() -> Statement<'q> + Sync) -> Result<Option<PgRow>> {
        Ok(self.rows(statement).await?.pop())
    }
}

impl Backend for Postgres {
    async fn place(&self) -> Result<SemaphorePermit<'_>> {
        self.strangers.acquire().await.map_err(|_| StoreError::Closed)
    }

    async fn resolve(&self, id: QueueId<'_>) -> Result<Nearest> {
        macro_rules! next_by {
            ($column:literal) => {
                concat!(
                    "SELECT recipient_id, ",
                    $column,
                    ", owner FROM queues WHERE ",
                    $column,
                    " >= $1 ORDER BY ",
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
        for from in [id, &[]] {
            if let Some(row) = self.row(|| query(sql).bind(from)).await? {
                let is_it = read(rows::bytes(&row, 1))? == id;
                let owner: Option<i64> = row.try_get(2).map_err(|error| unavailable(&error))?;
                let owner =
                    owner.map(ProcessId).filter(|owner| self.process().is_some_and(|own| own != *owner));
                return Ok(Nearest { recipient: read(rows::id(&row, 0))?, is_it, owner });
            }
        }
        Ok(Nearest { recipient: RecipientId::empty(), is_it: false, owner: None })
    }

    async fn queue(&self, id: &RecipientId) -> Result<Option<StoredQueue>> {
        if let Some(own) = self.process()
            && !self.claim(own, id).await?
        {
            return Ok(None);
        }
        self.read_queue(id).await
    }

    async fn read_in_vain(&self, id: &RecipientId) -> Result<()> {
        if self.process().is_some() {
            self.owner(id).await?;
        }
        self.read_queue(id).await.map(drop)
    }

    fn process(&self) -> Option<ProcessId> {
        self.ownership.process()
    }

    fn neighbours(&self) -> Vec<Neighbour> {
        self.processes.alive()
    }

    async fn message(&self, key: i64) -> Result<Option<Message>> {
        let sql = "SELECT message, timestamp, kind, message_id, body FROM messages WHERE message = $1";
        let row = self.row(|| query(sql).bind(key)).await?;
        row.map(|row| read(rows::message(&row))).transpose()
    }

    async fn link_data(&self, queue: i64) -> Result<Option<LinkData>> {
        let sql = "SELECT fixed_data, user_data FROM links WHERE queue = $1";
        let Some(row) = self.row(|| query(sql).bind(queue)).await? else { return Ok(None) };
        let part = |column| Ok(read(rows::bytes(&row, column))?.to_vec());
        Ok(Some(LinkData { fixed: part(0)?, user: part(1)? }))
    }

    async fn expired(&self, before: u64, limit: usize) -> Result<Vec<(i64, RecipientId)>> {
        let sql = "SELECT m.message, q.recipient_id FROM messages m JOIN queues q ON q.queue = m.queue \
                   WHERE m.kind < 2 AND m.timestamp < $1 AND ($3::bigint IS NULL OR q.owner IS NULL OR q.owner = $3 \
                   OR NOT EXISTS (SELECT 1 FROM processes p WHERE p.process = q.owner)) ORDER BY m.timestamp LIMIT $2";
        let own = self.process().map(|own| own.0);
        let statement = || query(sql).bind(rows::to_signed(before)).bind(limit_number(limit)).bind(own);
        let found = self.rows(statement).await?;
        found.iter().map(|row| Ok((read(rows::number(row, 0))?, read(rows::id(row, 1))?))).collect()
    }

    async fn idle(&self, before: Day, limit: usize) -> Result<Vec<RecipientId>> {
        let sql = "SELECT q.recipient_id FROM queues q WHERE q.updated_day < $1 AND ($3::bigint IS NULL OR q.owner IS NULL OR q.owner = $3 \
                   OR NOT EXISTS (SELECT 1 FROM processes p WHERE p.process = q.owner)) ORDER BY q.updated_day LIMIT $2";
        let own = self.process().map(|own| own.0);
        let statement = || query(sql).bind(i64::from(before.0)).bind(limit_number(limit)).bind(own);
        let found = self.rows(statement).await?;
        found.iter().map(|row| read(rows::id(row, 0))).collect()
    }

    async fn queue_page(&self, after: Option<&RecipientId>, limit: usize) -> Result<Vec<Arc<QueueRecord>>> {
        let sql = select_queues!("WHERE q.recipient_id > $1 ORDER BY q.recipient_id LIMIT $2");
        records(&self.rows(|| query(sql).bind(start(after)).bind(limit_number(limit))).await?)
    }

    async fn service_queue_page(
        &self,
        service: &ServiceId,
        role: ServiceRole,
        after: Option<&RecipientId>,
        limit: usize,
    ) -> Result<Vec<Arc<QueueRecord>>> {
        macro_rules! queues_of {
            ($column:literal) => {
                select_queues!(
                    "WHERE q.",
                    $column,
                    " = (SELECT service FROM services WHERE service_id = $1) \
                     AND q.recipient_id > $2 ORDER BY q.recipient_id LIMIT $3"
                )
            };
        }
        let sql = match role {
            ServiceRole::Messaging => queues_of!("recipient_service"),
            ServiceRole::Notifier => queues_of!("notifier_service"),
        };
        let statement = || query(sql).bind(service.as_bytes()).bind(start(after)).bind(limit_number(limit));
        records(&self.rows(statement).await?)
    }

    async fn service(&self, fingerprint: &[u8]) -> Result<Option<(ServiceId, ServiceRole)>> {
        let sql = "SELECT service_id, role FROM services WHERE fingerprint = $1";
        let row = self.row(|| query(sql).bind(fingerprint)).await?;
        row.map(|row| Ok((read(rows::id(&row, 0))?, read(rows::role(&row, 1))?))).transpose()
    }

    async fn services(&self) -> Result<Vec<NewService>> {
        let found = self.rows(|| query(rows::SELECT_SERVICES)).await?;
        found.iter().map(|row| read(rows::service(row))).collect()
    }

    async fn service_queues(&self, service: &ServiceId, role: ServiceRole) -> Result<Option<ServiceQueues>> {
        let sql = "SELECT queue_count, ids_hash FROM services WHERE service_id = $1 AND role = $2";
        let row = self.row(|| query(sql).bind(service.as_bytes()).bind(rows::role_number(role))).await?;
        row.map(|row| read(rows::service_queues(&row))).transpose()
    }

    async fn clock(&self) -> Result<String> {
        let row = self.row(|| query("SELECT clock FROM store")).await?.ok_or(StoreError::NotFound)?;
        row.try_get(0).map_err(|error| unavailable(&error))
    }

    fn load(&self) -> StoreLoad {
        StoreLoad {
            disk_bytes: self.disk_bytes.load(Ordering::Relaxed),
            is_out_of_reach: self.ownership.is_out_of_reach(),
            ..StoreLoad::default()
        }
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

/// Counts everything. Walks indexes: for the start.
pub(super) async fn counts(connection: &mut PgConnection) -> Result<StoreCounts> {
    let sql = "SELECT (SELECT count(*) FROM queues), (SELECT count(*) FROM queues WHERE notifier_id IS NOT NULL), \
               (SELECT count(*) FROM messages), (SELECT count(*) FROM services WHERE role = 0), \
               (SELECT count(*) FROM services WHERE role = 1)";
    let row = query(sql).fetch_one(connection).await.map_err(|error| unavailable(&error))?;
    Ok(StoreCounts {
        queues: read(rows::count(&row, 0))?,
        notifiers: read(rows::count(&row, 1))?,
        messages: read(rows::count(&row, 2))?,
        messaging_services: read(rows::count(&row, 3))?,
        notifier_services: read(rows::count(&row, 4))?,
    })
}

/// The largest keys of queues and messages in use.
pub(super) async fn last_keys(connection: &mut PgConnection) -> Result<(i64, i64)> {
    let sql = "SELECT (SELECT coalesce(max(queue), 0) FROM queues), (SELECT coalesce(max(message), 0) FROM messages)";
    let row = query(sql).fetch_one(connection).await.map_err(|error| unavailable(&error))?;
    Ok((read(rows::number(&row, 0))?, read(rows::number(&row, 1))?))
}

/// Bytes of the database, as the server counts them.
pub(super) async fn disk_bytes(connection: &mut PgConnection) -> Result<u64> {
    let sql = "SELECT pg_database_size(current_database())";
    let row = query(sql).fetch_one(connection).await.map_err(|error| unavailable(&error))?;
    let bytes = row.try_get::<i64, _>(0).map_err(|error| StoreError::Unavailable(fault(&error)))?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

fn records(found: &[PgRow]) -> Result<Vec<Arc<QueueRecord>>> {
    found.iter().map(|row| Ok(Arc::new(read(rows::record(row))?.1))).collect()
}

/// Every ID is greater than the empty one.
fn start(after: Option<&RecipientId>) -> &[u8] {
    after.map_or(&[], RecipientId::as_bytes)
}
