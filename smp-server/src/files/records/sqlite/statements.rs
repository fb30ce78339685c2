//! The statements of SQLite.

use smp_crypto::PublicAuthKey;
use smp_protocol::id::{ChunkRecipientId, ChunkSenderId};
use smp_protocol::xftp::command::ChunkDigest;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection, SqlitePool, query};

use super::super::api::{Change, ChunkId, ChunkRecipient, ChunkRecord, Found, Outcome, Removed, Totals};

/// Makes a change in the transaction that goes on.
pub(super) async fn make(db: &mut SqliteConnection, change: &Change) -> sqlx::Result<Outcome> {
    match change {
        Change::Create(chunk, recipients) => {
            insert_chunk(db, chunk).await?;
            insert_recipients(db, &chunk.sender_id, recipients).await
        }
        Change::AddRecipients(sender_id, recipients, at_most) => {
            let sql = "SELECT (SELECT count(*) FROM recipients WHERE sender_id = c.sender_id) FROM chunks c WHERE c.sender_id = ?";
            let row = query(sql).bind(sender_id.as_bytes()).fetch_optional(&mut *db).await?;
            let Some(row) = row else { return Ok(Outcome::Unknown) };
            let there = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(usize::MAX);
            match there.saturating_add(recipients.len()) <= *at_most {
                true => insert_recipients(db, sender_id, recipients).await,
                false => Ok(Outcome::TooMany),
            }
        }
        Change::SetUploaded(sender_id) => set_uploaded(db, sender_id).await,
        Change::Acknowledge(id) => acknowledge(db, id).await,
        Change::Delete(sender_id, now) => {
            Ok(Outcome::Removed(remove(db, sender_id, *now).await?.into_iter().collect()))
        }
        Change::Expire { before, at_most, now } => expire(db, *before, *at_most, *now).await,
        Change::ForgetRemoved(gone) => {
            for id in gone {
                let sql = "DELETE FROM removed WHERE sender_id = ?";
                query(sql).bind(id.as_bytes()).execute(&mut *db).await?;
            }
            Ok(Outcome::Done)
        }
    }
}

async fn insert_chunk(db: &mut SqliteConnection, chunk: &ChunkRecord) -> sqlx::Result<()> {
    let sql = "INSERT INTO chunks (sender_id, sender_key, size, digest, created, is_uploaded) VALUES (?, ?, ?, ?, ?, ?)";
    query(sql)
        .bind(chunk.sender_id.as_bytes())
        .bind(chunk.sender_key.to_der())
        .bind(i64::from(chunk.size))
        .bind(chunk.digest.as_slice())
        .bind(seconds(chunk.created))
        .bind(chunk.is_uploaded)
        .execute(db)
        .await?;
    Ok(())
}

async fn insert_recipients(
    db: &mut SqliteConnection,
    sender_id: &ChunkSenderId,
    recipients: &[ChunkRecipient],
) -> sqlx::Result<Outcome> {
    for recipient in recipients {
        query("INSERT INTO recipients (recipient_id, recipient_key, sender_id) VALUES (?, ?, ?)")
            .bind(recipient.id.as_bytes())
            .bind(recipient.key.to_der())
            .bind(sender_id.as_bytes())
            .execute(&mut *db)
            .await?;
    }
    Ok(Outcome::Done)
}

async fn set_uploaded(db: &mut SqliteConnection, sender_id: &ChunkSenderId) -> sqlx::Result<Outcome> {
    let sql = "UPDATE chunks SET is_uploaded = 1 WHERE sender_id = ? AND is_uploaded = 0";
    if query(sql).bind(sender_id.as_bytes()).execute(&mut *db).await?.rows_affected() > 0 {
        return Ok(Outcome::Done);
    }
    let sql = "SELECT 1 FROM chunks WHERE sender_id = ?";
    let there = query(sql).bind(sender_id.as_bytes()).fetch_optional(db).await?;
    Ok(if there.is_some() { Outcome::Again } else { Outcome::Unknown })
}

async fn acknowledge(db: &mut SqliteConnection, id: &ChunkRecipientId) -> sqlx::Result<Outcome> {
    let sql = "DELETE FROM recipients WHERE recipient_id = ?";
    let gone = query(sql).bind(id.as_bytes()).execute(db).await?.rows_affected() > 0;
    Ok(if gone { Outcome::Done } else { Outcome::Unknown })
}

