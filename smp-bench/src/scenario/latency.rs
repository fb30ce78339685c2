//! `latency`: an open loop at a fixed rate. Times run from when a message was *due*, not from when it could be sent, so a
//! relay that stalls is charged for all messages that came due meanwhile (no coordinated omission).
//!
//! Client and relay mostly share the cores, and then the client is late too. How late messages were when the network had
//! taken them is printed as the client's part, which is in the times of everything else. It grows when the rate is more than
//! one thread can encrypt, which sends for all connections.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use hdrhistogram::Histogram;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::recipient::{Observer, QueueNumber};
use super::throughput;
use super::traffic::{Shape, Traffic};
use crate::driver::Target;
use crate::outcome::Outcome;
use crate::process;
use crate::progress::Progress;
use crate::schedule::{Schedule, pace};

/// How long to wait for the last messages.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Transmissions prepared for each queue.
const PREPARED: usize = 16;

/// Options of `latency`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Messages a second, in all. Without it: a part of what `throughput` measures first
    #[arg(long)]
    pub rate: Option<f64>,
    /// Which part of the throughput, if no rate is given
    #[arg(long, default_value_t = 0.5)]
    pub fraction: f64,
    /// Queues, each with a sender and a recipient. Each takes in what comes due in a stall, up to its quota
    #[arg(long, default_value_t = 128)]
    pub pairs: usize,
    /// Connections of senders, and as many of recipients
    #[arg(long, default_value_t = 4)]
    pub connections: usize,
    /// How long to measure, in seconds
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// How long to send before that, in seconds
    #[arg(long, default_value_t = 1.0)]
    pub warm_up: f64,
}

/// Notes when messages were due and how long they took.
struct Clock {
    counted_from: Instant,
    queues: Vec<Mutex<Due>>,
    sent: Mutex<Histogram<u64>>,
    confirmed: Mutex<Histogram<u64>>,
    received: Mutex<Histogram<u64>>,
    left: AtomicU64,
}

#[derive(Default)]
struct Due {
    to_send: VecDeque<Instant>,
    to_confirm: VecDeque<Instant>,
    to_receive: VecDeque<Instant>,
}

impl Clock {
    fn new(queues: usize, counted_from: Instant, total: u64) -> Result<Self> {
        // microseconds, up to a minute, with 3 significant digits
        let histogram = || Histogram::<u64>::new_with_bounds(1, 60_000_000, 3);
        Ok(Self {
            counted_from,
            queues: (0..queues).map(|_| Mutex::default()).collect(),
            sent: Mutex::new(histogram()?),
            confirmed: Mutex::new(histogram()?),
            received: Mutex::new(histogram()?),
            left: AtomicU64::new(total),
        })
    }

