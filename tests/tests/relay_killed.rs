//! A relay is killed with SIGKILL at random moments under load, and started again each time: what was answered `OK` is
//! delivered, nothing reaches an application twice, and the order within each connection is kept.
//!
//! ```text
//! cargo test -p smp-tests --test relay_killed -- --nocapture              # a short run
//! SMP_KILLS=200 cargo test -p smp-tests --test relay_killed -- --nocapture
//! ```

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rand::RngExt as _;
use smp_agent::{Agent, AgentConfig, ConnectionId, Event, Events};
use smp_protocol::address::RelayAddress;
use smp_store_suite::cluster::Cluster;
use smp_tests::balancer::Balancer;
use smp_tests::kills;
use smp_tests::relay_process::{RelayProcess, serve_if_child};
use tokio::sync::{Semaphore, mpsc};

/// Kills in a run without `SMP_KILLS`.
const KILLS: u32 = 10;

/// Connections between the two agents.
const LANES: usize = 4;

/// Messages of one lane and direction that may wait for the relay's `OK`.
const WINDOW: usize = 8;

/// How long the relay lives before it is killed, in milliseconds.
const LIFETIME: std::ops::Range<u64> = 5..400;

/// Longest time for what was sent to arrive after the last restart.
const TIMEOUT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn relay_process() -> anyhow::Result<()> {
    serve_if_child().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_got_ok_is_delivered_once_and_in_order() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let relay = RelayProcess::create(&folder.path().join("relay")).await?;
    let address = relay.address().clone();
    kill_under_load(folder.path(), vec![relay], &address, None).await
}

/// The database is killed too, every fourth time.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_got_ok_in_postgresql_is_delivered_once_and_in_order() -> anyhow::Result<()> {
    let Some(cluster) = Cluster::start(&[]) else { return Ok(()) };
    let database = cluster.database().await;
    let folder = tempfile::tempdir()?;
    let relay = RelayProcess::create_in(&folder.path().join("relay"), Some(database)).await?;
    let address = relay.address().clone();
    kill_under_load(folder.path(), vec![relay], &address, Some(cluster)).await
}

/// Three processes share a database, and each connection goes to one of them by chance. Any of them is killed, or the database.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_got_ok_in_one_of_three_processes_is_delivered_once_and_in_order() -> anyhow::Result<()> {
    let Some(cluster) = Cluster::start(&[]) else { return Ok(()) };
    let database = cluster.database().await;
    let folder = tempfile::tempdir()?;
    let processes = RelayProcess::create_several(&folder.path().join("relay"), &database, 3).await?;
    let port = |process: &RelayProcess| process.address().port.unwrap_or_default();
    let targets = processes.iter().map(|process| SocketAddr::from(([127, 0, 0, 1], port(process)))).collect();
    let balancer = Balancer::start(targets).await?;
    let address = balancer.address(processes[0].address());
    kill_under_load(folder.path(), processes, &address, Some(cluster)).await
}

