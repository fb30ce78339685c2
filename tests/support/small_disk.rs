//! A small file system, for tests of a full disk. Included by its path: it is used by tests of several crates.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of a few MiB, unmounted in the end.
pub(crate) struct SmallDisk(pub(crate) PathBuf);

impl SmallDisk {
    /// Mounting needs root: `None` where it is not allowed.
    pub(crate) fn mount(at: &Path, mebibytes: u32) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let size = format!("size={mebibytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    pub(crate) fn fill(&self) {
        let mut file = File::options().append(true).create(true).open(self.ballast()).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    /// An error if it was not filled.
    pub(crate) fn free(&self) -> io::Result<()> {
        std::fs::remove_file(self.ballast())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a test that fails leaves files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
