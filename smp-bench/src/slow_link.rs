//! A slow link to a relay, in user space: a forwarder that passes so many bytes a second in each direction, after a delay.
//!
//! All connections share the link, as those of a household do. Its sockets keep little, so that what the link does not take
//! waits at the sender, as it would on a real one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

/// Bytes that are passed on at once.
const PACKET: usize = 1_460;

/// Bytes that a socket of the link keeps: about what the system allows at least.
const SOCKET_BUFFER: u32 = 16 * 1_024;

/// Packets that are on their way at once on each connection: what is in a router's queue.
const IN_FLIGHT: usize = 32;

/// How fast a link is.
#[derive(Debug, Clone, Copy)]
pub struct Speed {
    /// From the client to the relay, in kbit/s.
    pub up: u32,
    /// From the relay to the client, in kbit/s.
    pub down: u32,
    /// From one end to the other.
    pub delay: Duration,
}

/// One direction of the link.
#[derive(Debug)]
struct Direction {
    bytes_per_second: f64,
    delay: Duration,
    /// When the link has passed on what it has taken.
    free: Mutex<Instant>,
    passed: AtomicU64,
}

/// A link; it is cut when this is dropped.
#[derive(Debug)]
pub struct SlowLink {
    address: SocketAddr,
    up: Arc<Direction>,
    _accepting: AbortOnDropHandle<()>,
}

impl SlowLink {
    /// A link to this address.
    ///
    /// # Errors
    /// If no socket can be made.
    pub async fn start(to: SocketAddr, speed: Speed) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(SOCKET_BUFFER)?;
        socket.set_send_buffer_size(SOCKET_BUFFER)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(64).context("cannot listen")?;
        let address = listener.local_addr()?;
        let direction = |kbits: u32| {
            Arc::new(Direction {
                bytes_per_second: f64::from(kbits.max(1)) * 125.0,
                delay: speed.delay,
                free: Mutex::new(Instant::now()),
                passed: AtomicU64::new(0),
            })
        };
        let (up, down) = (direction(speed.up), direction(speed.down));
        let accepting = tokio::spawn(accept(listener, to, up.clone(), down));
        Ok(Self { address, up, _accepting: AbortOnDropHandle::new(accepting) })
    }

    /// Connects through the link.
    ///
    /// # Errors
    /// If the link does not work.
    pub async fn connect(&self) -> Result<TcpStream> {
        Ok(TcpStream::connect(self.address).await?)
    }

    /// Bytes that clients have sent through it.
    #[must_use]
    pub fn bytes_up(&self) -> u64 {
        self.up.passed.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, up: Arc<Direction>, down: Arc<Direction>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (up, down) = (up.clone(), down.clone());
        connections.spawn(async move {
            let Ok(relay) = connect(to).await else { return };
            let ((from_client, to_client), (from_relay, to_relay)) =
                (client.into_split(), relay.into_split());
            tokio::join!(pass(from_client, to_relay, &up), pass(from_relay, to_client, &down));
        });
    }
}

async fn connect(to: SocketAddr) -> Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_recv_buffer_size(SOCKET_BUFFER)?;
    socket.set_send_buffer_size(SOCKET_BUFFER)?;
    Ok(socket.connect(to).await?)
}

/// Passes on what comes, until one side ends.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, direction: &Direction) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(IN_FLIGHT);
    let reading = async move {
        let mut packet = [0; PACKET];
        while let Ok(count @ 1..) = from.read(&mut packet).await {
            let arrives = direction.take(count).await;
            if sender.send((arrives, packet[..count].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((arrives, packet)) = receiver.recv().await {
            sleep_until(arrives).await;
            if to.write_all(&packet).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}

impl Direction {
    /// Waits until the link has taken so many bytes; returns when they arrive.
    async fn take(&self, bytes: usize) -> Instant {
        let mut free = self.free.lock().await;
        let took = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second);
        *free = (*free).max(Instant::now()) + took;
        let taken = *free;
        sleep_until(taken).await;
        self.passed.fetch_add(bytes as u64, Ordering::Relaxed);
        taken + self.delay
    }
}
