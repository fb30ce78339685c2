//! The messages for whose outcome somebody waits.

use crate::id::{ConnectionId, MessageId};
use crate::send_handle::SendOutcome;
use crate::store::{StoredEvent, settled};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

type Waiting = HashMap<ConnectionId, HashMap<MessageId, Vec<oneshot::Sender<SendOutcome>>>>;

/// All of them, by connection.
#[derive(Clone, Default)]
pub(crate) struct Sends(Arc<Mutex<Waiting>>);

impl Sends {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to wait. A step that is undone leaves its number to another message: nobody waits for the first one then.
    pub(crate) fn wait_for(
        &self,
        connection: ConnectionId,
        message: MessageId,
    ) -> oneshot::Receiver<SendOutcome> {
        let (sender, outcome) = oneshot::channel();
        let mut waiting = self.lock();
        let senders = waiting.entry(connection).or_default().entry(message).or_default();
        senders.retain(|sender| !sender.is_closed());
        senders.push(sender);
        outcome
    }

    /// These events are durable.
    pub(super) fn settle(&self, events: &[StoredEvent]) {
        let mut waiting = self.lock();
        if waiting.is_empty() {
            return;
        }
        for StoredEvent { event, .. } in events {
            let Some(((connection, message), outcome)) = settled(event) else { continue };
            let Some(messages) = waiting.get_mut(&connection) else { continue };
            for sender in messages.remove(&message).into_iter().flatten() {
                // Without a receiver nobody wants to know.
                let _ = sender.send(outcome.clone());
            }
            if messages.is_empty() {
                waiting.remove(&connection);
            }
        }
    }

    /// A connection was removed.
    pub(super) fn forget(&self, connection: ConnectionId) {
        self.lock().remove(&connection);
    }
}
