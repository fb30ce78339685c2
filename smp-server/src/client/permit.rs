//! `Permit`: the share of one command in its client's bounds, until the answer to it is written.

use std::sync::Arc;

use smp_protocol::{message::BrokerMessage, transmission::MAX_CONTENT};
use tokio::sync::Semaphore;

use super::content::Content;
use crate::{
    admission::Share,
    metrics::{Limit, Refusals},
};

/// Largest weight of an answer that is not small, in bytes.
pub(crate) const LARGE_ANSWER: usize = MAX_CONTENT;

/// Least bytes of a command or an answer: with all that is kept beside it, and the space between allocations.
pub(crate) const SMALLEST: usize = 256;

/// Bounds of one client's commands in flight: a number of commands, and a number of bytes, which are within its share of the memory for
/// all clients.
pub(crate) struct InFlight {
    commands: Semaphore,
    max_commands: usize,
    bytes: Semaphore,
    /// Bytes for what is to be forwarded, apart from the others: it waits for other relays, which may be dead.
    forwarded: Semaphore,
    share: Share,
}

/// Which of a client's bounds the bytes of a command are taken from.
#[derive(Clone, Copy)]
enum Room {
    Own,
    Forwarded,
}

/// Leave to have one command run. It is given back when the answer goes into a block.
pub(crate) struct Permit {
    of: Arc<InFlight>,
    room: Room,
    bytes: usize,
}

impl InFlight {
    pub(crate) fn new(
        max_commands: usize,
        max_bytes: usize,
        max_forwarded: usize,
        share: Share,
    ) -> Arc<Self> {
        let (commands, bytes) = (Semaphore::new(max_commands), Semaphore::new(max_bytes));
        Arc::new(Self { commands, max_commands, bytes, forwarded: Semaphore::new(max_forwarded), share })
    }

    /// Waits until a command of this weight is within all bounds. `None` if it never is.
    pub(crate) async fn admit(self: &Arc<Self>, weight: usize, refusals: &Refusals) -> Option<Permit> {
        let weight = weight.max(SMALLEST);
        let command = self.commands.acquire().await.ok()?;
        let bytes = self.bytes.acquire_many(u32::try_from(weight).ok()?).await.ok()?;
        if !self.share.try_take(weight) {
            refusals.note(Limit::Memory, (self.share.total() >> 20) as u64);
            self.share.take(weight).await;
        }
        // The permit gives them back.
        command.forget();
        bytes.forget();
        Some(Permit { of: self.clone(), room: Room::Own, bytes: weight })
    }

    /// Leave to have a command forwarded, if there is room for it now.
    pub(crate) fn admit_forwarded(self: &Arc<Self>, weight: usize) -> Option<Permit> {
        let weight = weight.max(SMALLEST);
        let command = self.commands.try_acquire().ok()?;
        let bytes = self.forwarded.try_acquire_many(u32::try_from(weight).ok()?).ok()?;
        if !self.share.try_take(weight) {
            return None;
        }
        command.forget();
        bytes.forget();
        Some(Permit { of: self.clone(), room: Room::Forwarded, bytes: weight })
    }

    /// Resolves when every command is answered and the answers are written.
    pub(crate) async fn answered(&self) {
        let all = u32::try_from(self.max_commands).unwrap_or(u32::MAX);
        // It is never closed.
        let _ = self.commands.acquire_many(all).await;
    }

    fn give_back(&self, room: Room, bytes: usize) {
        match room {
            Room::Own => self.bytes.add_permits(bytes),
            Room::Forwarded => self.forwarded.add_permits(bytes),
        }
        self.share.give_back(bytes);
    }
}

impl Permit {
    /// The command is done: only the answer still takes memory.
    pub(crate) fn answered_by(&mut self, content: &Content) {
        let unused = self.bytes.saturating_sub(weight(content));
        self.bytes -= unused;
        self.of.give_back(self.room, unused);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.of.give_back(self.room, self.bytes);
        self.of.commands.add_permits(1);
    }
}

