//! `read`: the task that reads the blocks of a client, and has their commands run.

use std::{pin::pin, sync::Arc, time::Duration};

use smp_protocol::{
    error::{BrokerErrorType, ErrorType, ProxyError},
    id::{CorrelationId, EntityId},
    transmission::{CommandTransmission, RefusedTransmission, read_commands},
};
use smp_transport::connection::{BlockReader, ConnectionError, ReceivedBlock};
use tokio::time::Instant;

use super::{
    request::{Weight, weight},
    state::Session,
    time_slice::TimeSlice,
};
use crate::{node::Node, stopping::Stopping, sync::lock};

/// Reads and runs commands until the client closes, has been idle for too long, or has to go.
pub(super) async fn read(
    session: &Arc<Session>,
    node: &Arc<Node>,
    reader: &mut BlockReader,
    stopping: &Stopping,
) {
    let first_command = session.config.limits.first_command_timeout.map(|timeout| node.now() + timeout);
    let mut turn = pin!(stopping.turn(&node.surroundings.randomness));
    loop {
        let block = tokio::select! {
            block = next_block(session, node, reader, first_command) => block,
            () = &mut turn => return,
        };
        let Ok(block) = block else { return };
        session.note_activity(node.now());
        let ran = match block.first() {
            Some(count) if usize::from(*count) > session.config.limits.max_batch => {
                refuse_block(session, node).await
            }
            // On the heap: a connection that only waits keeps no room for it.
            _ => Box::pin(run_block(session, node, &block)).await,
        };
        if ran.is_none() {
            return;
        }
    }
}

/// # Errors
///
/// [`ConnectionError::Closed`] also when the client has been idle for too long, or when nothing was done for it until
/// `first_command`.
async fn next_block(
    session: &Session,
    node: &Node,
    reader: &mut BlockReader,
    first_command: Option<Instant>,
) -> Result<ReceivedBlock, ConnectionError> {
    let limits = &session.config.limits;
    loop {
        let first_command = first_command.filter(|_| !session.caller.guest.is_known());
        let check = limits.idle_timeout.map(|_| node.now() + limits.idle_check_interval);
        let Some(until) = [first_command, check].into_iter().flatten().min() else {
            return reader.read_block().await;
        };
        if let Ok(block) = tokio::time::timeout_at(until, reader.read_block()).await {
            return block;
        }
        let is_late = first_command.is_some_and(|at| at <= node.now()) && !session.caller.guest.is_known();
        if is_late || limits.idle_timeout.is_some_and(|timeout| session.is_idle(timeout, node.now())) {
            return Err(ConnectionError::Closed);
        }
    }
}

/// Returns `None` if the session has ended meanwhile.
async fn run_block(session: &Arc<Session>, node: &Arc<Node>, block: &[u8]) -> Option<()> {
    let mut slice = TimeSlice::begin(&node.surroundings.time);
    for transmission in read_commands(block, &session.parameters) {
        slice.yield_if_used().await;
        let permit = match transmission.as_ref().map_or(Weight::Own(0), weight) {
            Weight::Own(weight) => session.in_flight.admit(weight, &node.metrics.refusals).await?,
            Weight::Forwarded(weight) => match session.in_flight.admit_forwarded(weight) {
                Some(permit) => permit,
                None => {
                    refuse_forwarding(session, node, transmission).await?;
                    continue;
                }
            },
        };
        match transmission {
            Ok(transmission) => session.submit(node, transmission, permit),
            Err(refused) => session.refuse(refused, permit),
        }
    }
    session.client().mailbox.wake();
    Some(())
}

/// Refuses to forward a command, as if the other relay did not answer: so many wait for theirs that it is likely, and the client
/// tries again later. Returns `None` if the session has ended meanwhile.
async fn refuse_forwarding(
    session: &Arc<Session>,
    node: &Node,
    transmission: Result<CommandTransmission<'_>, RefusedTransmission>,
) -> Option<()> {
    let Ok(CommandTransmission { correlation_id, entity_id, .. }) = transmission else { return Some(()) };
    let permit = session.in_flight.admit(0, &node.metrics.refusals).await?;
    let error = ErrorType::Proxy(Box::new(ProxyError::Broker(BrokerErrorType::Timeout)));
    session.refuse(RefusedTransmission { correlation_id, entity_id, error }, permit);
    Some(())
}

/// Refuses a block with too many commands. Returns `None` if the session has ended meanwhile.
async fn refuse_block(session: &Arc<Session>, node: &Node) -> Option<()> {
    let permit = session.in_flight.admit(0, &node.metrics.refusals).await?;
    let (correlation_id, entity_id) = (CorrelationId::empty(), EntityId::empty());
    session.refuse(RefusedTransmission { correlation_id, entity_id, error: ErrorType::Block }, permit);
    session.client().mailbox.wake();
    Some(())
}

impl Session {
    /// Something was read from or written to the client.
    pub(super) fn note_activity(&self, now: Instant) {
        *lock(&self.active) = now;
    }

    /// Whether something may come without being asked for: then it is not disconnected for being idle.
    fn waits_for_messages(&self) -> bool {
        (self.caller.service.is_some() && self.caller.guest.is_known()) || self.client().is_subscribed()
    }

    /// Whether there was no traffic for this long, and nothing is subscribed.
    fn is_idle(&self, timeout: Duration, now: Instant) -> bool {
        now.duration_since(*lock(&self.active)) >= timeout && !self.waits_for_messages()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use smp_protocol::{
        command::Command,
        id::{CorrelationId, EntityId},
        transmission::{BlockContent, prepare},
    };

    use super::*;
    use crate::testing;

    /// They are small, and the answers are not: the relay does not read on while the client does not.
    #[tokio::test(start_paused = true)]
    async fn answers_that_nobody_reads_are_weighed() {
        let node = testing::node_with(|config| config.limits.max_pending_kib = 65);
        let session = testing::session(&node);
        let link = testing::link(&node, 15_000).await;
        let mut block = BlockContent::new();
        for _ in 0..20 {
            let (corr_id, id) = (CorrelationId::generate(&mut rand::rng()), EntityId::from(&link));
            let get = prepare(&session.parameters, &corr_id, &id, &Command::GetLink);
            block.push(|out| get.write(None, &session.parameters, out)).unwrap();
        }
        let mut reading = Box::pin(run_block(&session, &node, block.as_bytes()));
        for _ in 0..4 {
            assert!((&mut reading).now_or_never().is_none());
            // As if the client had read these.
            assert_eq!(session.client().mailbox.take(255).len(), 4);
        }
        assert!(reading.now_or_never().is_some());
        assert_eq!(session.client().mailbox.take(255).len(), 4);
    }
}
