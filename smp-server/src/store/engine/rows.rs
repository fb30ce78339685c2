//! Records as rows of a database, whichever it is.

use smp_crypto::{DhSecret, PublicAuthKey};
use smp_protocol::id::MessageId;

use crate::store::error::damaged;
use crate::store::{
    Day, Message, MessageContent, MessageInfo, MessageKind, NewService, Notifier, QueueLink, QueueMode,
    QueueRecord, QueueStatus, ServiceQueues, ServiceRole, StorageFault,
};

type Result<T> = std::result::Result<T, StorageFault>;

/// A row: blobs and numbers, which are all that a store keeps.
pub(in crate::store) trait Columns {
    fn blob(&self, column: usize) -> Result<Option<&[u8]>>;

    fn signed(&self, column: usize) -> Result<Option<i64>>;
}

/// Columns that [`record`] reads; the services' IDs come from the table of services.
macro_rules! select_queues {
    ($($rest:literal),+) => {
        concat!(
            "SELECT q.queue, q.recipient_id, q.sender_id, q.notifier_id, q.link_id, q.recipient_keys, q.recipient_dh, ",
            "q.sender_key, q.mode, q.status, q.blocked, q.updated_day, q.notifier_key, q.notifier_dh, q.fixed_digest, ",
            "r.service_id, n.service_id FROM queues q ",
            "LEFT JOIN services r ON r.service = q.recipient_service ",
            "LEFT JOIN services n ON n.service = q.notifier_service ",
            $($rest),+
        )
    };
}
pub(in crate::store) use select_queues;

fn there<T>(value: Option<T>) -> Result<T> {
    value.ok_or_else(|| damaged("a value is missing"))
}

/// Reads bytes.
pub(in crate::store) fn bytes(row: &impl Columns, column: usize) -> Result<&[u8]> {
    there(row.blob(column)?)
}

/// Reads a number.
pub(in crate::store) fn number(row: &impl Columns, column: usize) -> Result<i64> {
    there(row.signed(column)?)
}

/// Reads an ID.
pub(in crate::store) fn id<'r, T: TryFrom<&'r [u8]>>(row: &'r impl Columns, column: usize) -> Result<T> {
    T::try_from(bytes(row, column)?).map_err(|_| damaged("an ID is too long"))
}

/// Reads a row of [`select_queues`]: the queue's key and record.
pub(in crate::store) fn record(row: &impl Columns) -> Result<(i64, QueueRecord)> {
    let record = QueueRecord {
        recipient_id: id(row, 1)?,
        sender_id: id(row, 2)?,
        notifier: notifier(row)?,
        link: link(row)?,
        recipient_keys: decode_keys(bytes(row, 5)?)?,
        recipient_dh: dh_secret(bytes(row, 6)?)?,
        sender_key: row.blob(7)?.map(key).transpose()?,
        mode: match row.signed(8)? {
            None => None,
            Some(0) => Some(QueueMode::Messaging),
            Some(1) => Some(QueueMode::Contact),
            Some(_) => return Err(damaged("unknown queue mode")),
        },
        status: match number(row, 9)? {
            0 => QueueStatus::Active,
            1 => QueueStatus::Suspended,
            2 => QueueStatus::Blocked(row.blob(10)?.unwrap_or_default().into()),
            _ => return Err(damaged("unknown queue status")),
        },
        updated: row.signed(11)?.map(day).transpose()?,
        recipient_service: optional_id(row, 15)?,
    };
    Ok((number(row, 0)?, record))
}

fn day(number: i64) -> Result<Day> {
    u32::try_from(number).map(Day).map_err(|_| damaged("a day out of range"))
}

fn optional_id<'r, T: TryFrom<&'r [u8]>>(row: &'r impl Columns, column: usize) -> Result<Option<T>> {
    row.blob(column)?.map(|bytes| T::try_from(bytes).map_err(|_| damaged("an ID is too long"))).transpose()
}

fn notifier(row: &impl Columns) -> Result<Option<Notifier>> {
    let Some(id) = optional_id(row, 3)? else { return Ok(None) };
    Ok(Some(Notifier {
        id,
        key: key(bytes(row, 12)?)?,
        dh: dh_secret(bytes(row, 13)?)?,
        service: optional_id(row, 16)?,
    }))
}

fn link(row: &impl Columns) -> Result<Option<QueueLink>> {
    let Some(id) = optional_id(row, 4)? else { return Ok(None) };
    let fixed_digest = bytes(row, 14)?.try_into().map_err(|_| damaged("a digest of another size"))?;
    Ok(Some(QueueLink { id, fixed_digest }))
}

