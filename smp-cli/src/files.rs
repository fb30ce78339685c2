//! The files of an identity that were there before and are not now: a missing one must not be taken for new.
//!
//! Names and verification marks are in the book, connections in the agent's database. If one of both is lost, or cut to nothing, the other
//! goes on as if nothing had been: contacts without names, or names without connections.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use smp_agent::Agent;

use crate::book_key::is_sealed;
use crate::data_dir::DataDir;
use smp_chat::{Book, BookError};

/// The way to treat files that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Say so, and change nothing.
    Refuse,
    /// Make a new book; names and verification marks are lost.
    NewBook,
}

/// The files that there were before anything was opened: to open makes the missing ones.
pub(crate) struct Files {
    book: PathBuf,
    has_book: bool,
}

impl Files {
    /// Looks, and refuses an agent without database if the book says that it had one.
    pub(crate) async fn look(dir: &DataDir) -> anyhow::Result<Self> {
        let (book, agent) = (dir.book_file(), dir.agent_file());
        let has_book = has_content(&book);
        let had_contacts = async || -> anyhow::Result<bool> {
            // One that is encrypted is of an agent that was.
            Ok(is_sealed(&book)? || Book::has_contacts(&book, None).await.map_err(advised)?)
        };
        if has_book && !has_content(&agent) && had_contacts().await? {
            bail!(
                "{} {}, though {} has contacts: without it none of them can be reached. Restore it from a backup; if there is none, \
                 begin anew in another --data-dir",
                agent.display(),
                lost(&agent),
                book.display()
            );
        }
        Ok(Self { book, has_book })
    }

    /// Refuses an agent with connections whose book is gone.
    pub(crate) async fn check(&self, agent: &Agent, how: Missing) -> anyhow::Result<()> {
        if self.has_book || how == Missing::NewBook || agent.connections().await?.is_empty() {
            return Ok(());
        }
        bail!(
            "{} {}, though there are connections: the names of your contacts, and who was verified, were in it. Restore it from a backup, \
             or make a new one without them: smp contacts --new-book",
            self.book.display(),
            lost(&self.book)
        );
    }
}

/// An error of the book, with the command that helps.
pub(crate) fn advised(error: BookError) -> anyhow::Error {
    match error {
        BookError::Damaged { .. } => anyhow!(
            "{error}. Restore it from a backup, or move it away and make a new one without them: smp contacts --new-book"
        ),
        BookError::NoContacts => anyhow!("{error}; begin with `smp invite` or `smp join LINK`."),
        BookError::UnknownName { .. } => anyhow!("{error}; `smp contacts` lists all."),
        BookError::UnknownItem { .. } => anyhow!("{error}: `smp history` has the numbers."),
        error => error.into(),
    }
}

fn has_content(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

fn lost(path: &Path) -> &'static str {
    if path.exists() { "is empty" } else { "is missing" }
}
