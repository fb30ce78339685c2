//! `agent`: two agents of this program, which write to each other through one relay.
//!
//! Both agents are in this process, the relay in another: the CPU time of a message is that of both agents together.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use hdrhistogram::Histogram;
use smp_agent::{Agent, AgentConfig, ConnectionId, Event, Events};
use smp_protocol::address::RelayAddress;
use tempfile::TempDir;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Subject;
use crate::outcome::Outcome;
use crate::process;

/// Nothing here takes that long.
const PATIENCE: Duration = Duration::from_secs(300);
/// Events that an application is done with at once.
const DONE_AT_ONCE: usize = 64;
/// Bytes of a body that say when it was sent.
const STAMP: usize = 8;

/// Options of `agent`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Connections on which messages are sent, half of them in each direction
    #[arg(long, default_value_t = 20)]
    pub connections: usize,
    /// Bytes of a message, at least 8
    #[arg(long, default_value_t = 200)]
    pub bytes: usize,
    /// Messages of a connection that are sent before the first of them has arrived
    #[arg(long, default_value_t = 16)]
    pub window: usize,
    /// How long to send, in seconds
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Connections that are made besides and do nothing: for the time until an agent with so many is open, and its memory
    #[arg(long, default_value_t = 0)]
    pub idle: usize,
    /// Connections that are made at the same time
    #[arg(long, default_value_t = 8)]
    pub making: usize,
}

/// An agent, and the directory that it keeps.
pub(super) struct Side {
    pub(super) agent: Agent,
    pub(super) config: AgentConfig,
    _dir: TempDir,
}

/// Counts and times of the messages.
struct Traffic {
    begun: Instant,
    /// Free places of each connection, by the side and number of its recipient.
    windows: HashMap<(bool, ConnectionId), Arc<Semaphore>>,
    latencies: Mutex<Histogram<u64>>,
    delivered: AtomicU64,
}

pub(super) async fn run(options: &Options, subject: &Subject) -> Result<Outcome> {
    ensure!(options.bytes >= STAMP, "a message has at least {STAMP} bytes");
    let address = subject.target.address.clone();
    let ((alice, mut alice_events), (bob, mut bob_events)) = (open(&address).await?, open(&address).await?);
    let setting = format!(
        "{} connections, {} bytes, window {}, {} idle connections",
        options.connections, options.bytes, options.window, options.idle
    );
    let mut outcome = Outcome::new("agent", &subject.target.name, 0, setting);

    let count = options.connections + options.idle;
    let before = process::resident_bytes(std::process::id());
    let (begun, cpu) = (Instant::now(), process::own_cpu_time());
    let pairs = timeout(
        PATIENCE * 4,
        connect(&alice, &mut alice_events, &bob, &mut bob_events, count, options.making),
    )
    .await
    .context("making the connections took too long")??;
    outcome.add("connections made", count as f64 / begun.elapsed().as_secs_f64(), "per s");
    outcome.add_some("CPU of a connection", per(cpu, count as f64), "ms");

    traffic(options, (&alice, alice_events), (&bob, bob_events), &pairs, &mut outcome).await?;
    if options.idle > 0 {
        reopen(alice, count, before, &mut outcome).await?;
    }
    Ok(outcome)
}

/// Milliseconds of CPU time of this process since then, for each of a number of things.
fn per(since: Option<Duration>, count: f64) -> Option<f64> {
    let used = process::own_cpu_time()?.checked_sub(since?)?;
    Some(used.as_secs_f64() * 1000.0 / count)
}

pub(super) async fn open(relay: &RelayAddress) -> Result<(Side, Events)> {
    let dir = tempfile::tempdir()?;
    let config = AgentConfig::new(dir.path(), vec![relay.clone()]);
    let (agent, events) = Agent::open(config.clone()).await?;
    Ok((Side { agent, config, _dir: dir }, events))
}

