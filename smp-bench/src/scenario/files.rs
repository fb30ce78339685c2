//! `files`: a file goes to the relay and comes back, against the limits of this machine in the same run; then messages beside many
//! transfers, and the memory that these take.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use rand::Rng as _;
use smp_crypto::hash::sha256;
use smp_crypto::{Ed25519PrivateKey, PrivateAuthKey};
use smp_files::client::ChunkToGet;
use smp_files::download::Target as Place;
use smp_files::upload::ToSend;
use smp_files::{Download, FileNetwork, FileRelayClient, FileRelays, Upload};
use smp_protocol::address::{RelayAddress, XftpAddress};
use smp_protocol::encoding::NonEmpty;
use smp_protocol::id::EntityId;
use smp_protocol::key::{ChunkRecipientKey, ChunkSenderKey};
use smp_protocol::xftp::command::NewChunk;
use smp_transport::dial::Dialler;
use smp_transport::surroundings::Surroundings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use super::{latency, subject::Subject};
use crate::limit::FileCost;
use crate::outcome::Outcome;
use crate::process;
use crate::progress::Progress;

/// Settings of a relay that is started for it: files without bounds.
pub(super) const SETTINGS: &[(&str, &str)] = &[
    ("SMP_SERVER_FILES__ENABLED", "true"),
    ("SMP_SERVER_FILES__QUOTA_MIB", "102400"),
    ("SMP_SERVER_FILES__NEW_CHUNKS_PER_MINUTE", "0"),
];

const MB: u64 = 1_000_000;

/// Size of the chunks of transfers beside messages.
const CHUNK: u32 = 1 << 20;

/// Bytes of such a transfer that are given at a time.
const PIECE: usize = 4096;

/// How long each operation of the limit is measured.
const LIMIT: Duration = Duration::from_millis(500);

/// Options of `files`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Size of the file, in MB
    #[arg(long, default_value_t = 1_000)]
    pub megabytes: u64,
    /// Transfers at the same time beside messages, half of them uploads. 0: that is left out
    #[arg(long, default_value_t = 200)]
    pub transfers: usize,
    /// Speed of each of them, in KiB a second. 0: as fast as they go, which takes all that the machine has
    #[arg(long, default_value_t = 64)]
    pub each: u64,
    /// Messages a second beside them
    #[arg(long, default_value_t = 200.0)]
    pub rate: f64,
    /// How long to measure messages, with transfers and without, in seconds
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
}

pub(super) async fn run(options: &Options, subject: &Subject) -> Result<Outcome> {
    let address = address(&subject.target.address);
    let setting = format!(
        "a file of {} MB over loopback; {} transfers of {} KiB/s beside {:.0} msg/s",
        options.megabytes, options.transfers, options.each, options.rate
    );
    let mut outcome = Outcome::new("files", &subject.target.name, 0, setting);
    let cost = FileCost::measure(LIMIT)?;
    cost.add_to(&mut outcome);
    one_file(options, subject, &address, &cost, &mut outcome).await?;
    if options.transfers > 0 {
        beside_messages(options, subject, &address, &mut outcome).await?;
    }
    Ok(outcome)
}

/// The address for files of a relay that has no port of its own for them.
fn address(relay: &RelayAddress) -> XftpAddress {
    XftpAddress(RelayAddress { port: Some(relay.port_or_default()), ..relay.clone() })
}

/// Sends a file and receives it.
async fn one_file(
    options: &Options,
    subject: &Subject,
    address: &XftpAddress,
    cost: &FileCost,
    outcome: &mut Outcome,
) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (path, bytes) = (dir.path().join("file"), options.megabytes * MB);
    let wrote = Instant::now();
    random_file(&path, bytes)?;
    let speed = |since: Instant| bytes as f64 / since.elapsed().as_secs_f64();
    outcome.add("limit: random bytes to the disk, fsync", speed(wrote) / 1e6, "MB/s");
    let surroundings = Surroundings::machine();
    let relays = FileRelays::new(FileNetwork::direct(surroundings.clone()));
    let relay_peak = || subject.target.pid.and_then(process::peak_bytes);
    let (own_before, before) = (process::peak_bytes(std::process::id()), relay_peak());

    let begun = Instant::now();
    let to_send = ToSend { path: &path, name: "file", recipients: 1, data: b"", seal: None };
    let progress = Progress::new("encrypting", 1);
    let upload = Upload::begin(to_send, &dir.path().join("upload"), &surroundings).await?;
    let encrypted = begun.elapsed();
    drop(progress);
    let progress = Progress::new("uploading", upload.size());
    let sent = upload.run(&relays, std::slice::from_ref(address), &|done, _| progress.set(done)).await?;
    drop(progress);
    let uploaded = speed(begun);
    upload.forget()?;
    let description = sent.recipients.into_iter().next().context("no description")?;
    let into = dir.path().join("received");
    std::fs::create_dir(&into)?;
    let begun = Instant::now();
    let progress = Progress::new("downloading", sent.sender.size());
    let download = Download::new(description, &into)?;
    download.run(&relays, Place::Directory(&into), &|done, _| progress.set(done)).await?;
    drop(progress);
    let downloaded = speed(begun);

    outcome.add("encrypted on the disk", bytes as f64 / encrypted.as_secs_f64() / 1e6, "MB/s");
    outcome.add("uploaded, encryption included", uploaded / 1e6, "MB/s");
    outcome.add("downloaded, decryption included", downloaded / 1e6, "MB/s");
    outcome.add("counted cryptography of an upload, all cores", cost.upload() / 1e6, "MB/s");
    outcome.add("counted cryptography of a download, all cores", cost.download() / 1e6, "MB/s");
    outcome.add("upload / counted", uploaded / cost.upload(), "");
    outcome.add("download / counted", downloaded / cost.download(), "");
    let more = |after: Option<u64>, before: Option<u64>| Some(after?.saturating_sub(before?) as f64 / 1024.0);
    outcome.add_some(
        "memory of this client grew by",
        more(process::peak_bytes(std::process::id()), own_before),
        "KiB",
    );
    outcome.add_some("memory of the relay grew by", more(relay_peak(), before), "KiB");
    Ok(())
}

