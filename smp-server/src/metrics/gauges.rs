//! Numbers of the moment: the same that `smp-server status` shows.

use prometheus_client::{
    metrics::gauge::Gauge,
    registry::{Registry, Unit},
};

use super::{SECONDS, snapshot::Snapshot};

/// Reads one number.
type Read = fn(&Snapshot) -> u64;

/// Name, help, unit, and where the number is.
const GAUGES: [(&str, &str, Option<Unit>, Read); 16] = [
    ("uptime", "Time since the start", Some(SECONDS), |s| s.uptime_seconds),
    ("connections", "Connections", None, |s| s.connections),
    ("connections_max", "Connections that there may be", None, |s| s.max_connections),
    ("pending", "Commands and answers in flight", Some(Unit::Bytes), |s| s.pending_bytes),
    ("subscriptions", "Queues that are subscribed to", None, |s| s.subscriptions),
    ("notification_subscriptions", "Queues whose notifications are subscribed to", None, |s| {
        s.notification_subscriptions
    }),
    ("queues", "Queues", None, |s| s.queues),
    ("messages", "Messages that wait for their recipients", None, |s| s.messages),
    ("store_waiting_operations", "Operations that wait for the disk", None, |s| s.waiting_operations),
    ("store_waiting", "Messages, new queues and changes that wait for the disk", Some(Unit::Bytes), |s| {
        s.waiting_bytes
    }),
    ("store_disk", "Size of the database and its log", Some(Unit::Bytes), |s| s.disk_bytes),
    ("resident_memory", "Memory of the process", Some(Unit::Bytes), |s| s.memory_bytes),
    ("file_chunks", "Chunks of files", None, |s| s.file_chunks),
    ("files", "Size of the chunks of files", Some(Unit::Bytes), |s| s.file_bytes),
    ("files_quota", "Size that they may have", Some(Unit::Bytes), |s| s.file_quota_bytes),
    ("file_transfers", "Uploads and downloads that go on", None, |s| s.file_transfers),
];

pub(super) struct Gauges(Vec<(Gauge, Read)>);

impl Gauges {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let register = |(name, help, unit, read): (&str, &str, Option<Unit>, Read)| {
            let gauge = Gauge::default();
            match unit {
                Some(unit) => registry.register_with_unit(name, help, unit, gauge.clone()),
                None => registry.register(name, help, gauge.clone()),
            }
            (gauge, read)
        };
        Self(GAUGES.into_iter().map(register).collect())
    }

    pub(super) fn set(&self, snapshot: &Snapshot) {
        for (gauge, read) in &self.0 {
            gauge.set(i64::try_from(read(snapshot)).unwrap_or(i64::MAX));
        }
    }
}
