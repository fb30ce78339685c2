//! Files and directories that are still there after a power cut.

use std::{fs, io, path::Path};

/// Makes the content of a file, or the names in a directory, durable.
pub(crate) fn sync(path: &Path) -> io::Result<()> {
    // Elsewhere directories cannot be opened.
    if cfg!(unix) || path.is_file() { fs::File::open(path)?.sync_all() } else { Ok(()) }
}

/// Gives a complete directory its name, and makes that durable.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let to = to.canonicalize().unwrap_or_else(|_| to.to_path_buf());
    fs::rename(from, &to)?;
    match to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => sync(parent),
        None => sync(Path::new(".")),
    }
}
