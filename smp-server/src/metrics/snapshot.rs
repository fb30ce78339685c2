//! `Snapshot`: the numbers of the moment, as they are when a monitoring system asks.

/// Numbers that go up and down; sizes in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) uptime_seconds: u64,
    pub(crate) connections: u64,
    pub(crate) max_connections: u64,
    pub(crate) pending_bytes: u64,
    pub(crate) subscriptions: u64,
    pub(crate) notification_subscriptions: u64,
    pub(crate) queues: u64,
    pub(crate) messages: u64,
    pub(crate) waiting_operations: u64,
    pub(crate) waiting_bytes: u64,
    pub(crate) disk_bytes: u64,
    /// 0 if the system does not tell.
    pub(crate) memory_bytes: u64,
    pub(crate) file_chunks: u64,
    pub(crate) file_bytes: u64,
    pub(crate) file_quota_bytes: u64,
    pub(crate) file_transfers: u64,
}
