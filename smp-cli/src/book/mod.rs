//! The book: names of contacts and the texts that they sent and nobody has seen yet, in an SQLite file beside the agent's.
//!
//! The agent repeats an event until it is acknowledged, so that a crash loses none. Here an event is recorded under the
//! agent's own number before it is acknowledged: a repeated one changes nothing, and a text is shown once. Then it is forgotten: there is no command that would show it again.

mod contacts;
mod schema;
mod status;
mod texts;

use std::path::Path;

use anyhow::Context as _;
use smp_transport::durable;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

pub(crate) use self::contacts::{Contact, Introduction};
pub(crate) use self::status::Status;
pub(crate) use self::texts::{NewText, TextOrigin};

/// Pages of the log, of 4096 bytes, after which they are moved into the file.
const LOG_PAGES: &str = "64";

/// The open file.
#[derive(Debug, Clone)]
pub(crate) struct Book(SqlitePool);

impl Book {
    /// Opens the file, creating or migrating it. It has mode 0600, and so have the files that SQLite makes beside it.
    pub(crate) async fn open(path: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // Deleted rows are overwritten.
            .pragma("secure_delete", "ON")
            // So that the agent's reserve for a full disk is enough for both.
            .pragma("wal_autocheckpoint", LOG_PAGES);
        // SQLite would make it with the mode of the umask.
        durable::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let pool =
            SqlitePoolOptions::new().max_connections(1).connect_with(options).await.map_err(|error| {
                match error {
                    sqlx::Error::Database(error) => damaged(path, error),
                    error => {
                        anyhow::Error::new(error).context(format!("{} cannot be opened", path.display()))
                    }
                }
            })?;
        // The file is small, and a damaged one must not lose contacts one by one.
        let check: Result<String, _> = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&pool).await;
        match check {
            Ok(said) if said == "ok" => {}
            Ok(said) => return Err(damaged(path, said)),
            Err(error) => return Err(damaged(path, error)),
        }
        schema::migrations().run(&pool).await.context("The contacts file cannot be brought up to date")?;
        Ok(Self(pool))
    }

    /// Whether a file has contacts that were connected. It is not changed.
    pub(crate) async fn has_contacts(path: &Path) -> anyhow::Result<bool> {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(false);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
        let contacts: Result<i64, _> =
            sqlx::query_scalar("SELECT count(*) FROM contacts").fetch_one(&pool).await;
        pool.close().await;
        match contacts {
            Ok(contacts) => Ok(contacts > 0),
            // A book that was being made when its process was killed.
            Err(sqlx::Error::Database(error)) if error.message().contains("no such table") => Ok(false),
            Err(error) => Err(damaged(path, error)),
        }
    }

    /// Waits until everything is on disk and closes the file.
    pub(crate) async fn close(&self) {
        self.0.close().await;
    }

    /// Takes what was deleted out of the write-ahead log too.
    pub(crate) async fn clean(&self) -> anyhow::Result<()> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.0).await?;
        Ok(())
    }
}

fn damaged(path: &Path, reason: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!(
        "{} is damaged ({reason}): the names of your contacts, and who was verified, are in it. Restore it from a backup, or move it away \
         and make a new one without them: smp contacts --new-book",
        path.display()
    )
}

#[cfg(test)]
mod tests;
