//! `slow-link`: a client with many queues comes back over a slow link, and takes a message of each.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use smp_protocol::command::Command;
use smp_protocol::id::{EntityId, MessageId};
use smp_protocol::message::BrokerMessage;
use smp_transport::client::{ClientConfig, ClientError, RelayClient, RelayEvents, Request};
use tokio::net::lookup_host;
use tokio::task::JoinSet;

use super::many::{clean_up, connect, create_queues};
use super::sending::{body, sends};
use crate::driver::{BlockCounts, Preparer, Queue, Target, exchange};
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::slow_link::{SlowLink, Speed};

/// An answer that takes longer is late: clients give up after about so long.
const LATE: Duration = Duration::from_secs(20);

/// Bytes of a block in TLS.
const BLOCK_IN_TLS: f64 = 16_384.0 + 22.0;

/// Options of `slow-link`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Queues with a message each
    #[arg(short, long, default_value_t = 600)]
    pub queues: usize,
    /// Speed towards the relay, in kbit/s
    #[arg(long, default_value_t = 500)]
    pub up: u32,
    /// Speed towards the client, in kbit/s
    #[arg(long, default_value_t = 5_000)]
    pub down: u32,
    /// Delay in each direction, in milliseconds
    #[arg(long, default_value_t = 50)]
    pub delay: u64,
}

pub(super) async fn run(options: &Options, target: &Target) -> Result<Outcome> {
    let queues = create_queues(target, options.queues, 1).await?;
    let own = queues.first().context("there are no queues")?;
    fill(target, own).await?;
    let speed = Speed { up: options.up, down: options.down, delay: Duration::from_millis(options.delay) };
    let link = SlowLink::start(address(target).await?, speed).await?;
    let (client, events) = dial(&link, target).await?;
    let (pinging, _pings) = dial(&link, target).await?;
    let version = client.session().parameters.version.0;
    let before = link.bytes_up();
    let pings = tokio::spawn(ping(pinging.clone()));
    let begin = Instant::now();
    let acknowledged = receive(client, events, own).await?;
    let took = begin.elapsed();
    pinging.close();
    let pings = pings.await?;
    let blocks = (link.bytes_up() - before) as f64 / BLOCK_IN_TLS;

    let setting = format!(
        "{} queues with a message each; {} kbit/s up, {} kbit/s down, {} ms",
        options.queues, options.up, options.down, options.delay
    );
    let mut outcome = Outcome::new("slow-link", &target.name, version, setting);
    outcome.add("messages taken", own.len() as f64 / took.as_secs_f64(), "messages/s");
    let late = acknowledged.iter().filter(|took| **took > LATE).count();
    outcome.add("ACK answered after 20 s", late as f64, "");
    let slowest = |times: &[Duration]| times.iter().max().map(Duration::as_secs_f64);
    outcome.add_some("slowest ACK", slowest(&acknowledged), "s");
    outcome.add_some("slowest PING of another connection", slowest(&pings), "s");
    outcome.add("blocks sent", blocks, "");
    clean_up(target, &queues).await?;
    Ok(outcome)
}

async fn address(target: &Target) -> Result<SocketAddr> {
    let host = target
        .address
        .hosts
        .iter()
        .find(|host| !host.is_onion())
        .context("the relay has onion hosts only")?;
    let found = lookup_host((host.to_string(), target.address.port_or_default())).await?.next();
    found.context("the relay has no address")
}

/// Sends a message to each queue, over a link that is not slow.
async fn fill(target: &Target, queues: &[Queue]) -> Result<()> {
    let counts = BlockCounts::default();
    let mut link = connect(target, 1, &counts).await?.pop().context("no connection")?;
    let mut preparer = Preparer::new(&link.session);
    let body = body()?;
    let mut requests = Vec::with_capacity(queues.len());
    for queue in queues {
        requests.extend(sends(&mut preparer, queue, &body, 1)?);
    }
    exchange(&mut link, &requests, 64, |incoming| match incoming.message {
        BrokerMessage::Ok => Ok(()),
        other => bail!("the relay answers SEND with {}", other.tag().name()),
    })
    .await
}

async fn dial(link: &SlowLink, target: &Target) -> Result<(RelayClient, RelayEvents)> {
    let stream = link.connect().await?;
    smp_transport::socket::send_blocks(&stream)?;
    let config = ClientConfig { versions: target.versions, ..ClientConfig::default() };
    Ok(RelayClient::connect_over(stream, target.address.fingerprint, config).await?)
}

/// Subscribes to all queues, and acknowledges each message as it comes. Returns how long each acknowledgement took.
async fn receive(client: RelayClient, mut events: RelayEvents, queues: &[Queue]) -> Result<Vec<Duration>> {
    let progress = Progress::new("slow-link", queues.len() as u64);
    let subscriptions = tokio::spawn({
        let (client, queues) = (client.clone(), queues.to_vec());
        async move {
            let requests = queues
                .iter()
                .map(|queue| Request::new(Some(&queue.recipient), &queue.recipient_id, Command::Subscribe));
            client.send_many(requests.collect::<Vec<_>>()).await
        }
    });
    let mut acknowledging = JoinSet::new();
    let mut took = Vec::with_capacity(queues.len());
    while acknowledging.len() + took.len() < queues.len() {
        tokio::select! {
            event = events.recv() => {
                let event = event?;
                if let Ok(BrokerMessage::Message(id, _)) = event.message {
                    let queue = queues.iter().find(|queue| EntityId::from(&queue.recipient_id) == event.entity_id);
                    acknowledging.spawn(acknowledge(client.clone(), queue.context("another queue")?.clone(), id));
                }
            }
            Some(done) = acknowledging.join_next() => {
                took.push(done??);
                progress.set(took.len() as u64);
            }
        }
    }
    while let Some(done) = acknowledging.join_next().await {
        took.push(done??);
        progress.set(took.len() as u64);
    }
    for answer in subscriptions.await? {
        answer?;
    }
    Ok(took)
}

async fn acknowledge(client: RelayClient, queue: Queue, id: MessageId) -> Result<Duration> {
    let begin = Instant::now();
    client.send(Some(&queue.recipient), &queue.recipient_id, Command::Acknowledge(id)).await?;
    Ok(begin.elapsed())
}

/// Sends `PING` again and again until the client is closed. Returns how long each took.
async fn ping(client: RelayClient) -> Vec<Duration> {
    let mut took = Vec::new();
    loop {
        let begin = Instant::now();
        match client.send(None, EntityId::empty(), Command::Ping).await {
            Ok(_) => took.push(begin.elapsed()),
            Err(ClientError::Closed) => return took,
            Err(_) => took.push(begin.elapsed()),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        if client.ended().is_some() {
            return took;
        }
    }
}