async fn kill_under_load(
    folder: &Path,
    mut processes: Vec<RelayProcess>,
    address: &RelayAddress,
    mut cluster: Option<Cluster>,
) -> anyhow::Result<()> {
    let (kills, mut rng) = (kills::count(KILLS)?, kills::rng()?);
    let alice = open(folder.join("alice"), address).await?;
    let bob = open(folder.join("bob"), address).await?;
    let (mut alice, mut bob) = connect(alice, bob).await?;

    let stop = Arc::new(AtomicBool::new(false));
    let senders = [alice.start_sending(&stop), bob.start_sending(&stop)];
    let mut receivers = [alice.start_receiving(), bob.start_receiving()];
    for kill in 0..kills {
        tokio::time::sleep(Duration::from_millis(rng.random_range(LIFETIME))).await;
        match &mut cluster {
            Some(cluster) if kill % 4 == 3 => tokio::task::block_in_place(|| {
                cluster.kill();
                cluster.run();
            }),
            _ => {
                let process = rng.random_range(0..processes.len());
                processes[process].kill().await?;
                processes[process].start().await?;
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    let sent = match all_sent(senders).await {
        Ok(sent) => sent,
        Err(error) => {
            for receiver in &mut receivers {
                receiver.failure().await?;
            }
            return Err(error);
        }
    };
    // Bob receives Alice's texts, and Alice Bob's.
    for (mut receiver, sent) in receivers.into_iter().zip([sent[1], sent[0]]) {
        receiver.until_received(sent).await?;
    }
    let total: u64 = sent.iter().flatten().sum();
    // The last messages may arrive before their OK does.
    let answered = || alice.ok.load(Ordering::Relaxed) + bob.ok.load(Ordering::Relaxed);
    let all_answered = async {
        while answered() < total {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIMEOUT, all_answered).await.context("not every message got OK")?;
    let ok = alice.ok.load(Ordering::Relaxed) + bob.ok.load(Ordering::Relaxed);
    println!(
        "{kills} kills: {total} messages sent, {ok} got OK, {total} delivered; 0 lost, 0 repeated, 0 out of order"
    );
    ensure!(total >= u64::from(kills), "the relay was hardly used");
    ensure!(ok == total, "{ok} of {total} got OK");
    alice.agent.shutdown().await;
    bob.agent.shutdown().await;
    for process in &mut processes {
        process.kill().await?;
    }
    Ok(())
}

/// Waits until all has been handed over that the senders had begun with; returns how much it is, by side and lane.
async fn all_sent(senders: [Vec<Sender>; 2]) -> anyhow::Result<[[u64; LANES]; 2]> {
    let mut sent = [[0; LANES]; 2];
    for (side, tasks) in senders.into_iter().enumerate() {
        for (lane, task) in tasks.into_iter().enumerate() {
            let sender = tokio::time::timeout(TIMEOUT, task).await;
            sent[side][lane] = sender.context("a sender waits for OK for too long")???;
        }
    }
    Ok(sent)
}

/// A task that sends, and returns how many messages.
type Sender = tokio::task::JoinHandle<anyhow::Result<u64>>;

/// One of the two agents, with its end of every lane.
struct Side {
    agent: Agent,
    events: Option<Events>,
    lanes: Vec<ConnectionId>,
    /// One permit for each message that may still be handed over, by lane.
    window: Vec<Arc<Semaphore>>,
    ok: Arc<AtomicU64>,
}

async fn open(dir: std::path::PathBuf, address: &RelayAddress) -> anyhow::Result<Side> {
    let mut config = AgentConfig::new(dir, vec![address.clone()]);
    config.timeouts.retry_first = Duration::from_millis(20);
    config.timeouts.retry_longest = Duration::from_millis(200);
    let (agent, events) = Agent::open(config).await?;
    let window = (0..LANES).map(|_| Arc::new(Semaphore::new(WINDOW))).collect();
    Ok(Side { agent, events: Some(events), lanes: Vec::new(), window, ok: Arc::default() })
}

async fn connect(mut alice: Side, mut bob: Side) -> anyhow::Result<(Side, Side)> {
    for _ in 0..LANES {
        let (connection, link) = alice.agent.create_invitation().await?;
        alice.lanes.push(connection);
        bob.lanes.push(bob.agent.join(&link.to_string(), b"bob").await?);
    }
    tokio::try_join!(alice.until_connected(), bob.until_connected())?;
    Ok((alice, bob))
}

impl Side {
    async fn until_connected(&mut self) -> anyhow::Result<()> {
        let events = self.events.as_mut().context("events are taken")?;
        let mut connected = 0;
        while connected < LANES {
            let delivery = events.next().await?.context("the agent stopped")?;
            match &delivery.event {
                Event::Confirmation { connection, .. } => {
                    self.agent.connection(*connection).accept(b"alice").await?
                }
                Event::Connected { .. } => connected += 1,
                Event::ConnectionFailed { error, .. } => bail!("{error}"),
                _ => {}
            }
            delivery.done().await?;
        }
        Ok(())
    }

    /// Sends numbers on every lane until told to stop; each task returns how many.
    fn start_sending(&self, stop: &Arc<AtomicBool>) -> Vec<Sender> {
        let lanes = self.lanes.iter().zip(&self.window);
        lanes
            .map(|(lane, window)| {
                let (agent, lane, window, stop) = (self.agent.clone(), *lane, window.clone(), stop.clone());
                tokio::spawn(async move {
                    let mut next = 0_u64;
                    while !stop.load(Ordering::Relaxed) {
                        window.acquire().await?.forget();
                        agent.connection(lane).send(&next.to_be_bytes()).await?;
                        next += 1;
                    }
                    Ok(next)
                })
            })
            .collect()
    }

    /// Takes events until the agent is shut down, checking each message against the one before.
    fn start_receiving(&mut self) -> Receiver {
        let (progress, received) = mpsc::unbounded_channel();
        let events = self.events.take();
        let (lanes, window, ok) = (self.lanes.clone(), self.window.clone(), self.ok.clone());
        let at_end = CloseAtEnd(window.clone());
        let task = tokio::spawn(async move {
            let _at_end = at_end;
            let mut events = events.context("events are taken")?;
            let mut next = [0_u64; LANES];
            while let Some(delivery) = events.next().await? {
                let lane =
                    delivery.event.connection().and_then(|id| lanes.iter().position(|lane| *lane == id));
                match (&delivery.event, lane) {
                    (Event::Message { body, .. }, Some(lane)) => {
                        let number = u64::from_be_bytes(body.as_slice().try_into()?);
                        ensure!(number == next[lane], "lane {lane}: {number} came, {} was next", next[lane]);
                        next[lane] += 1;
                        // The test may be over.
                        let _ = progress.send(next);
                    }
                    (Event::Sent { .. }, Some(lane)) => {
                        ok.fetch_add(1, Ordering::Relaxed);
                        window[lane].add_permits(1);
                    }
                    (event @ (Event::SendFailed { .. } | Event::ConnectionFailed { .. }), _) => {
                        bail!("{event:?}")
                    }
                    (event @ Event::ReceiveFailed { .. }, _) => bail!("{event:?}"),
                    _ => {}
                }
                delivery.done().await?;
            }
            Ok(())
        });
        Receiver { received, task: Some(task) }
    }
}

/// Lets the senders fail rather than wait when nobody counts what got `OK` any more.
struct CloseAtEnd(Vec<Arc<Semaphore>>);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.0.iter().for_each(|window| window.close());
    }
}

struct Receiver {
    received: mpsc::UnboundedReceiver<[u64; LANES]>,
    task: Option<tokio::task::JoinHandle<anyhow::Result<()>>>,
}

impl Receiver {
    /// Why the task ended, if it has or is about to.
    async fn failure(&mut self) -> anyhow::Result<()> {
        let task = self.task.as_mut().context("the receiver ended")?;
        tokio::time::timeout(Duration::from_secs(1), task).await.unwrap_or(Ok(Ok(())))?
    }

    async fn until_received(&mut self, expected: [u64; LANES]) -> anyhow::Result<()> {
        let mut last = [0; LANES];
        while last != expected {
            match tokio::time::timeout(TIMEOUT, self.received.recv()).await {
                Ok(Some(received)) => last = received,
                Ok(None) => {
                    let task = self.task.take().context("the receiver ended")?;
                    return task.await?.context("after the receiver ended");
                }
                Err(_) => {
                    bail!("{last:?} of {expected:?} arrived, then nothing for {} s", TIMEOUT.as_secs())
                }
            }
        }
        Ok(())
    }
}
