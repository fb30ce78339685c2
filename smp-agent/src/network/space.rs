//! Waiting until a full queue has space.

use super::backoff::Backoff;
use super::update::update;
use super::workers::Signals;
use crate::config::Timeouts;
use crate::core::Core;
use crate::event::Event;
use crate::id::ConnectionId;
use std::sync::Arc;

/// What a worker knows of the peer's queue being full.
pub(super) struct Space {
    backoff: Backoff,
    told: bool,
}

impl Space {
    pub(super) fn new(timeouts: &Timeouts) -> Self {
        Self { backoff: Backoff::new(timeouts.quota_first, timeouts.quota_longest), told: false }
    }

    /// The queue took something.
    pub(super) fn found(&mut self) {
        self.backoff.reset();
        self.told = false;
    }

    /// Tells the application once that the queue is full. Waits until the peer says that it has space, or some time: where both
    /// queues of a connection are full, that word itself waits for space.
    pub(super) async fn wait(&mut self, core: &Arc<Core>, id: ConnectionId, signals: &Signals) {
        if !self.told {
            update(core, id, &[], &|connection, effects| {
                effects.events.push(Event::QuotaExceeded { connection: connection.id });
                Ok(())
            })
            .await;
            self.told = true;
        }
        tokio::select! {
            () = signals.resume.notified() => {}
            () = self.backoff.pause() => {}
        }
    }
}
