//! The state of one connection in memory.

use crate::connection::Connection;
use crate::store::{Loaded, QueueRow, SendKey, StoredOutgoing};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// A place for the state of a connection, and how far its steps are durable.
pub(super) struct Slot {
    pub(super) state: tokio::sync::Mutex<Option<Present>>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// Raised when a step is undone: what was made of the state before is worth nothing.
    epoch: u64,
    /// Steps that are neither durable nor undone.
    pending: usize,
    /// The last body that is durable.
    committed: i64,
}

/// The state of a connection with all steps that were taken.
pub(super) struct Present {
    pub(super) epoch: u64,
    pub(super) connection: Connection,
    /// The state that lasts, as it is or will be stored.
    pub(super) state: Zeroizing<Vec<u8>>,
    pub(super) queues: Vec<QueueRow>,
    /// Keys of messages whose steps may not be durable yet.
    pub(super) keys: Vec<SendKey>,
    /// Bodies that wait to be sent, the first ones of them.
    pub(super) outgoing: VecDeque<Arc<StoredOutgoing>>,
    /// There may be more in the database.
    pub(super) more: bool,
    /// The last body that is not to be read again.
    pub(super) last_taken: i64,
}

impl Present {
    pub(super) fn new(loaded: Loaded, epoch: u64) -> Self {
        let Loaded { connection, state, queues } = loaded;
        let more = connection.waiting.total() > 0;
        Self {
            epoch,
            connection,
            state,
            queues,
            keys: Vec::new(),
            outgoing: VecDeque::new(),
            more,
            last_taken: 0,
        }
    }

    pub(super) fn add_outgoing(&mut self, stored: StoredOutgoing, limit: usize) {
        if self.more || self.outgoing.len() >= limit {
            self.more = true;
        } else {
            self.last_taken = stored.row;
            self.outgoing.push_back(Arc::new(stored));
        }
    }

    /// The body that is to be sent next, if there is one; None if only the database knows.
    pub(super) fn next_outgoing(&self) -> Option<Option<i64>> {
        let next = self.outgoing.front().map(|stored| stored.row);
        (next.is_some() || !self.more).then_some(next)
    }

    pub(super) fn remove_outgoing(&mut self, rows: &[i64]) {
        if !rows.is_empty() {
            self.outgoing.retain(|stored| !rows.contains(&stored.row));
        }
    }
}

impl Slot {
    pub(super) fn new() -> Self {
        Self { state: tokio::sync::Mutex::default(), progress: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn epoch(&self) -> u64 {
        self.lock().epoch
    }

    pub(super) fn is_pending(&self) -> bool {
        self.lock().pending > 0
    }

    /// Whether somebody holds it besides the table of all, or steps of it wait.
    pub(super) fn is_in_use(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1 || self.is_pending()
    }

    /// A step is left to the writer.
    pub(super) fn begin(&self) {
        self.lock().pending += 1;
    }

    /// A step is durable.
    pub(super) fn finish(&self, last_outgoing: Option<i64>) {
        let mut progress = self.lock();
        progress.pending = progress.pending.saturating_sub(1);
        progress.committed = progress.committed.max(last_outgoing.unwrap_or(0));
    }

    /// A step is undone.
    pub(super) fn undo(&self, epoch: u64) {
        let mut progress = self.lock();
        progress.pending = progress.pending.saturating_sub(1);
        if progress.epoch == epoch {
            progress.epoch += 1;
        }
    }

    /// Bodies up to this one were read from the database.
    pub(super) fn committed(&self, row: i64) {
        let mut progress = self.lock();
        progress.committed = progress.committed.max(row);
    }

    pub(super) fn is_committed(&self, row: i64) -> bool {
        row <= self.lock().committed
    }
}
