//! Presence of the database, whole: a missing one must never be taken for new.
//!
//! Invariant: a database file comes into being complete (made under another name, with all its tables), so one without
//! content has lost it. SQLite itself makes an empty database of an empty file, and throws the log beside it away.
//!
//! The log (`-wal`) holds what was written last. Each time the database is opened, a random session is written to it and then
//! noted in the lock file. If the database does not know the session of the lock file, the log that had it is gone.

use std::{
    fs, io,
    io::{Read as _, Seek as _, Write as _},
    path::Path,
};

use rand::CryptoRng;
use smp_transport::durable::with_end;
use sqlx::{Row as _, query, sqlite::SqliteConnection};

use super::fault::fault;
use crate::store::{OpenError, StorageFault};

/// Length of a session and of a store's ID.
const ID_BYTES: usize = 16;

/// The state of the place of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing, and no trace of anything.
    Nothing,
    /// No database, but what a store leaves beside it.
    Traces,
    /// A file without content.
    Empty,
    /// A file with content.
    Something,
}

/// Looks without touching anything.
pub(super) fn find(path: &Path) -> io::Result<Found> {
    match fs::metadata(path) {
        Ok(file) if file.len() == 0 => Ok(Found::Empty),
        Ok(_) => Ok(Found::Something),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let has_traces = ["-wal", "-shm", ".lock"].iter().any(|end| with_end(path, end).exists());
            Ok(if has_traces { Found::Traces } else { Found::Nothing })
        }
        Err(error) => Err(error),
    }
}

/// Whether the tables of a store are there.
pub(super) async fn has_tables(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name IN ('queues', 'messages')";
    Ok(query(sql).fetch_one(connection).await?.try_get::<i64, _>(0)? == 2)
}

/// The ID of the store.
pub(super) async fn store_id(connection: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    let row = query("SELECT hex(store_id) FROM store").fetch_one(connection).await?;
    row.try_get(0)
}

/// Checks that what was written last is there, and begins another session.
pub(super) async fn begin_session(
    connection: &mut SqliteConnection,
    path: &Path,
    lock: &mut fs::File,
    accept_loss: bool,
    rng: &mut impl CryptoRng,
) -> Result<(), OpenError> {
    let failed = |error: sqlx::Error| OpenError::of_database(path, &error);
    let io_failed = |error: io::Error| OpenError::of_file(path, error);
    let noted = read_note(lock).map_err(io_failed)?;
    let row = query("SELECT hex(session), hex(session_before) FROM store").fetch_one(&mut *connection).await;
    let row = row.map_err(failed)?;
    let known: [String; 2] = [row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?];
    if !noted.is_empty() && !known.contains(&noted) && !accept_loss {
        return Err(OpenError::EndLost { path: path.to_owned() });
    }
    let mut session = [0; ID_BYTES];
    rng.fill_bytes(&mut session);
    let sql = "UPDATE store SET session = ?, session_before = ?";
    let before = hex_bytes(&noted);
    match query(sql).bind(session.as_slice()).bind(before).execute(&mut *connection).await {
        Ok(_) => {}
        // The session before goes on: receiving frees the space that this needs.
        Err(error) if matches!(fault(&error), StorageFault::Full) => return Ok(()),
        Err(error) => return Err(failed(error)),
    }
    // With any durability: the note must not be newer than the log.
    fs::File::open(with_end(path, "-wal")).and_then(|log| log.sync_all()).map_err(io_failed)?;
    match write_note(lock, &session) {
        // An unreadable note says nothing; the database knows the one before.
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(()),
        result => result.map_err(io_failed),
    }
}

/// The session in the lock file; nothing if there is none, or none that is whole.
fn read_note(lock: &mut fs::File) -> io::Result<String> {
    let mut text = String::new();
    lock.rewind()?;
    lock.take(4 * ID_BYTES as u64).read_to_string(&mut text)?;
    let text = text.trim().to_ascii_uppercase();
    let is_whole = text.len() == 2 * ID_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(if is_whole { text } else { String::new() })
}

fn write_note(lock: &mut fs::File, session: &[u8]) -> io::Result<()> {
    let text: String = session.iter().map(|byte| format!("{byte:02X}")).collect();
    // In place, without cutting it before: a line of the same length needs no space.
    lock.rewind()?;
    lock.write_all(format!("{text}\n").as_bytes())?;
    lock.sync_all()
}

fn hex_bytes(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().as_chunks::<2>().0;
    digits
        .iter()
        .filter_map(|pair| std::str::from_utf8(pair).ok())
        .filter_map(|pair| u8::from_str_radix(pair, 16).ok())
        .collect()
}
