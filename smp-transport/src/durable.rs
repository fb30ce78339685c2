//! Private, durable files: only their owner can read them, and after a crash each is whole or not there.
//!
//! Invariant: what was written by [`write_new`] or [`replace`], or got its name by [`rename`], is there after a power cut, under its name.
//! New files belong to the owner of their directory (see [`owner`]).

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use crate::owner;

pub mod space;

/// Behind the name of a file until it is complete.
pub const UNFINISHED: &str = ".new";
/// Permissions of everybody but the owner.
#[cfg(unix)]
const OTHERS: u32 = 0o077;

/// The readers of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Its owner alone: it has a key, a password, or what people have said.
    Owner,
    /// Everybody on the machine.
    Everybody,
}

/// A path with something behind its name.
#[must_use]
pub fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Makes a directory that only its owner can read, and those above it that are missing. One that exists stays as it is.
///
/// # Errors
/// Of the system.
pub fn make_dir(path: &Path) -> io::Result<()> {
    let missing: Vec<_> =
        path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    missing.into_iter().rev().try_for_each(owner::give_to_owner_of_directory)
}

/// Creates a file that must not exist.
///
/// # Errors
/// Of the system; [`io::ErrorKind::AlreadyExists`].
pub fn create_new(path: &Path, access: Access) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    restrict(&mut options, access);
    let file = options.open(path)?;
    owner::give_to_owner_of_directory(path)?;
    Ok(file)
}

/// Takes from everybody but its owner what they may do with a file or directory.
///
/// # Errors
/// Of the system: if there is none, or if it is somebody else's.
#[cfg(unix)]
pub fn restrict_to_owner(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & OTHERS == 0 {
        Ok(())
    } else {
        fs::set_permissions(path, fs::Permissions::from_mode(mode & !OTHERS))
    }
}

/// Takes from everybody but its owner what they may do with a file or directory.
///
/// # Errors
/// None here: permissions are a matter of Unix.
#[cfg(not(unix))]
pub fn restrict_to_owner(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens a private file to be read and written, with the content that it has; creates it if there is none, and makes its name durable.
/// One that others may use is theirs no more.
///
/// # Errors
/// Of the system.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    restrict(&mut options, Access::Owner);
    let existed = path.exists();
    let file = options.open(path)?;
    if existed {
        restrict_to_owner(path)?;
    } else {
        owner::give_to_owner_of_directory(path)?;
        sync_name(path)?;
    }
    Ok(file)
}

#[cfg(unix)]
fn restrict(options: &mut OpenOptions, access: Access) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(match access {
        Access::Owner => 0o600,
        Access::Everybody => 0o644,
    });
}

#[cfg(not(unix))]
fn restrict(_: &mut OpenOptions, _: Access) {}

/// A file that this process has locked, until this is dropped or the process ends.
#[derive(Debug)]
pub struct Lock(File);

impl Drop for Lock {
    /// Closing it is not enough: a program that is just being started has a copy of the descriptor for a moment.
    fn drop(&mut self) {
        // Then it is closed, which mostly does the same.
        let _ = self.0.unlock();
    }
}

impl Deref for Lock {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl DerefMut for Lock {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.0
    }
}

/// Opens a private file, and locks it; `None` if another process has locked it.
///
/// # Errors
/// Of the system.
pub fn lock(path: &Path) -> io::Result<Option<Lock>> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Writes a private file that must not exist.
///
/// # Errors
/// Of the system; [`io::ErrorKind::AlreadyExists`].
pub fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = create_new(path, Access::Owner)?;
    file.write_all(content)?;
    file.sync_all()?;
    sync_name(path)
}

/// Replaces a file as a whole, or makes it: a crash leaves the old content or the new one.
///
/// # Errors
/// Of the system; then the old content is there.
pub fn replace(path: &Path, content: &[u8], access: Access) -> io::Result<()> {
    let mut unfinished = Unfinished::create(path, access)?;
    unfinished.write_all(content)?;
    unfinished.finish()
}

/// A file that is being written, beside the one whose place it will take.
#[derive(Debug)]
pub struct Unfinished {
    file: File,
    path: PathBuf,
}

impl io::Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Unfinished {
    /// Begins a file; what was left of an earlier one goes.
    ///
    /// # Errors
    /// Of the system.
    pub fn create(path: &Path, access: Access) -> io::Result<Self> {
        let unfinished = with_end(path, UNFINISHED);
        remove(&unfinished)?;
        Ok(Self { file: create_new(&unfinished, access)?, path: path.to_owned() })
    }

