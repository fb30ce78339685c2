//! Stores: queues, their messages, and services.
//!
//! [`Store`] is what the relay's commands are written against; `MemoryStore` and `SqliteStore` implement it and
//! pass one conformance suite. The store is truth. Places and times of answers:
//!
//! | operation | done when the future resolves | durable when |
//! |---|---|---|
//! | [`Store::append`] | the message is in the queue, in memory, and may be delivered | [`Accepted::kept`] resolves; also when the recipient acknowledged it first, then it is never written |
//! | [`Store::acknowledge`] | the message is out of the queue, in memory | [`Acknowledged::durable`] resolves; at once if the message had not been written |
//! | everything else | on disk and in memory | the same moment |
//!
//! Operations on one queue take effect one after the other, in the order of their calls' first poll; queues do not wait
//! for each other. Dropping a returned future before it resolves may or may not have had the effect.
//!
//! A message that was accepted and a recipient who is online: the acknowledgement usually comes first, so that messages
//! between people who are online do not touch the disk.
//!
//! After a failed write memory says again what the disk says: see [`StoreError::Unavailable`].

mod api;
mod change;
mod completion;
mod error;
mod memory;
mod message;
mod record;
mod rules;
mod service;
mod sqlite;

#[cfg(test)]
mod conformance;

pub use api::{DEFAULT_QUOTA, LookedUp, Store, StoreCounts, StoreFuture, StoreLoad, SweepPosition, Swept};
pub use change::{QueueChange, Updated};
pub use completion::Completion;
pub use error::{OpenError, StorageFault, StoreError};
pub use memory::MemoryStore;
pub use message::{
    Accepted, Acknowledged, AfterAck, Appended, MAX_BODY_BYTES, Message, MessageContent, MessageInfo,
    MessageKind, NewMessage, QueueContent,
};
pub use record::{
    Day, LinkData, NewQueue, Notifier, QueueId, QueueLink, QueueMode, QueueRecord, QueueStatus,
};
pub use service::{NewService, ServiceQueues, ServiceRole};
pub use sqlite::{DiskDurability, Presence, SqliteConfig, SqliteStore};
