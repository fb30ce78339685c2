//! Numbers for a monitoring system, in the OpenMetrics format that Prometheus reads. Counts, durations and sizes; labels are
//! names of commands, errors, outcomes and settings only, never anything that belongs to a client or a queue.

mod commands;
mod files;
mod forwarding;
mod gauges;
mod refusals;
mod serve;
mod snapshot;

use std::fmt;

use prometheus_client::{
    encoding::text::encode,
    metrics::counter::Counter,
    registry::{Registry, Unit},
};
use smp_transport::surroundings::Time;

pub use self::refusals::Refused;
use self::{commands::Commands, files::FileCounters, forwarding::Forwarding, gauges::Gauges};
pub(crate) use self::{
    commands::Timer,
    refusals::{Limit, Refusals},
    serve::{Observed, bind, serve},
    snapshot::Snapshot,
};
/// The beginning of all names.
const PREFIX: &str = "smp_server";

/// Counters of a relay.
pub(crate) struct Metrics {
    registry: Registry,
    gauges: Gauges,
    pub(crate) commands: Commands,
    pub(crate) forwarding: Forwarding,
    pub(crate) files: FileCounters,
    pub(crate) refusals: Refusals,
    /// Connections that got a place.
    pub(crate) accepted: Counter,
    /// Connections that were closed at once because there was no place for them.
    pub(crate) refused: Counter,
    /// Connections that ended in their handshake.
    pub(crate) failed_handshakes: Counter,
    /// Messages put into queues.
    pub(crate) messages_accepted: Counter,
    /// Messages sent to their recipients, those included that were sent again.
    pub(crate) messages_delivered: Counter,
    /// Messages removed because nobody took them.
    pub(crate) messages_expired: Counter,
    /// Queues deleted because nobody used them.
    pub(crate) queues_idle: Counter,
    /// Queues that the operator has blocked.
    pub(crate) queues_blocked: Counter,
}

impl Metrics {
    pub(crate) fn new(time: Time) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let gauges = Gauges::new(&mut registry);
        let commands = Commands::new(&mut registry);
        let forwarding = Forwarding::new(&mut registry);
        let files = FileCounters::new(&mut registry);
        let refusals = Refusals::new(&mut registry, time);
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        Self {
            accepted: counter("connections_accepted", "Connections accepted"),
            refused: counter("connections_refused", "Connections closed because there were too many"),
            failed_handshakes: counter("handshakes_failed", "Connections that ended in their handshake"),
            messages_accepted: counter("messages_accepted", "Messages put into queues"),
            messages_delivered: counter("messages_delivered", "Messages sent to recipients"),
            messages_expired: counter(
                "messages_expired",
                "Messages removed because nobody took them in time",
            ),
            queues_blocked: counter("queues_blocked", "Queues blocked by the operator"),
            queues_idle: counter("queues_idle_deleted", "Queues deleted because nobody used them"),
            registry,
            gauges,
            commands,
            forwarding,
            files,
            refusals,
        }
    }

    /// All numbers as text, those of the moment taken from `snapshot`.
    pub(crate) fn text(&self, snapshot: &Snapshot) -> Result<String, fmt::Error> {
        self.gauges.set(snapshot);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Seconds, as Prometheus wants them.
const SECONDS: Unit = Unit::Seconds;
