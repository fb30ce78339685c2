//! `Observer`: reads the state of a relay, for `smp-server status` and for the metrics.

use std::{fmt, net::SocketAddr, sync::Arc};

use tokio::time::Instant;

use super::memory::resident_bytes;
use crate::{
    admission::Places,
    config::Durability,
    control::{FileStatus, Status, StoreStatus},
    files::FileRelay,
    metrics::{Observed, Snapshot},
    node::Node,
    page::PageTls,
    stopping::Stopping,
};

/// Reads the state of a relay.
pub(crate) struct Observer {
    pub(crate) node: Arc<Node>,
    pub(crate) places: Places,
    pub(crate) listens_on: Vec<SocketAddr>,
    pub(crate) started: Instant,
    pub(crate) page_tls: PageTls,
    pub(crate) stopping: Stopping,
    pub(crate) files: Option<FileRelay>,
}

impl Observer {
    /// The content of `smp-server status`.
    pub(crate) fn status(&self) -> Status {
        let node = &self.node;
        let (counts, load) = (node.store.counts(), node.store.load());
        let durability = match node.durability {
            Durability::Fsync => "fsync",
            Durability::Os => "os",
            Durability::Memory => "memory",
        };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process: std::process::id(),
            uptime_seconds: node.now().duration_since(self.started).as_secs(),
            listens_on: self.listens_on.clone(),
            connections: self.places.used(),
            max_connections: self.places.max(),
            refused: node.metrics.refusals.refused(),
            pending_bytes: node.memory.used() as u64,
            subscriptions: node.hub.subscriptions.count(),
            notification_subscriptions: node.hub.notifications.count(),
            queues: counts.queues,
            messages: counts.messages,
            store: StoreStatus {
                durability: durability.to_owned(),
                waiting_operations: load.waiting_operations,
                waiting_bytes: load.waiting_bytes,
                disk_bytes: load.disk_bytes,
                free_bytes: load.free_bytes,
                is_full: load.is_full,
                to_be_freed_bytes: load.to_be_freed,
                unwritten_removals: load.unwritten_removals,
            },
            files: self.files.as_ref().map(file_status),
            other_processes: node.store.process().map(|_| node.store.neighbours().len()),
            page_certificate: self.page_tls.certificate(node.clock.date().unix_timestamp()),
            memory_bytes: resident_bytes(),
        }
    }
}

impl Observed for Observer {
    fn metrics(&self) -> Result<String, fmt::Error> {
        self.node.metrics.text(&snapshot(&self.status()))
    }

    fn ready(&self) -> Result<(), &'static str> {
        if self.stopping.has_begun() {
            return Err("stopping");
        }
        // With a full disk it receives.
        if self.node.store.load().is_out_of_reach { Err("the database cannot be reached") } else { Ok(()) }
    }
}

fn file_status(files: &FileRelay) -> FileStatus {
    let used = files.used();
    FileStatus {
        chunks: used.chunks,
        bytes: used.bytes,
        quota_bytes: files.quota(),
        transfers: files.transfers() as u64,
    }
}

fn snapshot(status: &Status) -> Snapshot {
    Snapshot {
        uptime_seconds: status.uptime_seconds,
        connections: status.connections as u64,
        max_connections: status.max_connections as u64,
        pending_bytes: status.pending_bytes,
        subscriptions: status.subscriptions as u64,
        notification_subscriptions: status.notification_subscriptions as u64,
        queues: status.queues,
        messages: status.messages,
        waiting_operations: status.store.waiting_operations,
        waiting_bytes: status.store.waiting_bytes,
        disk_bytes: status.store.disk_bytes,
        memory_bytes: status.memory_bytes.unwrap_or(0),
        file_chunks: status.files.as_ref().map_or(0, |files| files.chunks),
        file_bytes: status.files.as_ref().map_or(0, |files| files.bytes),
        file_quota_bytes: status.files.as_ref().map_or(0, |files| files.quota_bytes),
        file_transfers: status.files.as_ref().map_or(0, |files| files.transfers),
    }
}
