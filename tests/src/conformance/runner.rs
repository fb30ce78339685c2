//! Runs checks and counts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use smp_protocol::version::{SmpVersion, VersionRange};
use tokio::time::timeout;

use super::wire::Greeted;
use super::{Check, Context, Target, all};

/// After so long a check has failed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(120);

/// Options of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// In which versions.
    pub versions: RangeInclusive<u16>,
    /// Only checks with this text in `subject::name`.
    pub filter: Option<String>,
    /// Not the checks of these subjects.
    pub skip: Vec<String>,
    /// Not the checks that ask for more than the protocol does.
    pub lenient: bool,
    /// How many checks run at the same time.
    pub parallel: usize,
}

impl Default for Options {
    fn default() -> Self {
        let versions = SmpVersion::MIN.0..=SmpVersion::MAX.0;
        Self { versions, filter: None, skip: Vec::new(), lenient: false, parallel: 4 }
    }
}

/// Outcome of one check in one version.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// `subject::name`.
    pub name: String,
    /// The version.
    pub version: u16,
    /// How long it took.
    pub took: Duration,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// Outcomes of all checks.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// In the order in which checks ended.
    pub outcomes: Vec<Outcome>,
}

/// Runs all checks that `options` choose, each in all its versions that the relay offers.
///
/// # Errors
/// If the relay does not say which versions it offers.
pub async fn run(target: &Target, options: &Options) -> anyhow::Result<Report> {
    let offered = offered_versions(target).await?;
    let chosen = all().into_iter().filter(|check| is_chosen(check, options));
    let runs: Vec<(Check, u16)> = chosen
        .flat_map(|check| {
            let first = offered.min().0.max(*options.versions.start()).max(*check.versions.start());
            let last = offered.max().0.min(*options.versions.end()).min(*check.versions.end());
            (first..=last).map(move |version| (check.clone(), version))
        })
        .collect();
    let outcomes = futures_util::stream::iter(runs)
        .map(|(check, version)| run_one(target.clone(), check, version))
        .buffer_unordered(options.parallel.max(1))
        .collect()
        .await;
    Ok(Report { outcomes })
}

/// The versions that the relay offers, and its destination if there is another one.
async fn offered_versions(target: &Target) -> anyhow::Result<VersionRange<SmpVersion>> {
    let offered = Greeted::connect(target, None).await.context("cannot connect")?.hello.versions;
    let Some(destination) = &target.destination else { return Ok(offered) };
    let destination = Target { address: destination.clone(), destination: None, ..target.clone() };
    let of_destination =
        Greeted::connect(&destination, None).await.context("cannot connect to the destination")?;
    let common = offered.intersect(&of_destination.hello.versions);
    common.context("the relay and its destination have no version in common")
}

fn is_chosen(check: &Check, options: &Options) -> bool {
    let name = name(check);
    !(options.lenient && check.stricter.is_some())
        && options.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()))
        && !options.skip.iter().any(|subject| subject == check.subject)
}

fn name(check: &Check) -> String {
    format!("{}::{}", check.subject, check.name)
}

async fn run_one(target: Target, check: Check, version: u16) -> Outcome {
    let name = name(&check);
    let started = Instant::now();
    let context = Context { target, version: SmpVersion(version) };
    // A task of its own, so that a panic is a failure of this check only.
    let running = tokio::spawn(async move { timeout(CHECK_TIMEOUT, (check.run)(&context)).await });
    let failure = match running.await {
        Ok(Ok(Ok(()))) => None,
        Ok(Ok(Err(error))) => Some(format!("{error:#}")),
        Ok(Err(_)) => Some(format!("not done after {CHECK_TIMEOUT:?}")),
        Err(panic) => Some(panic.to_string()),
    };
    Outcome { name, version, took: started.elapsed(), failure }
}

impl Report {
    /// How many did not fail.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.failure.is_none()).count()
    }

    /// Whether none failed.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.passed() == self.outcomes.len()
    }

    /// Different checks that were run.
    #[must_use]
    pub fn checks(&self) -> usize {
        self.by_name().len()
    }

    /// Different versions that checks were run in.
    #[must_use]
    pub fn versions(&self) -> usize {
        self.outcomes.iter().map(|outcome| outcome.version).collect::<std::collections::BTreeSet<_>>().len()
    }

    /// One line: `conformance: N checks × M versions, K passed of L runs`. Not every check exists in every version.
    #[must_use]
    pub fn summary(&self) -> String {
        format!(
            "conformance: {} checks × {} versions, {} passed of {} runs",
            self.checks(),
            self.versions(),
            self.passed(),
            self.outcomes.len()
        )
    }

    /// A line for each check with the versions in which it passed and failed, and below it why.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        for (name, outcomes) in self.by_name() {
            let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.failure.is_some()).collect();
            let versions: Vec<u16> = outcomes.iter().map(|outcome| outcome.version).collect();
            let (first, last) = (versions.iter().min().unwrap_or(&0), versions.iter().max().unwrap_or(&0));
            let mark = if failed.is_empty() { "ok  " } else { "FAIL" };
            let _ = writeln!(text, "{mark} {first:>2}-{last:<2} {name}");
            let mut reasons: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
            for outcome in failed {
                let reason = outcome.failure.as_deref().unwrap_or_default();
                reasons.entry(reason).or_default().push(outcome.version);
            }
            for (reason, mut versions) in reasons {
                versions.sort_unstable();
                let versions: Vec<String> = versions.iter().map(u16::to_string).collect();
                let _ = writeln!(text, "       in {}: {reason}", versions.join(", "));
            }
        }
        text
    }

    /// The part of the [`table`](Self::table) about checks that failed.
    #[must_use]
    pub fn failures(&self) -> String {
        let is_failure = |line: &&str| !line.starts_with("ok");
        self.table().lines().filter(is_failure).map(|line| format!("{line}\n")).collect()
    }

    fn by_name(&self) -> BTreeMap<&str, Vec<&Outcome>> {
        let mut names: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
        for outcome in &self.outcomes {
            names.entry(&outcome.name).or_default().push(outcome);
        }
        names
    }
}
