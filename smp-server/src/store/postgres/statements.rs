//! The statements of the writer. All run inside its transaction, which an error ends; what concerns one change only is an outcome.

use std::collections::BTreeMap;

use smp_protocol::id::ServiceId;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::{Postgres, query, raw_sql};

use super::fault::fault;
use crate::store::engine::rows::{
    blocked, body, encode_keys, kind_number, mode_number, role_number, service_queues, status_number,
    to_signed,
};
use crate::store::engine::write_queue::{ChangeKind, LinkChange};
use crate::store::engine::writing::{Outcome, Plan};
use crate::store::rules::{Association, association_changes};
use crate::store::{LinkData, Message, NewService, ProcessId, QueueRecord, StoreError};

type Result<T> = sqlx::Result<T>;
type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

/// Messages of one statement: a few MiB with their bodies.
const ROWS: usize = 256;

async fn run(connection: &mut PgConnection, query: Query<'_>) -> Result<u64> {
    query.execute(connection).await.map(|done| done.rows_affected())
}

/// Does all that a plan says; outcomes of its changes go to their places.
pub(super) async fn execute(
    connection: &mut PgConnection,
    plan: &Plan<'_>,
    owner: Option<ProcessId>,
    outcomes: &mut [Outcome],
) -> Result<()> {
    let mut joint = Joint { owner, ..Joint::default() };
    for (place, change) in &plan.changes {
        outcomes[*place] = self::change(connection, &mut joint, change).await?;
    }
    let rows: Vec<_> = plan
        .appends
        .iter()
        .map(|(pending, message)| (pending.key, pending.queue, message.as_ref()))
        .collect();
    insert_messages(connection, &rows).await?;
    delete_messages(connection, &plan.removals).await?;
    for (place, change) in &plan.last {
        outcomes[*place] = self::change(connection, &mut joint, change).await?;
    }
    joint.finish(connection).await
}

async fn insert_messages(connection: &mut PgConnection, rows: &[(i64, i64, &Message)]) -> Result<()> {
    let sql = "INSERT INTO messages (message, queue, timestamp, kind, message_id, body) \
               SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bytea[])";
    for rows in rows.chunks(ROWS) {
        let keys: Vec<_> = rows.iter().map(|(key, ..)| *key).collect();
        let queues: Vec<_> = rows.iter().map(|(_, queue, _)| *queue).collect();
        let times: Vec<_> = rows.iter().map(|(_, _, message)| to_signed(message.timestamp)).collect();
        let kinds: Vec<_> = rows.iter().map(|(_, _, message)| kind_number(message.info().kind)).collect();
        let ids: Vec<_> = rows.iter().map(|(_, _, message)| message.id.as_bytes()).collect();
        let bodies: Vec<_> = rows.iter().map(|(_, _, message)| body(message)).collect();
        let insert = query(sql).bind(keys).bind(queues).bind(times).bind(kinds).bind(ids).bind(bodies);
        run(connection, insert).await?;
    }
    Ok(())
}

/// Deletes messages; those that are not there do not matter.
async fn delete_messages(connection: &mut PgConnection, keys: &[i64]) -> Result<u64> {
    if keys.is_empty() {
        return Ok(0);
    }
    run(connection, query("DELETE FROM messages WHERE message = ANY($1)").bind(keys)).await
}

/// Changes of many queues that are made in one statement, at the end of the transaction.
#[derive(Default)]
struct Joint {
    /// The process that has new queues.
    owner: Option<ProcessId>,
    /// In order, as several processes lock these rows.
    services: BTreeMap<ServiceId, Vec<(Association, bool)>>,
    given_queues: Vec<i64>,
    given_to: Vec<i64>,
    used_queues: Vec<i64>,
    used_days: Vec<i64>,
}

impl Joint {
    fn associate(&mut self, ended: Vec<Association>, begun: Vec<Association>) {
        let ended = ended.into_iter().map(|association| (association, false));
        for (association, begins) in ended.chain(begun.into_iter().map(|association| (association, true))) {
            self.services.entry(association.service.clone()).or_default().push((association, begins));
        }
    }

