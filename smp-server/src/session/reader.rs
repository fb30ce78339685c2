//! The task that reads a client's commands.

use std::{sync::Arc, time::Duration};

use smp_protocol::{
    error::ErrorType,
    id::{CorrelationId, EntityId},
    transmission::{RefusedTransmission, read_commands},
};
use smp_transport::connection::{BlockReader, ConnectionError, ReceivedBlock};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Session, turn::Turn};
use crate::broker::Broker;

/// Reads and runs commands until the client closes, has been idle for too long, or `stop` is cancelled.
pub(super) async fn read(
    session: &Arc<Session>,
    broker: &Arc<Broker>,
    mut reader: BlockReader,
    stop: &CancellationToken,
) {
    loop {
        let block = tokio::select! {
            block = next_block(session, &mut reader) => block,
            () = stop.cancelled() => return,
        };
        let Ok(block) = block else { return };
        session.note_activity();
        let ran = match block.first() {
            Some(count) if usize::from(*count) > session.config.limits.max_batch => {
                refuse_block(session).await
            }
            _ => run_block(session, broker, &block).await,
        };
        if ran.is_none() {
            return;
        }
    }
}

/// # Errors
///
/// [`ConnectionError::Closed`] also when the client has been idle for too long.
async fn next_block(session: &Session, reader: &mut BlockReader) -> Result<ReceivedBlock, ConnectionError> {
    let limits = &session.config.limits;
    let Some(idle_timeout) = limits.idle_timeout else { return reader.read_block().await };
    loop {
        match tokio::time::timeout(limits.idle_check_interval, reader.read_block()).await {
            Ok(block) => return block,
            Err(_) if session.is_idle(idle_timeout) => return Err(ConnectionError::Closed),
            Err(_) => {}
        }
    }
}

/// Returns `None` if the session has ended meanwhile.
async fn run_block(session: &Arc<Session>, broker: &Arc<Broker>, block: &ReceivedBlock) -> Option<()> {
    let mut turn = Turn::begin();
    for transmission in read_commands(block, &session.parameters) {
        turn.pass_on().await;
        // Waits until enough of the answers before have been read.
        let permit = session.in_flight.clone().acquire_owned().await.ok()?;
        match transmission {
            Ok(transmission) => session.submit(broker, transmission, permit),
            Err(refused) => session.refuse(refused, permit),
        }
    }
    session.outbox.wake();
    Some(())
}

/// Refuses a block with too many commands. Returns `None` if the session has ended meanwhile.
async fn refuse_block(session: &Arc<Session>) -> Option<()> {
    let permit = session.in_flight.clone().acquire_owned().await.ok()?;
    let (correlation_id, entity_id) = (CorrelationId::empty(), EntityId::empty());
    session.refuse(RefusedTransmission { correlation_id, entity_id, error: ErrorType::Block }, permit);
    session.outbox.wake();
    Some(())
}

impl Session {
    /// Something was read from or written to the client.
    pub(super) fn note_activity(&self) {
        *crate::sync::lock(&self.active) = Instant::now();
    }

    /// Whether there was no traffic for this long, and nothing is subscribed.
    fn is_idle(&self, timeout: Duration) -> bool {
        crate::sync::lock(&self.active).elapsed() >= timeout && !self.has_subscriptions()
    }
}
