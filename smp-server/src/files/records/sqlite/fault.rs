//! Errors of SQLite, as the records report them.

use super::super::api::RecordsError;

pub(super) fn unavailable(error: &sqlx::Error) -> RecordsError {
    match error {
        sqlx::Error::PoolClosed => RecordsError::Closed,
        error => RecordsError::Unavailable(error.to_string().into()),
    }
}
