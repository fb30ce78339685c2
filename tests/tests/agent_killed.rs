//! A process with an agent is killed with SIGKILL at random moments, while both sides send and it moves its queue from relay to relay:
//! each message arrives once, and in order.
//!
//! ```text
//! cargo test -p smp-tests --test agent_killed -- --nocapture              # a short run
//! SMP_KILLS=200 cargo test -p smp-tests --test agent_killed -- --nocapture
//! ```

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rand::RngExt as _;
use smp_agent::{Agent, AgentConfig, ConnectionId, Event, Events, Integrity, RotationSide, RotationStage};
use smp_protocol::address::RelayAddress;
use smp_server::config::StoreKind;
use smp_tests::kills;
use smp_tests::test_relay::TestRelay;
use tokio::process::{Child, Command};

/// Kills in a run without `SMP_KILLS`.
const KILLS: u32 = 12;

/// How long the process lives before it is killed, in milliseconds.
const LIFETIME: std::ops::Range<u64> = 50..600;

/// Messages on their way that are waited for before more are sent.
const WINDOW: u64 = 16;

/// Longest time for what was sent to arrive after the last kill.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Tells the child where its files are.
const DIR_VARIABLE: &str = "SMP_TEST_AGENT_DIR";

/// In the child's directory: what its application has taken, a number in each line.
const TAKEN: &str = "taken";
/// There: one line for each move of its queue that was completed.
const MOVED: &str = "moved";
/// There, when it shall send no more.
const STOP: &str = "stop";
/// There: how many messages it has sent in all, once it sends no more.
const SENT: &str = "sent";
/// There: the number that it sends next.
const NEXT: &str = "next";
/// There: why it ended by itself.
const FAILED: &str = "failed";
/// There: the addresses of the relays.
const RELAYS: &str = "relays";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agent_process() -> anyhow::Result<()> {
    match std::env::var_os(DIR_VARIABLE) {
        Some(dir) => Application::open(Path::new(&dir)).await?.run().await,
        None => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_is_killed_loses_and_repeats_nothing_while_its_queue_moves() -> anyhow::Result<()> {
    let (kills, mut rng) = (kills::count(KILLS)?, kills::rng()?);
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("child");
    fs::create_dir(&dir)?;
    let relays =
        [TestRelay::start(StoreKind::Sqlite, None).await?, TestRelay::start(StoreKind::Sqlite, None).await?];
    let addresses = relays.each_ref().map(|relay| relay.running.address().to_string());
    fs::write(dir.join(RELAYS), addresses.join("\n"))?;

    let mut bob = Bob::connect(&dir, folder.path().join("bob")).await?;
    let mut child = start(&dir)?;
    for _ in 0..kills {
        let lifetime = Duration::from_millis(rng.random_range(LIFETIME));
        if let Ok(ended) = tokio::time::timeout(lifetime, bob.talk()).await {
            ended?;
        }
        child.kill().await?;
        child = start(&dir)?;
    }
    fs::write(dir.join(STOP), "")?;
    tokio::time::timeout(TIMEOUT, bob.finish()).await.context("not everything arrives")??;
    child.kill().await?;
    let moves = lines(&dir.join(MOVED))?.len();
    println!(
        "{kills} kills, {moves} moves of the queue: {} messages to the process, {} from it; 0 lost, 0 repeated, 0 out of order",
        bob.sent, bob.received
    );
    ensure!(moves > 0, "the queue never moved");
    bob.agent.shutdown().await;
    Ok(())
}

fn start(dir: &Path) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["agent_process", "--exact", "--nocapture"]).env(DIR_VARIABLE, dir);
    Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).spawn()?)
}

fn lines(file: &Path) -> anyhow::Result<Vec<String>> {
    // A line that a kill has cut off was not taken.
    let text = if file.exists() { fs::read_to_string(file)? } else { String::new() };
    Ok(text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| line.trim_end().to_owned())
        .collect())
}

