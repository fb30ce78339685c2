//! Whether the time until `ERR AUTH` tells what was wrong: no such queue, another key, or an ID of another kind.
//!
//! **What is measured.** One connection sends one command at a time, and takes the time from before its block is written
//! until its answer has been read. The three cases alternate in random order, so that whatever else the machines and
//! the network do meets all of them alike. Everything is signed and encoded beforehand.
//!
//! **The test.** For each pair of cases two two-sided tests of "both are samples of one distribution": Mann-Whitney's U
//! (normal approximation with correction for ties), which sees shifts, and Kolmogorov-Smirnov's D (asymptotic), which
//! sees any difference. With three pairs and two tests, each is done at a sixth of the significance that is asked for
//! (Bonferroni), so that a relay whose times are equal is accused with that probability at most.
//!
//! **Tolerance.** Both tests ask whether one case is further than [`Settings::tolerance`] to one side of another: on
//! the whole, or in any quantile. Zero is the strict test. A build without optimisation, or a machine that does other
//! work, needs more: a queue that nobody has used for a while is not in the processor's cache.
//!
//! **Its power.** That nothing was found says little without what would have been. All samples together are taken as
//! the distribution, two samples of the same size are drawn from it, one of them is moved by an effect, and U is asked.
//! [`Timing::detectable`] is the smallest effect that was seen in at least 9 of 10 such trials.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use smp_protocol::command::Command;
use smp_protocol::id::EntityId;
use smp_protocol::message::BrokerMessage;
use smp_protocol::version::SmpVersion;

use super::Target;
use super::client::{Auth, Client};
use super::queue::{KeyKind, NewOptions, no_message_id, send, unknown_id};
use super::statistics::{kolmogorov_smirnov, mann_whitney};

/// Samples of each case that are not counted: caches, branch prediction and buffers get used to what comes.
const WARM_UP: usize = 30;
/// Trials for the power of each effect.
const TRIALS: usize = 100;
/// How often an effect must be seen to count as detectable.
const POWER: f64 = 0.9;
/// Tests for each pair of cases, times pairs.
const TESTS: f64 = 6.0;

/// The fault of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Nothing has this ID.
    UnknownQueue,
    /// The queue has another key, of the same kind.
    WrongKey,
    /// The ID is the recipient's in a sender's command, or the sender's in a recipient's.
    WrongKind,
}

const CASES: [Case; 3] = [Case::UnknownQueue, Case::WrongKey, Case::WrongKind];
const PAIRS: [(usize, usize); 3] = [(0, 1), (0, 2), (1, 2)];

/// Which command is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timed {
    /// `SUB`, of a recipient.
    Subscribe,
    /// `ACK`, of a recipient.
    Acknowledge,
    /// `SEND`, of a sender.
    Send,
    /// `SKEY`, of a sender who comes too late: the queue is secured.
    Secure,
}

impl Timed {
    /// All of them.
    pub const ALL: [Timed; 4] = [Timed::Subscribe, Timed::Acknowledge, Timed::Send, Timed::Secure];

    fn is_recipients(self) -> bool {
        matches!(self, Timed::Subscribe | Timed::Acknowledge)
    }
}

/// Whether an ID is new to the relay when its time is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// This connection has never named it.
    First,
    /// It has been named once, not timed.
    Second,
}

/// Settings of a measurement.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The version to speak.
    pub version: SmpVersion,
    /// The kind of keys of queues and of authorizations.
    pub kind: KeyKind,
    /// The command.
    pub command: Timed,
    /// Whether IDs are new.
    pub probe: Probe,
    /// Samples of each case.
    pub samples: usize,
    /// The probability to accuse a relay whose times are equal.
    pub significance: f64,
    /// Differences that do not count, in microseconds.
    pub tolerance: f64,
}

/// Two cases.
#[derive(Debug, Clone, Copy)]
pub struct Comparison {
    /// Which.
    pub cases: (Case, Case),
    /// Probability of such ranks, were the difference not more than tolerated.
    pub mann_whitney: f64,
    /// Probability of such a distance, were the difference not more than tolerated.
    pub kolmogorov_smirnov: f64,
    /// The second median minus the first, in microseconds.
    pub shift: f64,
}

