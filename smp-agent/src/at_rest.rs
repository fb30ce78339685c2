//! Encryption of a data directory that no agent has open: on, off, and under other secrets.
//!
//! Invariant: whenever it is cut off, the data opens as before or as it is to be afterwards. Whether it is encrypted is what the database's
//! beginning says: the key file is written before the encrypted database takes the place of the other one, and goes after the
//! opposite. Each database takes its place by one rename, with an empty log.

use crate::data_dir::{DataDir, has_content};
use crate::error::{AgentError, StorageError};
use crate::key_file::{self, KeyFile, new_key};
use crate::secret::{Secret, SecretError};
use smp_crypto::passphrase::PassphraseCost;
use smp_sqlite::{Content, DatabaseKey, Options};
use smp_transport::durable::{self, Access, Complete, UNFINISHED, Unfinished, with_end};
use smp_transport::surroundings::{Randomness, Surroundings};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Bytes that are overwritten at once.
const BLANK: usize = 64 * 1024;

/// Whether a data directory is encrypted: whether a secret is needed to open it.
///
/// # Errors
/// [`AgentError::DataDirectory`].
pub fn is_encrypted(data_dir: &Path) -> Result<bool, AgentError> {
    KeyFile::of(data_dir).is_in_use()
}

/// Encrypts a data directory, which afterwards each of one to eight secrets opens; an empty one is prepared to be. A copy of all is made, which takes as
/// much space again meanwhile; then the old database is overwritten, as far as the file system does that in place.
///
/// # Errors
/// [`AgentError::Secret`] if it is encrypted already, or there is no secret; [`AgentError::InUse`] if an agent has it open;
/// [`AgentError::DataDirectory`], [`AgentError::Storage`].
///
/// # Cancel safety
/// When it is dropped, or the process dies, the directory is encrypted or not: [`is_encrypted`] tells.
pub async fn encrypt_data_dir(data_dir: &Path, secrets: &[Secret]) -> Result<(), AgentError> {
    encrypt(data_dir, secrets, PassphraseCost::DEFAULT).await
}

async fn encrypt(data_dir: &Path, secrets: &[Secret], cost: PassphraseCost) -> Result<(), AgentError> {
    let dir = DataDir::open(data_dir)?;
    let (file, secrets) = (KeyFile::of(data_dir), secrets.to_vec());
    let content = file.database()?;
    if content == Content::Sealed {
        return Err(SecretError::Encrypted(data_dir.to_owned()).into());
    }
    let key = blocking(move || {
        let randomness = Randomness::machine();
        let key = new_key(&mut randomness.rng());
        file.write(&key, &secrets, cost, &mut randomness.rng())?;
        Ok(key)
    });
    let key = key.await?;
    if content == Content::Plain {
        Copied::new(&dir.database(), None, Some(&key)).await?.take_place()?;
    }
    Ok(())
}

/// Encrypts a data directory no more. A copy of all is made, which takes as much space again meanwhile.
///
/// # Errors
/// [`AgentError::Secret`] if it is not encrypted, or under another secret; [`AgentError::InUse`] if an agent has it open;
/// [`AgentError::DataDirectory`], [`AgentError::Storage`].
///
/// # Cancel safety
/// As [`encrypt_data_dir`].
pub async fn decrypt_data_dir(data_dir: &Path, secret: &Secret) -> Result<(), AgentError> {
    let dir = DataDir::open(data_dir)?;
    let (file, key) = unlock(data_dir, secret).await?;
    if file.database()? == Content::Sealed {
        Copied::new(&dir.database(), Some(key), None).await?.take_place()?;
    }
    file.remove()
}

/// Has a data directory opened by other secrets, one to eight, and no more by those that opened it. The data is not encrypted
/// again: only the small file with its key is replaced.
///
/// # Errors
/// [`AgentError::Secret`] if it is not encrypted, or under another secret, or if there is no new one; [`AgentError::InUse`] if an agent
/// has it open; [`AgentError::DataDirectory`].
///
/// # Cancel safety
/// When it is dropped the secrets are changed or not.
pub async fn change_secrets(data_dir: &Path, secret: &Secret, new: &[Secret]) -> Result<(), AgentError> {
    let _dir = DataDir::open(data_dir)?;
    let (file, key) = unlock(data_dir, secret).await?;
    let new = new.to_vec();
    let work = move || file.write(&key, &new, PassphraseCost::DEFAULT, &mut Randomness::machine().rng());
    blocking(work).await
}

