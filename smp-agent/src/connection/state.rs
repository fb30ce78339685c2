//! The state of a connection at rest: two byte strings.
//!
//! *State* has everything that lasts, with several KiB of keys; *position* has what each message changes. The store writes the state only
//! when it differs from what was written last. Both are CBOR maps by field names after a byte of version, so that a field that is
//! added with `#[serde(default)]` needs no migration.

use super::{ChainEnd, Connection, State, Waiting};
use crate::id::{ConnectionId, MessageId};
use crate::stored::{NotStored, from_bytes, to_bytes};
use serde::{Deserialize, Serialize};
use smp_ratchet::ChainPosition;
use zeroize::Zeroizing;

/// First capacity in bytes of a buffer: longer than most states.
const CAPACITY: usize = 8192;
const POSITION_CAPACITY: usize = 512;

/// The part that each message changes.
#[derive(Serialize, Deserialize)]
struct Position {
    sent: ChainEnd,
    received: ChainEnd,
    last_message: MessageId,
    undelivered: u32,
    waiting: Waiting,
    /// How many keys of skipped messages are stored.
    skipped: usize,
    #[serde(with = "crate::stored")]
    ratchet: Option<ChainPosition>,
}

impl Connection {
    /// The part that lasts, if it may be another than the stored one when this was asked last. Secret.
    pub(crate) fn changed_state_bytes(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, NotStored> {
        let bytes = self.changed.then(|| self.state_bytes()).transpose()?;
        self.changed = false;
        Ok(bytes)
    }

    /// The part that lasts. Secret.
    pub(crate) fn state_bytes(&self) -> Result<Zeroizing<Vec<u8>>, NotStored> {
        to_bytes(&self.state, CAPACITY)
    }

    /// The part that each message changes. Secret.
    pub(crate) fn position_bytes(&self) -> Result<Zeroizing<Vec<u8>>, NotStored> {
        let position = Position {
            sent: self.sent.clone(),
            received: self.received.clone(),
            last_message: self.last_message,
            undelivered: self.undelivered,
            waiting: self.waiting,
            skipped: self.skipped.as_slice().len(),
            ratchet: self.ratchet.as_ref().map(smp_ratchet::Ratchet::position),
        };
        to_bytes(&position, POSITION_CAPACITY)
    }

    /// The connection that these were made of, and how many keys of skipped messages it has.
    pub(crate) fn from_stored(
        id: ConnectionId,
        state: &[u8],
        position: &[u8],
    ) -> Result<(Self, usize), NotStored> {
        let mut state: State = from_bytes(state)?;
        let position: Position = from_bytes(position)?;
        state.ratchet = match (state.ratchet.take(), position.ratchet) {
            (None, None) => None,
            (Some(ratchet), Some(position)) => Some(ratchet.at(position).map_err(|_| NotStored)?),
            _ => return Err(NotStored),
        };
        let connection = Self {
            id,
            state,
            changed: false,
            skipped: Vec::new().into(),
            sent: position.sent,
            received: position.received,
            last_message: position.last_message,
            undelivered: position.undelivered,
            waiting: position.waiting,
        };
        Ok((connection, position.skipped))
    }
}
