//! Records as rows of the database.

use smp_crypto::{DhSecret, PublicAuthKey};
use smp_protocol::id::MessageId;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::fault::{damaged, fault};
use crate::store::{
    Day, Message, MessageContent, MessageInfo, MessageKind, Notifier, QueueLink, QueueMode, QueueRecord,
    QueueStatus, ServiceRole, StorageFault,
};

/// Columns that [`record`] reads; the services' IDs come from the table of services.
macro_rules! select_queues {
    ($rest:literal) => {
        concat!(
            "SELECT q.queue, q.recipient_id, q.sender_id, q.notifier_id, q.link_id, q.recipient_keys, q.recipient_dh, ",
            "q.sender_key, q.mode, q.status, q.blocked, q.updated_day, q.notifier_key, q.notifier_dh, q.fixed_digest, ",
            "r.service_id, n.service_id FROM queues q ",
            "LEFT JOIN services r ON r.service = q.recipient_service ",
            "LEFT JOIN services n ON n.service = q.notifier_service ",
            $rest
        )
    };
}
pub(super) use select_queues;

type Result<T> = std::result::Result<T, StorageFault>;

/// Reads a column.
pub(super) fn get<'r, T>(row: &'r SqliteRow, column: usize) -> Result<T>
where
    T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    row.try_get(column).map_err(|error| fault(&error))
}

/// Reads an ID.
pub(super) fn id<'r, T: TryFrom<&'r [u8]>>(row: &'r SqliteRow, column: usize) -> Result<T> {
    T::try_from(get(row, column)?).map_err(|_| damaged("an ID is too long"))
}

/// Reads a row of [`select_queues`]: the queue's key and record.
pub(super) fn record(row: &SqliteRow) -> Result<(i64, QueueRecord)> {
    let record = QueueRecord {
        recipient_id: id(row, 1)?,
        sender_id: id(row, 2)?,
        notifier: notifier(row)?,
        link: link(row)?,
        recipient_keys: decode_keys(get(row, 5)?)?,
        recipient_dh: dh_secret(get(row, 6)?)?,
        sender_key: get::<Option<&[u8]>>(row, 7)?.map(key).transpose()?,
        mode: match get::<Option<i64>>(row, 8)? {
            None => None,
            Some(0) => Some(QueueMode::Messaging),
            Some(1) => Some(QueueMode::Contact),
            Some(_) => return Err(damaged("unknown queue mode")),
        },
        status: match get::<i64>(row, 9)? {
            0 => QueueStatus::Active,
            1 => QueueStatus::Suspended,
            2 => QueueStatus::Blocked(get::<Option<&[u8]>>(row, 10)?.unwrap_or_default().into()),
            _ => return Err(damaged("unknown queue status")),
        },
        updated: get::<Option<u32>>(row, 11)?.map(Day),
        recipient_service: optional_id(row, 15)?,
    };
    Ok((get(row, 0)?, record))
}

fn optional_id<'r, T: TryFrom<&'r [u8]>>(row: &'r SqliteRow, column: usize) -> Result<Option<T>> {
    let bytes = get::<Option<&[u8]>>(row, column)?;
    bytes.map(|bytes| T::try_from(bytes).map_err(|_| damaged("an ID is too long"))).transpose()
}

fn notifier(row: &SqliteRow) -> Result<Option<Notifier>> {
    let Some(id) = optional_id(row, 3)? else { return Ok(None) };
    Ok(Some(Notifier {
        id,
        key: key(get(row, 12)?)?,
        dh: dh_secret(get(row, 13)?)?,
        service: optional_id(row, 16)?,
    }))
}

fn link(row: &SqliteRow) -> Result<Option<QueueLink>> {
    let Some(id) = optional_id(row, 4)? else { return Ok(None) };
    let fixed_digest = get::<&[u8]>(row, 14)?.try_into().map_err(|_| damaged("a digest of another size"))?;
    Ok(Some(QueueLink { id, fixed_digest }))
}

fn key(der: &[u8]) -> Result<PublicAuthKey> {
    PublicAuthKey::from_der(der).map_err(|_| damaged("a key that cannot be read"))
}

fn dh_secret(bytes: &[u8]) -> Result<DhSecret> {
    DhSecret::from_slice(bytes).ok_or_else(|| damaged("a secret of another size"))
}

/// Keys one after the other, each with its length in a byte before it.
pub(super) fn encode_keys(keys: &[PublicAuthKey]) -> Vec<u8> {
    let mut out = Vec::new();
    for key in keys {
        let der = key.to_der();
        // The longest, of Ed448, has 69 bytes.
        out.push(der.len() as u8);
        out.extend_from_slice(&der);
    }
    out
}

fn decode_keys(mut bytes: &[u8]) -> Result<Vec<PublicAuthKey>> {
    let mut keys = Vec::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (der, rest) =
            rest.split_at_checked(usize::from(*length)).ok_or_else(|| damaged("a cut list of keys"))?;
        keys.push(key(der)?);
        bytes = rest;
    }
    if keys.is_empty() { Err(damaged("a queue without keys")) } else { Ok(keys) }
}

pub(super) fn mode_number(mode: QueueMode) -> i64 {
    match mode {
        QueueMode::Messaging => 0,
        QueueMode::Contact => 1,
    }
}

pub(super) fn status_number(status: &QueueStatus) -> i64 {
    match status {
        QueueStatus::Active => 0,
        QueueStatus::Suspended => 1,
        QueueStatus::Blocked(_) => 2,
    }
}

pub(super) fn role_number(role: ServiceRole) -> i64 {
    match role {
        ServiceRole::Messaging => 0,
        ServiceRole::Notifier => 1,
    }
}

pub(super) fn kind_number(kind: MessageKind) -> i64 {
    match kind {
        MessageKind::Sent { notification } => i64::from(notification),
        MessageKind::QuotaMarker => 2,
    }
}

fn kind(number: i64) -> Result<MessageKind> {
    match number {
        0 | 1 => Ok(MessageKind::Sent { notification: number == 1 }),
        2 => Ok(MessageKind::QuotaMarker),
        _ => Err(damaged("unknown kind of message")),
    }
}

/// Times are unsigned in memory and signed on disk; no clock gets that far.
pub(super) fn to_signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn to_unsigned(number: i64) -> Result<u64> {
    u64::try_from(number).map_err(|_| damaged("a negative number"))
}

/// Reads `message, timestamp, kind, message_id`.
pub(super) fn message_info(row: &SqliteRow) -> Result<(i64, MessageInfo)> {
    let info =
        MessageInfo { id: id(row, 3)?, timestamp: to_unsigned(get(row, 1)?)?, kind: kind(get(row, 2)?)? };
    Ok((get(row, 0)?, info))
}

/// Reads `message, timestamp, kind, message_id, body`.
pub(super) fn message(row: &SqliteRow) -> Result<Message> {
    let (_, MessageInfo { id, timestamp, kind }): (i64, MessageInfo) = message_info(row)?;
    let content = match kind {
        MessageKind::Sent { notification } => MessageContent::Sent { notification, body: get(row, 4)? },
        MessageKind::QuotaMarker => MessageContent::QuotaMarker,
    };
    let id: MessageId = id;
    Ok(Message { id, timestamp, content })
}

/// Reads a count.
pub(super) fn count(row: &SqliteRow, column: usize) -> Result<u64> {
    to_unsigned(get(row, column)?)
}