/// As [`Agent::application_key`](crate::Agent::application_key), of a data directory that no agent has open.
///
/// # Errors
/// [`AgentError::Secret`] if it is not encrypted, or under another secret; [`AgentError::DataDirectory`].
///
/// # Cancel safety
/// Nothing is changed.
pub async fn application_key(
    data_dir: &Path,
    secret: &Secret,
    purpose: &str,
) -> Result<DatabaseKey, AgentError> {
    let (_, key) = unlock(data_dir, secret).await?;
    Ok(key_file::application_key(&key, purpose))
}

/// Encrypts a database of the application's, which nobody has open, or does so no more. A copy is made, which takes its place; then the old one is
/// overwritten. Where this is cut off there may be a file beside it with `.new` behind its name, which is to be removed.
///
/// # Errors
/// [`AgentError::DataDirectory`], [`AgentError::Storage`]; then the database is as it was.
///
/// # Cancel safety
/// When it is dropped, or the process dies, the database is as before or as it is to be.
pub async fn change_database_key(
    database: &Path,
    from: Option<DatabaseKey>,
    to: Option<&DatabaseKey>,
) -> Result<(), AgentError> {
    Copied::new(database, from, to).await?.take_place()
}

async fn unlock(data_dir: &Path, secret: &Secret) -> Result<(KeyFile, DatabaseKey), AgentError> {
    let (file, secret) = (KeyFile::of(data_dir), secret.clone());
    if !file.is_in_use()? {
        return Err(SecretError::NotEncrypted(data_dir.to_owned()).into());
    }
    blocking(move || {
        let key = file.open(&secret)?;
        Ok((file, key))
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AgentError> + Send + 'static,
) -> Result<T, AgentError> {
    Surroundings::machine().spawner.spawn_blocking(work).await.map_err(|_| AgentError::ShutDown)?
}

/// A complete copy of the database, beside it.
struct Copied {
    database: PathBuf,
    copy: Complete,
}

impl Copied {
    /// Makes it, encrypted if there is a key. The log of the database is empty afterwards.
    async fn new(
        database: &Path,
        from: Option<DatabaseKey>,
        to: Option<&DatabaseKey>,
    ) -> Result<Self, AgentError> {
        let copy = with_end(database, UNFINISHED);
        // SQLite would make it with the mode of the umask.
        let unfinished = Unfinished::create(database, Access::Owner).map_err(AgentError::of_file(&copy))?;
        let options = Options::new(database, from);
        smp_sqlite::copy(&options, &copy, to)
            .await
            .map_err(|error| StorageError::from(crate::store::Fault::from(error)))?;
        let copy = unfinished.complete().map_err(AgentError::of_file(&copy))?;
        Ok(Self { database: database.to_owned(), copy })
    }

    fn take_place(self) -> Result<(), AgentError> {
        let Self { database, copy } = self;
        // It would be taken for that of the copy.
        let log = with_end(&database, "-wal");
        if has_content(&log) {
            return Err(AgentError::of_file(&log)(io::Error::other("the log is not empty")));
        }
        for end in ["-wal", "-shm"] {
            let beside = with_end(&database, end);
            durable::remove(&beside).map_err(AgentError::of_file(&beside))?;
        }
        let old = OpenOptions::new().write(true).open(&database).map_err(AgentError::of_file(&database))?;
        copy.finish().map_err(AgentError::of_file(&database))?;
        // It has no name any more, and its content goes as far as this can do it.
        let _ = overwrite(old);
        Ok(())
    }
}

fn overwrite(mut file: File) -> io::Result<()> {
    let mut left = file.metadata()?.len();
    let blank = [0; BLANK];
    while left > 0 {
        let part = left.min(BLANK as u64) as usize;
        file.write_all(&blank[..part])?;
        left -= part as u64;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests;
