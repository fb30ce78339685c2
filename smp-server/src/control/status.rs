//! `Status`: counts and sizes of a relay, nothing about anybody.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{metrics::Refused, page::PageCertificate};

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
    /// Bytes of commands and answers of all connections in flight.
    pub pending_bytes: u64,
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
    /// The files, if they are kept.
    #[serde(default)]
    pub files: Option<FileStatus>,
    /// Other processes of the same relay that are alive, if there can be any (`[cluster]`).
    #[serde(default)]
    pub other_processes: Option<usize>,
    /// The certificate of the information page, if it is served with one.
    #[serde(default)]
    pub page_certificate: Option<PageCertificate>,
    /// Bytes of RAM that the process takes, if the system tells.
    pub memory_bytes: Option<u64>,
}

/// How much of files a relay keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStatus {
    /// Chunks, uploaded or not.
    pub chunks: u64,
    /// Bytes of those that were uploaded, or are being uploaded.
    pub bytes: u64,
    /// Bytes that there may be (`files.quota_mib`).
    pub quota_bytes: u64,
    /// Uploads and downloads that go on.
    pub transfers: u64,
}

/// How the store of a relay is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// The promise of an `OK`: `fsync`, `os` or `memory`.
    pub durability: String,
    /// Operations that wait for the disk.
    pub waiting_operations: u64,
    /// Bytes of message bodies that wait for the disk.
    pub waiting_bytes: u64,
    /// Size of the files on disk, in bytes.
    pub disk_bytes: u64,
    /// Free bytes on that disk, if the system tells.
    #[serde(default)]
    pub free_bytes: Option<u64>,
    /// Whether messages and new queues are refused because the disk is full.
    #[serde(default)]
    pub is_full: bool,
    /// Bytes that have to be freed until it is not full any more.
    #[serde(default)]
    pub to_be_freed_bytes: u64,
    /// Messages that were acknowledged and could not be removed from the disk yet.
    #[serde(default)]
    pub unwritten_removals: u64,
}
