//! The stream of events, which a crash on either side of it does not break.

use crate::core::Core;
use crate::error::AgentError;
use crate::event::Event;
use crate::store::StoredEvent;
use std::collections::VecDeque;
use std::sync::Arc;
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
    core: Arc<Core>,
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
    core: Arc<Core>,
    /// None for events that are not stored.
    sequence: Option<i64>,
}

impl Events {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        let (changed, transient) = core.subscribe_events();
        Self { core, changed, transient, ahead: VecDeque::new(), sequence: 0 }
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
                return Ok(Some(Delivery { event, core: self.core.clone(), sequence: Some(sequence) }));
            }
            tokio::select! {
                () = self.core.stopped() => return Ok(None),
                // The sender lives in the core.
                _ = self.changed.changed() => {}
                event = self.transient.recv() => match event {
                    Ok(event) => return Ok(Some(Delivery { event, core: self.core.clone(), sequence: None })),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Ok(None),
                },
            }
        }
    }

    async fn read_ahead(&mut self) -> Result<(), AgentError> {
        let mut step = match self.core.step().await {
            Err(AgentError::ShutDown) => return Ok(()),
            step => step?,
        };
        self.ahead = step.events_after(self.sequence, READ_AHEAD).await?.into();
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
        match (&self.event, self.sequence) {
            (_, None) => Ok(()),
            (Event::Message { connection, id, .. }, Some(_)) => match self.core.ack(*connection, *id).await {
                // Acknowledged already, or deleted with its connection.
                Err(AgentError::UnknownMessage(..) | AgentError::UnknownConnection(_)) => Ok(()),
                result => result,
            },
            (_, Some(sequence)) => {
                let mut step = self.core.step().await?;
                step.remove_event(sequence).await?;
                Ok(step.commit().await?)
            }
        }
    }
}