    async fn finish(self, connection: &mut PgConnection) -> Result<()> {
        if !self.used_queues.is_empty() {
            let sql = "UPDATE queues SET updated_day = used.day FROM unnest($1::bigint[], $2::bigint[]) AS used (queue, day) \
                       WHERE queues.queue = used.queue AND queues.updated_day IS DISTINCT FROM used.day";
            run(connection, query(sql).bind(self.used_queues).bind(self.used_days)).await?;
        }
        if !self.given_queues.is_empty() {
            let sql = "UPDATE queues SET owner = given.process FROM unnest($1::bigint[], $2::bigint[]) AS given (queue, process) \
                       WHERE queues.queue = given.queue";
            run(connection, query(sql).bind(self.given_queues).bind(self.given_to)).await?;
        }
        for (service, changes) in self.services {
            count(connection, &service, &changes).await?;
        }
        Ok(())
    }
}

/// Counts queues that leave and join a service.
async fn count(
    connection: &mut PgConnection,
    service: &ServiceId,
    changes: &[(Association, bool)],
) -> Result<()> {
    // Other processes count, too.
    let sql = "SELECT queue_count, ids_hash FROM services WHERE service_id = $1 FOR UPDATE";
    let found = query(sql).bind(service.as_bytes()).fetch_optional(&mut *connection).await?;
    let Some(row) = found else { return Ok(()) };
    let mut queues = service_queues(&row).map_err(|fault| sqlx::Error::Decode(Box::new(fault)))?;
    for (association, begins) in changes {
        match begins {
            true => queues.add(&association.id_hash),
            false => queues.remove(&association.id_hash),
        }
    }
    let sql = "UPDATE services SET queue_count = $1, ids_hash = $2 WHERE service_id = $3";
    let ids_hash = queues.ids_hash.as_slice();
    let update = query(sql).bind(to_signed(queues.count)).bind(ids_hash).bind(service.as_bytes());
    run(connection, update).await?;
    Ok(())
}

/// Makes a change, but for its part in what is done for all. Returns how many rows it made where that is of interest.
async fn change(connection: &mut PgConnection, joint: &mut Joint, change: &ChangeKind) -> Result<Outcome> {
    match change {
        ChangeKind::Create { queue, record, link_data } => {
            create(connection, joint, *queue, record, link_data.as_ref()).await
        }
        ChangeKind::Update { queue, before, after, link } => {
            update(connection, joint, (*queue, before, after), link).await
        }
        ChangeKind::Used { queue, day } => {
            joint.used_queues.push(*queue);
            joint.used_days.push(i64::from(day.0));
            Ok(Ok(1))
        }
        ChangeKind::Delete { queue, record } => delete(connection, joint, *queue, record).await.map(Ok),
        ChangeKind::Expire { messages } => delete_messages(connection, messages).await.map(Ok),
        ChangeKind::Service(service) => create_service(connection, service).await,
        ChangeKind::Clock(text) => {
            run(connection, query("UPDATE store SET clock = $1 WHERE one = 1").bind(text.as_str()))
                .await
                .map(Ok)
        }
        // After all messages of the transaction.
        ChangeKind::GiveAway { queue, to } => {
            joint.given_queues.push(*queue);
            joint.given_to.push(to.0);
            Ok(Ok(1))
        }
        ChangeKind::Nothing => Ok(Ok(0)),
    }
}

