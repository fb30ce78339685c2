//! `throughput`: as many full-size messages as the relay can carry, all recipients online.
//!
//! A closed loop with a window: a message is sent when one was received. Each transmission is authorized before the clock
//! starts and sent again only when it has been answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;

use super::recipient::{Observer, QueueNumber};
use super::traffic::{Orders, Shape, Traffic};
use crate::driver::{AuthKind, BlockCounts, Target};
use crate::limit::CryptographyCost;
use crate::outcome::Outcome;
use crate::process;
use crate::progress::Progress;

/// The least quota of a queue that relays have, as far as we know: there must not be more messages on their way.
const MAX_WINDOW: usize = 100;

/// Options of `throughput`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Queues, each with a sender and a recipient
    #[arg(long, default_value_t = 32)]
    pub pairs: usize,
    /// Connections of senders, and as many of recipients
    #[arg(long, default_value_t = 4)]
    pub connections: usize,
    /// Messages of each pair that are on their way at once, at most 100
    #[arg(long, default_value_t = 8)]
    pub window: usize,
    /// How long to measure, in seconds
    #[arg(long, default_value_t = 8.0)]
    pub seconds: f64,
    /// How long to send before that, in seconds
    #[arg(long, default_value_t = 2.0)]
    pub warm_up: f64,
}

struct Window {
    orders: Orders,
    received: AtomicU64,
    confirmed: AtomicU64,
}

impl Observer for Window {
    fn confirmed(&self, _: QueueNumber) {
        self.confirmed.fetch_add(1, Ordering::Relaxed);
    }

    fn received(&self, queue: QueueNumber) {
        self.received.fetch_add(1, Ordering::Relaxed);
        self.orders.send(queue);
    }
}

/// Everything that only grows, at one moment.
struct Snapshot {
    at: Instant,
    received: u64,
    confirmed: u64,
    blocks_sent: u64,
    blocks_received: u64,
    own_cpu: Option<Duration>,
    relay_cpu: Option<Duration>,
    written: Option<u64>,
}

impl Snapshot {
    fn take(window: &Window, counts: &BlockCounts, target: &Target) -> Self {
        Self {
            at: Instant::now(),
            received: window.received.load(Ordering::Relaxed),
            confirmed: window.confirmed.load(Ordering::Relaxed),
            blocks_sent: counts.sent(),
            blocks_received: counts.received(),
            own_cpu: process::own_cpu_time(),
            relay_cpu: target.pid.and_then(process::cpu_time),
            written: target.pid.and_then(process::written_bytes),
        }
    }
}

pub(super) async fn run(options: &Options, target: &Target) -> Result<Outcome> {
    ensure!((1..=MAX_WINDOW).contains(&options.window), "--window must be 1 to {MAX_WINDOW}");
    let shape = Shape { pairs: options.pairs, connections: options.connections, prepared: options.window };
    // In the same run, before the relay has something to do.
    let cost = CryptographyCost::measure(Duration::from_millis(100))?;
    let traffic = Traffic::connect(target, shape).await?;
    let (version, counts) = (traffic.version, traffic.counts.clone());
    let (orders, ordered) = Orders::new(shape);
    let window = Arc::new(Window {
        orders: orders.clone(),
        received: AtomicU64::default(),
        confirmed: AtomicU64::default(),
    });
    let (mut running, senders) = traffic.start(&window);
    senders.obey(ordered, &window, &mut running);
    for queue in 0..options.pairs {
        for _ in 0..options.window {
            orders.send(queue as QueueNumber);
        }
    }
    let warm_up = Duration::from_secs_f64(options.warm_up);
    running.unless_failed(Progress::wait("throughput: warming up", warm_up)).await?;
    let before = Snapshot::take(&window, &counts, target);
    let measured = Duration::from_secs_f64(options.seconds);
    running.unless_failed(Progress::wait("throughput", measured)).await?;
    let after = Snapshot::take(&window, &counts, target);
    running.end(target).await?;

    let setting = format!(
        "{} pairs on {2}+{2} connections, window {1}, {3:?} keys",
        options.pairs, options.window, options.connections, target.auth
    );
    let mut outcome = Outcome::new("throughput", &target.name, version, setting);
    report(&mut outcome, &before, &after, &cost, target.auth)?;
    Ok(outcome)
}

fn report(
    outcome: &mut Outcome,
    before: &Snapshot,
    after: &Snapshot,
    cost: &CryptographyCost,
    auth: AuthKind,
) -> Result<()> {
    let seconds = (after.at - before.at).as_secs_f64();
    let messages = (after.received - before.received) as f64;
    ensure!(messages > 0.0, "no message arrived in {seconds:.1} s");
    let per_message = |later: u64, earlier: u64| (later - earlier) as f64 / messages;
    let rate = messages / seconds;
    outcome.add("delivered", rate, "msg/s");
    outcome.add("confirmed", (after.confirmed - before.confirmed) as f64 / seconds, "msg/s");
    let to_relay = per_message(after.blocks_sent, before.blocks_sent);
    let from_relay = per_message(after.blocks_received, before.blocks_received);
    outcome.add("blocks to the relay", to_relay, "per msg");
    outcome.add("blocks from the relay", from_relay, "per msg");

    let written = || Some((after.written? - before.written?) as f64 / messages);
    outcome.add_some("written to the disk", written(), "bytes/msg");
    let cpu = |later: Option<Duration>, earlier: Option<Duration>| {
        Some(later?.saturating_sub(earlier?).as_secs_f64() * 1e6 / messages)
    };
    let own = cpu(after.own_cpu, before.own_cpu);
    let relay = cpu(after.relay_cpu, before.relay_cpu);
    outcome.add_some("CPU of this client", own, "us/msg");
    outcome.add_some("CPU of the relay", relay, "us/msg");
    let counted = cost.of_relay(auth, outcome.version, to_relay, from_relay).as_secs_f64() * 1e6;
    outcome.add("cryptography of the relay, counted", counted, "us/msg");
    outcome.add_some("share of cryptography in relay CPU", relay.map(|relay| counted / relay * 100.0), "%");
    // The most that the cores of relay and client in this run could do if the relay did nothing but its cryptography.
    if let (Some(own), Some(relay)) = (own, relay) {
        let cores = rate * (own + relay) / 1e6;
        outcome.add("cores in use", cores, "cores");
        outcome.add("limit with this client", cores * 1e6 / (own + counted), "msg/s");
    }
    Ok(())
}
