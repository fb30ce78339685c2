//! The stream of events, which a crash on either side of it does not break.

use crate::error::AgentError;
use crate::event::Event;
use crate::network::Engine;
use crate::store::StoredEvent;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

/// Events that are read from the database at once.
const READ_AHEAD: u32 = 32;

/// The events of an agent, in the order in which they happened.
///
/// An event is in the database until the application is done with it, and so comes again after a restart of either: at
/// least once, with the same content, and messages with the same [`MessageId`](crate::MessageId). An application that stores
/// that number together with what the message did, in one transaction, and calls [`Delivery::done`] or
/// [`Agent::ack`](crate::Agent::ack) after it, sees each message exactly once: a number it knows is one it only has to acknowledge.
pub struct Events {
    engine: Arc<Engine>,
    /// Marked after every commit that added events.
    changed: watch::Receiver<()>,
    transient: Receiver<Event>,
    ahead: VecDeque<StoredEvent>,
    /// The last event that was read.
    sequence: i64,
}

/// An event, and the way to be done with it.
#[must_use = "an event that is not done comes again after a restart"]
pub struct Delivery {
    /// What happened.
    pub event: Event,
    engine: Arc<Engine>,
    /// None for events that are not stored.
    sequence: Option<i64>,
    is_done: AtomicBool,
}

impl Events {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let (changed, transient) = (engine.steps.events.subscribe(), engine.transient_events());
        Self { engine, changed, transient, ahead: VecDeque::new(), sequence: 0 }
    }

    /// The next event, as soon as there is one. None after the agent was shut down.
    ///
    /// It may be dropped while it waits: no event gets lost.
    ///
    /// # Errors
    /// [`AgentError::Storage`] if the database cannot be read; it can be called again.
    pub async fn next(&mut self) -> Result<Option<Delivery>, AgentError> {
        loop {
            if self.ahead.is_empty() {
                // Before the database is read, so that an event stored in between wakes this.
                self.changed.mark_unchanged();
                self.read_ahead().await?;
            }
            if let Some(StoredEvent { sequence, event }) = self.ahead.pop_front() {
                return Ok(Some(Delivery {
                    event,
                    engine: self.engine.clone(),
                    sequence: Some(sequence),
                    is_done: AtomicBool::new(false),
                }));
            }
            tokio::select! {
                () = self.engine.stopped() => return Ok(None),
                // The sender lives in the engine.
                _ = self.changed.changed() => {}
                event = self.transient.recv() => match event {
                    Ok(event) => return Ok(Some(self.transient(event))),
                    Err(RecvError::Lagged(count)) => {
                        let event = Event::Missed { count };
                        return Ok(Some(self.transient(event)));
                    }
                    Err(RecvError::Closed) => return Ok(None),
                },
            }
        }
    }

    fn transient(&self, event: Event) -> Delivery {
        let is_done = AtomicBool::new(true);
        Delivery { event, engine: self.engine.clone(), sequence: None, is_done }
    }

    async fn read_ahead(&mut self) -> Result<(), AgentError> {
        self.ahead = match self.engine.steps.events.take(self.sequence) {
            Some(events) => events,
            None if self.engine.is_stopped() => return Ok(()),
            None => self.engine.steps.store.events_after(self.sequence, READ_AHEAD).await?.into(),
        };
        if let Some(last) = self.ahead.back() {
            self.sequence = last.sequence;
        }
        Ok(())
    }
}

impl Delivery {
    /// The application is done with the event: it does not come again. For a message it is the same as
    /// [`Agent::ack`](crate::Agent::ack).
    ///
    /// # Errors
    /// [`AgentError::Storage`] or [`AgentError::ShutDown`]; the event then comes again after a restart.
    pub async fn done(&self) -> Result<(), AgentError> {
        let (Some(sequence), Some(connection)) = (self.sequence, self.event.connection()) else {
            return Ok(());
        };
        if self.is_done.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        match self.engine.done(connection, sequence, &self.event).await {
            // Deleted with its connection.
            Err(AgentError::UnknownConnection(_)) => Ok(()),
            Err(error) => {
                self.is_done.store(false, Ordering::Relaxed);
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }
}
