//! The connections for which a task of some kind runs.

use crate::id::ConnectionId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One task for each connection at most.
#[derive(Default)]
pub(super) struct Running {
    /// Whether there may be more to do than the task has seen.
    connections: Mutex<HashMap<ConnectionId, bool>>,
}

impl Running {
    /// There may be something to do for a connection. Whether a task has to be started for that.
    pub(super) fn begin(&self, connection: ConnectionId) -> bool {
        match self.lock().entry(connection) {
            Entry::Occupied(mut entry) => {
                entry.insert(true);
                false
            }
            Entry::Vacant(entry) => {
                entry.insert(false);
                true
            }
        }
    }

    /// Whether a task may end, which it has to then.
    pub(super) fn end(&self, connection: ConnectionId) -> bool {
        let mut running = self.lock();
        match running.get_mut(&connection) {
            Some(more) if *more => {
                *more = false;
                false
            }
            _ => {
                running.remove(&connection);
                true
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, bool>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
