//! Files beside the database, and those that only their owner can read.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use smp_transport::owner;

/// A file beside the database.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Creates a new file for nobody but its owner.
pub(super) fn create_new_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let file = options.open(path)?;
    owner::give_to_owner_of_directory(path)?;
    Ok(file)
}
