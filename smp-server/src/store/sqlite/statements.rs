//! The statements of the writer. All run inside its transaction.

use std::sync::LazyLock;

use sqlx::query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};

use super::fault::fault;
use crate::store::engine::rows::{
    blocked, body, encode_keys, kind_number, mode_number, role_number, service_queues, status_number,
    to_signed,
};
use crate::store::engine::write_queue::{ChangeKind, LinkChange};
use crate::store::rules::{Association, association_changes};
use crate::store::{LinkData, Message, NewService, QueueRecord, StorageFault, StoreError};

/// A disk fault ends the transaction; an inner error concerns this change only, which then has done nothing.
type Result<T> = std::result::Result<T, StorageFault>;
type Outcome = std::result::Result<u64, StoreError>;
type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

/// Rows that one statement inserts or deletes: fewer statements, and few enough different ones to be kept prepared.
const ROWS: usize = 16;

static INSERT_MANY: LazyLock<String> = LazyLock::new(|| {
    let rows = ["(?, ?, ?, ?, ?, ?)"; ROWS].join(", ");
    format!("INSERT INTO messages (message, queue, timestamp, kind, message_id, body) VALUES {rows}")
});
static DELETE_MANY: LazyLock<String> =
    LazyLock::new(|| format!("DELETE FROM messages WHERE message IN ({})", ["?"; ROWS].join(", ")));

const INSERT_ONE: &str =
    "INSERT INTO messages (message, queue, timestamp, kind, message_id, body) VALUES (?, ?, ?, ?, ?, ?)";
const DELETE_ONE: &str = "DELETE FROM messages WHERE message = ?";

async fn run(connection: &mut SqliteConnection, query: Query<'_>) -> Result<u64> {
    query.execute(connection).await.map(|done| done.rows_affected()).map_err(|error| fault(&error))
}

/// Inserts messages, each with its key and the key of its queue.
pub(super) async fn insert_messages(
    connection: &mut SqliteConnection,
    rows: &[(i64, i64, &Message)],
) -> Result<()> {
    let (many, rest) = rows.as_chunks::<ROWS>();
    for rows in many {
        run(connection, bind_messages(query(INSERT_MANY.as_str()), rows)).await?;
    }
    for row in rest {
        run(connection, bind_messages(query(INSERT_ONE), std::slice::from_ref(row))).await?;
    }
    Ok(())
}

fn bind_messages<'q>(mut query: Query<'q>, rows: &[(i64, i64, &'q Message)]) -> Query<'q> {
    for (key, queue, message) in rows {
        query = query
            .bind(*key)
            .bind(*queue)
            .bind(to_signed(message.timestamp))
            .bind(kind_number(message.info().kind))
            .bind(message.id.as_bytes())
            .bind(body(message));
    }
    query
}

/// Deletes messages; those that are not there do not matter.
pub(super) async fn delete_messages(connection: &mut SqliteConnection, keys: &[i64]) -> Result<u64> {
    let (many, rest) = keys.as_chunks::<ROWS>();
    let mut deleted = 0;
    for keys in many {
        let one_query = keys.iter().fold(query(DELETE_MANY.as_str()), |query, key| query.bind(*key));
        deleted += run(connection, one_query).await?;
    }
    for key in rest {
        deleted += run(connection, query(DELETE_ONE).bind(*key)).await?;
    }
    Ok(deleted)
}

/// Makes a change. Returns how many rows it made where that is of interest.
pub(super) async fn change(connection: &mut SqliteConnection, change: &ChangeKind) -> Result<Outcome> {
    match change {
        ChangeKind::Create { queue, record, link_data } => {
            create(connection, *queue, record, link_data.as_ref()).await
        }
        ChangeKind::Update { queue, before, after, link } => {
            update(connection, *queue, before, after, link).await
        }
        ChangeKind::Used { queue, day } => {
            let sql = "UPDATE queues SET updated_day = ? WHERE queue = ?";
            run(connection, query(sql).bind(day.0).bind(*queue)).await.map(Ok)
        }
        ChangeKind::Delete { queue, record } => delete(connection, *queue, record).await.map(Ok),
        ChangeKind::Expire { messages } => delete_messages(connection, messages).await.map(Ok),
        ChangeKind::Service(service) => create_service(connection, service).await,
        ChangeKind::Clock(text) => {
            run(connection, query("UPDATE store SET clock = ?").bind(text.as_str())).await.map(Ok)
        }
        // Nobody shares a file.
        ChangeKind::GiveAway { .. } | ChangeKind::Nothing => Ok(Ok(0)),
    }
}

async fn create(
    connection: &mut SqliteConnection,
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
               recipient_service, notifier_service, queue) \
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT service FROM services WHERE service_id = ?), \
               (SELECT service FROM services WHERE service_id = ?), ?)";
    if let Err(error) = run_unique(connection, bind_record(query(sql), record).bind(queue)).await? {
        return Ok(Err(error));
    }
    if let Some(data) = link_data {
        set_link(connection, queue, data).await?;
    }
    associate(connection, &[], &begun).await?;
    Ok(Ok(1))
}

