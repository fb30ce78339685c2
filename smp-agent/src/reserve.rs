//! `Reserve`: a file beside the database that is given up when the disk is full, so that receiving, acknowledging and deleting go on.
//!
//! A step that frees space needs some itself: the step that acknowledges a message, and the log that it is written into. While the reserve is
//! given up nothing new is begun: no message is sent, no invitation made, and of each connection no more is taken than the application
//! takes at once. It is made again as soon as there is space for it.

use crate::error::StorageError;
use smp_transport::durable::remove;
use smp_transport::durable::space::{is_full, set_aside, space};
use smp_transport::surroundings::Randomness;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// Name of the reserve, beside the database.
const RESERVE: &str = "agent.reserve";
/// Name of the file by which it is found out whether there is space: what a quota leaves is not told.
const PROBE: &str = "agent.probe";
/// The most that opening the database needs, in bytes: its index of the log, and the beginning of the log.
const PROBE_BYTES: u64 = 256 << 10;
/// Of a small disk, the reserve is this part at most.
const PART: u64 = 8;
/// Pages of SQLite, in bytes.
const PAGE: u64 = 4096;
/// Pages of the log after which SQLite moves them into the database, unless the reserve is smaller.
const LOG_PAGES: u64 = 1000;

/// The reserve of a data directory.
#[derive(Debug)]
pub(crate) struct Reserve {
    directory: PathBuf,
    /// Its size in bytes; 0 for none.
    bytes: u64,
    is_given_up: AtomicBool,
    /// It was given up, which the application is to be told.
    pub(crate) given_up: Notify,
    randomness: Randomness,
}

impl Reserve {
    /// Makes the reserve. If there is no space, not even to open the database, it is given up. Blocks.
    pub(crate) fn prepare(directory: &Path, bytes: u64, randomness: Randomness) -> Self {
        let total = space(directory).map_or(u64::MAX, |space| space.total);
        let reserve = Self {
            directory: directory.to_owned(),
            bytes: bytes.min(total / PART),
            is_given_up: AtomicBool::new(false),
            given_up: Notify::new(),
            randomness,
        };
        if reserve.bytes == 0 {
            // Of an earlier start with other settings.
            let _ = remove(&reserve.file());
        } else if reserve.is_made() {
            if reserve.probe(PROBE_BYTES).is_err_and(|error| is_full(&error)) {
                reserve.give_up();
            }
        } else if reserve.make().is_err_and(|error| is_full(&error)) {
            reserve.give_up();
        }
        reserve
    }

    fn file(&self) -> PathBuf {
        self.directory.join(RESERVE)
    }

    fn is_made(&self) -> bool {
        fs::metadata(self.file()).is_ok_and(|file| file.len() >= self.bytes)
    }

    /// Pages after which the log is to be moved into the database: no more than half of the reserve has room for.
    pub(crate) fn log_pages(&self) -> u64 {
        match self.bytes {
            0 => LOG_PAGES,
            bytes => (bytes / 2 / PAGE).clamp(16, LOG_PAGES),
        }
    }

    /// Whether it is given up, and nothing new is to be begun.
    pub(crate) fn is_given_up(&self) -> bool {
        self.is_given_up.load(Ordering::Acquire)
    }

    /// Refuses what the reserve is not for.
    pub(crate) fn check(&self) -> Result<(), StorageError> {
        if self.is_given_up() { Err(self.error()) } else { Ok(()) }
    }

    /// The error to tell while it is given up.
    pub(crate) fn error(&self) -> StorageError {
        StorageError::NoSpace { needed: self.to_be_freed(), directory: self.directory.clone() }
    }

    /// With less free space it is not made again: there would be none left.
    fn needed(&self) -> u64 {
        self.bytes + self.bytes / 4
    }

    /// Of the needed space, what is missing. A quota may say less than the file system.
    fn to_be_freed(&self) -> u64 {
        let free = space(&self.directory).map_or(0, |space| space.free);
        if free < self.needed() { self.needed() - free } else { self.needed() }
    }

    /// The database has met a full disk: gives the reserve up if it is the disk that is full, and not another limit that more free space
    /// would not change. Whether there is space now that was not there before. Blocks shortly.
    pub(crate) fn met_full(&self) -> bool {
        let is_missing = space(&self.directory).is_some_and(|space| space.free < self.bytes);
        if self.bytes == 0 || !(is_missing || self.probe(PROBE_BYTES).is_err()) {
            return false;
        }
        self.give_up()
    }

    fn give_up(&self) -> bool {
        let has_space = fs::remove_file(self.file()).is_ok();
        if !self.is_given_up.swap(true, Ordering::AcqRel) {
            self.given_up.notify_one();
        }
        has_space
    }

    /// Makes it again if there is space. Whether it is there. Blocks.
    pub(crate) fn recover(&self) -> bool {
        let made = self.make().is_ok();
        if made {
            self.is_given_up.store(false, Ordering::Release);
        }
        made
    }

    /// If there is some space beside it, or not at all.
    fn make(&self) -> io::Result<()> {
        if space(&self.directory).is_some_and(|space| space.free < self.needed()) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        set_aside(&self.file(), self.bytes, &mut self.randomness.rng())?;
        let probed = self.probe(self.bytes / 4);
        if probed.is_err() {
            remove(&self.file())?;
        }
        probed
    }

    /// Whether there is space for so many bytes.
    fn probe(&self, bytes: u64) -> io::Result<()> {
        let path = self.directory.join(PROBE);
        set_aside(&path, bytes, &mut self.randomness.rng())?;
        remove(&path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepare(directory: &Path, bytes: u64) -> Reserve {
        Reserve::prepare(directory, bytes, Randomness::machine())
    }

    #[test]
    fn it_is_given_up_and_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let reserve = prepare(dir.path(), 100_000);
        let length = || fs::metadata(dir.path().join(RESERVE)).map(|file| file.len()).ok();
        assert_eq!((length(), reserve.is_given_up()), (Some(100_000), false));
        assert!(reserve.check().is_ok());
        assert!(!reserve.met_full() && !reserve.is_given_up(), "there is space enough");
        assert!(reserve.give_up() && reserve.is_given_up() && length().is_none());
        assert!(!reserve.give_up(), "there is nothing more to give");
        let error = reserve.check().unwrap_err().to_string();
        assert!(error.contains("free at least 0.2 MB"), "{error}");
        assert!(reserve.recover() && !reserve.is_given_up());
        assert_eq!(length(), Some(100_000));
        assert!(!dir.path().join(PROBE).exists());
        // Another start leaves it alone, one without reserve removes it.
        assert!(!prepare(dir.path(), 100_000).is_given_up());
        assert_eq!(prepare(dir.path(), 0).log_pages(), LOG_PAGES);
        assert_eq!(length(), None);
    }
}
