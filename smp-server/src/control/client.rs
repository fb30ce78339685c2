//! The side of the control socket that asks: `smp-server status`, `block`, `unblock`, `delete`.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::de::DeserializeOwned;

use super::{
    answer::QueueAnswer,
    question::{Question, QueueId, QueueOrder},
    status::Status,
};

/// How long to wait for a relay that does not answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest answer, in bytes.
const MAX_ANSWER: u64 = 64 << 10;

/// Why there is no answer; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("the relay is not running (nobody listens at {0}); start it with `smp-server start`")]
    NotRunning(PathBuf),
    /// The socket is somebody else's.
    #[error("may not connect to {0}: ask as the user that the relay runs as, or as root")]
    Denied(PathBuf),
    /// Connecting, asking or reading failed.
    #[error("cannot ask the relay at {0}: {1}; try again, or look into its log")]
    Failed(PathBuf, #[source] io::Error),
    /// The answer is not one of this version.
    #[error(
        "the relay at {0} answers otherwise than this program expects; it may be another version: restart it"
    )]
    Answer(PathBuf),
}

/// Asks the relay whose control socket this is how it is.
///
/// # Errors
///
/// [`ControlError`]
pub fn ask_status(socket: &Path) -> Result<Status, ControlError> {
    ask(socket, &Question::Status)
}

/// Has the relay whose control socket this is do something with a queue. The answer comes once that is durable.
///
/// # Errors
///
/// [`ControlError`]
pub fn order_queue(socket: &Path, queue: QueueId, order: QueueOrder) -> Result<QueueAnswer, ControlError> {
    ask(socket, &Question::Queue(queue, order))
}

fn ask<T: DeserializeOwned>(socket: &Path, question: &Question) -> Result<T, ControlError> {
    let answer = exchange(socket, question).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ControlError::NotRunning(socket.to_path_buf())
        }
        io::ErrorKind::PermissionDenied => ControlError::Denied(socket.to_path_buf()),
        _ => ControlError::Failed(socket.to_path_buf(), error),
    })?;
    serde_json::from_slice(&answer).map_err(|_| ControlError::Answer(socket.to_path_buf()))
}

fn exchange(socket: &Path, question: &Question) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("{question}\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    Ok(answer)
}
