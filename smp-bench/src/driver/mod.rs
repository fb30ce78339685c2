//! A lean client: as little work per message as a measurement allows.

mod exchange;
mod keys;
mod link;
mod prepare;
mod queue;
mod target;

pub use exchange::{Incoming, exchange};
pub use keys::KeyPool;
pub use link::{BlockCounts, Link, LinkReader, LinkWriter};
pub use prepare::{CorrelationIds, Preparer, Ready, ReadyKey};
pub use queue::{NewKeys, Queue, create, delete, new_queue};
pub use target::{AuthKind, Target};