async fn create(
    connection: &mut PgConnection,
    joint: &mut Joint,
    queue: i64,
    record: &QueueRecord,
    link_data: Option<&LinkData>,
) -> Result<Outcome> {
    let (_, begun) = association_changes(None, Some(record));
    if !services_exist(connection, &begun).await? {
        return Ok(Err(StoreError::NotFound));
    }
    let sql = "INSERT INTO queues (recipient_id, sender_id, notifier_id, link_id, recipient_keys, recipient_dh, \
               sender_key, mode, status, blocked, updated_day, notifier_key, notifier_dh, fixed_digest, \
               recipient_service, notifier_service, queue, owner) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
               (SELECT service FROM services WHERE service_id = $15), \
               (SELECT service FROM services WHERE service_id = $16), $17, $18) ON CONFLICT DO NOTHING";
    let owner = joint.owner.map(|process| process.0);
    if run(connection, bind_record(query(sql), record).bind(queue).bind(owner)).await? == 0 {
        return Ok(Err(StoreError::Duplicate));
    }
    if let Some(data) = link_data {
        set_link(connection, queue, data).await?;
    }
    joint.associate(Vec::new(), begun);
    Ok(Ok(1))
}

async fn update(
    connection: &mut PgConnection,
    joint: &mut Joint,
    (queue, before, after): (i64, &QueueRecord, &QueueRecord),
    link: &LinkChange,
) -> Result<Outcome> {
    let (ended, begun) = association_changes(Some(before), Some(after));
    if !services_exist(connection, &begun).await? {
        return Ok(Err(StoreError::NotFound));
    }
    if is_taken(connection, queue, after).await? {
        return Ok(Err(StoreError::Duplicate));
    }
    let sql = "UPDATE queues SET recipient_id = $1, sender_id = $2, notifier_id = $3, link_id = $4, recipient_keys = $5, \
               recipient_dh = $6, sender_key = $7, mode = $8, status = $9, blocked = $10, updated_day = $11, \
               notifier_key = $12, notifier_dh = $13, fixed_digest = $14, \
               recipient_service = (SELECT service FROM services WHERE service_id = $15), \
               notifier_service = (SELECT service FROM services WHERE service_id = $16) WHERE queue = $17";
    run(connection, bind_record(query(sql), after).bind(queue)).await?;
    match link {
        LinkChange::None => {}
        LinkChange::Set(data) => set_link(connection, queue, data).await?,
        LinkChange::Clear => clear_link(connection, queue).await?,
    }
    joint.associate(ended, begun);
    Ok(Ok(1))
}

