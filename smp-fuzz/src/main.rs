//! Runs millions of inputs through every way in, on stable Rust.

#![allow(clippy::disallowed_methods, reason = "a program runs with the time and chance of this machine")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use peak_alloc::PeakAlloc;
use smp_fuzz::replay::{Report, random_seed, replay};
use smp_fuzz::seeds::Vectors;
use smp_fuzz::{TARGETS, Target, target};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Runs seeds and changed seeds through every way in which foreign bytes come in. Stops at the first failure.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many inputs in all, in equal parts for each target.
    #[arg(long, default_value_t = 100_000)]
    inputs: u64,
    /// The number that all inputs follow from; random if not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Run only this target.
    #[arg(long)]
    target: Option<String>,
    /// Run this one file instead, as a fuzzer leaves it; needs `--target`.
    #[arg(long, requires = "target")]
    file: Option<PathBuf>,
    /// Write the seeds to files for `cargo fuzz` instead: a folder for each target.
    #[arg(long, value_name = "FOLDER")]
    write_corpus: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let targets = match &arguments.target {
        None => TARGETS,
        Some(name) => {
            std::slice::from_ref(target(name).with_context(|| format!("there is no target {name}"))?)
        }
    };
    if let Some(file) = &arguments.file {
        let input = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        targets.iter().for_each(|target| (target.run)(&input));
        return Ok(());
    }
    let vectors = Vectors::of_workspace()?;
    match &arguments.write_corpus {
        Some(folder) => targets.iter().try_for_each(|target| write_corpus(target, &vectors, folder)),
        None => {
            run(targets, &vectors, arguments.inputs, arguments.seed.unwrap_or_else(random_seed));
            Ok(())
        }
    }
}

fn run(targets: &[Target], vectors: &Vectors, inputs: u64, seed: u64) {
    println!("seed {seed}");
    println!(
        "{:<20} {:>6} {:>10} {:>8} {:>8} {:>10} {:>22} {:>6}",
        "target", "seeds", "inputs", "MB", "seconds", "slowest", "most memory/allowed", "ratio"
    );
    let (mut all_inputs, mut all_time, mut highest) = (0, Duration::ZERO, 0.0_f64);
    for target in targets {
        let report = replay(target, vectors, inputs.div_ceil(targets.len() as u64), seed, MEMORY);
        print(&report);
        all_inputs += report.inputs;
        all_time += report.time;
        highest = highest.max(report.most_memory.ratio());
    }
    println!(
        "{} targets, {all_inputs} inputs, {:.0} s: no panic; at most {highest:.2} of the allowed memory",
        targets.len(),
        all_time.as_secs_f64()
    );
}

fn print(report: &Report) {
    let memory = report.most_memory;
    println!(
        "{:<20} {:>6} {:>10} {:>8.0} {:>8.1} {:>7} us {:>10}/{:<11} {:>6.2}",
        report.name,
        report.seeds,
        report.inputs,
        report.bytes as f64 / 1e6,
        report.time.as_secs_f64(),
        report.slowest.time.as_micros(),
        memory.taken,
        memory.allowed,
        memory.ratio()
    );
}

fn write_corpus(target: &Target, vectors: &Vectors, folder: &Path) -> anyhow::Result<()> {
    let folder = folder.join(target.name);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let seeds = (target.seeds)(vectors);
    for seed in &seeds {
        let name = hex::encode(&smp_crypto::hash::sha256(seed)[..10]);
        std::fs::write(folder.join(name), seed).context("cannot write a seed")?;
    }
    Ok(())
}
