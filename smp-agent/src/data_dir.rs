//! The data directory: private to its user, and held by one agent at a time.

use std::io;
use std::path::{Path, PathBuf};

use smp_transport::durable::{self, Access, Lock, UNFINISHED, with_end};

use crate::error::AgentError;

/// Name of the database inside the data directory.
pub(crate) const DATABASE: &str = "agent.sqlite3";
/// Name of the file that tells that there was a database.
const MARK: &str = "agent.mark";
const MARK_TEXT: &str =
    "An agent keeps its contacts in agent.sqlite3 beside this file, and does not begin without it.\n";
/// Name of the lock file inside the data directory.
const LOCK: &str = "agent.lock";

/// Name of the file that tells that the database is from an archive, and that its keys may have been used since.
const RESTORED: &str = "agent.restored";
const RESTORED_TEXT: &str = "agent.sqlite3 was restored from an archive: the encryption of all connections is renewed when it is opened.\n";
/// Name of the copy of which an archive is made.
const COPY: &str = "agent.export";

/// A data directory that this process holds until the value is dropped, or the process dies.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// The operating system frees the lock with the last handle, so a killed agent leaves none behind.
    _lock: Lock,
}

impl DataDir {
    /// Creates the directory (0700) and its files (0600) where they are missing, and takes the lock. Of a directory that exists
    /// the permissions are narrowed if it is empty or has these files; another one is refused if others may use it.
    pub(crate) fn open(path: &Path) -> Result<Self, AgentError> {
        let unusable = AgentError::of_file(path);
        durable::make_dir(path).map_err(&unusable)?;
        if !is_ours(path).map_err(&unusable)? {
            return Err(AgentError::OpenToOthers { path: path.to_path_buf() });
        }
        durable::restrict_to_owner(path).map_err(&unusable)?;
        let lock = durable::lock(&path.join(LOCK)).map_err(&unusable)?;
        let lock = lock.ok_or_else(|| AgentError::InUse { path: path.to_path_buf() })?;
        let (database, mark) = (path.join(DATABASE), path.join(MARK));
        if !has_content(&database) && mark.try_exists().map_err(&unusable)? {
            return Err(AgentError::DatabaseMissing { database, mark });
        }
        // Of an archive, or a database, that was not finished.
        for unfinished in [path.join(COPY), with_end(&database, UNFINISHED)] {
            durable::remove(&unfinished).map_err(&unusable)?;
        }
        // SQLite gives its write-ahead log the permissions of the database.
        durable::open(&database).map_err(&unusable)?;
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }

    /// The database is there: from now on it must not be missing.
    pub(crate) fn opened(&self) -> Result<(), AgentError> {
        let mark = self.path.join(MARK);
        if has_content(&mark) { Ok(()) } else { write_mark(&mark, MARK_TEXT) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// A place for a copy of the database, for a moment.
    pub(crate) fn copy(path: &Path) -> PathBuf {
        path.join(COPY)
    }

    /// The database that is about to be put here is from an archive.
    pub(crate) fn note_restored(&self) -> Result<(), AgentError> {
        write_mark(&self.path.join(RESTORED), RESTORED_TEXT)
    }

    /// Whether the database is from an archive, and its keys have not been renewed since.
    pub(crate) fn is_restored(path: &Path) -> Result<bool, AgentError> {
        let mark = path.join(RESTORED);
        mark.try_exists().map_err(AgentError::of_file(&mark))
    }

    /// New keys for all connections are on their way.
    pub(crate) fn note_renewed(path: &Path) -> Result<(), AgentError> {
        let mark = path.join(RESTORED);
        durable::remove(&mark).map_err(AgentError::of_file(&mark))
    }
}

fn write_mark(path: &Path, text: &str) -> Result<(), AgentError> {
    durable::replace(path, text.as_bytes(), Access::Owner).map_err(AgentError::of_file(path))
}

pub(crate) fn has_content(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

/// False for a directory that others may use, and that is not ours to change: a shared one, or a home directory.
#[cfg(unix)]
fn is_ours(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let dir = std::fs::metadata(path)?;
    // Anybody could have put a file of this name into a shared directory.
    let has_database = || std::fs::metadata(path.join(DATABASE)).is_ok_and(|file| file.uid() == dir.uid());
    let is_empty = || Ok(std::fs::read_dir(path)?.next().is_none());
    if dir.mode() & 0o077 == 0 || has_database() { Ok(true) } else { is_empty() }
}

#[cfg(not(unix))]
fn is_ours(_: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_holder_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nested").join("alice");
        let first = DataDir::open(&path).unwrap();
        assert!(matches!(DataDir::open(&path), Err(AgentError::InUse { .. })));
        drop(first);
        DataDir::open(&path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn directory_and_files_are_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let held = DataDir::open(dir.path()).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(dir.path()), 0o700);
        assert_eq!(mode(&held.database()), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn directory_with_other_files_keeps_its_permissions() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let set = |mode| std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        let mode = || std::fs::metadata(dir.path()).unwrap().permissions().mode() & 0o7777;
        std::fs::write(dir.path().join("photo"), "x").unwrap();
        for shared in [0o755, 0o1777, 0o710] {
            set(shared);
            let error = DataDir::open(dir.path()).unwrap_err();
            assert!(matches!(error, AgentError::OpenToOthers { .. }), "{error}");
            assert_eq!(mode(), shared);
            assert!(!dir.path().join(LOCK).exists());
        }
        set(0o700);
        drop(DataDir::open(dir.path()).unwrap());
        // Now it is ours.
        set(0o755);
        DataDir::open(dir.path()).unwrap();
        assert_eq!(mode(), 0o700);
    }
}
