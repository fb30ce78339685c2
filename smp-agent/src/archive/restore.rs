//! A data directory out of an archive.

use super::content::{CopyError, Opening};
use super::error::{ArchiveError, about};
use super::files::{self, ArchivedFile};
use super::head::read_head;
use super::{ENCRYPTED, WITH_FILES};
use crate::data_dir::DataDir;
use crate::key_file::KeyFile;
use crate::secret::Secret;
use smp_crypto::passphrase::PassphraseCost;
use smp_sqlite::{DatabaseKey, KEY_SIZE};
use smp_transport::durable::{Access, Unfinished};
use smp_transport::surroundings::Randomness;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// An archive that was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoredArchive {
    /// When it was made, by the clock of the machine on which it was.
    pub made: SystemTime,
}

/// Makes the data directory of an agent out of an archive. The directory must be empty, or not exist. Opening an agent in it renews
/// the encryption of all connections.
///
/// If the agent of which it was made was encrypted, the directory is too, under the secret that has opened the archive;
/// [`change_secrets`](crate::change_secrets) gives it others.
///
/// This blocks the thread for as long as the passphrase takes, some tenths of a second, and the file.
///
/// # Errors
/// [`ArchiveError`]; then the directory has no agent.
pub fn restore_archive(
    archive: &Path,
    secret: &Secret,
    data_dir: &Path,
) -> Result<RestoredArchive, ArchiveError> {
    restore_archive_with(archive, secret, data_dir, &[])
}

/// As [`restore_archive`], and makes those of these files of the application that are in the archive
/// ([`Agent::export_with`](crate::Agent::export_with)). The agent's database is the last one to be in its place.
///
/// # Errors
/// [`ArchiveError`]; then the directory has no agent. Some of the files may be there.
pub fn restore_archive_with(
    archive: &Path,
    secret: &Secret,
    data_dir: &Path,
    files: &[ArchivedFile],
) -> Result<RestoredArchive, ArchiveError> {
    let file = File::open(archive).map_err(about(archive))?;
    let mut file = BufReader::new(file);
    let (head, seal) = read_head(&mut file, archive, secret)?;
    let dir = DataDir::open(data_dir)?;
    let database = dir.database();
    if std::fs::metadata(&database).map_err(about(&database))?.len() != 0 {
        return Err(ArchiveError::Occupied(data_dir.to_owned()));
    }
    let mut restored = Unfinished::create(&database, Access::Owner).map_err(about(&database))?;
    let reading = |error: CopyError| error.name(about(archive), about(archive));
    let version = seal.version;
    let mut content = Opening::new(seal, &mut file);
    let is_encrypted = match version {
        WITH_FILES => match content.bytes(1).map_err(reading)?[0] {
            0 => false,
            1 => true,
            _ => return Err(ArchiveError::Damaged),
        },
        version => version == ENCRYPTED,
    };
    let key = is_encrypted.then(|| content.bytes(KEY_SIZE)).transpose().map_err(reading)?;
    let files = match version {
        WITH_FILES => files::restore(&mut content, files, archive)?,
        _ => Vec::new(),
    };
    content.rest(&mut restored).map_err(|error| error.name(about(archive), about(&database)))?;
    if let Some(key) = key {
        let key = <[u8; KEY_SIZE]>::try_from(&key[..]).map_err(|_| ArchiveError::Damaged)?;
        let (key, randomness) = (DatabaseKey::new(Zeroizing::new(key)), Randomness::machine());
        let secrets = std::slice::from_ref(secret);
        KeyFile::of(data_dir).write(&key, secrets, PassphraseCost::DEFAULT, &mut randomness.rng())?;
    }
    for (path, file) in files {
        file.finish().map_err(about(&path))?;
    }
    // First: a database without it would go on with keys that have been used.
    dir.note_restored()?;
    restored.finish().map_err(about(&database))?;
    let made = Duration::from_secs(u64::try_from(head.made).unwrap_or(0));
    Ok(RestoredArchive { made: SystemTime::UNIX_EPOCH + made })
}