/// Whether another queue has an ID that this one is to get. If another process gives it that ID at the same time, the index refuses one of
/// them, and this is asked again when the change is tried by itself.
async fn is_taken(connection: &mut PgConnection, queue: i64, after: &QueueRecord) -> Result<bool> {
    let notifier = after.notifier.as_ref().map(|notifier| notifier.id.as_bytes());
    let link = after.link.as_ref().map(|link| link.id.as_bytes());
    for (sql, id) in [
        ("SELECT 1 FROM queues WHERE notifier_id = $1 AND queue <> $2", notifier),
        ("SELECT 1 FROM queues WHERE link_id = $1 AND queue <> $2", link),
    ] {
        let Some(id) = id else { continue };
        if query(sql).bind(id).bind(queue).fetch_optional(&mut *connection).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns how many messages were in the database.
async fn delete(
    connection: &mut PgConnection,
    joint: &mut Joint,
    queue: i64,
    record: &QueueRecord,
) -> Result<u64> {
    let messages = run(connection, query("DELETE FROM messages WHERE queue = $1").bind(queue)).await?;
    clear_link(connection, queue).await?;
    let (ended, _) = association_changes(Some(record), None);
    joint.associate(ended, Vec::new());
    run(connection, query("DELETE FROM queues WHERE queue = $1").bind(queue)).await?;
    Ok(messages)
}

fn bind_record<'q>(query: Query<'q>, record: &'q QueueRecord) -> Query<'q> {
    let notifier = record.notifier.as_ref();
    let recipient_service = record.recipient_service.as_ref();
    let notifier_service = notifier.and_then(|notifier| notifier.service.as_ref());
    query
        .bind(record.recipient_id.as_bytes())
        .bind(record.sender_id.as_bytes())
        .bind(notifier.map(|notifier| notifier.id.as_bytes()))
        .bind(record.link.as_ref().map(|link| link.id.as_bytes()))
        .bind(encode_keys(&record.recipient_keys))
        .bind(record.recipient_dh.as_bytes().as_slice())
        .bind(record.sender_key.as_ref().map(|key| key.to_der()))
        .bind(record.mode.map(mode_number))
        .bind(status_number(&record.status))
        .bind(blocked(&record.status))
        .bind(record.updated.map(|day| i64::from(day.0)))
        .bind(notifier.map(|notifier| notifier.key.to_der()))
        .bind(notifier.map(|notifier| notifier.dh.as_bytes().as_slice()))
        .bind(record.link.as_ref().map(|link| link.fixed_digest.as_slice()))
        .bind(recipient_service.map(|service| service.as_bytes()))
        .bind(notifier_service.map(|service| service.as_bytes()))
}

async fn set_link(connection: &mut PgConnection, queue: i64, data: &LinkData) -> Result<()> {
    let sql = "INSERT INTO links (queue, fixed_data, user_data) VALUES ($1, $2, $3) \
               ON CONFLICT (queue) DO UPDATE SET fixed_data = excluded.fixed_data, user_data = excluded.user_data";
    run(connection, query(sql).bind(queue).bind(data.fixed.as_slice()).bind(data.user.as_slice())).await?;
    Ok(())
}

async fn clear_link(connection: &mut PgConnection, queue: i64) -> Result<()> {
    run(connection, query("DELETE FROM links WHERE queue = $1").bind(queue)).await?;
    Ok(())
}

async fn create_service(connection: &mut PgConnection, service: &NewService) -> Result<Outcome> {
    let sql = "INSERT INTO services (service_id, role, certificates, fingerprint, created_day, queue_count, ids_hash) \
               VALUES ($1, $2, $3, $4, $5, 0, decode(repeat('00', 16), 'hex')) ON CONFLICT DO NOTHING";
    let insert = query(sql)
        .bind(service.id.as_bytes())
        .bind(role_number(service.role))
        .bind(service.certificates.as_slice())
        .bind(service.fingerprint.as_slice())
        .bind(i64::from(service.created.0));
    let created = run(connection, insert).await?;
    if created == 0 {
        let sql = "SELECT 1 FROM services WHERE fingerprint = $1";
        let known = query(sql).bind(service.fingerprint.as_slice()).fetch_optional(connection).await?;
        return Ok(if known.is_some() { Ok(0) } else { Err(StoreError::Duplicate) });
    }
    Ok(Ok(created))
}

async fn services_exist(connection: &mut PgConnection, associations: &[Association]) -> Result<bool> {
    for association in associations {
        let sql = "SELECT 1 FROM services WHERE service_id = $1 AND role = $2";
        let found = query(sql).bind(association.service.as_bytes()).bind(role_number(association.role));
        if found.fetch_optional(&mut *connection).await?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Ends the transaction. Its effect is unknown if the connection is lost meanwhile.
pub(super) async fn commit(connection: &mut PgConnection) -> Result<()> {
    raw_sql("COMMIT").execute(connection).await.map(|_| ())
}

/// Takes the transaction back; if that fails, the server does it when the connection ends.
pub(super) async fn roll_back(connection: &mut PgConnection) -> Result<()> {
    raw_sql("ROLLBACK").execute(connection).await.map(|_| ())
}

/// Makes the space of removed messages free for others.
pub(super) async fn vacuum(connection: &mut PgConnection) -> Result<()> {
    raw_sql("SET statement_timeout = 0").execute(&mut *connection).await?;
    // Without cutting the files, which would lock the table.
    match raw_sql("VACUUM (SKIP_LOCKED, TRUNCATE false) messages").execute(connection).await {
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::warn!("cannot vacuum: {}; PostgreSQL does it by itself, later", fault(&error));
            Err(error)
        }
    }
}
