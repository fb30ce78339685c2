//! Steps that must happen, because something on the network already has: they are tried until the database takes them.

use super::backoff::Backoff;
use super::engine::Engine;
use crate::connection::{Connection, Effects, StateError};
use crate::error::AgentError;
use crate::event::Event;
use crate::id::ConnectionId;
use crate::steps::{Commit, or_fail};
use std::time::Duration;

/// Between the first two attempts; doubled after each.
const FIRST_RETRY: Duration = Duration::from_millis(200);
/// The longest time between two attempts.
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// A change of a connection that can be made again if the database does not take it.
pub(super) type Change<'a> =
    dyn Fn(&mut Connection, &mut Effects) -> Result<(), StateError> + Send + Sync + 'a;

/// Waits between attempts of something that the database does not take.
pub(super) struct StorageRetry {
    backoff: Backoff,
    told: bool,
}

impl StorageRetry {
    pub(super) fn new() -> Self {
        Self { backoff: Backoff::new(FIRST_RETRY, LONGEST_RETRY), told: false }
    }

    /// Tells the application once, then waits. Does not return when the agent stops.
    pub(super) async fn wait(&mut self, engine: &Engine, error: &AgentError) {
        if matches!(error, AgentError::ShutDown) || engine.is_stopped() {
            std::future::pending::<()>().await;
        }
        if !self.told {
            engine.tell(Event::StorageFailed { reason: error.to_string() });
            self.told = true;
        }
        engine.pause(&mut self.backoff).await;
    }
}

/// Changes a connection, durably. Does nothing if it is gone.
pub(super) async fn update(engine: &Engine, id: ConnectionId, change: &Change<'_>) {
    until_stored!(engine, try_update(engine, id, change).await);
}

/// Changes a connection, and returns when that is durable. If it is undone, what was done on the network has to be done again. Does nothing
/// if the connection is gone.
pub(super) async fn update_soon(engine: &Engine, id: ConnectionId, change: &Change<'_>) -> Option<Commit> {
    until_stored!(
        engine,
        unless_gone(engine.steps.step(id, or_fail(change)).await).map(|step| step.map(|((), commit)| commit))
    )
}

/// Changes a connection, durably, if the database takes it now. Does nothing if it is gone.
pub(super) async fn try_update(
    engine: &Engine,
    id: ConnectionId,
    change: &Change<'_>,
) -> Result<(), AgentError> {
    match unless_gone(engine.steps.step(id, or_fail(change)).await)? {
        Some(((), commit)) => commit.durable().await,
        None => Ok(()),
    }
}

/// None of what was done for a connection that is gone.
pub(super) fn unless_gone<T>(done: Result<T, AgentError>) -> Result<Option<T>, AgentError> {
    match done {
        Err(AgentError::UnknownConnection(_)) => Ok(None),
        done => done.map(Some),
    }
}

/// Makes something until the database takes it.
macro_rules! until_stored {
    ($engine:expr, $attempt:expr) => {{
        let mut retry = $crate::network::update::StorageRetry::new();
        loop {
            match $attempt {
                Ok(value) => break value,
                Err(error) => retry.wait($engine, &$crate::error::AgentError::from(error)).await,
            }
        }
    }};
}
pub(super) use until_stored;
