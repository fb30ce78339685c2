//! Raw TLS: blocks of 16 KiB that come back unchanged, with the same suite and library as the relay's, from a process of its
//! own. A block there and back is what a message costs at least: `SEND` in, `MSG` out.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use smp_crypto::base64url;
use smp_crypto::block_chain::BLOCK_SIZE;
use smp_transport::identity::{CertificateAuthority, KeyAlgorithm};
use smp_transport::surroundings::Time;
use smp_transport::tls::{TlsClient, TlsServer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Options;
use crate::outcome::Outcome;
use crate::process;
use crate::progress::Progress;

/// Options of the process that echoes.
#[derive(Debug, Clone, Args)]
pub struct EchoOptions {}

/// Echoes until the process is killed. Prints port and fingerprint.
///
/// # Errors
/// If no port can be listened on.
pub async fn serve_echo(_: &EchoOptions) -> Result<()> {
    let (now, rng) = (time::OffsetDateTime::now_utc(), &mut rand::rng());
    let authority = CertificateAuthority::generate(KeyAlgorithm::Ed25519, now, rng);
    let identity = authority.issue("localhost", KeyAlgorithm::Ed25519, now, rng)?;
    let tls = TlsServer::new(&identity, Time::machine())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{} {}", listener.local_addr()?.port(), base64url::encode(&identity.fingerprint()));
    loop {
        let (stream, _) = listener.accept().await?;
        let tls = tls.clone();
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            echo(tls.accept(stream).await?.into_stream()).await
        });
    }
}

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<()> {
    let mut block = vec![0; BLOCK_SIZE];
    loop {
        stream.read_exact(&mut block).await?;
        stream.write_all(&block).await?;
        stream.flush().await?;
    }
}

/// The process that echoes; killed when dropped.
struct Server {
    child: Child,
    port: u16,
    fingerprint: [u8; 32],
}

impl Server {
    fn start(options: &Options) -> Result<Self> {
        let program = match &options.program {
            Some(program) => program.clone(),
            None => std::env::current_exe()?,
        };
        let mut child = Command::new(program)
            .arg("echo")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the process that echoes")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let (port, fingerprint) =
            line.trim().split_once(' ').context("the process that echoes has failed")?;
        let fingerprint = base64url::decode(fingerprint).ok().and_then(|bytes| bytes.try_into().ok());
        let fingerprint = fingerprint.context("the process that echoes prints nonsense")?;
        Ok(Self { port: port.parse()?, fingerprint, child })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) async fn run(options: &Options, duration: Duration) -> Result<Outcome> {
    let server = Server::start(options)?;
    let tls = TlsClient::new(server.fingerprint, None, Time::machine())?;
    let blocks = Arc::new(AtomicU64::default());
    let mut tasks = JoinSet::new();
    for _ in 0..options.connections.max(1) {
        let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, server.port))).await?;
        stream.set_nodelay(true)?;
        let stream = tls.connect(stream).await?.into_stream();
        tasks.spawn(ask(stream, options.window.max(1), blocks.clone()));
    }
    Progress::wait("limit: echo, warming up", duration / 4).await;
    let cpu = || Some((process::own_cpu_time()?, process::cpu_time(server.child.id())?));
    let (begin, before, cpu_before) = (Instant::now(), blocks.load(Ordering::Relaxed), cpu());
    Progress::wait("limit: echo", duration).await;
    let (took, after, cpu_after) = (begin.elapsed(), blocks.load(Ordering::Relaxed), cpu());
    if let Some(ended) = tasks.try_join_next() {
        ended??;
        bail!("the echo has ended");
    }

    let echoed = (after - before) as f64;
    let setting = format!("{} connections, window {}", options.connections, options.window);
    let mut outcome = Outcome::new("limit: echo", "this machine", 0, setting);
    outcome.add("echoed", echoed / took.as_secs_f64(), "blocks/s");
    if let (Some(before), Some(after)) = (cpu_before, cpu_after) {
        let each = |after: Duration, before: Duration| (after - before).as_secs_f64() * 1e6 / echoed;
        outcome.add("CPU of this client", each(after.0, before.0), "us/block");
        outcome.add("CPU of the echo", each(after.1, before.1), "us/block");
    }
    Ok(outcome)
}

async fn ask(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    window: usize,
    blocks: Arc<AtomicU64>,
) -> Result<()> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let places = Semaphore::new(window);
    let writing = async {
        let block = vec![1; BLOCK_SIZE];
        while let Ok(place) = places.acquire().await {
            place.forget();
            writer.write_all(&block).await?;
            if places.available_permits() == 0 {
                writer.flush().await?;
            }
        }
        Ok(())
    };
    let reading = async {
        let mut block = vec![0; BLOCK_SIZE];
        while reader.read_exact(&mut block).await? == BLOCK_SIZE {
            places.add_permits(1);
            blocks.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    tokio::try_join!(writing, reading).map(|_: ((), ())| ())
}
