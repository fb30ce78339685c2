//! The book: contacts, items of conversations, and lines that nobody has seen yet, in an SQLite file.
//!
//! The agent repeats an event until it is acknowledged, so that a crash loses none. Here an event is recorded under the
//! agent's own number before it is acknowledged: a repeated one changes nothing, and a line is shown once.
//! Texts that were deleted, or have disappeared, are overwritten.

mod arrivals;
mod contacts;
mod error;
mod feed;
mod gathered;
mod items;
mod lines;
mod listing;
mod overview;
mod own;
mod read;
mod schema;
mod state;
mod status;

use std::path::Path;
use std::sync::Arc;

use smp_sqlite::{DatabaseKey, Options};
use smp_transport::durable;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{Connection as _, SqlitePool};

pub use self::contacts::{Contact, Introduction, Person};
pub use self::error::BookError;
pub use self::feed::{Happened, Happening};
pub use self::gathered::{Arrival, News, Received};
pub use self::items::KeptItem;
pub use self::lines::NewLine;
pub use self::listing::ListedContact;
pub use self::overview::{MAX_UNREAD, Overview};
pub use self::status::Status;

/// Pages of the log, of 4096 bytes, after which they are moved into the file.
const LOG_PAGES: u32 = 64;

/// The tables that are looked at whenever a file is opened, and how.
const CHECKS: [(&str, &str); 2] =
    [("contacts", "PRAGMA quick_check(contacts)"), ("texts", "PRAGMA quick_check(texts)")];

/// The open file. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Book {
    pool: SqlitePool,
    keeps_history: bool,
    /// The switch of the feed for programs.
    feed: Arc<feed::Switch>,
}

impl Book {
    /// Opens the file, creating or migrating it; encrypted, if there is a key. It has mode 0600, and so have the files that SQLite makes
    /// beside it. Without `keeps_history` items are forgotten when they were shown, or sent.
    pub async fn open(path: &Path, key: Option<DatabaseKey>, keeps_history: bool) -> Result<Self, BookError> {
        let cannot = |source| BookError::Open { path: path.to_owned(), source };
        // SQLite would make it with the mode of the umask.
        durable::open(path).map_err(cannot)?;
        let options = options(path, key);
        let pool = options.pool(SqlitePoolOptions::new().max_connections(1)).await;
        let pool = pool.map_err(|error| match error {
            sqlx::Error::Database(error) => damaged(path, error),
            error => cannot(std::io::Error::other(error)),
        })?;
        let book = Self { pool, keeps_history, feed: Arc::default() };
        book.check(path).await?;
        schema::migrations().run(&book.pool).await?;
        if !keeps_history {
            book.forget_history().await?;
        }
        Ok(book)
    }

    /// A damaged file must not lose contacts, or lines that nobody has seen, one by one. The history is not looked at: that would take
    /// the longer the more was said, and [`damage`](Self::damage) does it.
    async fn check(&self, path: &Path) -> Result<(), BookError> {
        for (table, check) in CHECKS {
            // A new file has none, and old ones not all.
            let exists =
                sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?");
            let exists: Result<i64, _> = exists.bind(table).fetch_one(&self.pool).await;
            if exists.map_err(|error| damaged(path, error))? == 0 {
                continue;
            }
            let said: Result<String, _> = sqlx::query_scalar(check).fetch_one(&self.pool).await;
            match said {
                Ok(said) if said == "ok" => {}
                Ok(said) => return Err(damaged(path, said)),
                Err(error) => return Err(damaged(path, error)),
            }
        }
        Ok(())
    }

    /// The first thing that is wrong with the file, after a look at all of it. None if it is whole.
    pub async fn damage(&self) -> Result<Option<String>, BookError> {
        let said: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&self.pool).await?;
        Ok((said != "ok").then_some(said))
    }

    /// Whether a file has contacts that were connected. It is not changed.
    pub async fn has_contacts(path: &Path, key: Option<DatabaseKey>) -> Result<bool, BookError> {
        let mut file = Options::new(path, key).connect().await.map_err(|error| damaged(path, error))?;
        let contacts: Result<i64, _> =
            sqlx::query_scalar("SELECT count(*) FROM contacts").fetch_one(&mut file).await;
        file.close().await?;
        match contacts {
            Ok(contacts) => Ok(contacts > 0),
            // A book that was being made when its process was killed.
            Err(sqlx::Error::Database(error)) if error.message().contains("no such table") => Ok(false),
            Err(error) => Err(damaged(path, error)),
        }
    }

    /// Waits until everything is on disk and closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Takes what was deleted out of the write-ahead log too.
    pub async fn clean(&self) -> Result<(), BookError> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await?;
        Ok(())
    }
}

/// How the file is opened.
fn options(path: &Path, key: Option<DatabaseKey>) -> Options {
    Options::new(path, key)
        .pragma("journal_mode", "WAL")
        .pragma("synchronous", "FULL")
        .pragma("foreign_keys", "ON")
        // Deleted rows are overwritten.
        .pragma("secure_delete", "ON")
        // So that the agent's reserve for a full disk is enough for both.
        .pragma("wal_autocheckpoint", LOG_PAGES)
}

fn damaged(path: &Path, reason: impl std::fmt::Display) -> BookError {
    BookError::Damaged { path: path.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
