//! Free space of a file system, and files that take some of it in advance.
//!
//! Invariant: what [`set_aside`] has made takes its bytes from the file system, whatever that compresses or leaves out, so that removing it gives
//! them back.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use rand::CryptoRng;

use super::{Access, create_new, remove};

/// Written at once, in bytes.
const BLOCK: usize = 64 << 10;

/// The space of a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// All of it.
    pub total: u64,
    /// Bytes that this user may still fill; a quota may allow less.
    pub free: u64,
}

/// Of the file system that a directory is on, if the system says.
#[cfg(unix)]
#[must_use]
#[allow(clippy::useless_conversion, clippy::unnecessary_cast)] // The types differ between systems.
pub fn space(directory: &Path) -> Option<Space> {
    let found = nix::sys::statvfs::statvfs(directory).ok()?;
    let unit = found.fragment_size() as u64;
    let bytes = |blocks: u64| blocks.saturating_mul(unit);
    Some(Space { total: bytes(found.blocks() as u64), free: bytes(found.blocks_available() as u64) })
}

/// Of the file system that a directory is on, if the system says: this one does not.
#[cfg(not(unix))]
#[must_use]
pub fn space(_: &Path) -> Option<Space> {
    None
}

/// Makes a private file that takes `bytes` from the file system, in place of one that is there; or none. It need not survive a crash.
///
/// # Errors
/// Of the system: [`io::ErrorKind::StorageFull`] and [`io::ErrorKind::QuotaExceeded`] if there is too little.
pub fn set_aside(path: &Path, bytes: u64, rng: &mut impl CryptoRng) -> io::Result<()> {
    remove(path)?;
    let made = create_new(path, Access::Owner).and_then(|file| fill(file, bytes, rng));
    if made.is_err() {
        let _ = remove(path);
    }
    made
}

/// Whether an error says that there is no space left, or no more is allowed.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Where space cannot be set aside: with what no file system can compress.
fn fill(mut file: File, bytes: u64, rng: &mut impl CryptoRng) -> io::Result<()> {
    match allocate(&file, bytes) {
        Ok(()) => return Ok(()),
        Err(error) if is_full(&error) => return Err(error),
        Err(_) => {}
    }
    let mut block = vec![0; BLOCK];
    let mut left = bytes;
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        rng.fill_bytes(&mut block[..length]);
        file.write_all(&block[..length])?;
        left -= length as u64;
    }
    // Some file systems say only now that there is no space.
    file.sync_all()
}

/// Has the file system set the space aside, which not all can.
#[cfg(target_os = "linux")]
fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    let bytes = i64::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(nix::fcntl::fallocate(file, nix::fcntl::FallocateFlags::empty(), 0, bytes)?)
}

#[cfg(not(target_os = "linux"))]
fn allocate(_: &File, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_is_a_whole_file_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reserve");
        let length = || std::fs::metadata(&path).map(|file| file.len()).ok();
        for bytes in [100_000, 200_001, 1] {
            set_aside(&path, bytes, &mut rand::rng()).unwrap();
            assert_eq!(length(), Some(bytes));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_system_has_its_space() {
        let dir = tempfile::tempdir().unwrap();
        let found = space(dir.path()).unwrap();
        assert!(found.total > 0 && found.free <= found.total, "{found:?}");
        assert_eq!(space(&dir.path().join("missing")), None);
    }
}