/// Result of a measurement.
#[derive(Debug, Clone)]
pub struct Timing {
    /// Its settings.
    pub settings: Settings,
    /// Median of all samples, in microseconds.
    pub median: f64,
    /// All pairs of cases.
    pub comparisons: [Comparison; 3],
    /// The smallest effect that would have been found with 90 % probability, in microseconds; infinite if none of those
    /// that were tried, the largest of which is the median.
    pub detectable: f64,
}

impl Timing {
    /// Whether no pair of cases can be told apart.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        let limit = self.settings.significance / TESTS;
        self.comparisons.iter().all(|pair| pair.mann_whitney >= limit && pair.kolmogorov_smirnov >= limit)
    }
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { version, kind, command, probe, samples, significance, tolerance } = self.settings;
        writeln!(
            f,
            "{kind:?} {command:?} {probe:?} version {}: 3 × {samples} samples, median {:.0} µs; \
             {} at {significance:e} but for {tolerance} µs; shifts of {:.1} µs would be seen with 90 %",
            version.0,
            self.median,
            if self.is_equal() { "equal" } else { "DIFFERENT" },
            self.detectable
        )?;
        for pair in &self.comparisons {
            writeln!(
                f,
                "  {:?} and {:?}: shift of medians {:+.1} µs, p = {:.2e} (Mann-Whitney), {:.2e} (Kolmogorov-Smirnov)",
                pair.cases.0, pair.cases.1, pair.shift, pair.mann_whitney, pair.kolmogorov_smirnov
            )?;
        }
        Ok(())
    }
}

/// Measures and compares.
///
/// # Errors
/// If the relay does not answer with `ERR AUTH`, or not at all.
pub async fn measure(target: &Target, settings: Settings) -> Result<Timing> {
    measure_prepared(target, settings, prepare(target, &settings).await?).await
}

/// Like [`measure`], with queues that were prepared before. A relay that was started again in between has none of them
/// in memory.
///
/// # Errors
/// As for [`measure`].
pub async fn measure_prepared(target: &Target, settings: Settings, prepared: Prepared) -> Result<Timing> {
    let Prepared(probes) = prepared;
    let mut client = Client::connect(target, settings.version).await?;
    if settings.probe == Probe::Second {
        // All of them before any is timed: what the first time leaves behind in caches must not be seen in the second.
        for id in probes.iter().flatten() {
            time_one(&mut client, &settings, id).await?;
        }
    }
    let mut times: [Vec<f64>; 3] = Default::default();
    let mut order = [0, 1, 2];
    for (round, ids) in probes.iter().enumerate() {
        order.shuffle(&mut rand::rng());
        for case in order {
            let time = time_one(&mut client, &settings, &ids[case]).await?;
            if round >= WARM_UP {
                times[case].push(time.as_secs_f64() * 1e6);
            }
        }
    }
    Ok(compare(settings, &times))
}

/// The IDs for each round, one for each [`Case`]. Each is used in one round only.
pub struct Prepared(Vec<[EntityId; 3]>);

/// Creates the queues whose times are taken.
///
/// # Errors
/// If the relay does not let us.
pub async fn prepare(target: &Target, settings: &Settings) -> Result<Prepared> {
    let mut creator = Client::connect(target, settings.version).await?;
    let mut probes = Vec::new();
    for _ in 0..settings.samples + WARM_UP {
        let options =
            || NewOptions { key: settings.kind.generate(), ..NewOptions::messaging().unsubscribed() };
        let (first, second) = (creator.create(options()).await?, creator.create(options()).await?);
        let sender = |queue: &super::Queue| EntityId::from(queue.sender());
        let recipient = |queue: &super::Queue| EntityId::from(queue.recipient());
        if settings.command.is_recipients() {
            probes.push([unknown_id(), recipient(&first), sender(&second)]);
            continue;
        }
        // Otherwise no key is wrong: the queue takes none, or any.
        let secure = Command::Secure(settings.kind.generate().public_key().into());
        creator.ok(first.auth(), first.recipient(), &secure).await?;
        creator.ok(second.auth(), second.recipient(), &secure).await?;
        probes.push([unknown_id(), sender(&first), recipient(&second)]);
    }
    Ok(Prepared(probes))
}

