//! `Link`: requests to one other process, over a connection that is made when there is something to ask.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use smp_transport::{
    surroundings::Surroundings,
    tls::{TlsClient, TlsError},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader},
    sync::{Notify, mpsc, oneshot},
    time::{Instant, timeout},
};

use super::{
    frame::{self, Frame},
    message::{Reply, Request},
};
use crate::{store::ProcessId, sync::lock};

/// Requests that wait to be sent; further ones are refused.
const WAITING: usize = 8_192;

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long connecting may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long it is not tried again after a connection could not be made.
const PAUSE: Duration = Duration::from_millis(200);

/// Warnings are not repeated more often.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// The other process did not answer: what was asked may have been done or not.
#[derive(Debug, thiserror::Error)]
#[error("another process of this relay does not answer")]
pub(crate) struct Unanswered;

/// How processes reach each other.
#[derive(Clone)]
pub(super) struct Dial {
    pub(super) tls: TlsClient,
    pub(super) surroundings: Surroundings,
}

impl Dial {
    async fn connect(&self, address: &str) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>> {
        let wrong = || io::Error::new(io::ErrorKind::InvalidInput, "the address has no port");
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let (host, port) = (host.trim_matches(['[', ']']), port.parse().map_err(|_| wrong())?);
        let network = &self.surroundings.network;
        let mut last = io::ErrorKind::NotFound.into();
        for to in network.look_up(host, port).await? {
            match network.connect(to).await {
                Ok(stream) => {
                    let session =
                        self.tls.connect(stream).await.map_err(|error: TlsError| io::Error::other(error))?;
                    let mut stream = session.into_stream();
                    frame::greet(&mut stream).await?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

struct Outgoing {
    request: Frame,
    number: u64,
    reply: Option<oneshot::Sender<Reply>>,
}

/// Clones ask over the same connection.
#[derive(Clone)]
pub(crate) struct Link(Arc<Shared>);

struct Shared {
    queue: mpsc::Sender<Outgoing>,
    numbers: AtomicU64,
    /// Tells that answers do not come any more.
    stale: Arc<Notify>,
    /// Clients of this process that the other one knows.
    clients: Arc<Mutex<HashSet<u64>>>,
}

impl Link {
    /// A link to this process. It ends with its last clone.
    pub(super) fn new(process: ProcessId, address: String, dial: Dial) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING);
        let (stale, clients) = (Arc::new(Notify::new()), Arc::default());
        let spawner = dial.surroundings.spawner.clone();
        let driver = Driver {
            process,
            address,
            dial,
            waiting,
            stale: stale.clone(),
            clients: Arc::clone(&clients),
            warned: None,
        };
        spawner.spawn(driver.run());
        Self(Arc::new(Shared { queue, numbers: AtomicU64::new(0), stale, clients }))
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    ///
    /// [`Unanswered`].
    pub(crate) async fn ask(&self, request: &Request) -> Result<Reply, Unanswered> {
        if let Request::Run(run) = request {
            lock(&self.0.clients).insert(run.caller.number);
        }
        let (reply, answered) = oneshot::channel();
        self.send(request, Some(reply))?;
        match timeout(ANSWER_TIMEOUT, answered).await {
            Ok(answer) => answer.map_err(|_| Unanswered),
            Err(_) => {
                self.0.stale.notify_one();
                Err(Unanswered)
            }
        }
    }

    /// Says something that has no answer.
    pub(crate) fn tell(&self, request: &Request) {
        // A process that does not hear it is cut off, and learns that by itself.
        let _ = self.send(request, None);
    }

    /// A client of this process has gone.
    pub(crate) fn client_ended(&self, client: u64) {
        if lock(&self.0.clients).remove(&client) {
            self.tell(&Request::Ended(client));
        }
    }

    fn send(&self, request: &Request, reply: Option<oneshot::Sender<Reply>>) -> Result<(), Unanswered> {
        let number = self.0.numbers.fetch_add(1, Ordering::Relaxed);
        let request = frame::of_request(number, request);
        self.0.queue.try_send(Outgoing { request, number, reply }).map_err(|_| Unanswered)
    }
}

/// The task that has the connection.
struct Driver {
    process: ProcessId,
    address: String,
    dial: Dial,
    waiting: mpsc::Receiver<Outgoing>,
    stale: Arc<Notify>,
    clients: Arc<Mutex<HashSet<u64>>>,
    /// When it was said last that there is no connection.
    warned: Option<Instant>,
}

impl Driver {
    async fn run(mut self) {
        while let Some(first) = self.waiting.recv().await {
            let connected = timeout(CONNECT_TIMEOUT, self.dial.connect(&self.address)).await;
            let error = match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(stream) => {
                    let error = converse(stream, first, &mut self.waiting, self.stale.notified()).await;
                    // The other side forgets them with the connection.
                    lock(&self.clients).clear();
                    error
                }
                Err(error) => {
                    drop(first);
                    Some(error)
                }
            };
            // Requests that wait are refused, so that nobody waits for a process that is gone.
            while self.waiting.try_recv().is_ok() {}
            if let Some(error) = error {
                self.warn(&error);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Driver {
    fn warn(&mut self, error: &io::Error) {
        let now = self.dial.surroundings.time.monotonic();
        if self.warned.is_none_or(|at| now.duration_since(at) >= WARN_INTERVAL) {
            self.warned = Some(now);
            let (process, address) = (self.process, &self.address);
            tracing::warn!("process {process} of this relay cannot be reached at {address}: {error}");
        }
    }
}

/// Sends what comes, and hands answers to those who wait for them, until the connection is lost. Requests that are not answered then are refused.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    first: Outgoing,
    waiting: &mut mpsc::Receiver<Outgoing>,
    stale: impl Future<Output = ()>,
) -> Option<io::Error> {
    let asked: Mutex<HashMap<u64, oneshot::Sender<Reply>>> = Mutex::default();
    let (read, mut write) = tokio::io::split(stream);
    let note = |outgoing: Outgoing| {
        if let Some(reply) = outgoing.reply {
            lock(&asked).insert(outgoing.number, reply);
        }
        outgoing.request
    };
    let writing = frame::write_all(&mut write, Some(first), waiting, note);
    let reading = async {
        let mut read = BufReader::new(read);
        loop {
            let (number, content) = frame::read(&mut read).await?;
            let reply = frame::to_reply(&content).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            if let Some(asked) = lock(&asked).remove(&number) {
                // The asking task may have given up.
                let _ = asked.send(reply);
            }
        }
    };
    tokio::select! {
        // Nobody asks any more.
        Ok(()) = writing => None,
        error = async { let read: io::Result<()> = reading.await; read } => error.err(),
        () = stale => Some(io::ErrorKind::TimedOut.into()),
    }
}
