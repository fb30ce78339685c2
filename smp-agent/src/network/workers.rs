//! One worker for each connection that had something to do since the agent was opened.

use super::worker;
use crate::core::Core;
use crate::id::ConnectionId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// All workers.
#[derive(Default)]
pub(crate) struct Workers {
    workers: Mutex<HashMap<ConnectionId, Arc<Signals>>>,
}

/// What a worker waits for.
#[derive(Default)]
pub(super) struct Signals {
    /// There may be something to do.
    pub(super) work: Notify,
    /// The peer's queue may have space again.
    pub(super) resume: Notify,
}

impl Workers {
    /// Tells a connection's worker that there may be something to do, and starts it if there is none.
    pub(crate) fn wake(&self, core: &Arc<Core>, connection: ConnectionId) {
        let mut workers = self.lock();
        if let Some(signals) = workers.get(&connection) {
            signals.work.notify_one();
            return;
        }
        let signals = Arc::new(Signals::default());
        workers.insert(connection, signals.clone());
        core.spawn(worker::run(core.clone(), connection, signals));
    }

    /// Tells a connection's worker that the peer's queue may have space again.
    pub(crate) fn resume(&self, connection: ConnectionId) {
        if let Some(signals) = self.lock().get(&connection) {
            signals.resume.notify_one();
        }
    }

    /// The connection was deleted, and its worker ends.
    pub(crate) fn forget(&self, connection: ConnectionId) {
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
