//! `agent-open`: an agent with many connections that is opened, until all of its queues are subscribed.
//!
//! One connection is made by the protocol. The others are copies of it in the agent's database, each with a queue of its own that was
//! made at the relay. The agent that is measured runs in a process of its own, so that its memory is its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use smp_agent::{Agent, AgentConfig, Event, RelayState};
use smp_protocol::address::RelayAddress;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, QueryBuilder, SqliteConnection};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::Subject;
use super::agent::{connect, open};
use super::many::{clean_up, create_queues};
use crate::driver::{AuthKind, Queue};
use crate::outcome::Outcome;
use crate::process;

/// Nothing here takes that long.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long the opened agent is left alone before its memory is looked at.
const SETTLE: Duration = Duration::from_secs(1);
/// The agent's database in its data directory.
pub(super) const DATABASE: &str = "agent.sqlite3";
/// Rows that are inserted at once.
const ROWS: usize = 500;

/// Options of `agent-open`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Connections of the agent
    #[arg(long, default_value_t = 10_000)]
    pub connections: usize,
}

/// Orders for the process that opens the agent.
#[derive(Debug, Clone, Args)]
pub struct OpenOptions {
    /// The agent's data directory
    #[arg(long)]
    dir: PathBuf,
    /// Its relay
    #[arg(long)]
    address: RelayAddress,
}

/// Its findings.
#[derive(Debug, Serialize, Deserialize)]
struct Opened {
    /// Until everything was subscribed.
    seconds: f64,
    cpu: Option<Duration>,
    /// Resident bytes before and afterwards.
    empty: Option<u64>,
    full: Option<u64>,
}

pub(super) async fn run(options: &Options, subject: &Subject) -> Result<Outcome> {
    let mut target = subject.target.clone();
    // As an agent makes its queues.
    target.auth = AuthKind::Ed25519;
    let address = target.address.clone();
    let queues = create_queues(&target, options.connections.saturating_sub(1), 8).await?;
    let (alice, bob) = (open(&address).await?, open(&address).await?);
    let ((alice, mut alice_events), (bob, mut bob_events)) = (alice, bob);
    connect(&alice, &mut alice_events, &bob, &mut bob_events, 1, 1).await?;
    alice.agent.shutdown().await;
    bob.agent.shutdown().await;
    let dir = alice.config.data_dir.clone();
    copy_connection(&dir.join(DATABASE), &queues.concat()).await?;

    let relay_cpu = || target.pid.and_then(process::cpu_time);
    let before = relay_cpu();
    let opened = open_elsewhere(&dir, &address).await?;
    let after = relay_cpu();
    clean_up(&target, &queues).await?;

    let (count, setting) = (options.connections as f64, format!("{} connections", options.connections));
    let mut outcome = Outcome::new("agent-open", &target.name, 0, setting);
    outcome.add("open and subscribed", opened.seconds, "s");
    outcome.add("subscribed", count / opened.seconds, "queues/s");
    let per = |cpu: Duration| cpu.as_secs_f64() * 1e6 / count;
    outcome.add_some("CPU of the agent", opened.cpu.map(per), "us/queue");
    outcome.add_some(
        "CPU of the relay",
        after.zip(before).map(|(after, before)| per(after - before)),
        "us/queue",
    );
    let used = opened.full.zip(opened.empty).map(|(full, empty)| full.saturating_sub(empty) as f64);
    outcome.add_some("memory of the agent", used.map(|used| used / 1024.0 / 1024.0), "MiB");
    outcome.add_some("memory of a connection, at most", used.map(|used| used / count), "bytes");
    Ok(outcome)
}

