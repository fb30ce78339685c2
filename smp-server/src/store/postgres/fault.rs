//! Errors of the database, as the store reports them.

use std::sync::Arc;

use crate::store::{StorageFault, StoreError};

/// Codes of PostgreSQL (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
const DISK_FULL: &str = "53100";
const DATA_CORRUPTED: &str = "XX001";
const INDEX_CORRUPTED: &str = "XX002";
/// A class whose members all say that the connection has failed.
const CONNECTION_EXCEPTION: &str = "08";
/// The server stops or starts, the session was ended, the transaction has met another; and a server that was demoted.
const TRANSIENT: [&str; 8] = ["57P01", "57P02", "57P03", "57P05", "25P03", "40001", "40P01", "25006"];

pub(super) fn fault(error: &sqlx::Error) -> StorageFault {
    let text: Arc<str> = error.to_string().into();
    match error {
        sqlx::Error::Database(error) => match error.code().as_deref() {
            Some(DISK_FULL) => StorageFault::Full,
            Some(DATA_CORRUPTED | INDEX_CORRUPTED) => StorageFault::Damaged(text),
            _ => StorageFault::Other(text),
        },
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StorageFault::Damaged(text),
        sqlx::Error::Io(_) => StorageFault::Io(text),
        sqlx::Error::PoolTimedOut => StorageFault::Io("the database does not answer".into()),
        _ => StorageFault::Other(text),
    }
}

pub(super) fn unavailable(error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::PoolClosed => StoreError::Closed,
        error => StoreError::Unavailable(fault(error)),
    }
}

/// Whether the same over another connection may succeed: that it has had no effect is not said.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with(CONNECTION_EXCEPTION) || TRANSIENT.contains(&code.as_ref())),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        _ => false,
    }
}
