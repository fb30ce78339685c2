//! HTTP/2: requests and answers of one connection, each a block and perhaps a chunk.
//!
//! A request holds a block, and of its chunk no more than the window of its stream. Bytes are read from a client as fast
//! as the disk takes them, and sent to it as fast as it takes them.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{Method, Request, Response, StatusCode};
use smp_protocol::id::SessionId;
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::{ALPN, BLOCK_BYTES};
use smp_transport::tls::TlsSession;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::relay::{FileRelay, Inner};
use super::request::{Answer, run};
use super::session::{Session, Turn};
use super::settings::FileConnection;
use super::transfer::{Body, SealedDownload};
use super::visitor::Visitor;
use crate::admission::{Guest, Origin, Place};
use crate::auth::SessionKeys;
use crate::metrics::Limit;
use crate::stopping::Stopping;
use crate::sync::lock;

/// Bytes that a client may send of one request before they are read.
const STREAM_WINDOW: u32 = 128 * 1024;
/// Bytes that a client may send of all requests before they are read: at first as few as HTTP/2 allows, and then, when a command was
/// done for it, more.
const STRANGERS_WINDOW: u32 = 65_535;
const KNOWN_WINDOW: u32 = 256 * 1024;
/// Bytes of one request's answer that are made before the client takes them.
const SEND_BUFFER: usize = 64 * 1024;
/// Bytes of a chunk that are read from the disk at a time.
const PIECE: usize = 16 * 1024;
/// Bytes of a request's headers: four short ones.
const HEADERS: u32 = 4 * 1024;
/// Streams that a client has reset and whose end is not known yet; with more of them it is cut off.
const RESET_STREAMS: usize = 20;
/// Requests that a client takes back one after the other before their first block is there; then it is cut off.
const TAKEN_BACK: u32 = 200;

impl FileRelay {
    /// Serves a connection on which TLS has been made, until it ends.
    ///
    /// # Errors
    /// If something else than `xftp/1` was agreed by ALPN, and as of [`serve`](Self::serve).
    pub async fn serve_tls(&self, tls: TlsSession) -> io::Result<()> {
        let connection = connection(&tls)?;
        self.serve(tls.into_stream(), connection).await
    }