async fn time_one(client: &mut Client, settings: &Settings, id: &EntityId) -> Result<Duration> {
    let (key, correlation_id) = (settings.kind.generate(), Client::correlation_id());
    let command = match settings.command {
        Timed::Subscribe => Command::Subscribe,
        Timed::Acknowledge => Command::Acknowledge(no_message_id()),
        Timed::Send => send(b"text"),
        Timed::Secure => Command::SenderSecure(key.public_key().into()),
    };
    let bytes = command.to_bytes(settings.version);
    let transmission =
        client.transmission(Auth::Key(&key), correlation_id.as_bytes(), id.as_bytes(), &bytes)?;
    let started = Instant::now();
    client.send(&[transmission]).await?;
    let answer = client.receive().await?;
    let time = started.elapsed();
    let refused = BrokerMessage::Error(smp_protocol::error::ErrorType::Auth);
    ensure!(answer.message == refused && answer.correlation_id == correlation_id, "{answer:?}");
    Ok(time)
}

fn compare(settings: Settings, times: &[Vec<f64>; 3]) -> Timing {
    let comparisons = PAIRS.map(|(a, b)| Comparison {
        cases: (CASES[a], CASES[b]),
        mann_whitney: mann_whitney(&times[a], &times[b], settings.tolerance),
        kolmogorov_smirnov: kolmogorov_smirnov(&times[a], &times[b], settings.tolerance),
        shift: median(&times[b]) - median(&times[a]),
    });
    let all = times.concat();
    let median = median(&all);
    Timing { settings, median, comparisons, detectable: detectable(&settings, &all, median) }
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The smallest effect that is seen with [`POWER`], of those up to the median.
fn detectable(settings: &Settings, all: &[f64], median: f64) -> f64 {
    let effects = std::iter::successors(Some(median / 200.0), |effect| Some(effect * 1.5));
    let effects = effects.map(|effect| effect + settings.tolerance);
    for effect in effects.take_while(|effect| *effect <= median) {
        let seen = (0..TRIALS).filter(|_| is_seen(settings, all, effect)).count();
        if seen as f64 >= POWER * TRIALS as f64 {
            return effect;
        }
    }
    f64::INFINITY
}

fn is_seen(settings: &Settings, all: &[f64], effect: f64) -> bool {
    let rng = &mut rand::rng();
    let mut draw = |moved: f64| -> Vec<f64> {
        (0..settings.samples).filter_map(|_| all.choose(rng)).map(|time| time + moved).collect()
    };
    let (unmoved, moved) = (draw(0.0), draw(effect));
    mann_whitney(&unmoved, &moved, settings.tolerance) < settings.significance / TESTS
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        version: SmpVersion(19),
        kind: KeyKind::Ed25519,
        command: Timed::Subscribe,
        probe: Probe::First,
        samples: 400,
        significance: 1e-3,
        tolerance: 0.0,
    };

    /// Times around 100 µs with some noise and a long tail, the last case moved.
    fn times(moved: f64) -> [Vec<f64>; 3] {
        [0.0, 0.0, moved].map(|moved| {
            let one = || {
                let noise: f64 = (0..6).map(|_| rand::random::<f64>()).sum();
                let tail = if rand::random::<f64>() < 0.05 { 200.0 } else { 0.0 };
                100.0 + 5.0 * noise + tail + moved
            };
            (0..SETTINGS.samples).map(|_| one()).collect()
        })
    }

    #[test]
    fn equal_times_are_equal_and_moved_ones_are_not() {
        // Accused with a probability of a thousandth each time, so never nine times.
        assert!((0..9).any(|_| compare(SETTINGS, &times(0.0)).is_equal()));
        let moved = compare(SETTINGS, &times(5.0));
        assert!(!moved.is_equal(), "{moved}");
        assert!((moved.comparisons[1].shift - 5.0).abs() < 3.0, "{moved}");
    }

    #[test]
    fn what_is_tolerated_does_not_count() {
        let tolerant = Settings { tolerance: 8.0, ..SETTINGS };
        assert!((0..9).any(|_| compare(tolerant, &times(5.0)).is_equal()));
        assert!(!compare(tolerant, &times(20.0)).is_equal());
    }

    #[test]
    fn the_power_says_what_would_be_seen() {
        let timing = compare(SETTINGS, &times(0.0));
        assert!(timing.detectable < 10.0, "{timing}");
        assert!(!compare(SETTINGS, &times(3.0 * timing.detectable)).is_equal());
    }
}