    fn queue(&self, queue: QueueNumber, change: impl FnOnce(&mut Due) -> Option<Instant>) -> Option<Instant> {
        let queue = self.queues.get(queue as usize)?;
        change(&mut queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A message is due.
    fn due(&self, queue: QueueNumber, at: Instant) {
        self.queue(queue, |queue| {
            queue.to_send.push_back(at);
            queue.to_confirm.push_back(at);
            queue.to_receive.push_back(at);
            None
        });
    }

    fn note(&self, histogram: &Mutex<Histogram<u64>>, due: Option<Instant>) {
        let Some(due) = due.filter(|due| *due >= self.counted_from) else { return };
        let micros = due.elapsed().as_micros() as u64;
        histogram.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(micros);
    }
}

impl Observer for Clock {
    fn sent(&self, queue: QueueNumber) {
        self.note(&self.sent, self.queue(queue, |due| due.to_send.pop_front()));
    }

    fn confirmed(&self, queue: QueueNumber) {
        self.note(&self.confirmed, self.queue(queue, |due| due.to_confirm.pop_front()));
    }

    fn received(&self, queue: QueueNumber) {
        self.note(&self.received, self.queue(queue, |due| due.to_receive.pop_front()));
        self.left.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) async fn run(options: &Options, target: &Target) -> Result<Outcome> {
    let rate = match options.rate {
        Some(rate) => rate,
        None => options.fraction * most(options, target).await?,
    };
    let shape = Shape { pairs: options.pairs, connections: options.connections, prepared: PREPARED };
    let traffic = Traffic::connect(target, shape).await?;
    let (version, counts) = (traffic.version, traffic.counts.clone());
    let warm_up = Duration::from_secs_f64(options.warm_up);
    let duration = warm_up + Duration::from_secs_f64(options.seconds);
    let schedule = Schedule::new(rate, options.pairs as u32, duration);
    let start = Instant::now() + Duration::from_millis(50);
    let total = schedule.total();
    let clock = Arc::new(Clock::new(options.pairs, start + warm_up, total)?);
    let (mut running, mut senders) = traffic.start(&clock);

    let blocks_before = (counts.sent(), counts.received());
    let (own_before, relay_before) = (process::own_cpu_time(), target.pid.and_then(process::cpu_time));
    let (pacing, runtime) = (clock.clone(), Handle::current());
    let (ended, paced) = oneshot::channel();
    // The thread that keeps the pace also sends: to wake another for it takes time, and the relay's processors.
    std::thread::spawn(move || {
        let sent = pace(schedule, start, |queue, due| {
            pacing.due(queue, due);
            runtime.block_on(senders.send(queue)).map(|()| pacing.sent(queue))
        });
        // Nobody waits for it any more if something else has failed.
        let _ = ended.send(sent);
    });
    running.watch(async { paced.await.context("the thread that sets the pace has failed")? });
    running.unless_failed(Progress::wait("latency", duration)).await?;
    running.unless_failed(all_received(&clock)).await??;
    let blocks_after = (counts.sent(), counts.received());
    let (own_after, relay_after) = (process::own_cpu_time(), target.pid.and_then(process::cpu_time));
    running.end(target).await?;

    let setting =
        format!("{} pairs on {1}+{1} connections, {rate:.0} msg/s", options.pairs, options.connections);
    let mut outcome = Outcome::new("latency", &target.name, version, setting);
    outcome.add("rate", rate, "msg/s");
    report(
        &mut outcome,
        &clock.received,
        ["received p50", "received p90", "received p99", "received p99.9", "received max"],
    );
    report(
        &mut outcome,
        &clock.confirmed,
        ["confirmed p50", "confirmed p90", "confirmed p99", "confirmed p99.9", "confirmed max"],
    );
    report(
        &mut outcome,
        &clock.sent,
        [
            "client's part p50",
            "client's part p90",
            "client's part p99",
            "client's part p99.9",
            "client's part max",
        ],
    );
    for (ratio, p50, p99) in [
        ("received p99 / p50", "received p50", "received p99"),
        ("confirmed p99 / p50", "confirmed p50", "confirmed p99"),
    ] {
        if let (Some(p50), Some(p99)) = (outcome.get(p50), outcome.get(p99)) {
            outcome.add(ratio, p99 / p50.max(1.0), "");
        }
    }
    let per_message = |after: u64, before: u64| (after - before) as f64 / total.max(1) as f64;
    outcome.add("blocks to the relay", per_message(blocks_after.0, blocks_before.0), "per msg");
    outcome.add("blocks from the relay", per_message(blocks_after.1, blocks_before.1), "per msg");
    let busy = |after: Option<Duration>, before: Option<Duration>| {
        Some((after?.saturating_sub(before?)).as_secs_f64() / duration.as_secs_f64())
    };
    outcome.add_some("CPU of this client", busy(own_after, own_before), "cores");
    outcome.add_some("CPU of the relay", busy(relay_after, relay_before), "cores");
    Ok(outcome)
}

/// The most that the relay carries.
async fn most(options: &Options, target: &Target) -> Result<f64> {
    let throughput = throughput::Options {
        pairs: options.pairs,
        connections: options.connections,
        window: 2,
        seconds: (options.seconds / 2.0).clamp(0.2, 5.0),
        warm_up: options.warm_up,
    };
    throughput::run(&throughput, target).await?.get("delivered").context("no throughput")
}

async fn all_received(clock: &Clock) -> Result<()> {
    let begin = Instant::now();
    loop {
        let left = clock.left.load(Ordering::Relaxed);
        if left == 0 {
            return Ok(());
        }
        if begin.elapsed() > TIMEOUT {
            bail!("{left} messages were not received {} s after the last one was due", TIMEOUT.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn report(outcome: &mut Outcome, histogram: &Mutex<Histogram<u64>>, names: [&'static str; 5]) {
    let histogram = histogram.lock().unwrap_or_else(PoisonError::into_inner);
    for (name, quantile) in names.into_iter().zip([0.5, 0.9, 0.99, 0.999, 1.0]) {
        outcome.add(name, histogram.value_at_quantile(quantile) as f64, "us");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_charged_to_all_messages_that_came_due() {
        let now = Instant::now();
        let clock = Clock::new(1, now - Duration::from_secs(10), 100).unwrap();
        // a second of silence, with a message due every 10 ms
        for number in 0..100 {
            clock.queue(0, |queue| {
                queue.to_receive.push_back(now - Duration::from_millis(1000 - 10 * number));
                None
            });
        }
        for _ in 0..100 {
            clock.received(0);
        }
        let histogram = clock.received.lock().unwrap();
        assert_eq!(histogram.len(), 100);
        assert!(histogram.value_at_quantile(0.5) >= 490_000);
        assert!(histogram.value_at_quantile(0.99) >= 980_000);
        assert_eq!(clock.left.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_warm_up_does_not_count() {
        let now = Instant::now();
        let clock = Clock::new(1, now, 1).unwrap();
        clock.queue(0, |queue| {
            queue.to_receive.push_back(now - Duration::from_secs(1));
            None
        });
        clock.received(0);
        assert_eq!(clock.received.lock().unwrap().len(), 0);
    }
}