/// Makes connections, some at the same time, and returns the numbers of both sides.
pub(super) async fn connect(
    alice: &Side,
    alice_events: &mut Events,
    bob: &Side,
    bob_events: &mut Events,
    count: usize,
    at_once: usize,
) -> Result<Vec<(ConnectionId, ConnectionId)>> {
    let (free, pairs) = (Arc::new(Semaphore::new(at_once)), Arc::new(Mutex::new(Vec::new())));
    let begun = Arc::new(AtomicUsize::new(0));
    let mut inviting = JoinSet::new();
    let (accept, mut joined) = mpsc::unbounded_channel::<ConnectionId>();
    for _ in 0..at_once {
        let (alice, bob) = (alice.agent.clone(), bob.agent.clone());
        let (free, pairs, begun) = (free.clone(), pairs.clone(), begun.clone());
        inviting.spawn(async move {
            loop {
                free.acquire().await?.forget();
                if begun.fetch_add(1, Ordering::Relaxed) >= count {
                    return anyhow::Ok(());
                }
                let (a, link) = alice.create_invitation().await?;
                let b = bob.join(&link.to_string(), b"bob").await?;
                pairs.lock().await.push((a, b));
            }
        });
    }
    let accepting = alice.agent.clone();
    inviting.spawn(async move {
        while let Some(connection) = joined.recv().await {
            accepting.connection(connection).accept(b"alice").await?;
        }
        Ok(())
    });
    let (mut connected, mut done) = ([0, 0], JoinSet::new());
    while connected.iter().any(|side| *side < count) {
        let (side, delivery) = tokio::select! {
            delivery = alice_events.next() => (0, delivery?),
            delivery = bob_events.next() => (1, delivery?),
        };
        let delivery = delivery.context("the agent stopped")?;
        match &delivery.event {
            Event::Confirmation { connection, .. } => accept.send(*connection)?,
            Event::Connected { .. } => {
                connected[side] += 1;
                // The joining side is the last one.
                if connected[side] <= connected[1 - side] {
                    free.add_permits(1);
                }
            }
            Event::ConnectionFailed { error, .. } => bail!("a connection failed: {error}"),
            _ => {}
        }
        finish(&mut done, delivery).await?;
    }
    free.add_permits(at_once);
    drop(accept);
    while let Some(result) = inviting.join_next().await {
        result??;
    }
    while let Some(result) = done.join_next().await {
        result??;
    }
    Ok(std::mem::take(&mut *pairs.lock().await))
}

/// Is done with an event, beside others.
async fn finish(done: &mut JoinSet<Result<()>>, delivery: smp_agent::Delivery) -> Result<()> {
    done.spawn(async move { Ok(delivery.done().await?) });
    while done.len() > DONE_AT_ONCE {
        if let Some(result) = done.join_next().await {
            result??;
        }
    }
    Ok(())
}

