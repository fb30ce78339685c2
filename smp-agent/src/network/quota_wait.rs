//! Waiting until a queue takes messages again.

use super::backoff::Backoff;
use super::engine::Engine;
use super::update::update;
use super::workers::Signals;
use crate::config::Timeouts;
use crate::event::Event;
use crate::id::ConnectionId;

/// How long a worker has waited for the peer's queue.
pub(super) struct QuotaWait {
    backoff: Backoff,
}

impl QuotaWait {
    pub(super) fn new(timeouts: &Timeouts) -> Self {
        Self { backoff: Backoff::new(timeouts.quota_first, timeouts.quota_longest) }
    }

    /// The queue took something.
    pub(super) fn found(&mut self) {
        self.backoff.reset();
    }

    /// Tells the application once that the queue is full. Waits until the peer says that it has space, or some time: where both
    /// queues of a connection are full, that word itself waits for space.
    pub(super) async fn wait_full(&mut self, engine: &Engine, id: ConnectionId, signals: &Signals) {
        update(engine, id, &|connection, effects| {
            if connection.condition.full(engine.now()) {
                effects.events.push(Event::QuotaExceeded { connection: connection.id });
            }
            Ok(())
        })
        .await;
        self.wait_refused(engine, signals).await;
    }

    /// Waits some time, or until the peer says that there is space.
    pub(super) async fn wait_refused(&mut self, engine: &Engine, signals: &Signals) {
        tokio::select! {
            () = signals.resume.notified() => {}
            () = engine.pause(&mut self.backoff) => {}
        }
    }
}