fn key(der: &[u8]) -> Result<PublicAuthKey> {
    PublicAuthKey::from_der(der).map_err(|_| damaged("a key that cannot be read"))
}

fn dh_secret(bytes: &[u8]) -> Result<DhSecret> {
    DhSecret::from_slice(bytes).ok_or_else(|| damaged("a secret of another size"))
}

/// Keys one after the other, each with its length in a byte before it.
pub(in crate::store) fn encode_keys(keys: &[PublicAuthKey]) -> Vec<u8> {
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

pub(in crate::store) fn mode_number(mode: QueueMode) -> i64 {
    match mode {
        QueueMode::Messaging => 0,
        QueueMode::Contact => 1,
    }
}

pub(in crate::store) fn status_number(status: &QueueStatus) -> i64 {
    match status {
        QueueStatus::Active => 0,
        QueueStatus::Suspended => 1,
        QueueStatus::Blocked(_) => 2,
    }
}

pub(in crate::store) fn role_number(role: ServiceRole) -> i64 {
    match role {
        ServiceRole::Messaging => 0,
        ServiceRole::Notifier => 1,
    }
}

/// Reads the role of a service.
pub(in crate::store) fn role(row: &impl Columns, column: usize) -> Result<ServiceRole> {
    match number(row, column)? {
        0 => Ok(ServiceRole::Messaging),
        1 => Ok(ServiceRole::Notifier),
        _ => Err(damaged("unknown role of a service")),
    }
}

pub(in crate::store) fn kind_number(kind: MessageKind) -> i64 {
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

/// The body as it is written.
pub(in crate::store) fn body(message: &Message) -> &[u8] {
    match &message.content {
        MessageContent::Sent { body, .. } => body.as_slice(),
        MessageContent::QuotaMarker => &[],
    }
}

/// The operator's words about a blocked queue.
pub(in crate::store) fn blocked(status: &QueueStatus) -> Option<&[u8]> {
    match status {
        QueueStatus::Blocked(why) => Some(why.as_ref()),
        QueueStatus::Active | QueueStatus::Suspended => None,
    }
}

/// Times are unsigned in memory and signed on disk; no clock gets that far.
pub(in crate::store) fn to_signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(in crate::store) fn limit_number(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn to_unsigned(number: i64) -> Result<u64> {
    u64::try_from(number).map_err(|_| damaged("a negative number"))
}

/// Reads `message, timestamp, kind, message_id`.
pub(in crate::store) fn message_info(row: &impl Columns) -> Result<(i64, MessageInfo)> {
    let info = MessageInfo {
        id: id(row, 3)?,
        timestamp: to_unsigned(number(row, 1)?)?,
        kind: kind(number(row, 2)?)?,
    };
    Ok((number(row, 0)?, info))
}

/// Reads `message, timestamp, kind, message_id, body`.
pub(in crate::store) fn message(row: &impl Columns) -> Result<Message> {
    let (_, MessageInfo { id, timestamp, kind }): (i64, MessageInfo) = message_info(row)?;
    let content = match kind {
        MessageKind::Sent { notification } => {
            MessageContent::Sent { notification, body: bytes(row, 4)?.to_vec() }
        }
        MessageKind::QuotaMarker => MessageContent::QuotaMarker,
    };
    let id: MessageId = id;
    Ok(Message { id, timestamp, content })
}

/// Columns that [`service`] reads, of all services.
pub(in crate::store) const SELECT_SERVICES: &str =
    "SELECT service_id, role, certificates, fingerprint, created_day FROM services ORDER BY service_id";

/// Reads a row of [`SELECT_SERVICES`].
pub(in crate::store) fn service(row: &impl Columns) -> Result<NewService> {
    Ok(NewService {
        id: id(row, 0)?,
        role: role(row, 1)?,
        certificates: bytes(row, 2)?.to_vec(),
        fingerprint: bytes(row, 3)?.to_vec(),
        created: day(number(row, 4)?)?,
    })
}

/// Reads a count.
pub(in crate::store) fn count(row: &impl Columns, column: usize) -> Result<u64> {
    to_unsigned(number(row, column)?)
}

/// Reads `queue_count, ids_hash`.
pub(in crate::store) fn service_queues(row: &impl Columns) -> Result<ServiceQueues> {
    let ids_hash = bytes(row, 1)?.try_into().map_err(|_| damaged("a hash of another size"))?;
    Ok(ServiceQueues { count: count(row, 0)?, ids_hash })
}
