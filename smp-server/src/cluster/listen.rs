//! Listening for other processes of this relay, and having what they ask for done.

use std::{io, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use smp_transport::{identity, surroundings::Spawner, tls::TlsServer};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::timeout,
};

use super::{
    frame,
    message::{Reply, Request},
};

/// Connections at the same time: one of each other process, and some that are being replaced.
const MAX_CONNECTIONS: usize = 64;

/// Requests of one process that are being done; further ones wait.
const MAX_RUNNING: usize = 1_024;

/// Answers of one process that wait to be sent.
const MAX_ANSWERS: usize = 1_024;

/// How long the handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// When and how often the system asks whether a silent process is still there.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Pause after an error of the system.
const PAUSE: Duration = Duration::from_millis(100);

/// Does what other processes ask for.
pub(crate) trait Served: Send + Sync + 'static {
    /// Kept for each connection: the clients of the process there.
    type Peer: Send + Sync + 'static;

    /// For a new connection.
    fn connected(&self) -> Self::Peer;

    /// Answers; `None` if there is no answer to it.
    fn answer(
        self: Arc<Self>,
        peer: Arc<Self::Peer>,
        request: Request,
    ) -> impl Future<Output = Option<Reply>> + Send;
}

/// Serves processes that have the identity with this fingerprint, until it is dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: TlsServer,
    fingerprint: [u8; 32],
    spawner: Spawner,
    served: Arc<impl Served>,
) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let (tls, spawner_of_requests, served) = (tls.clone(), spawner.clone(), served.clone());
                let talk = async move {
                    if let Some(stream) = accept(stream, &tls, fingerprint).await {
                        // The other side connects again.
                        let _ = converse(stream, &spawner_of_requests, served).await;
                    }
                };
                spawner.spawn_in(&mut connections, talk);
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// A process with the relay's identity; nobody else.
async fn accept(
    stream: TcpStream,
    tls: &TlsServer,
    fingerprint: [u8; 32],
) -> Option<impl AsyncRead + AsyncWrite + Unpin + Send + use<>> {
    smp_transport::socket::send_blocks(&stream).ok()?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive).ok()?;
    let session = timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await.ok()?.ok()?;
    if identity::relay_fingerprint(session.peer_chain()) != Ok(fingerprint) {
        tracing::warn!(
            "somebody without the relay's identity has connected to cluster.listen, and was refused"
        );
        return None;
    }
    let mut stream = session.into_stream();
    timeout(HANDSHAKE_TIMEOUT, frame::greet(&mut stream)).await.ok()?.ok()?;
    Some(stream)
}

async fn converse<S: Served>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    spawner: &Spawner,
    served: Arc<S>,
) -> io::Result<()> {
    let (read, mut write) = tokio::io::split(stream);
    let (answers, mut waiting) = mpsc::channel(MAX_ANSWERS);
    let peer = Arc::new(served.connected());
    let reading = async move {
        let mut read = BufReader::new(read);
        let running = Arc::new(Semaphore::new(MAX_RUNNING));
        loop {
            let (number, content) = frame::read(&mut read).await?;
            let request =
                frame::to_request(&content).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            drop(content);
            // It is never closed.
            let Ok(permit) = running.clone().acquire_owned().await else { return Ok(()) };
            let (served, peer, answers) = (served.clone(), peer.clone(), answers.clone());
            let mut doing = Box::pin(async move {
                if let Some(reply) = served.answer(peer, request).await {
                    // The other side may have gone.
                    let _ = answers.send(frame::of_reply(number, &reply)).await;
                }
                drop(permit);
            });
            // Most are done without waiting for anything.
            if (&mut doing).now_or_never().is_none() {
                // Also if the other side goes: what was asked for is done.
                spawner.spawn(doing);
            }
        }
    };
    let writing = frame::write_all(&mut write, None, &mut waiting, |frame| frame);
    tokio::select! {
        result = reading => result,
        result = writing => result,
    }
}
