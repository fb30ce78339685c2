//! The side that holds the directory, and runs what others ask for.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::frames::{self, ClientScreen, Frame, Request};
use super::place::Holder;
use crate::commands::run_task;
use crate::data_dir::DataDir;
use crate::exit::Exit;
use crate::output::Output;
use crate::session::{Follow, Session};

/// Commands that run at once; further ones wait.
const MAX_CLIENTS: usize = 16;
/// How long a client may take to say what it wants.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the end waits for commands that are about to end.
const END_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after a failure to accept: the process may have too many files open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A socket at which this process is asked, until [`stop`](Self::stop).
pub(crate) struct Server {
    socket: PathBuf,
    stop: CancellationToken,
    accepting: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Begins to serve. Only the owner of the directory can connect.
    pub(crate) fn start(dir: &DataDir, holder: &mut Holder, follow: Follow) -> anyhow::Result<Self> {
        let make = |holder: &mut Holder| -> std::io::Result<_> {
            let socket = holder.socket_path(dir)?;
            let listener = UnixListener::bind(&socket)?;
            std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))?;
            let owner = std::fs::metadata(&socket)?.uid();
            Ok((socket, listener, owner))
        };
        let (socket, listener, owner) =
            make(holder).context("The socket for other commands cannot be made")?;
        holder.serves_at(Some(&socket));
        let stop = CancellationToken::new();
        let accepting = tokio::spawn(accept(listener, owner, follow, stop.clone()));
        Ok(Self { socket, stop, accepting })
    }

    /// Takes no more requests, tells those that wait for something that it will not come, and waits for their end.
    pub(crate) async fn stop(self, holder: &mut Holder) {
        holder.serves_at(None);
        let _ = std::fs::remove_file(&self.socket);
        self.stop.cancel();
        let _ = self.accepting.await;
    }
}

async fn accept(listener: UnixListener, owner: u32, follow: Follow, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(MAX_CLIENTS));
    let mut clients = JoinSet::new();
    let next = async || {
        let slot = slots.clone().acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((slot, stream)),
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    };
    while let Some(Some((slot, stream))) = stop.run_until_cancelled(next()).await {
        let session = follow.session(stop.clone());
        clients.spawn(async move {
            // A client that is not understood, or goes away, concerns nobody else.
            let _ = serve(stream, owner, session).await;
            drop(slot);
        });
        while clients.try_join_next().is_some() {}
    }
    let all = async { while clients.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(END_TIMEOUT, all).await;
}

async fn serve(mut stream: UnixStream, owner: u32, session: Session) -> anyhow::Result<()> {
    // The permissions of the directory say the same.
    if stream.peer_cred()?.uid() != owner {
        return Ok(());
    }
    let request = tokio::time::timeout(REQUEST_TIMEOUT, frames::read::<Request>(&mut stream)).await??;
    frames::write(&mut stream, &Frame::Taken).await?;
    let (mut reader, mut writer) = stream.split();
    let mut byte = [0];
    tokio::select! {
        done = run(request, session, &mut writer) => done,
        // The client says nothing more: it is gone, and what it waited for need not be waited for.
        _ = reader.read(&mut byte) => Ok(()),
    }
}

async fn run(
    request: Request,
    mut session: Session,
    writer: &mut (impl AsyncWrite + Unpin),
) -> anyhow::Result<()> {
    let (screen, mut queue) = ClientScreen::new();
    let work = async move {
        let output = Output::new(request.json, screen.clone());
        let exit = if request.version == env!("CARGO_PKG_VERSION") {
            let done = run_task(request.task, &mut session, &output).await;
            session.note_change();
            match done {
                Ok(exit) => exit,
                Err(error) => {
                    output.error(&error);
                    Exit::FAILED
                }
            }
        } else {
            let sentence = "Another version of this program holds the directory; stop it, or update it";
            output.error(&anyhow::anyhow!(sentence));
            Exit::FAILED
        };
        screen.send(Frame::Done(exit.code()));
    };
    let ((), written) = tokio::join!(work, queue.write_to(writer));
    Ok(written?)
}
