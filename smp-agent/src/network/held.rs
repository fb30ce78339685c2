//! Messages that are stored and not acknowledged to their relays: the application has as many before it as it may have.
//!
//! So what a contact can put onto this disk is bounded, and the rest stays in the relay's queue, which has its own bound.

use super::session::RelaySession;
use crate::id::ConnectionId;
use smp_crypto::PrivateAuthKey;
use smp_protocol::id::{MessageId, RecipientId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A message that a relay delivered in a session.
#[derive(Clone)]
pub(super) struct Acknowledgement {
    pub(super) session: Arc<RelaySession>,
    pub(super) queue: RecipientId,
    pub(super) key: PrivateAuthKey,
    pub(super) message: MessageId,
}

/// All messages that are held.
#[derive(Default)]
pub(super) struct HeldMessages(Mutex<HashMap<ConnectionId, Vec<Acknowledgement>>>);

impl HeldMessages {
    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Vec<Acknowledgement>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a message until there is room. Of one queue there is one, which replaces that of an earlier session.
    pub(super) fn add(&self, connection: ConnectionId, held: Acknowledgement) {
        let mut all = self.lock();
        let messages = all.entry(connection).or_default();
        messages.retain(|message| message.queue != held.queue);
        messages.push(held);
    }

    /// Those of which something is held.
    pub(super) fn connections(&self) -> Vec<ConnectionId> {
        self.lock().keys().copied().collect()
    }

    pub(super) fn forget(&self, connection: ConnectionId) {
        self.lock().remove(&connection);
    }

    /// Takes what is held of a connection, to acknowledge it.
    pub(super) fn take(&self, connection: ConnectionId) -> Vec<Acknowledgement> {
        self.lock().remove(&connection).unwrap_or_default()
    }
}
