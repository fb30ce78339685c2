//! [`Records`]: a store of records, its changes and its answers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use smp_crypto::PublicAuthKey;
use smp_protocol::id::{ChunkRecipientId, ChunkSenderId};
use smp_protocol::xftp::command::ChunkDigest;
use smp_protocol::xftp::error::XftpError;

/// Result of an operation on records.
pub(crate) type RecordsFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, RecordsError>> + Send + 'a>>;

/// A store of records.
pub(crate) trait Records: Send + Sync + 'static {
    /// Makes a change, whole or not at all; it is kept, as the store promises, when this resolves.
    fn change(&self, change: Change) -> RecordsFuture<'_, Outcome>;

    /// The chunk with this ID, and the key by which commands with this ID are authorized. An ID of the other kind finds nothing.
    fn find<'a>(&'a self, id: ChunkId<'a>) -> RecordsFuture<'a, Option<Found>>;

    /// Chunks that were removed before this time (seconds since 1970) and whose removal is still noted, at most so many.
    fn removed(&self, before: u64, at_most: usize) -> RecordsFuture<'_, Vec<ChunkSenderId>>;

    /// How much there is.
    fn totals(&self) -> RecordsFuture<'_, Totals>;

    /// Writes what was asked for, and refuses everything after that.
    fn close(&self) -> RecordsFuture<'_, ()>;
}

/// A change of records.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// A new chunk with its recipients: [`Outcome::Done`].
    Create(ChunkRecord, Vec<ChunkRecipient>),
    /// More recipients of a chunk, which may have so many in all: [`Outcome::Done`], [`Outcome::Unknown`] or [`Outcome::TooMany`].
    AddRecipients(ChunkSenderId, Vec<ChunkRecipient>, usize),
    /// The file of a chunk is there: [`Outcome::Done`], [`Outcome::Again`] or [`Outcome::Unknown`].
    SetUploaded(ChunkSenderId),
    /// A recipient is done with its chunk: [`Outcome::Done`] or [`Outcome::Unknown`].
    Acknowledge(ChunkRecipientId),
    /// A chunk is gone at this time, with all its IDs: [`Outcome::Removed`], with one or none.
    Delete(ChunkSenderId, u64),
    /// The oldest chunks created before a time are gone, at most so many: [`Outcome::Removed`].
    Expire {
        /// Seconds since 1970.
        before: u64,
        /// How many at most.
        at_most: usize,
        /// When they are gone.
        now: u64,
    },
    /// The files of these chunks are gone too: [`Outcome::Done`].
    ForgetRemoved(Vec<ChunkSenderId>),
}

/// The outcome of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was made.
    Done,
    /// There is no such ID; nothing was changed.
    Unknown,
    /// There would be too many recipients; nothing was changed.
    TooMany,
    /// The chunk had been uploaded before.
    Again,
    /// Chunks that are gone.
    Removed(Vec<Removed>),
}

/// A chunk that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) sender_id: ChunkSenderId,
    pub(crate) size: u32,
    pub(crate) was_uploaded: bool,
}

/// A chunk, as its record has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChunkRecord {
    pub(crate) sender_id: ChunkSenderId,
    pub(crate) sender_key: PublicAuthKey,
    /// Bytes.
    pub(crate) size: u32,
    pub(crate) digest: ChunkDigest,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) is_uploaded: bool,
}

/// A recipient of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChunkRecipient {
    pub(crate) id: ChunkRecipientId,
    pub(crate) key: PublicAuthKey,
}

/// An ID of a chunk.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ChunkId<'a> {
    Sender(&'a [u8]),
    Recipient(&'a [u8]),
}

/// A chunk that was found by an ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The key that belongs to the ID.
    pub(crate) key: PublicAuthKey,
    pub(crate) chunk: ChunkRecord,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Chunks, uploaded or not.
    pub(crate) chunks: u64,
    /// Bytes of those that were uploaded.
    pub(crate) bytes: u64,
}

/// Records could not be written or read. No text of it has an ID or a key.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum RecordsError {
    /// Nothing was changed, unless the connection to the database was lost; the same may succeed later.
    #[error("the records of files cannot be used: {0}")]
    Unavailable(Arc<str>),
    /// The relay is stopping.
    #[error("the records of files are closed")]
    Closed,
}

/// The answer to a client.
impl From<RecordsError> for XftpError {
    fn from(error: RecordsError) -> Self {
        if let RecordsError::Unavailable(reason) = error {
            tracing::warn!("the records of files cannot be used: {reason}");
        }
        Self::Internal
    }
}