/// How many messages the child has taken. They must be the numbers from 0 on.
fn taken(dir: &Path) -> anyhow::Result<u64> {
    let taken = lines(&dir.join(TAKEN))?;
    for (expected, line) in taken.iter().enumerate() {
        ensure!(*line == expected.to_string(), "the process took {line}, {expected} was next");
    }
    Ok(taken.len() as u64)
}

fn config(dir: PathBuf, relays: &[RelayAddress]) -> AgentConfig {
    let mut config = AgentConfig::new(dir, relays.iter().cloned());
    config.timeouts.retry_first = Duration::from_millis(20);
    config.timeouts.retry_longest = Duration::from_millis(200);
    config
}

fn relays(dir: &Path) -> anyhow::Result<Vec<RelayAddress>> {
    let text = fs::read_to_string(dir.join(RELAYS))?;
    text.lines().map(|line| Ok(line.parse()?)).collect()
}

/// Appends a line. It outlives a SIGKILL of the program, as all that was written does.
fn append(file: &Path, line: impl std::fmt::Display) -> anyhow::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(file)?;
    Ok(file.write_all(format!("{line}\n").as_bytes())?)
}

/// Accepts, on the side that is asked, until both are connected.
async fn until_connected(agent: &Agent, events: &mut Events) -> anyhow::Result<()> {
    loop {
        let delivery = events.next().await?.context("the agent stopped")?;
        if let Event::Confirmation { connection, .. } = &delivery.event {
            agent.connection(*connection).accept(b"alice").await?;
        }
        delivery.done().await?;
        if let Event::Connected { .. } = delivery.event {
            return Ok(());
        }
    }
}

/// The side that is not killed.
struct Bob {
    agent: Agent,
    events: Events,
    connection: ConnectionId,
    dir: PathBuf,
    sent: u64,
    received: u64,
}

impl Bob {
    /// Connects the two, in this process.
    async fn connect(dir: &Path, own: PathBuf) -> anyhow::Result<Self> {
        let relays = relays(dir)?;
        let (alice, mut asked) = Agent::open(config(dir.join("agent"), &relays)).await?;
        let (agent, mut events) = Agent::open(config(own, &relays)).await?;
        let (_, link) = alice.create_invitation().await?;
        let connection = agent.join(&link.to_string(), b"bob").await?;
        tokio::try_join!(until_connected(&alice, &mut asked), until_connected(&agent, &mut events))?;
        alice.shutdown().await;
        Ok(Self { agent, events, connection, dir: dir.to_owned(), sent: 0, received: 0 })
    }

    async fn talk(&mut self) -> anyhow::Result<()> {
        loop {
            self.step().await?;
        }
    }

    /// Sends a message if not too many are on their way, and takes an event if one comes soon.
    async fn step(&mut self) -> anyhow::Result<()> {
        if self.sent < taken(&self.dir)? + WINDOW {
            self.sent += 1;
            let (agent, connection, number) = (self.agent.clone(), self.connection, self.sent - 1);
            // In a task: this future may be dropped, and the message has been counted.
            let send = async move { agent.connection(connection).send(number.to_string().as_bytes()).await };
            tokio::spawn(send).await??;
        }
        self.take(Duration::from_millis(5)).await
    }

    async fn take(&mut self, longest: Duration) -> anyhow::Result<()> {
        if let Ok(failure) = fs::read_to_string(self.dir.join(FAILED)) {
            bail!("the process: {failure}");
        }
        let Ok(delivery) = tokio::time::timeout(longest, self.events.next()).await else { return Ok(()) };
        let delivery = delivery?.context("the agent stopped")?;
        if let Some(number) = number_in(&delivery.event)? {
            ensure!(number == self.received, "{number} came from the process, {} was next", self.received);
            self.received += 1;
        }
        Ok(delivery.done().await?)
    }

