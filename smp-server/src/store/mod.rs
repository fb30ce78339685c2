//! Stores: queues, their messages, and services.
//!
//! [`Store`] (queues, messages, services, maintenance) is what the relay's commands are written against; `MemoryStore`,
//! `SqliteStore` and, with the feature `postgres`, `PostgresStore` implement it and pass one conformance suite (crate
//! `smp-store-suite`). The store is truth. Places and times of answers:
//!
//! | operation | done when the future resolves | durable when |
//! |---|---|---|
//! | [`Messages::append`] | the message is in the queue, in memory, and may be delivered | [`Accepted::kept`] resolves; also when the recipient acknowledged it first, then it is never written |
//! | [`Messages::acknowledge`] | the message is out of the queue, in memory | [`Acknowledged::durable`] resolves; at once if the message had not been written |
//! | everything else | on disk and in memory | the same moment |
//!
//! Operations on one queue take effect one after the other, in the order of their calls' first poll; queues do not wait
//! for each other. Dropping a returned future before it resolves may or may not have had the effect.
//!
//! A message that was accepted and a recipient who is online: the acknowledgement usually comes first, so that messages
//! between people who are online do not touch the disk.
//!
//! Several processes of a relay can share a store in PostgreSQL: [`Sharing`].
//!
//! After a failed write memory says again what the disk says: see [`StoreError::Unavailable`].

mod api;
mod change;
mod completion;
mod engine;
mod error;
mod memory;
mod message;
#[cfg(feature = "postgres")]
mod postgres;
mod process;
mod record;
mod rules;
mod service;
mod sqlite;

// The types of this crate under test are not those that the suite links: so the file, not the crate.
#[cfg(test)]
#[allow(unreachable_pub, dead_code, reason = "it is public in the suite, which uses more of it")]
#[path = "../../../smp-store-suite/src/fixture.rs"]
mod fixture;

pub use api::{
    DEFAULT_QUOTA, LookedUp, Maintenance, Messages, Queues, Services, Sharing, Store, StoreCounts,
    StoreFuture, StoreLoad, Swept,
};
pub use change::{QueueChange, Updated};
pub use completion::Completion;
pub use engine::EngineLimits;
pub(crate) use error::MOVED;
pub use error::{OpenError, StorageFault, StoreError};
pub use memory::MemoryStore;
pub use message::{
    Accepted, Acknowledged, AfterAck, Appended, MAX_BODY_BYTES, Message, MessageContent, MessageInfo,
    MessageKind, NewMessage, QueueContent,
};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresConfig, PostgresStore, SynchronousCommit};
pub use process::{Neighbour, ProcessId};
pub use record::{
    Day, LinkData, NewQueue, Notifier, QueueId, QueueLink, QueueMode, QueueRecord, QueueStatus,
};
pub use service::{NewService, ServiceQueues, ServiceRole};
pub use sqlite::{DiskDurability, Presence, SqliteConfig, SqliteStore};