fn random_file(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    let (mut rng, mut piece, mut left) = (rand::rng(), vec![0; 1 << 20], bytes as usize);
    while left > 0 {
        let now = left.min(piece.len());
        rng.fill_bytes(&mut piece[..now]);
        file.write_all(&piece[..now])?;
        left -= now;
    }
    file.sync_all()
}

/// Times of messages alone, and beside transfers.
async fn beside_messages(
    options: &Options,
    subject: &Subject,
    address: &XftpAddress,
    outcome: &mut Outcome,
) -> Result<()> {
    let latency = latency::Options {
        rate: Some(options.rate),
        fraction: 0.0,
        pairs: 32,
        connections: 4,
        seconds: options.seconds,
        warm_up: 1.0,
    };
    let p99 = |measured: &Outcome| measured.get("received p99").context("no times of messages");
    let alone = p99(&latency::run(&latency, &subject.target).await?)?;
    let memory = || subject.target.pid.and_then(process::resident_bytes);
    let before = memory();
    let mut transfers = start(options, address).await?;
    let beside = tokio::select! {
        measured = latency::run(&latency, &subject.target) => p99(&measured?)?,
        Some(ended) = transfers.join_next() => {
            ended??;
            anyhow::bail!("a transfer has ended");
        }
    };
    let during = memory();
    transfers.shutdown().await;
    outcome.add("messages alone, received p99", alone, "us");
    outcome.add("messages beside transfers, received p99", beside, "us");
    outcome.add("beside / alone", beside / alone.max(1.0), "");
    if let (Some(during), Some(before)) = (during, before) {
        let each = during.saturating_sub(before) as f64 / options.transfers as f64;
        outcome.add("memory of the relay for each transfer", each / 1024.0, "KiB");
    }
    Ok(())
}

/// Transfers that go on until they are dropped.
async fn start(options: &Options, address: &XftpAddress) -> Result<JoinSet<Result<()>>> {
    let pause = match options.each {
        0 => Duration::ZERO,
        each => Duration::from_secs_f64(PIECE as f64 / 1024.0 / each as f64),
    };
    let content = vec![0; CHUNK as usize];
    let surroundings = Surroundings::machine();
    let connect = || FileRelayClient::connect(address, Dialler::default(), &surroundings);
    let (sender, recipient) = (key(), key());
    let client = connect().await?;
    let (sender_id, ids) = client.create(new_chunk(&sender, &recipient, &content), &sender).await?;
    client.upload(&sender_id, &sender, &mut content.as_slice(), CHUNK, &mut |_| {}).await?;
    let chunk_id = EntityId::from(ids.first());
    let mut transfers = JoinSet::new();
    for number in 0..options.transfers {
        let client = connect().await?;
        if number % 2 == 0 {
            transfers.spawn(upload(client, content.clone(), pause));
        } else {
            transfers.spawn(download(client, chunk_id.clone(), recipient.clone(), sha256(&content), pause));
        }
    }
    Ok(transfers)
}

async fn upload(client: FileRelayClient, content: Vec<u8>, pause: Duration) -> Result<()> {
    let sender = key();
    loop {
        let (id, _) = client.create(new_chunk(&sender, &key(), &content), &sender).await?;
        let (mut giver, mut taker) = tokio::io::duplex(PIECE);
        let giving = async {
            for piece in content.chunks(PIECE) {
                giver.write_all(piece).await?;
                tokio::time::sleep(pause).await;
            }
            drop(giver);
            Ok::<_, anyhow::Error>(())
        };
        let mut moved = |_| {};
        let uploading = client.upload(&id, &sender, &mut taker, CHUNK, &mut moved);
        let (given, uploaded) = tokio::join!(giving, uploading);
        given?;
        uploaded?;
        client.delete(&id.into(), &sender).await?;
    }
}

async fn download(
    client: FileRelayClient,
    id: EntityId,
    key: PrivateAuthKey,
    digest: [u8; 32],
    pause: Duration,
) -> Result<()> {
    loop {
        let (mut giver, mut taker) = tokio::io::duplex(PIECE);
        let taking = async {
            let mut piece = vec![0; PIECE];
            while taker.read(&mut piece).await? > 0 {
                tokio::time::sleep(pause).await;
            }
            Ok::<_, anyhow::Error>(())
        };
        let downloading = async {
            let chunk = ChunkToGet { id: &id, key: &key, size: CHUNK, digest: &digest };
            let done = client.download(chunk, &mut giver, &mut |_| {}).await;
            drop(giver);
            done
        };
        let (taken, downloaded) = tokio::join!(taking, downloading);
        taken?;
        downloaded?;
    }
}

fn key() -> PrivateAuthKey {
    Ed25519PrivateKey::generate(&mut rand::rng()).into()
}

fn new_chunk(sender: &PrivateAuthKey, recipient: &PrivateAuthKey, content: &[u8]) -> NewChunk {
    NewChunk {
        sender_key: ChunkSenderKey(sender.public_key()),
        size: CHUNK,
        digest: sha256(content),
        recipient_keys: NonEmpty::one(ChunkRecipientKey(recipient.public_key())),
        password: None,
    }
}
