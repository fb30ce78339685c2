//! Runs targets on many inputs, and measures what each takes.

use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::seeds::Vectors;
use crate::{Bound, Target, mutate};

/// Findings of a run of one target.
#[derive(Debug, Clone)]
pub struct Report {
    /// The target.
    pub name: &'static str,
    /// How many seeds there were.
    pub seeds: usize,
    /// How many inputs ran, with the seeds.
    pub inputs: u64,
    /// The sum of their lengths in bytes.
    pub bytes: u64,
    /// How long all of them took, with making them.
    pub time: Duration,
    /// The input that took most memory, compared with what it may take.
    pub most_memory: Memory,
    /// The input that took longest.
    pub slowest: Slowest,
}

/// Memory that an input took, and that it may take.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Length of the input.
    pub length: usize,
    /// The most bytes that were allocated at a time.
    pub taken: usize,
    /// Bytes that the [`Bound`] of the target allows.
    pub allowed: usize,
}

impl Memory {
    /// The part of what is allowed that was taken, 1 for all.
    pub fn ratio(self) -> f64 {
        self.taken as f64 / self.allowed.max(1) as f64
    }
}

/// The input that took longest.
#[derive(Debug, Clone, Default)]
pub struct Slowest {
    /// How long.
    pub time: Duration,
    /// The input.
    pub input: Vec<u8>,
}

/// Runs `inputs` inputs on a target: all seeds as they are, then changed ones. The same `seed` gives the same inputs.
///
/// `memory` must be the global allocator, and nothing else may run in the process.
///
/// # Panics
/// If the target does, or takes more memory than its bound allows. The input is printed before.
pub fn replay(target: &Target, vectors: &Vectors, inputs: u64, seed: u64, memory: PeakAlloc) -> Report {
    let seeds = distinct((target.seeds)(vectors));
    assert!(!seeds.is_empty(), "{} has no seeds", target.name);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(crate::TARGETS.iter().position(|other| other.name == target.name).unwrap_or(0) as u64);
    let mut run = Run { target, memory, report: Report::new(target, seeds.len()) };
    // Memory that is taken once and kept is not counted for the first input.
    (target.run)(&seeds[0]);
    let start = Instant::now();
    seeds.iter().take(usize::try_from(inputs).unwrap_or(usize::MAX)).for_each(|input| run.one(input));
    while run.report.inputs < inputs {
        let input = mutate::input(&seeds, &mut rng);
        run.one(&input);
    }
    run.report.time = start.elapsed();
    run.report
}

fn distinct(mut seeds: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    seeds.iter_mut().for_each(|seed| seed.truncate(mutate::MAX_INPUT));
    seeds.sort();
    seeds.dedup();
    seeds
}

/// A seed for a run that should not repeat an earlier one.
pub fn random_seed() -> u64 {
    rand::rng().next_u64()
}

struct Run<'a> {
    target: &'a Target,
    memory: PeakAlloc,
    report: Report,
}

impl Run<'_> {
    fn one(&mut self, input: &[u8]) {
        let shown = ShownOnPanic { name: self.target.name, input };
        let before = self.memory.current_usage();
        self.memory.reset_peak_usage();
        let start = Instant::now();
        (self.target.run)(input);
        let time = start.elapsed();
        let taken = self.memory.peak_usage().saturating_sub(before);
        self.report.add(input, time, taken, self.target.bound);
        drop(shown);
    }
}

impl Report {
    fn new(target: &Target, seeds: usize) -> Self {
        Report {
            name: target.name,
            seeds,
            inputs: 0,
            bytes: 0,
            time: Duration::ZERO,
            most_memory: Memory::default(),
            slowest: Slowest::default(),
        }
    }

    fn add(&mut self, input: &[u8], time: Duration, taken: usize, bound: Bound) {
        self.inputs += 1;
        self.bytes += input.len() as u64;
        let memory = Memory { length: input.len(), taken, allowed: bound.of(input.len()) };
        assert!(taken <= memory.allowed, "{}: {memory:?}", self.name);
        if memory.ratio() > self.most_memory.ratio() {
            self.most_memory = memory;
        }
        if time > self.slowest.time {
            self.slowest = Slowest { time, input: input.to_vec() };
        }
    }
}

/// Prints the input if the target panics: it is all that is needed to see the failure again.
struct ShownOnPanic<'a> {
    name: &'static str,
    input: &'a [u8],
}

impl Drop for ShownOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} failed on: {}", self.name, hex::encode(self.input));
        }
    }
}
