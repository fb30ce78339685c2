//! How a relay is: counts and sizes, nothing about anybody.

use std::{net::SocketAddr, time::Instant};

use serde::{Deserialize, Serialize};

use super::resident_bytes;
use crate::{config::Durability, listener::Service, metrics::Refused};

/// How a running relay is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the running program.
    pub version: String,
    /// Its process ID.
    pub process: u32,
    /// For how many seconds it has been running.
    pub uptime_seconds: u64,
    /// Where it listens.
    pub listens_on: Vec<SocketAddr>,
    /// Connections that there are now, those in their handshake included.
    pub connections: usize,
    /// Connections that there may be (`limits.max_connections`).
    pub max_connections: usize,
    /// Limits because of which clients were refused since the start.
    pub refused: Vec<Refused>,
    /// Queues that are subscribed to by a connection.
    pub subscriptions: usize,
    /// Queues whose notifications are subscribed to by a connection.
    pub notification_subscriptions: usize,
    /// Queues.
    pub queues: u64,
    /// Messages that wait for their recipients.
    pub messages: u64,
    /// The store.
    pub store: StoreStatus,
    /// Bytes of RAM that the process takes, if the system tells.
    pub memory_bytes: Option<u64>,
}

/// How the store of a relay is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// What an `OK` promises: `fsync`, `os` or `memory`.
    pub durability: String,
    /// Operations that wait for the disk.
    pub waiting_operations: u64,
    /// Bytes of message bodies that wait for the disk.
    pub waiting_bytes: u64,
    /// Size of the files on disk, in bytes.
    pub disk_bytes: u64,
}

/// What a relay's state is read from.
pub(crate) struct Observer {
    pub(crate) service: Service,
    pub(crate) listens_on: Vec<SocketAddr>,
    pub(crate) started: Instant,
}

impl Observer {
    pub(crate) fn status(&self) -> Status {
        let broker = &self.service.broker;
        let (counts, load) = (broker.store.counts(), broker.store.load());
        let durability = match broker.durability {
            Durability::Fsync => "fsync",
            Durability::Os => "os",
            Durability::Memory => "memory",
        };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process: std::process::id(),
            uptime_seconds: self.started.elapsed().as_secs(),
            listens_on: self.listens_on.clone(),
            connections: self.service.places.used(),
            max_connections: self.service.places.max(),
            refused: broker.metrics.refusals.refused(),
            subscriptions: broker.subscriptions.count(),
            notification_subscriptions: broker.notifications.count(),
            queues: counts.queues,
            messages: counts.messages,
            store: StoreStatus {
                durability: durability.to_owned(),
                waiting_operations: load.waiting_operations,
                waiting_bytes: load.waiting_bytes,
                disk_bytes: load.disk_bytes,
            },
            memory_bytes: resident_bytes(),
        }
    }
}
