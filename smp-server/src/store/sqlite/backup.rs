//! A consistent copy of the database while it is in use.

use std::path::Path;

use smp_transport::durable::{self, Access};
use sqlx::{Connection as _, query};

use super::config::Presence;
use super::fault::unavailable;
use super::reader::Reader;
use super::{SqliteConfig, SqliteStore, open};
use crate::store::{Maintenance as _, OpenError, StorageFault, StoreCounts, StoreError};

impl SqliteStore {
    /// Writes a copy of the database, as it is at this moment, to a new file that only its owner can read. The copy is
    /// compact and has no log; to restore it, put it where the database was.
    ///
    /// Messages whose senders have not got their `OK` yet may be missing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file exists or cannot be written; a partial copy is removed.
    pub async fn backup(&self, path: &Path) -> Result<(), StoreError> {
        Self::copy_database(&self.backend.config, path).await
    }

    /// As [`Self::backup`], of a database that any process uses, or none.
    ///
    /// # Errors
    /// As [`Self::backup`]; also if there is no database.
    pub async fn copy_database(config: &super::SqliteConfig, path: &Path) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| {
            StoreError::Unavailable(StorageFault::Io(format!("{}: {error}", path.display()).into()))
        };
        // SQLite accepts an existing file if it is empty: that way it has the right mode from the beginning.
        durable::create_new(path, Access::Owner).map_err(failed)?;
        let copied = copy(config, path).await.and_then(|()| open::sync_file(path).map_err(failed));
        if copied.is_err() {
            // A part of a copy is no copy.
            let _ = std::fs::remove_file(path);
        }
        copied
    }

    /// Checks a database file that nobody uses, a copy for instance: opens it, which brings its schema up to date, and
    /// reads all of it. Returns its ID and what it holds.
    ///
    /// # Errors
    /// [`OpenError`] with what is wrong.
    pub async fn check(config: SqliteConfig) -> Result<(String, StoreCounts), OpenError> {
        let path = config.path.clone();
        let config = SqliteConfig { presence: Presence::Restored, reserve_bytes: 0, ..config };
        let store = Self::open(config).await?;
        let result = sqlx::query_scalar::<_, String>("PRAGMA integrity_check")
            .fetch_one(&store.backend.reader.pool)
            .await;
        let found = (store.id().to_owned(), store.counts());
        let _ = store.close().await;
        match result {
            Ok(text) if text == "ok" => Ok(found),
            Ok(reason) => Err(OpenError::Damaged { path, reason }),
            Err(error) => Err(OpenError::of_database(&path, &error)),
        }
    }

    /// Whether there is a database. Touches nothing.
    ///
    /// # Errors
    /// [`OpenError::Missing`] if there is none, or an empty file, where there must be one.
    pub fn is_there(config: &SqliteConfig) -> Result<bool, OpenError> {
        open::may_create(config).map(|creates| !creates)
    }

    /// The content of a copy of a database. Changes nothing.
    ///
    /// # Errors
    /// [`OpenError::Missing`] if it has no tables, others if it cannot be read.
    pub async fn count(path: &Path) -> Result<StoreCounts, OpenError> {
        let (config, failed) = (SqliteConfig::new(path), |error| OpenError::of_database(path, &error));
        let mut connection = open::connect_for_backup(&config).await.map_err(failed)?;
        if !super::presence::has_tables(&mut connection).await.map_err(failed)? {
            return Err(OpenError::Missing { path: path.to_owned(), what: open::WITHOUT_TABLES });
        }
        let counts = Reader::counts_on(&mut connection).await;
        connection.close().await.map_err(failed)?;
        counts.map_err(|error| OpenError::of_store(path, &error))
    }
}

async fn copy(config: &super::SqliteConfig, path: &Path) -> Result<(), StoreError> {
    let name = path.to_str().ok_or_else(|| {
        StoreError::Unavailable(StorageFault::Io("the path of the copy is not UTF-8".into()))
    })?;
    let mut connection = open::connect_for_backup(config).await.map_err(unavailable)?;
    let copied = query("VACUUM INTO ?").bind(name).execute(&mut connection).await.map_err(unavailable);
    connection.close().await.map_err(unavailable)?;
    copied.map(|_| ())
}
