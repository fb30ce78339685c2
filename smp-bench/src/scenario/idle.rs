//! `idle`: connections that do nothing; how much memory of the relay each takes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use smp_protocol::command::{Command, SubscriptionMode};
use smp_protocol::id::EntityId;
use tokio::task::JoinSet;

use crate::driver::{BlockCounts, KeyPool, Link, Preparer, Target, create, exchange};
use crate::outcome::Outcome;
use crate::process;
use crate::progress::Progress;

/// Handshakes at the same time.
const AT_ONCE: usize = 32;

/// Files that a process has open besides.
const OTHER_FILES: usize = 64;

/// How many of the connections are asked in the end whether they are alive.
const ASKED: usize = 100;

/// Options of `idle`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Connections to hold
    #[arg(short = 'n', long, default_value_t = 10_000)]
    pub connections: usize,
    /// Create a queue on each and subscribe to it, as apps are
    #[arg(long)]
    pub subscribed: bool,
    /// How long to wait until the relay has calmed down, in seconds
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
}

pub(super) async fn run(options: &Options, target: &Target) -> Result<Outcome> {
    let (needed, allowed) =
        (options.connections + OTHER_FILES, rlimit::getrlimit(rlimit::Resource::NOFILE)?.0);
    ensure!(
        needed as u64 <= allowed,
        "this needs {needed} open files and {allowed} are allowed: raise the limit (`ulimit -Hn {needed}` as root), \
         for the relay too"
    );
    // what the first connection brings about once should not count
    drop(open(target.clone(), options.subscribed).await?);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let memory_before = target.pid.and_then(process::resident_bytes);
    let own_before = process::resident_bytes(std::process::id());
    let (mut links, took) = open_all(options, target).await?;
    Progress::wait("idle", Duration::from_secs_f64(options.seconds)).await;
    let cpu_before = target.pid.and_then(process::cpu_time);
    let memory_after = target.pid.and_then(process::resident_bytes);
    let own_after = process::resident_bytes(std::process::id());
    let second = Duration::from_secs(1).min(Duration::from_secs_f64(options.seconds));
    tokio::time::sleep(second).await;
    let cpu_after = target.pid.and_then(process::cpu_time);
    ask_some(&mut links).await?;
    let version = links.first().map_or(0, |link| link.session.parameters.version.0);

    let connections = links.len() as f64;
    let subscribed = if options.subscribed { ", each subscribed to a queue" } else { "" };
    let setting = format!("{} connections{subscribed}", links.len());
    let mut outcome = Outcome::new("idle", &target.name, version, setting);
    outcome.add("connected", connections / took.as_secs_f64(), "connections/s");
    let each = |after: Option<u64>, before: Option<u64>| {
        Some(after?.saturating_sub(before?) as f64 / connections / 1024.0)
    };
    outcome.add_some("memory of the relay", each(memory_after, memory_before), "KiB/connection");
    outcome.add_some("memory of the relay in all", memory_after.map(|bytes| bytes as f64 / 1048576.0), "MiB");
    outcome.add_some("memory of this client", each(own_after, own_before), "KiB/connection");
    let idle = || Some(cpu_after?.saturating_sub(cpu_before?).as_secs_f64() / second.as_secs_f64());
    outcome.add_some("CPU of the idle relay", idle(), "cores");
    Ok(outcome)
}

async fn open_all(options: &Options, target: &Target) -> Result<(Vec<Link>, Duration)> {
    let progress = Progress::new("idle: connecting", options.connections as u64);
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    let mut links = Vec::with_capacity(options.connections);
    let mut started = 0;
    while links.len() < options.connections {
        while started < options.connections && tasks.len() < AT_ONCE {
            tasks.spawn(open(target.clone(), options.subscribed));
            started += 1;
        }
        if let Some(opened) = tasks.join_next().await {
            let number = links.len() + 1;
            links.push(opened?.with_context(|| format!("opening connection {number}"))?);
            progress.set(links.len() as u64);
        }
    }
    Ok((links, begin.elapsed()))
}

async fn open(target: Target, subscribed: bool) -> Result<Link> {
    let mut link = target.connect(&BlockCounts::default()).await?;
    if subscribed {
        let keys = vec![KeyPool::new(target.auth).new_keys()];
        create(&mut link, &target, keys, SubscriptionMode::Subscribe).await?;
    }
    Ok(link)
}

/// Sends `PING` over some of the connections, spread evenly.
async fn ask_some(links: &mut [Link]) -> Result<()> {
    let step = (links.len() / ASKED).max(1);
    for link in links.iter_mut().step_by(step) {
        let ping = Preparer::new(&link.session).transmission(None, &EntityId::empty(), &Command::Ping)?;
        exchange(link, &[ping], 1, |_| Ok(())).await.context("an idle connection is dead")?;
    }
    Ok(())
}
