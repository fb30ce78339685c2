//! `restart`: how long a relay with queues and messages needs until its first answer after it was killed.

use std::process::{Command as Shell, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use smp_protocol::command::Command;
use smp_protocol::message::BrokerMessage;

use super::Subject;
use super::many::{clean_up, create_queues};
use super::offline::fill;
use crate::driver::{BlockCounts, Preparer, Queue, Target, exchange};
use crate::outcome::Outcome;
use crate::process;
use crate::relay::Spawned;
use crate::statistics::Summary;

/// How long a relay may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// How long to wait before trying to connect again.
const RETRY: Duration = Duration::from_micros(500);

/// Options of `restart`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Queues
    #[arg(long, default_value_t = 20_000)]
    pub queues: usize,
    /// How many of them hold messages
    #[arg(long, default_value_t = 500)]
    pub full: usize,
    /// Messages in each of those
    #[arg(long, default_value_t = 8)]
    pub messages: usize,
    /// How often to kill and start
    #[arg(long, default_value_t = 5)]
    pub times: usize,
    /// Command that kills a relay that was given by its address, waits until it is dead, and starts it again in the background: for
    /// example 'P=$(pidof smp-server); kill -9 $P; tail --pid=$P -s 0.001 -f /dev/null; smp-server start >/dev/null 2>&1 &'. The
    /// time that this takes counts
    #[arg(long, value_name = "SHELL COMMAND")]
    pub command: Option<String>,
}

pub(super) async fn run(options: &Options, subject: &mut Subject) -> Result<Outcome> {
    if options.command.is_some() {
        ensure!(subject.spawned.is_none(), "--command is for a relay that was given by its address");
    } else {
        let keeps = subject.spawned()?.mode().keeps();
        ensure!(keeps, "a relay with a memory store has nothing after a restart");
    }
    let target = subject.target.clone();
    let empty = empty_memory(subject).await?;
    let queues = create_queues(&target, options.queues, 8).await?;
    let full = some_of(&queues, options.full);
    let (version, _) = fill(&target, &full, options.messages, 64).await?;
    let asked = full.first().and_then(|queues| queues.first());
    let asked = asked.or_else(|| queues.first()?.first()).context("--queues must not be 0")?.clone();

    let (mut answers, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..options.times.max(1) {
        let begin = start_again(options, subject)?;
        first_answer(&target, &asked, begin).await?;
        answers.push(begin.elapsed().as_secs_f64() * 1e3);
        memory.extend(resident_bytes(subject));
    }
    clean_up(&target, &queues).await?;

    let setting = format!(
        "{} queues, {} messages in each of {} of them, killed {} times",
        options.queues,
        options.messages,
        options.full.min(options.queues),
        options.times
    );
    let mut outcome = Outcome::new("restart", &target.name, version, setting);
    let answers = Summary::of(&answers).context("no answer")?;
    outcome.add("first answer", answers.median, "ms");
    outcome.add("first answer, slowest", answers.most, "ms");
    let on_disk = subject.spawned.as_ref().map(|spawned| spawned.disk_bytes() as f64 / 1048576.0);
    outcome.add_some("on disk", on_disk, "MiB");
    let memory = Summary::of(&memory).map(|memory| memory.median);
    outcome.add_some("memory then", memory.map(|bytes| bytes / 1048576.0), "MiB");
    let grown = || Some((memory? - empty?).max(0.0) / options.queues as f64);
    outcome.add_some("memory per queue not in use", grown(), "bytes");
    Ok(outcome)
}

/// Memory of a relay that was started here, after a restart and a handshake, without any queue.
async fn empty_memory(subject: &mut Subject) -> Result<Option<f64>> {
    let Some(spawned) = &mut subject.spawned else { return Ok(None) };
    let begin = kill_and_restart(spawned)?;
    connect(&subject.target, begin).await?;
    Ok(resident_bytes(subject))
}

/// Kills the relay and starts it again. Returns when it was started; with a command, when that was.
fn start_again(options: &Options, subject: &mut Subject) -> Result<Instant> {
    match &options.command {
        Some(command) => run_shell(command),
        None => kill_and_restart(subject.spawned()?),
    }
}

fn kill_and_restart(spawned: &mut Spawned) -> Result<Instant> {
    spawned.kill()?;
    let begin = Instant::now();
    spawned.restart()?;
    Ok(begin)
}

/// Its output would be among ours.
fn run_shell(command: &str) -> Result<Instant> {
    let begin = Instant::now();
    let mut shell = Shell::new("sh");
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null());
    let status = shell.status().context("cannot start a shell")?;
    ensure!(status.success(), "the command that should restart the relay has failed: {status}");
    Ok(begin)
}

fn resident_bytes(subject: &Subject) -> Option<f64> {
    let pid = subject.spawned.as_ref()?.pid();
    process::resident_bytes(pid).map(|bytes| bytes as f64)
}

fn some_of(queues: &[Vec<Queue>], number: usize) -> Vec<Vec<Queue>> {
    let mut left = number;
    let mut some = Vec::new();
    for queues in queues {
        let now = left.min(queues.len());
        left -= now;
        if now > 0 {
            some.push(queues[..now].to_vec());
        }
    }
    some
}

async fn connect(target: &Target, begin: Instant) -> Result<crate::driver::Link> {
    loop {
        match target.connect(&BlockCounts::default()).await {
            Ok(link) => return Ok(link),
            Err(error) if begin.elapsed() > TIMEOUT => {
                return Err(error).context("the relay does not come back");
            }
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

/// Connects as soon as possible and subscribes to a queue.
async fn first_answer(target: &Target, queue: &Queue, begin: Instant) -> Result<()> {
    let mut link = connect(target, begin).await?;
    let mut preparer = Preparer::new(&link.session);
    let key = preparer.ready(&queue.recipient)?;
    let subscribe = preparer.transmission(Some(&key), &(&queue.recipient_id).into(), &Command::Subscribe)?;
    exchange(&mut link, &[subscribe], 1, |incoming| match incoming.message {
        BrokerMessage::Error(error) => bail!("after the restart the relay answers SUB with {error}"),
        _ => Ok(()),
    })
    .await
}
