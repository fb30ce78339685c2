//! A data directory out of an archive.

use super::content;
use super::error::{ArchiveError, about};
use super::head::read_head;
use crate::data_dir::DataDir;
use crate::key_file::KeyFile;
use crate::secret::Secret;
use smp_crypto::passphrase::PassphraseCost;
use smp_sqlite::{DatabaseKey, KEY_SIZE};
use smp_transport::durable::{Access, Unfinished};
use smp_transport::surroundings::Randomness;
use std::fs::File;
use std::io::{self, BufReader, Write};
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
    let file = File::open(archive).map_err(about(archive))?;
    let mut file = BufReader::new(file);
    let (head, seal) = read_head(&mut file, archive, secret)?;
    let dir = DataDir::open(data_dir)?;
    let database = dir.database();
    if std::fs::metadata(&database).map_err(about(&database))?.len() != 0 {
        return Err(ArchiveError::Occupied(data_dir.to_owned()));
    }
    let mut restored = Unfinished::create(&database, Access::Owner).map_err(about(&database))?;
    let mut key = Zeroizing::new(Vec::with_capacity(KEY_SIZE));
    let mut content =
        BehindKey { key: &mut key, missing: if seal.is_encrypted { KEY_SIZE } else { 0 }, to: &mut restored };
    content::open(seal, &mut file, &mut content)
        .map_err(|error| error.name(about(archive), about(&database)))?;
    if let Ok(key) = <[u8; KEY_SIZE]>::try_from(&key[..]) {
        let (key, randomness) = (DatabaseKey::new(Zeroizing::new(key)), Randomness::machine());
        let secrets = std::slice::from_ref(secret);
        KeyFile::of(data_dir).write(&key, secrets, PassphraseCost::DEFAULT, &mut randomness.rng())?;
    } else if !key.is_empty() {
        return Err(ArchiveError::Damaged);
    }
    // First: a database without it would go on with keys that have been used.
    dir.note_restored()?;
    restored.finish().map_err(about(&database))?;
    let made = Duration::from_secs(u64::try_from(head.made).unwrap_or(0));
    Ok(RestoredArchive { made: SystemTime::UNIX_EPOCH + made })
}

/// Takes the key from the beginning of a content, and writes the rest.
struct BehindKey<'a, W> {
    key: &'a mut Zeroizing<Vec<u8>>,
    /// Bytes of the key that have not come yet.
    missing: usize,
    to: &'a mut W,
}

impl<W: Write> Write for BehindKey<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.missing == 0 {
            return self.to.write(bytes);
        }
        let of_key = bytes.len().min(self.missing);
        self.key.extend_from_slice(&bytes[..of_key]);
        self.missing -= of_key;
        Ok(of_key)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