async fn traffic(
    options: &Options,
    (alice, alice_events): (&Side, Events),
    (bob, bob_events): (&Side, Events),
    pairs: &[(ConnectionId, ConnectionId)],
    outcome: &mut Outcome,
) -> Result<()> {
    let window = || Arc::new(Semaphore::new(options.window));
    let mut routes = Vec::new();
    for (position, (a, b)) in pairs.iter().take(options.connections).enumerate() {
        let to_bob = position % 2 == 0;
        let (sender, from, to) = if to_bob { (&alice.agent, *a, *b) } else { (&bob.agent, *b, *a) };
        routes.push((sender.clone(), from, (to_bob, to), window()));
    }
    let traffic = Arc::new(Traffic {
        begun: Instant::now(),
        windows: routes.iter().map(|(_, _, to, window)| (*to, window.clone())).collect(),
        latencies: Mutex::new(Histogram::new_with_bounds(1, 600_000_000, 3)?),
        delivered: AtomicU64::new(0),
    });
    let mut receiving = JoinSet::new();
    receiving.spawn(receive(traffic.clone(), false, alice_events));
    receiving.spawn(receive(traffic.clone(), true, bob_events));
    let (begun, cpu) = (Instant::now(), process::own_cpu_time());
    let end = begun + Duration::from_secs_f64(options.seconds);
    let mut sending = JoinSet::new();
    for (agent, from, _, window) in routes {
        sending.spawn(send(traffic.clone(), agent, from, window, options.bytes, end, options.window));
    }
    let all = async {
        while let Some(result) = sending.join_next().await {
            result??;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        result = timeout(PATIENCE, all) => result.context("the messages did not arrive")??,
        Some(ended) = receiving.join_next() => ended??,
    }
    let (took, messages) = (begun.elapsed(), traffic.delivered.load(Ordering::Relaxed) as f64);
    ensure!(messages > 0.0, "no message has arrived");
    outcome.add("messages", messages / took.as_secs_f64(), "per s");
    outcome.add_some("CPU of a message, both agents", per(cpu, messages), "ms");
    let latencies = traffic.latencies.lock().await;
    outcome.add("latency p50", latencies.value_at_quantile(0.5) as f64 / 1000.0, "ms");
    outcome.add("latency p99", latencies.value_at_quantile(0.99) as f64 / 1000.0, "ms");
    Ok(())
}

/// Sends until the end, at most `window` messages ahead, then waits until all have arrived.
async fn send(
    traffic: Arc<Traffic>,
    agent: Agent,
    connection: ConnectionId,
    free: Arc<Semaphore>,
    bytes: usize,
    end: Instant,
    window: usize,
) -> Result<()> {
    let mut body = vec![b'x'; bytes];
    while Instant::now() < end {
        free.acquire().await?.forget();
        let now = u64::try_from(traffic.begun.elapsed().as_micros())?;
        body[..STAMP].copy_from_slice(&now.to_be_bytes());
        agent.connection(connection).send(&body).await?;
    }
    let all = free.acquire_many(u32::try_from(window)?).await?;
    drop(all);
    Ok(())
}

async fn receive(traffic: Arc<Traffic>, is_bob: bool, mut events: Events) -> Result<()> {
    let mut done = JoinSet::new();
    while let Some(delivery) = events.next().await? {
        match &delivery.event {
            Event::Message { connection, body, .. } => {
                let sent = body.get(..STAMP).and_then(|stamp| stamp.try_into().ok()).map(u64::from_be_bytes);
                let now = u64::try_from(traffic.begun.elapsed().as_micros())?;
                let latency = now.saturating_sub(sent.context("a message has no time")?);
                traffic.latencies.lock().await.saturating_record(latency);
                traffic.delivered.fetch_add(1, Ordering::Relaxed);
                if let Some(window) = traffic.windows.get(&(is_bob, *connection)) {
                    window.add_permits(1);
                }
            }
            Event::SendFailed { error, .. } => bail!("a message was not sent: {error}"),
            _ => {}
        }
        finish(&mut done, delivery).await?;
    }
    bail!("the agent stopped")
}

/// How long it takes until an agent with so many connections is open and subscribed, and what each takes of memory.
async fn reopen(side: Side, count: usize, empty: Option<u64>, outcome: &mut Outcome) -> Result<()> {
    side.agent.shutdown().await;
    let begun = Instant::now();
    let (agent, mut events) = Agent::open(side.config.clone()).await?;
    let up = async {
        loop {
            let delivery = events.next().await?.context("the agent stopped")?;
            if let Event::RelayUp { .. } = delivery.event {
                return anyhow::Ok(());
            }
        }
    };
    timeout(PATIENCE, up).await.context("the relay did not come up")??;
    outcome.add("open and subscribed", begun.elapsed().as_secs_f64(), "s");
    if let (Some(empty), Some(now)) = (empty, process::resident_bytes(std::process::id())) {
        outcome.add(
            "memory of a connection, at most",
            now.saturating_sub(empty) as f64 / count as f64,
            "bytes",
        );
    }
    agent.shutdown().await;
    Ok(())
}