    /// Serves a connection until it ends.
    ///
    /// # Errors
    /// If there is no place for it, the client does not speak HTTP/2, or the connection breaks.
    pub async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        connection: FileConnection,
    ) -> io::Result<()> {
        self.serve_visitor(stream, connection, Origin::Local, None, &Stopping::default()).await
    }

    /// Serves a guest of a listener until its connection ends; when it has to go, what it has asked before.
    pub(crate) async fn serve_guest(&self, tls: TlsSession, guest: Arc<Guest>, stopping: &Stopping) {
        // Scanners and clients that gave up are no concern of the operator.
        if let Ok(connection) = connection(&tls) {
            let origin = guest.origin;
            let _ = self.serve_visitor(tls.into_stream(), connection, origin, Some(guest), stopping).await;
        }
    }

    async fn serve_visitor(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        connection: FileConnection,
        origin: Origin,
        guest: Option<Arc<Guest>>,
        stopping: &Stopping,
    ) -> io::Result<()> {
        let place = self.place(origin).ok_or(io::ErrorKind::QuotaExceeded)?;
        let visitor = Visitor::new(place.guest().clone(), guest);
        tokio::select! {
            served = self.serve_http(stream, connection, visitor, stopping) => served,
            () = place.evicted() => Ok(()),
        }
    }

    /// A place for a connection from there.
    fn place(&self, origin: Origin) -> Option<Place> {
        let (place, reached) = match self.0.places.take(origin) {
            Ok((place, displaced)) => (Some(place), displaced),
            Err(refusal) => (None, Some(refusal)),
        };
        if let Some((limit, value)) = reached {
            let limit = match limit {
                Limit::Connections => Limit::FileConnections,
                _ => Limit::FileConnectionsPerNetwork,
            };
            self.0.metrics.refusals.note(limit, value as u64);
        }
        place
    }

    async fn serve_http(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        connection: FileConnection,
        visitor: Visitor,
        stopping: &Stopping,
    ) -> io::Result<()> {
        let (relay, settings) = (&self.0, self.0.settings());
        let handshake = builder(settings.streams).handshake::<_, Bytes>(stream);
        let handshake = timeout(settings.idle, handshake).await;
        let mut http = handshake.map_err(|_| io::ErrorKind::TimedOut)?.map_err(io::Error::other)?;
        let session = Session::new(connection, relay);
        let keys = Mutex::new(SessionKeys::new(session.key().clone()));
        let session = Mutex::new(session);
        let (relay, idle) = (relay.clone(), settings.idle);
        let client = Arc::new(Client { relay, session, keys, visitor, idle, taken_back: AtomicU32::new(0) });
        let mut turn = pin!(stopping.turn(&self.0.surroundings.randomness));
        let mut requests = JoinSet::new();
        let (mut is_leaving, mut is_known) = (false, false);
        loop {
            tokio::select! {
                accepted = http.accept() => match accepted {
                    None => return Ok(()),
                    Some(accepted) => {
                        let (request, respond) = accepted.map_err(io::Error::other)?;
                        let client = client.clone();
                        let task = timeout(settings.transfer, async move { client.answer(request, respond).await });
                        self.0.surroundings.spawner.spawn_in(&mut requests, task);
                    }
                },
                Some(_) = requests.join_next() => {
                    if !is_known && client.visitor.guest().is_known() {
                        is_known = true;
                        http.set_target_window_size(KNOWN_WINDOW);
                    }
                    if client.taken_back.load(Ordering::Relaxed) >= TAKEN_BACK {
                        return Err(io::ErrorKind::ConnectionAborted.into());
                    }
                }
                () = &mut turn, if !is_leaving => {
                    is_leaving = true;
                    http.graceful_shutdown();
                }
                () = tokio::time::sleep(settings.idle), if requests.is_empty() => {
                    if std::mem::replace(&mut is_leaving, true) {
                        return Ok(());
                    }
                    http.graceful_shutdown();
                }
            }
        }
    }
}

/// A connection, as far as TLS has made it.
fn connection(tls: &TlsSession) -> io::Result<FileConnection> {
    let alpn = match tls.alpn() {
        None => false,
        Some(protocol) if protocol == ALPN.as_bytes() => true,
        Some(_) => return Err(io::ErrorKind::Unsupported.into()),
    };
    let session_id = SessionId::new(tls.session_id()).map_err(io::Error::other)?;
    Ok(FileConnection { session_id, alpn })
}

fn builder(streams: u32) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(streams)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(STRANGERS_WINDOW)
        .max_frame_size(PIECE as u32)
        .max_header_list_size(HEADERS)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(RESET_STREAMS)
        .max_pending_accept_reset_streams(RESET_STREAMS);
    builder
}

/// The client of a connection.
struct Client {
    relay: Arc<Inner>,
    session: Mutex<Session>,
    keys: Mutex<SessionKeys>,
    visitor: Visitor,
    idle: Duration,
    /// Requests that came to nothing, since the last one that did not.
    taken_back: AtomicU32,
}

/// Why a request has no answer: the client does not go on, or is gone.
struct Gone;

impl Client {
    async fn answer(&self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        if request.method() != Method::POST {
            let mut response = Response::new(());
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            let _ = respond.send_response(response, true);
            return;
        }
        if self.run(request.into_body(), &mut respond).await.is_err() {
            respond.send_reset(Reason::CANCEL);
        }
    }