async fn update(
    connection: &mut SqliteConnection,
    queue: i64,
    before: &QueueRecord,
    after: &QueueRecord,
    link: &LinkChange,
) -> Result<Outcome> {
    let (ended, begun) = association_changes(Some(before), Some(after));
    if !services_exist(connection, &begun).await? {
        return Ok(Err(StoreError::NotFound));
    }
    let sql = "UPDATE queues SET recipient_id = ?, sender_id = ?, notifier_id = ?, link_id = ?, recipient_keys = ?, \
               recipient_dh = ?, sender_key = ?, mode = ?, status = ?, blocked = ?, updated_day = ?, notifier_key = ?, \
               notifier_dh = ?, fixed_digest = ?, \
               recipient_service = (SELECT service FROM services WHERE service_id = ?), \
               notifier_service = (SELECT service FROM services WHERE service_id = ?) WHERE queue = ?";
    if let Err(error) = run_unique(connection, bind_record(query(sql), after).bind(queue)).await? {
        return Ok(Err(error));
    }
    match link {
        LinkChange::None => {}
        LinkChange::Set(data) => set_link(connection, queue, data).await?,
        LinkChange::Clear => clear_link(connection, queue).await?,
    }
    associate(connection, &ended, &begun).await?;
    Ok(Ok(1))
}

/// Returns how many messages were on disk.
async fn delete(connection: &mut SqliteConnection, queue: i64, record: &QueueRecord) -> Result<u64> {
    let messages = run(connection, query("DELETE FROM messages WHERE queue = ?").bind(queue)).await?;
    clear_link(connection, queue).await?;
    let (ended, _) = association_changes(Some(record), None);
    associate(connection, &ended, &[]).await?;
    run(connection, query("DELETE FROM queues WHERE queue = ?").bind(queue)).await?;
    Ok(messages)
}

/// Runs a statement that may meet an ID that is taken; it has then done nothing.
async fn run_unique(connection: &mut SqliteConnection, query: Query<'_>) -> Result<Outcome> {
    match query.execute(connection).await {
        Ok(done) => Ok(Ok(done.rows_affected())),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(Err(StoreError::Duplicate)),
        Err(error) => Err(fault(&error)),
    }
}

fn bind_record<'q>(query: Query<'q>, record: &'q QueueRecord) -> Query<'q> {
    let notifier = record.notifier.as_ref();
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
        .bind(record.updated.map(|day| day.0))
        .bind(notifier.map(|notifier| notifier.key.to_der()))
        .bind(notifier.map(|notifier| notifier.dh.as_bytes().as_slice()))
        .bind(record.link.as_ref().map(|link| link.fixed_digest.as_slice()))
        .bind(record.recipient_service.as_ref().map(|service| service.as_bytes()))
        .bind(notifier.and_then(|notifier| notifier.service.as_ref()).map(|service| service.as_bytes()))
}

async fn set_link(connection: &mut SqliteConnection, queue: i64, data: &LinkData) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO links (queue, fixed_data, user_data) VALUES (?, ?, ?)";
    run(connection, query(sql).bind(queue).bind(data.fixed.as_slice()).bind(data.user.as_slice())).await?;
    Ok(())
}

async fn clear_link(connection: &mut SqliteConnection, queue: i64) -> Result<()> {
    run(connection, query("DELETE FROM links WHERE queue = ?").bind(queue)).await?;
    Ok(())
}

async fn create_service(connection: &mut SqliteConnection, service: &NewService) -> Result<Outcome> {
    let sql = "INSERT INTO services (service_id, role, certificates, fingerprint, created_day, queue_count, ids_hash) \
               VALUES (?, ?, ?, ?, ?, 0, zeroblob(16)) ON CONFLICT (fingerprint) DO NOTHING";
    let query = query(sql)
        .bind(service.id.as_bytes())
        .bind(role_number(service.role))
        .bind(service.certificates.as_slice())
        .bind(service.fingerprint.as_slice())
        .bind(service.created.0);
    run_unique(connection, query).await
}

async fn services_exist(connection: &mut SqliteConnection, associations: &[Association]) -> Result<bool> {
    for association in associations {
        let sql = "SELECT 1 FROM services WHERE service_id = ? AND role = ?";
        let found = query(sql).bind(association.service.as_bytes()).bind(role_number(association.role));
        if found.fetch_optional(&mut *connection).await.map_err(|error| fault(&error))?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Counts queues that leave and join services.
async fn associate(
    connection: &mut SqliteConnection,
    ended: &[Association],
    begun: &[Association],
) -> Result<()> {
    let ended = ended.iter().map(|association| (association, false));
    for (association, begins) in ended.chain(begun.iter().map(|association| (association, true))) {
        let sql = "SELECT queue_count, ids_hash FROM services WHERE service_id = ?";
        let found = query(sql).bind(association.service.as_bytes()).fetch_optional(&mut *connection).await;
        let Some(row) = found.map_err(|error| fault(&error))? else { continue };
        let mut queues = service_queues(&row)?;
        match begins {
            true => queues.add(&association.id_hash),
            false => queues.remove(&association.id_hash),
        }
        let sql = "UPDATE services SET queue_count = ?, ids_hash = ? WHERE service_id = ?";
        let query = query(sql)
            .bind(to_signed(queues.count))
            .bind(queues.ids_hash.as_slice())
            .bind(association.service.as_bytes());
        run(connection, query).await?;
    }
    Ok(())
}
