//! The note of the process that holds a data directory: its command, and where it can be asked.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use smp_transport::durable::{self, Access};

use crate::data_dir::DataDir;

/// Longest path of a socket in bytes that every system takes.
const MAX_SOCKET_PATH: usize = 100;

/// The note of the process that holds the directory. It may have been killed: only the agent's lock is certain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Its process ID.
    pub(crate) process: u32,
    /// Its command, as it was typed.
    pub(crate) command: String,
    /// Where it can be asked, if it can.
    pub(crate) socket: Option<PathBuf>,
}

impl Running {
    /// The note of the directory's holder. None if there is none, or it is just beginning or ending.
    pub(crate) fn read(dir: &DataDir) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(dir.running_file()).ok()?).ok()
    }

    /// Whether it can be asked now: the note of a process that was killed stays until the next one has written its own.
    pub(crate) fn serves(&self) -> bool {
        self.socket.as_ref().is_some_and(|socket| UnixStream::connect(socket).is_ok())
    }
}

/// The note of this process that it holds the directory; it goes away with it.
pub(crate) struct Holder {
    file: PathBuf,
    running: Running,
    /// Where the socket is if the data directory's path is too long for one.
    _short: Option<tempfile::TempDir>,
}

impl Holder {
    /// Notes that this process holds the directory, which it must.
    pub(crate) fn new(dir: &DataDir, command: &str) -> Self {
        let running = Running { process: std::process::id(), command: command.to_owned(), socket: None };
        let holder = Self { file: dir.running_file(), running, _short: None };
        holder.write();
        holder
    }

    /// Where a socket can be made: free, since nobody else holds the directory.
    pub(super) fn socket_path(&mut self, dir: &DataDir) -> std::io::Result<PathBuf> {
        let usual = dir.socket_file();
        let path = if usual.as_os_str().len() <= MAX_SOCKET_PATH {
            usual
        } else {
            let short = tempfile::Builder::new().prefix("smp-").tempdir()?;
            let path = short.path().join("socket");
            self._short = Some(short);
            path
        };
        durable::remove(&path)?;
        Ok(path)
    }

    /// Notes that it can be asked there.
    pub(super) fn serves_at(&mut self, socket: Option<&Path>) {
        self.running.socket = socket.map(Path::to_owned);
        self.write();
    }

    /// Only for a better sentence and for those who ask: that it cannot be written is no error.
    fn write(&self) {
        let _ = serde_json::to_vec(&self.running)
            .map_err(std::io::Error::other)
            .and_then(|bytes| durable::replace(&self.file, &bytes, Access::Owner));
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn the_note_of_a_process_that_was_killed_serves_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let running = |socket| Running { process: 1, command: "smp listen".into(), socket };
        let listener = UnixListener::bind(&socket).unwrap();
        assert!(running(Some(socket.clone())).serves() && !running(None).serves());
        // A kill leaves its file.
        drop(listener);
        assert!(socket.exists() && !running(Some(socket)).serves());
    }
}