    /// Makes its content durable, without giving it its name.
    ///
    /// # Errors
    /// Of the system.
    pub fn complete(self) -> io::Result<Complete> {
        self.file.sync_all()?;
        Ok(Complete { path: self.path })
    }

    /// Makes it durable and gives it its name.
    ///
    /// # Errors
    /// Of the system.
    pub fn finish(self) -> io::Result<()> {
        self.complete()?.finish()
    }
}

/// A file whose content is durable, and that has not its name yet. It can be left for another process to [`finish`](Self::finish).
#[derive(Debug)]
pub struct Complete {
    path: PathBuf,
}

impl Complete {
    /// That for this path, if one was left.
    #[must_use]
    pub fn left_for(path: &Path) -> Option<Self> {
        let complete = Self { path: path.to_owned() };
        complete.unfinished().exists().then_some(complete)
    }

    /// Where it is until then.
    #[must_use]
    pub fn unfinished(&self) -> PathBuf {
        with_end(&self.path, UNFINISHED)
    }

    /// Gives it its name, durably.
    ///
    /// # Errors
    /// Of the system.
    pub fn finish(self) -> io::Result<()> {
        rename(&self.unfinished(), &self.path)
    }
}

/// Gives a complete file or directory its name, durably.
///
/// # Errors
/// Of the system.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let to = to.canonicalize().unwrap_or_else(|_| to.to_path_buf());
    fs::rename(from, &to)?;
    sync_name(&to)
}

/// Removes a file; if there is none that is as good.
///
/// # Errors
/// Of the system.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes the content of a file, or the names in a directory, durable.
///
/// # Errors
/// Of the system.
pub fn sync(path: &Path) -> io::Result<()> {
    // Elsewhere directories cannot be opened.
    if cfg!(unix) || path.is_file() { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Makes the name of a file durable, which is content of its directory.
///
/// # Errors
/// Of the system.
pub fn sync_name(path: &Path) -> io::Result<()> {
    sync(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).map_or(0, |found| found.permissions().mode() & 0o777)
    }

    #[test]
    fn a_lock_that_is_given_back_is_free_whoever_has_a_copy_of_its_descriptor() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let locked = lock(&path).unwrap().unwrap();
        assert!(lock(&path).unwrap().is_none());
        let copy = locked.try_clone().unwrap();
        drop(locked);
        assert!(lock(&path).unwrap().is_some());
        drop(copy);
    }

    #[test]
    fn what_is_made_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        make_dir(&inner).unwrap();
        assert_eq!((mode(&inner), mode(&dir.path().join("a"))), (0o700, 0o700));
        let path = inner.join("file");
        write_new(&path, b"secret").unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(write_new(&path, b"other").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        open(&inner.join("opened")).unwrap();
        assert_eq!(mode(&inner.join("opened")), 0o600);
        fs::set_permissions(inner.join("opened"), fs::Permissions::from_mode(0o664)).unwrap();
        open(&inner.join("opened")).unwrap();
        assert_eq!(mode(&inner.join("opened")), 0o600, "it was made by something else");
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o755)).unwrap();
        make_dir(&inner).unwrap();
        assert_eq!(mode(&inner), 0o755, "a directory may be for others too");
        restrict_to_owner(&inner).unwrap();
        assert_eq!(mode(&inner), 0o700);
        replace(&inner.join("public"), b"", Access::Everybody).unwrap();
        assert_eq!(mode(&inner.join("public")) & 0o600, 0o600);
    }

    #[test]
    fn a_file_has_the_old_content_until_it_has_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        replace(&path, b"old", Access::Owner).unwrap();
        let mut unfinished = Unfinished::create(&path, Access::Owner).unwrap();
        unfinished.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        drop(unfinished);
        // As after a crash: what was left is in nobody's way.
        let mut unfinished = Unfinished::create(&path, Access::Owner).unwrap();
        unfinished.write_all(b"newer").unwrap();
        unfinished.complete().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        Complete::left_for(&path).unwrap().finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"newer");
        assert!(Complete::left_for(&path).is_none());
    }

    #[test]
    fn one_has_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = lock(&path).unwrap().unwrap();
        assert!(lock(&path).unwrap().is_none());
        drop(held);
        assert!(lock(&path).unwrap().is_some());
    }
}
