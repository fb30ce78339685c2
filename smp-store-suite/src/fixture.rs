//! Queues and messages for tests: also of the relay's own, which read this file as a part of theirs.

use smp_crypto::{DhSecret, Ed25519PrivateKey, PublicAuthKey, X25519PrivateKey};

use crate::store::{
    Accepted, Appended, Day, NewMessage, NewQueue, Notifier, QueueMode, QueueRecord, QueueStatus,
};

/// Messages that a queue of the tests takes.
pub const QUOTA: usize = 4;
/// The day of all queues.
pub const DAY: Day = Day(20_000);

/// The ID with this number. The last byte tells kinds apart that must not be confused.
#[must_use]
pub fn id<T: From<[u8; 24]>>(number: u32, kind: u8) -> T {
    let mut bytes = [7; 24];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes[23] = kind;
    bytes.into()
}

/// A new key.
#[must_use]
pub fn key() -> PublicAuthKey {
    Ed25519PrivateKey::generate(&mut rand::rng()).public_key().into()
}

/// A queue with the recipient ID `id(number, 0)` and the sender ID `id(number, 1)`.
#[must_use]
pub fn new_queue(number: u32) -> NewQueue {
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
#[must_use]
pub fn notifier(number: u32) -> Notifier {
    Notifier {
        id: id(number, 2),
        key: key(),
        dh: DhSecret::from_bytes([number as u8 ^ 0xff; 32]),
        service: None,
    }
}

/// A message with the ID `id(number, 9)` at `1000 + number` seconds.
#[must_use]
pub fn sent(number: u32) -> NewMessage {
    NewMessage {
        id: id(number, 9),
        timestamp: 1000 + u64::from(number),
        notification: number.is_multiple_of(2),
        body: number.to_be_bytes().repeat(5),
    }
}

/// Unwraps the acceptance of a message that must be accepted.
pub trait MustBeAccepted {
    /// The accepted message.
    fn accepted(self) -> Accepted;
}

impl MustBeAccepted for Appended {
    /// The accepted message.
    fn accepted(self) -> Accepted {
        match self {
            Appended::Accepted(accepted) => accepted,
            other => panic!("not accepted: {other:?}"),
        }
    }
}
