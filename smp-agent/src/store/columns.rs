//! Values as they are kept in columns.

use crate::error::StorageError;
use smp_crypto::{DhSecret, PrivateAuthKey, PublicAuthKey, X25519PrivateKey, X25519PublicKey};
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::QueueMode;
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

/// A column that is null or that `read` understands.
pub(super) fn read_optional<T>(
    row: &SqliteRow,
    name: &'static str,
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Option<T>, StorageError> {
    match column::<Option<&[u8]>>(row, name)? {
        None => Ok(None),
        Some(bytes) => read(bytes).map(Some).ok_or_else(|| damaged(name)),
    }
}

/// A number that fits a version.
pub(super) fn version(row: &SqliteRow, name: &'static str) -> Result<u16, StorageError> {
    u16::try_from(column::<i64>(row, name)?).map_err(|_| damaged(name))
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

pub(super) fn public_auth_key(der: &[u8]) -> Option<PublicAuthKey> {
    PublicAuthKey::from_der(der).ok()
}

pub(super) fn private_dh_key(bytes: &[u8]) -> Option<X25519PrivateKey> {
    bytes.try_into().ok()
}

pub(super) fn public_dh_key(bytes: &[u8]) -> Option<X25519PublicKey> {
    bytes.try_into().ok()
}

pub(super) fn dh_secret(bytes: &[u8]) -> Option<DhSecret> {
    bytes.try_into().ok().map(DhSecret::from_bytes)
}

pub(super) fn mode_column(mode: Option<QueueMode>) -> Option<&'static str> {
    mode.map(|mode| match mode {
        QueueMode::Messaging => "messaging",
        QueueMode::Contact => "contact",
    })
}

pub(super) fn mode(row: &SqliteRow) -> Result<Option<QueueMode>, StorageError> {
    match column::<Option<&str>>(row, "mode")? {
        None => Ok(None),
        Some("messaging") => Ok(Some(QueueMode::Messaging)),
        Some("contact") => Ok(Some(QueueMode::Contact)),
        Some(_) => Err(damaged("mode")),
    }
}
