//! The file relay (protocol-spec chapter 12): keeps chunks of files for some hours, and knows nothing about who they are for.
//!
//! ```text
//!  serve ──────────► request ─────────► records         sizes, digests, IDs and keys: memory or SQLite
//!  HTTP/2: blocks    handshake,
//!  and chunks as     commands, after    bodies          chunks as files: whole or not there
//!  streams           authorize     ▲
//!                          │       │
//!                          └──► transfer                chunks on their way, as streams; space counts them
//! ```
//!
//! Invariants: a chunk is never whole in memory, and never partly visible; an upload that was answered `OK` is on the disk, file and
//! record, as [`FileSettings::fsync`] says; an unknown ID looks like a wrong key; what one network can take of the relay is bounded.

mod authorize;
mod bodies;
mod records;
mod relay;
mod request;
mod serve;
mod session;
mod settings;
mod space;
mod transfer;
mod visitor;

#[cfg(test)]
mod tests;

pub(crate) use bodies::Bodies;
pub(crate) use records::{
    Change, ChunkId, ChunkRecipient, ChunkRecord, MemoryRecords, Outcome, Records, RecordsError,
    SqliteRecords,
};
pub use relay::FileRelay;
pub(crate) use relay::Shared;
pub use settings::{FileConnection, FileIdentity, FileSettings};
