//! Services: clients with a certificate that subscribe to many queues at once (spec chapter `4-commands.md`).

use smp_protocol::id::ServiceId;

use super::Day;

/// The kind of things that a service subscribes to. A certificate has one role for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServiceRole {
    /// Messages: queues are counted by recipient ID.
    Messaging,
    /// Notifications: queues are counted by notifier ID.
    Notifier,
}

/// A service that presents its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewService {
    /// ID of 24 bytes that it gets if the certificate is new: the beginning of the SHA3-384 of `fingerprint`, or the ID that it
    /// had in the relay that is imported.
    pub id: ServiceId,
    /// The wanted role.
    pub role: ServiceRole,
    /// Its certificate chain as encoded in the handshake, if it was imported; otherwise empty. Nothing needs it.
    pub certificates: Vec<u8>,
    /// Hash of its long-term certificate (32 or 64 bytes); tells services apart.
    pub fingerprint: Vec<u8>,
    /// Today.
    pub created: Day,
}

/// The queues of a service, summarised as in `SUBS` and `SOKS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceQueues {
    /// How many.
    pub count: u64,
    /// XOR of the MD5 hashes of their recipient or notifier IDs.
    pub ids_hash: [u8; 16],
}
