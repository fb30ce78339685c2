//! A data directory out of an archive.

use super::content;
use super::error::{ArchiveError, about};
use super::head::read_head;
use super::secret::ArchiveSecret;
use crate::data_dir::DataDir;
use smp_transport::durable::{Access, Unfinished};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::{Duration, SystemTime};

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
/// This blocks the thread for as long as the passphrase takes, some tenths of a second, and the file.
///
/// # Errors
/// [`ArchiveError`]; then the directory has no agent.
pub fn restore_archive(
    archive: &Path,
    secret: &ArchiveSecret,
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
    content::open(seal, &mut file, &mut restored)
        .map_err(|error| error.name(about(archive), about(&database)))?;
    // First: a database without it would go on with keys that have been used.
    dir.note_restored()?;
    restored.finish().map_err(about(&database))?;
    let made = Duration::from_secs(u64::try_from(head.made).unwrap_or(0));
    Ok(RestoredArchive { made: SystemTime::UNIX_EPOCH + made })
}
