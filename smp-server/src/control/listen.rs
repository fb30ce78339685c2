//! The side of the control socket that answers.

use std::{
    fs, io,
    os::unix::{fs::PermissionsExt as _, net::UnixStream as Probe},
    path::{Path, PathBuf},
    time::Duration,
};

use smp_transport::owner;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    time::timeout,
};

use super::{Question, question::MAX_QUESTION};

/// Programs that may wait to ask.
const BACKLOG: i32 = 16;

/// How long reading a question may take, and writing its answer: they come one after the other.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Pause after an error of the system.
const PAUSE: Duration = Duration::from_millis(100);

/// The socket of a running relay. Its file is removed when it is dropped.
pub(crate) struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Makes the socket. One that a killed relay has left is replaced, one that is in use is not.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        if Probe::connect(path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another smp-server listens there"));
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        // Before it listens nobody can connect.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        owner::give_to_owner_of_directory(path)?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(Self { listener: UnixListener::from_std(socket.into())?, path: path.to_path_buf() })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // If it stays, the next relay replaces it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Answers, one question after the other, for ever. `answer` makes a line of JSON; it is never cut off, as it may be about to do
/// something.
pub(crate) async fn serve(control: Control, answer: impl AsyncFn(Question) -> serde_json::Result<String>) {
    loop {
        match control.listener.accept().await {
            // A program that does not listen to the answer is no concern of the relay.
            Ok((stream, _)) => drop(exchange(stream, &answer).await),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn exchange(
    mut stream: UnixStream,
    answer: &impl AsyncFn(Question) -> serde_json::Result<String>,
) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut question = String::new();
    timeout(TIMEOUT, BufReader::new(read.take(MAX_QUESTION)).read_line(&mut question)).await??;
    let answer = match Question::read(&question) {
        Some(question) => answer(question).await?,
        None => r#"{"error":"unknown question"}"#.to_owned(),
    };
    let written = async {
        write.write_all(format!("{answer}\n").as_bytes()).await?;
        write.shutdown().await
    };
    timeout(TIMEOUT, written).await?
}