/// How many bytes an answer may take.
fn weight(content: &Content) -> usize {
    let message = match content {
        Content::Delivery(_) => return LARGE_ANSWER,
        Content::Message(message) => message,
    };
    match message {
        BrokerMessage::Link(..)
        | BrokerMessage::Message(..)
        | BrokerMessage::ProxySessionKey { .. }
        | BrokerMessage::ProxyResponse(_)
        | BrokerMessage::RelayResponse(_) => LARGE_ANSWER,
        _ => SMALLEST,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use smp_protocol::{encoding::LargeString, id::SenderId};

    use super::*;
    use crate::admission::{Memory, Origin};

    fn in_flight_of(memory: &Arc<Memory>) -> Arc<InFlight> {
        InFlight::new(4, 64 << 10, 64 << 10, memory.share(Origin::Local))
    }

    fn in_flight() -> Arc<InFlight> {
        in_flight_of(&Memory::new(1 << 30))
    }

    fn admit(in_flight: &Arc<InFlight>, weight: usize) -> Option<Permit> {
        in_flight
            .admit(
                weight,
                &crate::metrics::Metrics::new(smp_transport::surroundings::Time::machine()).refusals,
            )
            .now_or_never()
            .flatten()
    }

    fn link() -> Content {
        let part = || LargeString::new(vec![0; 9_000]).unwrap();
        let data = smp_protocol::command::LinkData { fixed: part(), user: part() };
        Content::Message(BrokerMessage::Link(SenderId::generate(&mut rand::rng()), data))
    }

    #[test]
    fn bytes_are_given_back_when_the_command_is_done_and_when_its_answer_is_written() {
        let in_flight = in_flight();
        let mut one = admit(&in_flight, 48 << 10).unwrap();
        assert!(admit(&in_flight, LARGE_ANSWER + 32).is_none());
        one.answered_by(&link());
        let mut two = admit(&in_flight, 48 << 10).unwrap();
        two.answered_by(&Content::Message(BrokerMessage::Ok));
        assert!(admit(&in_flight, 64 << 10).is_none(), "one answer waits");
        drop((one, two));
        assert!(admit(&in_flight, 64 << 10).is_some());
    }

    #[test]
    fn small_commands_are_counted_and_weigh_little() {
        let in_flight = in_flight();
        let small: Vec<_> = (0..4).map(|_| admit(&in_flight, 0).unwrap()).collect();
        assert!(admit(&in_flight, 0).is_none(), "their number is bounded");
        assert!(in_flight.answered().now_or_never().is_none());
        drop(small);
        assert!(in_flight.answered().now_or_never().is_some());
        let _most = admit(&in_flight, (64 << 10) - SMALLEST).unwrap();
        let _small = admit(&in_flight, 0).unwrap();
        assert!(admit(&in_flight, 0).is_none(), "so is their weight");
    }

    #[test]
    fn what_is_forwarded_has_room_of_its_own() {
        let in_flight = in_flight();
        let forwarded: Vec<_> = (0..2).map(|_| in_flight.admit_forwarded(32 << 10).unwrap()).collect();
        assert!(in_flight.admit_forwarded(32 << 10).is_none());
        assert!(admit(&in_flight, 64 << 10).is_some());
        drop(forwarded);
        assert!(in_flight.admit_forwarded(32 << 10).is_some());
    }

    #[test]
    fn connections_share_the_memory_of_the_relay() {
        let memory = Memory::new(128 << 10);
        let (one, other) = (in_flight_of(&memory), in_flight_of(&memory));
        let mut first = admit(&one, 60 << 10).unwrap();
        assert!(admit(&other, 20 << 10).is_none());
        first.answered_by(&Content::Message(BrokerMessage::Ok));
        assert!(admit(&other, 20 << 10).is_some());
        drop(first);
        assert_eq!(memory.used(), 0);
    }
}
