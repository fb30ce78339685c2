//! Records of chunks: sizes, digests, and the IDs and keys of their senders and recipients.
//!
//! [`Records`] is what the relay needs of a store of them: [`MemoryRecords`] forgets them with the process, [`SqliteRecords`] keeps them in a
//! file beside the chunks. Both pass one suite (`suite.rs`).
//!
//! A chunk that is gone leaves a note until its file is known to be gone too: so that a start need not look at all files.

mod api;
mod memory;
mod sqlite;
#[cfg(test)]
mod suite;

pub(crate) use api::{
    Change, ChunkId, ChunkRecipient, ChunkRecord, Found, Outcome, Records, RecordsError, Removed, Totals,
};
pub(crate) use memory::MemoryRecords;
pub(crate) use sqlite::SqliteRecords;