/// Copies the only connection of an agent for each of these queues.
pub(super) async fn copy_connection(database: &Path, queues: &[Queue]) -> Result<()> {
    let mut db = SqliteConnectOptions::new().filename(database).connect().await?;
    sqlx::query("BEGIN").execute(&mut db).await?;
    let first: i64 = sqlx::query_scalar("SELECT max(id) FROM connections").fetch_one(&mut db).await?;
    let relay: Vec<u8> = sqlx::query_scalar("SELECT relay FROM receive_queues").fetch_one(&mut db).await?;
    let last = first + i64::try_from(queues.len())?;
    let numbers = "WITH RECURSIVE numbers (number) AS (VALUES (?1 + 1) UNION ALL SELECT number + 1 FROM numbers WHERE number < ?2)";
    for insert in [
        "INSERT INTO connections (id, state, busy, joined, unfinished, made_on)
            SELECT number, state, busy, joined, unfinished, made_on FROM numbers, connections WHERE id = ?1",
        "INSERT INTO positions (connection_id, position, plain)
            SELECT number, position, plain FROM numbers, positions WHERE connection_id = ?1",
    ] {
        let sql = sqlx::AssertSqlSafe(format!("{numbers} {insert}"));
        if !queues.is_empty() {
            sqlx::query(sql).bind(first).bind(last).execute(&mut db).await?;
        }
    }
    let mut next = first;
    for rows in queues.chunks(ROWS) {
        insert_queues(&mut db, &relay, rows, &mut next).await?;
    }
    sqlx::query("COMMIT").execute(&mut db).await?;
    Ok(db.close().await?)
}

async fn insert_queues(
    db: &mut SqliteConnection,
    relay: &[u8],
    queues: &[Queue],
    last: &mut i64,
) -> Result<()> {
    let head = "INSERT INTO receive_queues (connection_id, relay, recipient_id, recipient_key, sender_id) ";
    let mut sql = QueryBuilder::new(head);
    sql.push_values(queues, |mut row, queue| {
        *last += 1;
        row.push_bind(*last).push_bind(relay).push_bind(queue.recipient_id.as_bytes().to_vec());
        row.push_bind(queue.recipient.to_der().to_vec()).push_bind(queue.sender_id.as_bytes().to_vec());
    });
    sql.build().execute(db).await?;
    Ok(())
}

async fn open_elsewhere(dir: &Path, address: &RelayAddress) -> Result<Opened> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("agent-opened").arg("--dir").arg(dir).arg("--address").arg(address.to_string());
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true).output();
    let output =
        timeout(PATIENCE, output).await.context("the agent was not open and subscribed in time")??;
    if !output.status.success() {
        bail!("the agent was not opened: {}", output.status);
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Opens the agent, waits until its relay is up, and prints what that took.
///
/// # Errors
/// If it cannot be opened.
pub async fn open_and_tell(options: &OpenOptions) -> Result<()> {
    let resident = || process::resident_bytes(std::process::id());
    let (empty, begun) = (resident(), Instant::now());
    let config = AgentConfig::new(&options.dir, vec![options.address.clone()]);
    let (agent, mut events) = Agent::open(config).await?;
    let mut relays = agent.relays();
    let is_up = |state: &RelayState| matches!(state, RelayState::Up);
    let up = relays.wait_for(|relays| !relays.is_empty() && relays.values().all(is_up));
    tokio::select! {
        up = up => drop(up?),
        stopped = trouble(&mut events) => stopped?,
    }
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), process::own_cpu_time());
    sleep(SETTLE).await;
    println!("{}", serde_json::to_string(&Opened { seconds, cpu, empty, full: resident() })?);
    agent.shutdown().await;
    Ok(())
}

/// Returns if something comes that should not.
async fn trouble(events: &mut smp_agent::Events) -> Result<()> {
    loop {
        let delivery = events.next().await?.context("the agent stopped")?;
        match &delivery.event {
            Event::ReceivingStopped { error, .. } => bail!("a queue was not subscribed: {error}"),
            Event::RelayDown { error, .. } => bail!("the relay was lost: {error}"),
            _ => {}
        }
    }
}