async fn expire(db: &mut SqliteConnection, before: u64, at_most: usize, now: u64) -> sqlx::Result<Outcome> {
    let sql = "SELECT sender_id FROM chunks WHERE created < ? ORDER BY created LIMIT ?";
    let rows = query(sql).bind(seconds(before)).bind(limit(at_most)).fetch_all(&mut *db).await?;
    let mut removed = Vec::new();
    for row in rows {
        removed.extend(remove(db, &sender_id(&row, 0)?, now).await?);
    }
    Ok(Outcome::Removed(removed))
}

async fn remove(
    db: &mut SqliteConnection,
    sender_id: &ChunkSenderId,
    now: u64,
) -> sqlx::Result<Option<Removed>> {
    let sql = "DELETE FROM chunks WHERE sender_id = ? RETURNING size, is_uploaded";
    let Some(row) = query(sql).bind(sender_id.as_bytes()).fetch_optional(&mut *db).await? else {
        return Ok(None);
    };
    let sql = "DELETE FROM recipients WHERE sender_id = ?";
    query(sql).bind(sender_id.as_bytes()).execute(&mut *db).await?;
    let sql = "INSERT OR REPLACE INTO removed (sender_id, at) VALUES (?, ?)";
    query(sql).bind(sender_id.as_bytes()).bind(seconds(now)).execute(db).await?;
    Ok(Some(Removed { sender_id: sender_id.clone(), size: size(&row, 0)?, was_uploaded: row.try_get(1)? }))
}

pub(super) async fn find(db: &SqlitePool, id: ChunkId<'_>) -> sqlx::Result<Option<Found>> {
    let (sql, id) = match id {
        ChunkId::Sender(id) => (
            "SELECT sender_id, sender_key, size, digest, created, is_uploaded, sender_key FROM chunks WHERE sender_id = ?",
            id,
        ),
        ChunkId::Recipient(id) => (
            "SELECT c.sender_id, c.sender_key, c.size, c.digest, c.created, c.is_uploaded, r.recipient_key \
             FROM recipients r JOIN chunks c ON c.sender_id = r.sender_id WHERE r.recipient_id = ?",
            id,
        ),
    };
    let row = query(sql).bind(id).fetch_optional(db).await?;
    row.map(|row| Ok(Found { key: key(&row, 6)?, chunk: record(&row)? })).transpose()
}

pub(super) async fn removed(
    db: &SqlitePool,
    before: u64,
    at_most: usize,
) -> sqlx::Result<Vec<ChunkSenderId>> {
    let sql = "SELECT sender_id FROM removed WHERE at < ? ORDER BY at LIMIT ?";
    let rows = query(sql).bind(seconds(before)).bind(limit(at_most)).fetch_all(db).await?;
    rows.iter().map(|row| sender_id(row, 0)).collect()
}

pub(super) async fn totals(db: &SqlitePool) -> sqlx::Result<Totals> {
    let sql = "SELECT count(*), coalesce(sum(size * is_uploaded), 0) FROM chunks";
    let row = query(sql).fetch_one(db).await?;
    let number = |at| row.try_get::<i64, _>(at).map(|number| u64::try_from(number).unwrap_or(0));
    Ok(Totals { chunks: number(0)?, bytes: number(1)? })
}

fn record(row: &SqliteRow) -> sqlx::Result<ChunkRecord> {
    Ok(ChunkRecord {
        sender_id: sender_id(row, 0)?,
        sender_key: key(row, 1)?,
        size: size(row, 2)?,
        digest: ChunkDigest::try_from(row.try_get::<&[u8], _>(3)?).map_err(|_| damaged())?,
        created: u64::try_from(row.try_get::<i64, _>(4)?).map_err(|_| damaged())?,
        is_uploaded: row.try_get(5)?,
    })
}

fn sender_id(row: &SqliteRow, at: usize) -> sqlx::Result<ChunkSenderId> {
    ChunkSenderId::new(row.try_get(at)?).map_err(|_| damaged())
}

fn key(row: &SqliteRow, at: usize) -> sqlx::Result<PublicAuthKey> {
    PublicAuthKey::from_der(row.try_get(at)?).map_err(|_| damaged())
}

fn size(row: &SqliteRow, at: usize) -> sqlx::Result<u32> {
    u32::try_from(row.try_get::<i64, _>(at)?).map_err(|_| damaged())
}

/// Times are far from the end of the numbers of SQLite.
fn seconds(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn limit(at_most: usize) -> i64 {
    i64::try_from(at_most).unwrap_or(i64::MAX)
}

fn damaged() -> sqlx::Error {
    sqlx::Error::Decode("a record that this program does not write".into())
}
