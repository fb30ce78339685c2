//! Requests that wait for their answers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use smp_protocol::id::{CorrelationId, EntityId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::transmission::MessageTransmission;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{ClientError, RelayEvent, Response};

/// The end of a request.
pub(super) type Answer = Result<Response, ClientError>;

/// All requests in flight, until the connection has ended.
#[derive(Default)]
pub(super) struct Pending(Mutex<State>);

#[derive(Default)]
struct State {
    requests: HashMap<CorrelationId, Waiting>,
    /// Why there are no more answers.
    ended: Option<ClientError>,
}

enum Waiting {
    Request {
        entity_id: EntityId,
        answer: oneshot::Sender<Answer>,
        /// Gives its place free when the request is answered or given up.
        _place: OwnedSemaphorePermit,
    },
    /// Our own `PING`, whose answer nobody waits for.
    Ping,
}

impl Pending {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a request.
    pub(super) fn add(
        &self,
        correlation_id: CorrelationId,
        entity_id: EntityId,
        place: OwnedSemaphorePermit,
    ) -> Result<oneshot::Receiver<Answer>, ClientError> {
        let (answer, receiver) = oneshot::channel();
        self.insert(correlation_id, Waiting::Request { entity_id, answer, _place: place })?;
        Ok(receiver)
    }

    /// Adds a `PING` of the keep-alive.
    pub(super) fn add_ping(&self, correlation_id: CorrelationId) -> Result<(), ClientError> {
        self.insert(correlation_id, Waiting::Ping)
    }

    fn insert(&self, correlation_id: CorrelationId, waiting: Waiting) -> Result<(), ClientError> {
        let mut state = self.lock();
        if let Some(reason) = &state.ended {
            return Err(reason.clone());
        }
        match state.requests.entry(correlation_id) {
            Entry::Occupied(_) => Err(ClientError::CorrelationIdInUse),
            Entry::Vacant(entry) => {
                entry.insert(waiting);
                Ok(())
            }
        }
    }

    /// Gives a request up. Its answer, if it comes after all, is an event.
    pub(super) fn remove(&self, correlation_id: &CorrelationId) {
        self.lock().requests.remove(correlation_id);
    }

    /// Gives a message of the relay to the request that waits for it. Any other is returned as an event.
    pub(super) fn dispatch(&self, received: MessageTransmission<'_>) -> Option<RelayEvent> {
        let MessageTransmission { correlation_id, entity_id, message } = received;
        let message = message.map(BrokerMessage::into_owned);
        if correlation_id.is_empty() {
            return Some(RelayEvent { entity_id, message, late: false });
        }
        let waiting = self.lock().requests.remove(&correlation_id);
        let (expected, answer) = match waiting {
            Some(Waiting::Request { entity_id, answer, .. }) => (entity_id, answer),
            Some(Waiting::Ping) => return None,
            None => return Some(RelayEvent { entity_id, message, late: true }),
        };
        let result = match message {
            Ok(BrokerMessage::Error(error)) => Err(ClientError::Relay(error)),
            Ok(_) if entity_id != expected => Err(ClientError::UnexpectedEntity),
            Ok(message) => Ok(message),
            Err(error) => Err(ClientError::UnreadableAnswer(error)),
        };
        match answer.send(result) {
            // the caller left at this very moment
            Err(Ok(message)) => Some(RelayEvent { entity_id, message: Ok(message), late: true }),
            _ => None,
        }
    }

    /// Ends it all: every request gets the reason, and so do later ones. Only the first reason counts.
    pub(super) fn end(&self, reason: ClientError) {
        let waiting = {
            let mut state = self.lock();
            if state.ended.is_some() {
                return;
            }
            state.ended = Some(reason.clone());
            std::mem::take(&mut state.requests)
        };
        for (_, request) in waiting {
            if let Waiting::Request { answer, .. } = request {
                // whoever does not wait any more needs no reason
                let _ = answer.send(Err(reason.clone()));
            }
        }
    }

    /// Why the connection has ended, if it has.
    pub(super) fn ended(&self) -> Option<ClientError> {
        self.lock().ended.clone()
    }
}