    /// Takes the rest.
    async fn finish(&mut self) -> anyhow::Result<()> {
        loop {
            let sent = fs::read_to_string(self.dir.join(SENT)).ok().and_then(|text| text.parse::<u64>().ok());
            if sent == Some(self.received) && taken(&self.dir)? == self.sent {
                return Ok(());
            }
            self.take(Duration::from_millis(20)).await?;
        }
    }
}

/// The number in a message. An event by which something was lost is an error.
fn number_in(event: &Event) -> anyhow::Result<Option<u64>> {
    match event {
        Event::Message { body, integrity: Integrity::Ok, .. } => {
            Ok(Some(std::str::from_utf8(body)?.parse()?))
        }
        Event::Message { .. }
        | Event::SendFailed { .. }
        | Event::ConnectionFailed { .. }
        | Event::ReceiveFailed { .. }
        | Event::QueueRotation { stage: RotationStage::Aborted, .. } => bail!("{event:?}"),
        _ => Ok(None),
    }
}

/// The work of the process: it notes each message that it takes, and sends numbers.
struct Application {
    agent: Agent,
    events: Events,
    connection: ConnectionId,
    dir: PathBuf,
}

impl Application {
    async fn open(dir: &Path) -> anyhow::Result<Self> {
        let (agent, events) = Agent::open(config(dir.join("agent"), &relays(dir)?)).await?;
        let connections = agent.connections().await?;
        let connection = connections.iter().find(|summary| summary.invitation.is_none());
        let connection = connection.context("no connection")?.id;
        Ok(Self { agent, events, connection, dir: dir.to_owned() })
    }

    /// Until it is killed.
    async fn run(mut self) -> anyhow::Result<()> {
        let sender = self.sender();
        let work = async {
            self.move_on().await?;
            loop {
                self.take().await?;
            }
        };
        let ended: anyhow::Result<()> = tokio::select! {
            ended = work => ended,
            ended = sender => ended,
        };
        if let Err(error) = &ended {
            fs::write(self.dir.join(FAILED), format!("{error:#}"))?;
        }
        ended
    }

    /// Sends numbers, each under itself as the key: one that was sent just before a kill is not sent again.
    fn sender(&self) -> impl Future<Output = anyhow::Result<()>> + use<> {
        let (agent, connection, dir) = (self.agent.clone(), self.connection, self.dir.clone());
        async move {
            let mut next = lines(&dir.join(NEXT))?.last().map_or(Ok(0), |line| line.parse::<u64>())?;
            while !dir.join(STOP).exists() {
                let number = next.to_string();
                agent.connection(connection).send_once(number.as_bytes(), number.as_bytes()).await?;
                next += 1;
                append(&dir.join(NEXT), next)?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            fs::write(dir.join(SENT), next.to_string())?;
            std::future::pending().await
        }
    }

    async fn take(&mut self) -> anyhow::Result<()> {
        let delivery = self.events.next().await?.context("the agent stopped")?;
        if let Some(number) = number_in(&delivery.event)? {
            let taken = taken(&self.dir)?;
            // The last one comes again if a kill came between taking it and saying so.
            if number + 1 != taken {
                ensure!(number == taken, "{number} came to the process, {taken} was next");
                append(&self.dir.join(TAKEN), number)?;
            }
        }
        let moved = matches!(
            delivery.event,
            Event::QueueRotation { side: RotationSide::Receiving, stage: RotationStage::Completed, .. }
        );
        if moved {
            append(&self.dir.join(MOVED), "moved")?;
        }
        delivery.done().await?;
        if moved { self.move_on().await } else { Ok(()) }
    }

    /// Moves the queue to the other relay, unless it is on its way.
    async fn move_on(&self) -> anyhow::Result<()> {
        let handle = self.agent.connection(self.connection);
        let summary = handle.summary().await?.context("no connection")?;
        let moves = summary.rotations.iter().any(|(side, _)| *side == RotationSide::Receiving);
        if !moves && !self.dir.join(STOP).exists() {
            handle.rotate(None).await?;
        }
        Ok(())
    }
}
