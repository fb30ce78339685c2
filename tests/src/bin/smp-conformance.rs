//! `smp-conformance ADDRESS`: checks a running relay from the outside.

#![allow(clippy::disallowed_methods, reason = "a program runs with the time and chance of this machine")]

use std::ops::RangeInclusive;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use smp_protocol::address::RelayAddress;
use smp_protocol::version::SmpVersion;
use smp_tests::conformance::timing::{Probe, Settings, Timed, measure};
use smp_tests::conformance::{self, KeyKind, Options, Target};

/// The probability that equal times are called different, in each of twelve comparisons.
const SIGNIFICANCE: f64 = 1e-4;

/// Checks that a running relay does what the SimpleX Messaging Protocol asks of it, in versions 6 to 19.
///
/// It creates queues of its own and needs nothing but the address. Ends with exit code 1 if a check fails.
#[derive(Debug, Parser)]
struct Arguments {
    /// Address of the relay, `smp://FINGERPRINT[:PASSWORD]@HOST[:PORT]`
    address: RelayAddress,
    /// Versions to check: one, or the first and the last
    #[arg(long, value_name = "6-19", default_value = "6-19", value_parser = parse_versions)]
    versions: RangeInclusive<u16>,
    /// Only checks with this text in their name
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Leave out a subject, such as services or proxy; can be given more than once
    #[arg(long, value_name = "SUBJECT")]
    skip: Vec<String>,
    /// Leave out checks that are stricter than the protocol; --list marks them
    #[arg(long)]
    lenient: bool,
    /// A relay that the first one is asked to forward to [default: itself, which many relays refuse at a private address]
    #[arg(long, value_name = "ADDRESS")]
    destination: Option<RelayAddress>,
    /// How many checks run at the same time
    #[arg(long, default_value_t = 4)]
    parallel: usize,
    /// Instead of the checks, compare the times until `ERR AUTH`, with this many samples of each case
    #[arg(long, value_name = "SAMPLES")]
    timing: Option<usize>,
    /// Only list the checks and the versions they are for
    #[arg(long)]
    list: bool,
}

fn parse_versions(text: &str) -> Result<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.trim().parse::<u16>().context("give a number, or two with - between");
    let range = number(first)?..=number(last)?;
    ensure!(!range.is_empty(), "the first version is greater than the last");
    Ok(range)
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        for check in conformance::all() {
            let (first, last) = (check.versions.start(), check.versions.end());
            let why = check.stricter.map(|why| format!(" (stricter than the protocol: {why})"));
            println!("{first:>2}-{last:<2} {}::{}{}", check.subject, check.name, why.unwrap_or_default());
        }
        return ExitCode::SUCCESS;
    }
    let target = Target { destination: arguments.destination, ..Target::new(arguments.address) };
    let options = Options {
        versions: arguments.versions,
        filter: arguments.filter,
        skip: arguments.skip,
        lenient: arguments.lenient,
        parallel: arguments.parallel,
    };
    if let Some(samples) = arguments.timing {
        return match compare_times(&target, SmpVersion(*options.versions.end()), samples).await {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("cannot compare times: {error:#}");
                ExitCode::from(2)
            }
        };
    }
    let report = match conformance::run(&target, &options).await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("cannot check the relay: {error:#}");
            return ExitCode::from(2);
        }
    };
    print!("{}", report.table());
    println!("{}", report.summary());
    if report.outcomes.is_empty() {
        eprintln!("no check has been chosen");
        return ExitCode::from(2);
    }
    if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints all comparisons. Whether all were equal.
async fn compare_times(target: &Target, version: SmpVersion, samples: usize) -> Result<bool> {
    let mut equal = true;
    for kind in KeyKind::all(version) {
        for command in Timed::ALL {
            for probe in [Probe::First, Probe::Second] {
                let settings = Settings {
                    version,
                    kind: *kind,
                    command,
                    probe,
                    samples,
                    significance: SIGNIFICANCE,
                    tolerance: 0.0,
                };
                let timing = measure(target, settings).await?;
                print!("{timing}");
                equal &= timing.is_equal();
            }
        }
    }
    Ok(equal)
}
