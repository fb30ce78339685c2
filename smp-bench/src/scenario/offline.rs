//! `offline`: messages to queues that nobody reads; later their recipients come and read them all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::Args;
use smp_protocol::message::BrokerMessage;
use tokio::task::JoinSet;

use super::Subject;
use super::many::{clean_up, connect, create_queues, timed};
use super::recipient::{Numbering, Observer, QueueNumber, Subscribe, attend};
use super::sending::{body, sends};
use crate::driver::{BlockCounts, Link, Preparer, Queue, Ready, Target, exchange};
use crate::outcome::Outcome;
use crate::process;
use crate::progress::Progress;

/// How many messages a queue of any relay holds, as far as we know.
const MAX_MESSAGES: usize = 100;

/// Options of `offline`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Queues
    #[arg(long, default_value_t = 128)]
    pub queues: usize,
    /// Messages to each, at most 100
    #[arg(long, default_value_t = 64)]
    pub messages: usize,
    /// Connections of senders, and later of recipients
    #[arg(long, default_value_t = 4)]
    pub connections: usize,
    /// Unanswered messages on each connection
    #[arg(long, default_value_t = 64)]
    pub window: usize,
}

#[derive(Default)]
struct Received(AtomicU64);

impl Observer for Received {
    fn confirmed(&self, _: QueueNumber) {}

    fn received(&self, _: QueueNumber) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub(super) async fn run(options: &Options, subject: &mut Subject) -> Result<Outcome> {
    ensure!((1..=MAX_MESSAGES).contains(&options.messages), "--messages must be 1 to {MAX_MESSAGES}");
    let target = &subject.target;
    let cpu = || target.pid.and_then(process::cpu_time);
    let queues = create_queues(target, options.queues, options.connections).await?;
    let total = (options.queues * options.messages) as u64;
    let cpu_before = cpu();
    let (version, sending) = fill(target, &queues, options.messages, options.window).await?;
    let cpu_sent = cpu();
    let on_disk = subject.spawned.as_ref().map(|spawned| spawned.disk_bytes() as f64 / total as f64);
    let reading = drain(target, &queues, total).await?;
    let cpu_read = cpu();
    clean_up(target, &queues).await?;

    let setting = format!(
        "{} messages to each of {} queues, {} connections, window {}, {:?} keys",
        options.messages,
        options.queues,
        queues.len(),
        options.window,
        target.auth
    );
    let mut outcome = Outcome::new("offline", &target.name, version, setting);
    outcome.add("sent", total as f64 / sending.as_secs_f64(), "msg/s");
    outcome.add("read", total as f64 / reading.as_secs_f64(), "msg/s");
    let per_message = |later: Option<Duration>, earlier: Option<Duration>| {
        Some(later?.saturating_sub(earlier?).as_secs_f64() * 1e6 / total as f64)
    };
    outcome.add_some("CPU of the relay, sending", per_message(cpu_sent, cpu_before), "us/msg");
    outcome.add_some("CPU of the relay, reading", per_message(cpu_read, cpu_sent), "us/msg");
    outcome.add_some("on disk", on_disk.filter(|bytes| *bytes > 0.0), "bytes/msg");
    Ok(outcome)
}

/// Sends `messages` to each queue. Returns the version and how long it took, without preparing.
pub(super) async fn fill(
    target: &Target,
    queues: &[Vec<Queue>],
    messages: usize,
    window: usize,
) -> Result<(u16, Duration)> {
    let total: usize = queues.iter().map(|queues| queues.len() * messages).sum();
    let progress = Arc::new(Progress::new("storing messages", total as u64));
    let mut links = connect(target, queues.len(), &BlockCounts::default()).await?;
    let version = links.first().map_or(0, |link| link.session.parameters.version.0);
    let body = body()?;
    let mut preparers: Vec<Preparer> = links.iter().map(|link| Preparer::new(&link.session)).collect();
    let mut took = Duration::ZERO;
    // prepared in rounds: all together would be more than fits into memory
    for _ in 0..messages {
        let mut each = Vec::new();
        for ((link, preparer), queues) in links.drain(..).zip(&mut preparers).zip(queues) {
            let mut requests = Vec::with_capacity(queues.len());
            for queue in queues {
                requests.extend(sends(preparer, queue, &body, 1)?);
            }
            each.push((link, requests, progress.clone()));
        }
        let (back, round) =
            timed(each, move |(link, requests, progress)| send(link, requests, window, progress)).await?;
        links = back;
        took += round;
    }
    Ok((version, took))
}

async fn send(mut link: Link, requests: Vec<Ready>, window: usize, progress: Arc<Progress>) -> Result<Link> {
    exchange(&mut link, &requests, window, |incoming| {
        progress.add(1);
        match incoming.message {
            BrokerMessage::Ok => Ok(()),
            BrokerMessage::Error(error) => bail!("the relay answers SEND with {error}"),
            other => bail!("the relay answers SEND with {}", other.tag().name()),
        }
    })
    .await?;
    Ok(link)
}

/// Subscribes and reads until `total` messages have come.
async fn drain(target: &Target, queues: &[Vec<Queue>], total: u64) -> Result<Duration> {
    let progress = Progress::new("offline: reading", total);
    let links = connect(target, queues.len(), &BlockCounts::default()).await?;
    let (count, received) = (links.len(), Arc::new(Received::default()));
    let mut tasks = JoinSet::new();
    let begin = Instant::now();
    for (first, (link, queues)) in links.into_iter().zip(queues).enumerate() {
        let numbering = Numbering { first, stride: count };
        attend(&mut tasks, link, queues, numbering, Subscribe::First, &received);
    }
    loop {
        let now = received.0.load(Ordering::Relaxed);
        progress.set(now);
        if now >= total {
            return Ok(begin.elapsed());
        }
        tokio::select! {
            Some(ended) = tasks.join_next() => {
                ended??;
                bail!("a connection has ended");
            }
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    }
}
