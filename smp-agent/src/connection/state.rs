//! The state of a connection at rest: two byte strings.
//!
//! *State* has everything that lasts, with several KiB of keys; *position* has what each message changes. The store writes the state only
//! when it differs from what was written last. Both are CBOR maps by field names after a byte of version, so that a field that is
//! added with `#[serde(default)]` needs no migration.

use super::{ChainEnd, Connection, Waiting};
use crate::id::{ConnectionId, MessageId};
use serde::{Deserialize, Serialize};
use smp_ratchet::ChainPosition;
use std::io;
use zeroize::Zeroizing;

/// The version of both forms.
const FORMAT: u8 = 1;
/// First capacity in bytes of a buffer: longer than most states.
const CAPACITY: usize = 8192;
const POSITION_CAPACITY: usize = 512;

/// What each message changes.
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

/// The bytes are not what [`Connection::state_bytes`] and [`Connection::position_bytes`] make.
#[derive(Debug)]
pub(crate) struct NotAState;

impl Connection {
    /// What lasts. Secret.
    pub(crate) fn state_bytes(&self) -> Result<Zeroizing<Vec<u8>>, NotAState> {
        to_bytes(self, CAPACITY)
    }

    /// What each message changes. Secret.
    pub(crate) fn position_bytes(&self) -> Result<Zeroizing<Vec<u8>>, NotAState> {
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
    ) -> Result<(Self, usize), NotAState> {
        let mut connection: Self = from_bytes(state)?;
        let position: Position = from_bytes(position)?;
        connection.id = id;
        connection.sent = position.sent;
        connection.received = position.received;
        connection.last_message = position.last_message;
        connection.undelivered = position.undelivered;
        connection.waiting = position.waiting;
        connection.ratchet = match (connection.ratchet.take(), position.ratchet) {
            (None, None) => None,
            (Some(ratchet), Some(position)) => Some(ratchet.at(position).map_err(|_| NotAState)?),
            _ => return Err(NotAState),
        };
        Ok((connection, position.skipped))
    }
}

/// The form at rest of a value, in a buffer that leaves no copies behind when it grows.
pub(crate) fn to_bytes(value: &impl Serialize, capacity: usize) -> Result<Zeroizing<Vec<u8>>, NotAState> {
    let mut buffer = WipedBuffer(Zeroizing::new(Vec::with_capacity(capacity)));
    buffer.0.push(FORMAT);
    ciborium::into_writer(value, &mut buffer).map_err(|_| NotAState)?;
    Ok(buffer.0)
}

/// The value of which [`to_bytes`] made these.
pub(crate) fn from_bytes<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, NotAState> {
    match bytes {
        [FORMAT, content @ ..] => ciborium::from_reader(content).map_err(|_| NotAState),
        _ => Err(NotAState),
    }
}

struct WipedBuffer(Zeroizing<Vec<u8>>);

impl io::Write for WipedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(2 * self.0.capacity())));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
