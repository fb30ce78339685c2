//! Messages of the application that wait for the encryption to be renewed: they have neither a number in the chain nor a key of the ratchet
//! until both sides agree again.
//!
//! Invariant: they go out in the order in which the application sent them, before everything that it sends later. So as long as one waits
//! the next ones wait behind it.

use super::{Connection, Deferred, Effects, OutgoingKind, Phase, StateError};
use crate::config::AgentConfig;
use crate::error::SendError;
use crate::event::Event;
use crate::id::MessageId;
use smp_protocol::agent::AMessage;

impl Connection {
    /// Whether a message of the application has to wait.
    pub(super) fn defers(&self) -> bool {
        !self.in_sync() || self.deferred > 0
    }

    /// Keeps a message.
    pub(super) fn defer(&mut self, body: &[u8], effects: &mut Effects) -> MessageId {
        let message = self.next_message();
        self.deferred = self.deferred.saturating_add(1);
        effects.deferred.push(Deferred { message, body: body.to_vec().into() });
        message
    }

    /// Whether messages that were kept can be encrypted now.
    pub(crate) fn releases(&self) -> bool {
        self.deferred > 0 && self.phase == Phase::Connected && self.in_sync()
    }

    /// Encrypts the messages that were kept first. None of them are to be kept any more.
    pub(crate) fn release(
        &mut self,
        oldest: &[Deferred],
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        for Deferred { message, body } in oldest {
            self.deferred = self.deferred.saturating_sub(1);
            // The other side may have announced another version since, in whose messages there is less room.
            if body.len() > self.message_limit() {
                let error = SendError::Refused("it is too long for the renewed encryption".to_owned());
                effects.events.push(Event::SendFailed { connection: self.id, id: *message, error });
                continue;
            }
            let content = AMessage::Message(body.as_slice().into());
            self.send_as(&content, OutgoingKind::Message, Some(*message), config, effects)?;
        }
        Ok(())
    }
}
