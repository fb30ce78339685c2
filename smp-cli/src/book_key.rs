//! Encryption of the book, by a key that the agent derives from that of its own data.
//!
//! The book is encrypted if the agent is. Switched on, the agent comes first, and switched off, the book: so one that is not encrypted beside an agent
//! that is, as a kill may leave them, can always be encrypted, and its key is never gone before it.

use std::path::Path;

use anyhow::Context as _;
use smp_agent::change_database_key;
use smp_sqlite::{Content, DatabaseKey, content};
use smp_transport::durable::{self, UNFINISHED, with_end};

/// The purpose of the key, for the agent.
pub(crate) const PURPOSE: &str = "book";

/// Whether a book is encrypted, or is none.
pub(crate) fn is_sealed(book: &Path) -> anyhow::Result<bool> {
    let content = content(book).with_context(|| format!("{} cannot be read", book.display()))?;
    Ok(content == Content::Sealed)
}

/// Encrypts a book that is not, with this key, before it is opened. One that is missing is left so.
pub(crate) async fn seal(book: &Path, key: &DatabaseKey) -> anyhow::Result<()> {
    let cannot = || format!("{} cannot be encrypted", book.display());
    // A copy that was not finished.
    durable::remove(&with_end(book, UNFINISHED)).with_context(cannot)?;
    if content(book).with_context(cannot)? == Content::Plain {
        change_database_key(book, None, Some(key)).await.with_context(cannot)?;
    }
    Ok(())
}

/// Decrypts a book that is encrypted with this key.
pub(crate) async fn unseal(book: &Path, key: DatabaseKey) -> anyhow::Result<()> {
    let cannot = || format!("{} cannot be decrypted", book.display());
    if is_sealed(book)? {
        change_database_key(book, Some(key), None).await.with_context(cannot)?;
    }
    Ok(())
}
