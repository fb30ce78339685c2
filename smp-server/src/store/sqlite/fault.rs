//! Errors of the database, as the store reports them.

use std::sync::Arc;

use sqlx::error::DatabaseError;

use crate::store::{OpenError, StorageFault, StoreError};

/// Primary result codes of SQLite (<https://www.sqlite.org/rescode.html>).
const SQLITE_IOERR: i32 = 10;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_NOTADB: i32 = 26;

pub(super) fn fault(error: &sqlx::Error) -> StorageFault {
    let text: Arc<str> = error.to_string().into();
    match error {
        sqlx::Error::Database(error) => match primary_code(error.as_ref()) {
            Some(SQLITE_FULL) => StorageFault::Full,
            Some(SQLITE_IOERR) => StorageFault::Io(text),
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => StorageFault::Damaged(text),
            _ => StorageFault::Other(text),
        },
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StorageFault::Damaged(text),
        sqlx::Error::Io(_) => StorageFault::Io(text),
        _ => StorageFault::Other(text),
    }
}

/// The low byte of the extended result code, which is what there is.
fn primary_code(error: &dyn DatabaseError) -> Option<i32> {
    error.code()?.parse::<i32>().ok().map(|code| code & 0xff)
}

pub(super) fn unavailable(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::PoolClosed => StoreError::Closed,
        error => StoreError::Unavailable(fault(&error)),
    }
}

impl OpenError {
    /// The database engine has failed.
    pub(crate) fn of_database(path: &std::path::Path, error: &sqlx::Error) -> Self {
        // SQLite says only that it cannot open or write: not whose the files are.
        let denied = ["", "-wal", "-shm", ".lock"].iter().find_map(|end| {
            let path = smp_transport::durable::with_end(path, end);
            let opened = std::fs::OpenOptions::new().read(true).write(true).open(&path);
            opened
                .err()
                .filter(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
                .map(|error| (path, error))
        });
        match denied {
            Some((path, error)) => Self::of_file(&path, error),
            None => Self::of_store(path, &StoreError::Unavailable(fault(error))),
        }
    }
}
