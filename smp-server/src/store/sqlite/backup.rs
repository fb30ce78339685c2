//! A consistent copy of the database while it is in use.

use std::path::Path;

use sqlx::{Connection as _, query};

use super::fault::unavailable;
use super::{SqliteStore, open};
use crate::store::{OpenError, StorageFault, StoreError};

impl SqliteStore {
    /// Writes a copy of the database, as it is at this moment, to a new file that only its owner can read. The copy is
    /// compact and has no log; to restore it, put it where the database was.
    ///
    /// Messages whose senders have not got their `OK` yet may be missing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file exists or cannot be written; a partial copy is removed.
    pub async fn backup(&self, path: &Path) -> Result<(), StoreError> {
        Self::copy_database(&self.config, path).await
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
        open::create_new_private(path).map_err(failed)?;
        let copied = copy(config, path).await.and_then(|()| open::sync_file(path).map_err(failed));
        if copied.is_err() {
            // What is left of it is no copy.
            let _ = std::fs::remove_file(path);
        }
        copied
    }

    /// Checks a database file that nobody uses, a copy for instance: opens it, which brings its schema up to date, and
    /// reads all of it.
    ///
    /// # Errors
    /// [`OpenError`] with what is wrong.
    pub async fn check(config: super::SqliteConfig) -> Result<(), OpenError> {
        let path = config.path.clone();
        let store = Self::open(config).await?;
        let result =
            sqlx::query_scalar::<_, String>("PRAGMA integrity_check").fetch_one(&store.reader.pool).await;
        let _ = crate::store::Store::close(&store).await;
        match result {
            Ok(text) if text == "ok" => Ok(()),
            Ok(text) => Err(OpenError::Open { path, reason: text }),
            Err(error) => Err(OpenError::Open { path, reason: error.to_string() }),
        }
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
