//! The workers: one for each connection that has something to do.

use crate::id::ConnectionId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// All workers.
#[derive(Default)]
pub(crate) struct Workers {
    workers: Mutex<HashMap<ConnectionId, Arc<Signals>>>,
}

/// Signals that wake a worker.
#[derive(Default)]
pub(super) struct Signals {
    /// There may be something to do.
    pub(super) work: Notify,
    /// The peer's queue may have space again.
    pub(super) resume: Notify,
    /// There may be something to do that the worker has not looked for since.
    wanted: AtomicBool,
}

impl Signals {
    /// The worker is about to look for something to do.
    pub(super) fn begin(&self) {
        self.wanted.store(false, Ordering::SeqCst);
    }
}

impl Workers {
    /// Tells a connection's worker that there may be something to do. If there is none, returns that of a new one, to be started.
    pub(super) fn wake(&self, connection: ConnectionId) -> Option<Arc<Signals>> {
        let mut workers = self.lock();
        if let Some(signals) = workers.get(&connection) {
            signals.wanted.store(true, Ordering::SeqCst);
            signals.work.notify_one();
            return None;
        }
        let signals = Arc::new(Signals::default());
        workers.insert(connection, signals.clone());
        Some(signals)
    }

    /// Tells a connection's worker that the peer's queue may have space again.
    pub(crate) fn resume(&self, connection: ConnectionId) {
        if let Some(signals) = self.lock().get(&connection) {
            signals.resume.notify_one();
        }
    }

    /// Ends a worker, unless it was woken since it looked last.
    pub(super) fn retire(&self, connection: ConnectionId, signals: &Signals) -> bool {
        let mut workers = self.lock();
        if signals.wanted.load(Ordering::SeqCst) {
            return false;
        }
        workers.remove(&connection);
        true
    }

    /// The connection was deleted, and its worker ends.
    pub(super) fn forget(&self, connection: ConnectionId, _: &Signals) {
        self.lock().remove(&connection);
    }

    #[cfg(test)]
    pub(crate) fn has(&self, connection: ConnectionId) -> bool {
        self.lock().contains_key(&connection)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<Signals>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
