//! `Commands`: durations of commands, and the errors that they are answered with.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use smp_protocol::{command::CommandTag, error::ErrorType};
use tokio::time::Instant;

use super::SECONDS;

/// Upper bounds of the buckets: 100 µs, doubled up to 26 s.
const FIRST_BUCKET: f64 = 0.0001;
const BUCKETS: u16 = 19;

/// Refusals that every relay has some of: a wrong key or an unknown queue, a full queue, a message that is too large.
const EXPECTED: [&str; 3] = ["AUTH", "QUOTA", "LARGE_MSG"];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Command {
    command: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Error {
    error: &'static str,
}

/// From when on a command was being worked on.
pub(crate) struct Timer {
    tag: CommandTag,
    started: Instant,
}

impl Timer {
    pub(crate) fn start(tag: CommandTag, now: Instant) -> Self {
        Self { tag, started: now }
    }
}

/// One histogram for each command.
pub(crate) struct Commands {
    durations: Vec<(CommandTag, Histogram)>,
    errors: Family<Error, Counter>,
}

impl Commands {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let family = Family::<Command, Histogram, fn() -> Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(FIRST_BUCKET, 2.0, BUCKETS))
        });
        let errors = Family::<Error, Counter>::default();
        for error in EXPECTED {
            // So that they are there, with 0, before the first.
            drop(errors.get_or_create(&Error { error }));
        }
        let help = "Time from reading a command to its answer, waiting for the disk included";
        registry.register_with_unit("command_duration", help, SECONDS, family.clone());
        registry.register("errors", "Commands answered with an error", errors.clone());
        let durations = CommandTag::ALL
            .iter()
            .map(|tag| (*tag, family.get_or_create(&Command { command: tag.name() }).clone()))
            .collect();
        Self { durations, errors }
    }

    /// A command was answered.
    pub(crate) fn answered(&self, timer: &Timer, now: Instant) {
        // The most frequent are the first ones.
        if let Some((_, durations)) = self.durations.iter().find(|(tag, _)| *tag == timer.tag) {
            durations.observe(now.duration_since(timer.started).as_secs_f64());
        }
    }

    /// A command was answered with an error.
    pub(crate) fn failed(&self, error: &ErrorType) {
        self.errors.get_or_create(&Error { error: name(error) }).inc();
    }
}

/// The first word of the error as it is sent.
fn name(error: &ErrorType) -> &'static str {
    match error {
        ErrorType::Block => "BLOCK",
        ErrorType::Session => "SESSION",
        ErrorType::Command(_) => "CMD",
        ErrorType::Proxy(_) => "PROXY",
        ErrorType::Auth => "AUTH",
        ErrorType::Blocked(_) => "BLOCKED",
        ErrorType::Service => "SERVICE",
        ErrorType::Crypto => "CRYPTO",
        ErrorType::Quota => "QUOTA",
        ErrorType::Store(_) => "STORE",
        ErrorType::NoMessage => "NO_MSG",
        ErrorType::LargeMessage => "LARGE_MSG",
        ErrorType::Expired => "EXPIRED",
        ErrorType::Internal => "INTERNAL",
        _ => "OTHER",
    }
}
