//! Values as they are kept in columns.

use crate::error::StorageError;
use smp_crypto::PrivateAuthKey;
use smp_protocol::address::RelayAddress;
use smp_protocol::encoding;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row as _, Sqlite, Type};

/// A damaged or foreign database.
pub(super) fn damaged(column: &'static str) -> StorageError {
    StorageError::Damaged(column)
}

/// A column of a row.
pub(super) fn column<'r, T>(row: &'r SqliteRow, name: &'static str) -> Result<T, StorageError>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get(name).map_err(|_| damaged(name))
}

/// A column that `read` understands.
pub(super) fn read<T>(
    row: &SqliteRow,
    name: &'static str,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<T, StorageError> {
    read(column::<&[u8]>(row, name)?).ok_or_else(|| damaged(name))
}

pub(super) fn relay_column(relay: &RelayAddress) -> Vec<u8> {
    encoding::to_bytes(relay)
}

pub(super) fn relay(bytes: &[u8]) -> Option<RelayAddress> {
    encoding::from_bytes(bytes).ok()
}

pub(super) fn private_auth_key(der: &[u8]) -> Option<PrivateAuthKey> {
    PrivateAuthKey::from_der(der).ok()
}
