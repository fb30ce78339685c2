//! `Visitor`: the guest that a connection for files is.

use std::sync::Arc;

use crate::admission::Guest;

/// The guest of a connection, in both accounts of places.
pub(super) struct Visitor {
    guest: Arc<Guest>,
    /// The same for the listener, which bounds all connections of the relay.
    of_listener: Option<Arc<Guest>>,
}

impl Visitor {
    pub(super) fn new(guest: Arc<Guest>, of_listener: Option<Arc<Guest>>) -> Self {
        Self { guest, of_listener }
    }

    pub(super) fn guest(&self) -> &Guest {
        &self.guest
    }

    /// A command was done for it.
    pub(super) fn note_known(&self) {
        self.guest.note_known();
        if let Some(guest) = &self.of_listener {
            guest.note_known();
        }
    }
}
