//! The task that reads answers and events, and keeps the connection alive.

use std::sync::Arc;

use smp_protocol::command::Command;
use smp_protocol::error::ErrorType;
use smp_protocol::id::EntityId;
use smp_protocol::message::BrokerMessage;
use smp_protocol::transmission::read_messages;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::queue::{Handed, Outgoing};
use super::{ClientError, RelayEvent, Shared};
use crate::connection::BlockReader;

/// Reads until the connection ends.
pub(super) async fn read_answers(
    shared: Arc<Shared>,
    mut reader: BlockReader,
    events: mpsc::Sender<RelayEvent>,
) {
    let mut keep_alive = KeepAlive::new(&shared);
    let reason = loop {
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => break ClientError::Closed,
            block = reader.read_block() => match block {
                Ok(block) => {
                    if let Err(error) = deliver(&shared, &block, &events).await {
                        break error;
                    }
                    keep_alive.received(&shared);
                }
                Err(error) => break ClientError::Connection(error),
            },
            () = keep_alive.due() => {
                if let Err(error) = keep_alive.ping(&shared) {
                    break error;
                }
            }
        }
    };
    // if we are stopped, the reason is known already
    shared.end(reason);
}

/// Gives what is in a block to those who wait for it.
async fn deliver(
    shared: &Shared,
    block: &[u8],
    events: &mpsc::Sender<RelayEvent>,
) -> Result<(), ClientError> {
    for received in read_messages(block, &shared.authorizer.session().parameters) {
        let Some(event) = shared.pending.dispatch(received) else { continue };
        if !event.late
            && let Some(error) = fatal(&event)
        {
            return Err(ClientError::Protocol(error));
        }
        tokio::select! {
            () = shared.stop.cancelled() => return Err(ClientError::Closed),
            // an application that is not interested in events has dropped their receiver
            _ = events.send(event) => (),
        }
    }
    Ok(())
}

/// Errors that are not about a request are about the connection.
fn fatal(event: &RelayEvent) -> Option<ErrorType> {
    match &event.message {
        Err(error @ (ErrorType::Block | ErrorType::Session)) => Some(error.clone()),
        Ok(BrokerMessage::Error(error @ (ErrorType::Block | ErrorType::Session))) => Some(error.clone()),
        _ => None,
    }
}

/// When to send `PING`.
struct KeepAlive {
    due: Option<Instant>,
    unanswered: u32,
}

impl KeepAlive {
    fn new(shared: &Shared) -> Self {
        let mut this = Self { due: None, unanswered: 0 };
        this.received(shared);
        this
    }

    /// Something has come: the relay lives.
    fn received(&mut self, shared: &Shared) {
        self.unanswered = 0;
        self.due = shared
            .config
            .ping_interval
            .map(|interval| shared.config.surroundings.time.monotonic() + interval);
    }

    async fn due(&self) {
        match self.due {
            Some(due) => sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    fn ping(&mut self, shared: &Shared) -> Result<(), ClientError> {
        if self.unanswered >= shared.config.ping_count {
            return Err(ClientError::NotResponding);
        }
        self.unanswered += 1;
        self.due = Some(shared.config.surroundings.time.monotonic() + shared.config.response_timeout);
        let correlation_id = shared.correlation_id();
        let transmission =
            shared.authorizer.transmission(None, &correlation_id, &EntityId::empty(), &Command::Ping)?;
        let size = u32::try_from(transmission.len()).unwrap_or(u32::MAX);
        // if so much waits to be written already, the writer finds out whether the relay lives
        if let Ok(room) = shared.queued.clone().try_acquire_many_owned(size) {
            shared.pending.add_ping(correlation_id)?;
            let (entity_id, handed) = (EntityId::empty(), Handed { room, written: None });
            shared.queue.push(Outgoing { entity_id, transmission, urgent: true, handed });
        }
        Ok(())
    }
}