    async fn run(&self, body: RecvStream, respond: &mut SendResponse<Bytes>) -> Result<(), Gone> {
        let idle = self.idle;
        let mut body = Incoming { stream: body, rest: Bytes::new(), idle };
        let block = body.block().await.map_err(|_| {
            self.taken_back.fetch_add(1, Ordering::Relaxed);
            Gone
        })?;
        self.taken_back.store(0, Ordering::Relaxed);
        let turn = lock(&self.session).take(&block);
        let answer = match turn {
            Turn::Answer(block) => Answer { block, chunk: None },
            Turn::Command(session) => {
                run(&self.relay, &session, &self.keys, &self.visitor, &block, &mut body).await
            }
        };
        drop(block);
        let is_empty = answer.block.is_empty();
        let stream = respond.send_response(Response::new(()), is_empty).map_err(|_| Gone)?;
        if is_empty { Ok(()) } else { Outgoing { stream, idle }.send(answer).await }
    }
}

/// The body of a request.
struct Incoming {
    stream: RecvStream,
    /// Bytes that came with the block and are behind it.
    rest: Bytes,
    idle: Duration,
}

impl Incoming {
    /// The first block, or less if the body is shorter.
    async fn block(&mut self) -> Result<Vec<u8>, XftpError> {
        let mut block = Vec::new();
        while block.len() < BLOCK_BYTES {
            let mut piece = self.next().await?;
            if piece.is_empty() {
                break;
            }
            let taken = piece.split_to(piece.len().min(BLOCK_BYTES - block.len()));
            block.extend_from_slice(&taken);
            self.rest = piece;
        }
        Ok(block)
    }
}

impl Body for Incoming {
    async fn next(&mut self) -> Result<Bytes, XftpError> {
        if !self.rest.is_empty() {
            return Ok(std::mem::take(&mut self.rest));
        }
        loop {
            let piece = timeout(self.idle, self.stream.data()).await.map_err(|_| XftpError::Timeout)?;
            let Some(piece) = piece else { return Ok(Bytes::new()) };
            let piece = piece.map_err(|_| XftpError::Timeout)?;
            // From here on they are ours, and the client may send as many again.
            let _ = self.stream.flow_control().release_capacity(piece.len());
            if !piece.is_empty() {
                return Ok(piece);
            }
        }
    }
}

/// The body of an answer.
struct Outgoing {
    stream: SendStream<Bytes>,
    idle: Duration,
}

impl Outgoing {
    async fn send(mut self, answer: Answer) -> Result<(), Gone> {
        let is_all = answer.chunk.is_none();
        self.write(answer.block.into(), is_all).await?;
        match answer.chunk {
            Some(chunk) => self.send_chunk(chunk).await,
            None => Ok(()),
        }
    }

    async fn send_chunk(&mut self, mut chunk: SealedDownload) -> Result<(), Gone> {
        let mut buffer = vec![0; PIECE];
        loop {
            // A chunk that cannot be read is cut short: the client sees that the tag is missing.
            let piece = chunk.next(&mut buffer).await.map_err(|_| Gone)?;
            if piece.is_empty() {
                return self.write(Bytes::new(), true).await;
            }
            let piece = Bytes::copy_from_slice(piece);
            self.write(piece, false).await?;
        }
    }

    /// Sends bytes as the client takes them.
    async fn write(&mut self, mut bytes: Bytes, is_end: bool) -> Result<(), Gone> {
        while !bytes.is_empty() {
            self.stream.reserve_capacity(bytes.len());
            let capacity = std::future::poll_fn(|cx| self.stream.poll_capacity(cx));
            let capacity = timeout(self.idle, capacity).await.map_err(|_| Gone)?;
            let capacity = capacity.ok_or(Gone)?.map_err(|_| Gone)?;
            let piece = bytes.split_to(capacity.min(bytes.len()));
            let is_last = is_end && bytes.is_empty();
            self.stream.send_data(piece, is_last).map_err(|_| Gone)?;
            if is_last {
                return Ok(());
            }
        }
        if is_end { self.stream.send_data(Bytes::new(), true).map_err(|_| Gone) } else { Ok(()) }
    }
}
