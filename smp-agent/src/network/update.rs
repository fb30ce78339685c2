//! Steps that must happen, because something on the network already has: they are tried until the database takes them.

use super::backoff::Backoff;
use crate::connection::{Connection, Effects, StateError};
use crate::core::Core;
use crate::error::{AgentError, ConnectionError, StorageError};
use crate::event::Event;
use crate::id::ConnectionId;
use std::sync::Arc;
use std::time::Duration;

/// Between the first two attempts; doubled after each.
const FIRST_RETRY: Duration = Duration::from_millis(200);
/// The longest time between two attempts.
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// A change of a connection that can be made again if the database does not take it.
pub(crate) type Change<'a> =
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
    pub(super) async fn wait(&mut self, core: &Core, error: &AgentError) {
        if matches!(error, AgentError::ShutDown) {
            std::future::pending::<()>().await;
        }
        if !self.told {
            core.tell(Event::StorageFailed { reason: error.to_string() });
            self.told = true;
        }
        self.backoff.pause().await;
    }
}

/// Changes a connection and removes outgoing bodies. Does nothing if any of these is gone.
pub(crate) async fn update(core: &Arc<Core>, id: ConnectionId, sent: &[i64], change: &Change<'_>) {
    let mut retry = StorageRetry::new();
    while let Err(error) = try_update(core, id, sent, change).await {
        retry.wait(core, &error).await;
    }
}

async fn try_update(
    core: &Arc<Core>,
    id: ConnectionId,
    sent: &[i64],
    change: &Change<'_>,
) -> Result<(), AgentError> {
    let mut step = core.step().await?;
    let Some(mut connection) = step.find(id).await? else { return Ok(()) };
    for row in sent {
        if !step.remove_outgoing(*row).await? {
            return Ok(());
        }
    }
    let mut effects = Effects::default();
    if change(&mut connection, &mut effects).is_err() {
        effects = Effects::default();
        connection.fail(ConnectionError::Encryption, &mut effects);
    }
    Ok(core.save(step, &connection, &effects).await?)
}

/// Makes something until the database takes it.
macro_rules! until_stored {
    ($core:expr, $attempt:expr) => {{
        let mut retry = $crate::network::update::StorageRetry::new();
        loop {
            match $attempt {
                Ok(value) => break value,
                Err(error) => retry.wait($core, &$crate::error::AgentError::from(error)).await,
            }
        }
    }};
}
pub(super) use until_stored;

impl From<StateError> for StorageError {
    fn from(_: StateError) -> Self {
        Self::Damaged("state of a connection")
    }
}
