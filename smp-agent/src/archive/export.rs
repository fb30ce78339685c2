//! Making an archive of a running agent.

use super::error::{ArchiveError, about};
use super::files::{self, ArchivedFile};
use super::head::new_head;
use super::{ENCRYPTED, OPEN, WITH_FILES, content};
use crate::agent::Agent;
use crate::data_dir::DataDir;
use crate::error::AgentError;
use crate::secret::Secret;
use rand::CryptoRng;
use smp_crypto::passphrase::PassphraseCost;
use smp_sqlite::DatabaseKey;
use smp_transport::durable::{self, Access, Unfinished};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write as _};
use std::path::Path;

impl Agent {
    /// Makes an archive of all that is durable now; the agent goes on meanwhile. Each of the secrets opens it. A file that is there
    /// is replaced, once the new one is whole.
    ///
    /// For a moment there is a copy of the database in the data directory, as readable or encrypted as the database itself. The archive of one that
    /// is encrypted has its key too.
    ///
    /// # Errors
    /// [`ArchiveError::Secrets`], [`ArchiveError::Busy`], [`ArchiveError::File`], [`ArchiveError::Agent`].
    ///
    /// # Cancel safety
    /// When it is dropped the archive is made or not.
    pub async fn export(&self, to: &Path, secrets: &[Secret]) -> Result<(), ArchiveError> {
        self.export_with(to, secrets, &[]).await
    }

    /// As [`export`](Self::export), with files of the application's own, at most 16. They stand for what is durable now if nothing writes to
    /// them meanwhile, and the application applies no events: those are in the archive and come again.
    ///
    /// # Errors
    /// As [`export`](Self::export); [`ArchiveError::Files`].
    ///
    /// # Cancel safety
    /// As [`export`](Self::export).
    pub async fn export_with(
        &self,
        to: &Path,
        secrets: &[Secret],
        files: &[ArchivedFile],
    ) -> Result<(), ArchiveError> {
        let engine = self.engine().clone();
        let copy = DataDir::copy(&engine.config.data_dir);
        durable::create_new(&copy, Access::Owner).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => ArchiveError::Busy,
            _ => about(&copy)(error),
        })?;
        let remove = RemovedAtEnd(copy);
        engine.steps.store.copy_to(&remove.0).await.map_err(AgentError::from)?;
        let (to, secrets, files, made) = (to.to_owned(), secrets.to_vec(), files.to_vec(), engine.now());
        let randomness = engine.randomness();
        let key = engine.steps.store.key().cloned();
        let work = move || {
            let content = Content { database: &remove.0, key: key.as_ref(), files: &files };
            seal(content, &to, made, &secrets, PassphraseCost::DEFAULT, &mut randomness.rng())
        };
        engine.blocking(work).await?
    }
}

/// A file that is only needed for a moment.
struct RemovedAtEnd(std::path::PathBuf);

impl Drop for RemovedAtEnd {
    fn drop(&mut self) {
        // If it stays, it goes when the agent is opened again.
        let _ = durable::remove(&self.0);
    }
}

/// The content of an archive: a database, its key if it is encrypted, and files of the application.
pub(super) struct Content<'a> {
    pub(super) database: &'a Path,
    pub(super) key: Option<&'a DatabaseKey>,
    pub(super) files: &'a [ArchivedFile],
}

pub(super) fn seal(
    from: Content<'_>,
    to: &Path,
    made: i64,
    secrets: &[Secret],
    cost: PassphraseCost,
    rng: &mut impl CryptoRng,
) -> Result<(), ArchiveError> {
    let Content { database: from, key, files } = from;
    let (version, before, files): (_, &[u8], Box<dyn Read>) = match (files, key) {
        ([], None) => (OPEN, &[], Box::new(io::empty())),
        ([], Some(_)) => (ENCRYPTED, &[], Box::new(io::empty())),
        (files, None) => (WITH_FILES, &[0], files::reader(files)?),
        (files, Some(_)) => (WITH_FILES, &[1], files::reader(files)?),
    };
    let (head, seal) = new_head(made, version, secrets, cost, rng)?;
    let key = key.map_or(&[][..], |key| key.as_bytes());
    let database = File::open(from).map_err(about(from))?;
    let mut content = before.chain(key).chain(files).chain(database);
    let mut archive = Unfinished::create(to, Access::Owner).map_err(about(to))?;
    archive.write_all(&head).map_err(about(to))?;
    content::seal(seal, &mut content, &mut archive).map_err(|error| error.name(about(from), about(to)))?;
    archive.finish().map_err(about(to))
}
