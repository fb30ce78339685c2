//! Queues and messages for tests.

use std::sync::Arc;

use smp_crypto::{DhSecret, Ed25519PrivateKey, PublicAuthKey, X25519PrivateKey};

use crate::store::{
    Accepted, Appended, Day, DiskDurability, MemoryStore, NewMessage, NewQueue, Notifier, QueueMode,
    QueueRecord, QueueStatus, SqliteConfig, SqliteStore, Store,
};

/// Messages that a queue of the tests takes.
pub(in crate::store) const QUOTA: usize = 4;
pub(in crate::store) const DAY: Day = Day(20_000);

/// A store, and where it lives.
pub(in crate::store) struct Fixture {
    pub(in crate::store) store: Arc<dyn Store>,
    directory: Option<tempfile::TempDir>,
}

impl Fixture {
    pub(in crate::store) async fn memory() -> Self {
        Fixture { store: Arc::new(MemoryStore::new(QUOTA)), directory: None }
    }

    pub(in crate::store) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(sqlite_config(&directory)).await.unwrap();
        Fixture { store: Arc::new(store), directory: Some(directory) }
    }

    /// A store that waits a little for acknowledgements before it writes.
    pub(in crate::store) async fn patient_sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ack_wait = std::time::Duration::from_millis(5);
        let store = SqliteStore::open(SqliteConfig { ack_wait, ..sqlite_config(&directory) }).await.unwrap();
        Fixture { store: Arc::new(store), directory: Some(directory) }
    }

    /// The store after a restart of the relay. A store in memory has none.
    pub(in crate::store) async fn restarted(self) -> Self {
        let Some(directory) = &self.directory else { return self };
        self.store.close().await.unwrap();
        let store = SqliteStore::open(sqlite_config(directory)).await.unwrap();
        Fixture { store: Arc::new(store), ..self }
    }
}

/// Caches are too small for anything, so that the disk is asked for nearly everything.
pub(in crate::store) fn sqlite_config(directory: &tempfile::TempDir) -> SqliteConfig {
    SqliteConfig {
        quota: QUOTA,
        queue_cache_bytes: 1000,
        body_cache_bytes: 200,
        durability: DiskDurability::Os,
        ack_wait: std::time::Duration::ZERO,
        ..SqliteConfig::new(directory.path().join("store.db"))
    }
}

/// The ID with this number. The last byte tells kinds apart that must not be confused.
pub(in crate::store) fn id<T: From<[u8; 24]>>(number: u32, kind: u8) -> T {
    let mut bytes = [7; 24];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes[23] = kind;
    bytes.into()
}

pub(in crate::store) fn key() -> PublicAuthKey {
    Ed25519PrivateKey::generate(&mut rand::rng()).public_key().into()
}

/// A queue with the recipient ID `id(number, 0)` and the sender ID `id(number, 1)`.
pub(in crate::store) fn new_queue(number: u32) -> NewQueue {
    let record = QueueRecord {
        recipient_id: id(number, 0),
        recipient_keys: vec![X25519PrivateKey::generate(&mut rand::rng()).public_key().into()],
        recipient_dh: DhSecret::from_bytes([number as u8; 32]),
        sender_id: id(number, 1),
        sender_key: None,
        mode: Some(QueueMode::Messaging),
        link: None,
        notifier: None,
        status: QueueStatus::Active,
        updated: Some(DAY),
        recipient_service: None,
    };
    NewQueue { record, link_data: None }
}

/// A notifier with the ID `id(number, 2)`.
pub(in crate::store) fn notifier(number: u32) -> Notifier {
    Notifier {
        id: id(number, 2),
        key: key(),
        dh: DhSecret::from_bytes([number as u8 ^ 0xff; 32]),
        service: None,
    }
}

/// A message with the ID `id(number, 9)` at `1000 + number` seconds.
pub(in crate::store) fn sent(number: u32) -> NewMessage {
    NewMessage {
        id: id(number, 9),
        timestamp: 1000 + u64::from(number),
        notification: number.is_multiple_of(2),
        body: number.to_be_bytes().repeat(5),
    }
}

/// Unwraps the acceptance of a message that must be accepted.
pub(in crate::store) trait MustBeAccepted {
    fn accepted(self) -> Accepted;
}

impl MustBeAccepted for Appended {
    fn accepted(self) -> Accepted {
        match self {
            Appended::Accepted(accepted) => accepted,
            other => panic!("not accepted: {other:?}"),
        }
    }
}
