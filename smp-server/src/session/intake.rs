//! `Intake`: bounds the unanswered commands of one client, by number and by bytes. The next one is read when there is room.

use std::sync::Arc;

use smp_protocol::{
    command::Command,
    transmission::{AuthorizationRef, CommandTransmission},
};
use tokio::sync::Semaphore;

use crate::{
    client::{LARGE_ANSWER, Permit},
    config::Limits,
};

/// Commands and answers of fewer bytes weigh nothing: their number is bounded.
const SMALL: usize = 1_024;

/// Counts and weighs what a client has asked and has not read the answer to.
pub(super) struct Intake {
    commands: Arc<Semaphore>,
    max_commands: usize,
    bytes: Arc<Semaphore>,
    /// Bytes for what is to be forwarded, apart from the others: it waits for other relays, which may be dead.
    forwarded: Arc<Semaphore>,
}

/// What a transmission may take until it is answered, in bytes, and then its answer.
pub(super) enum Weight {
    /// It waits until there is room, and what is behind it too.
    Own(usize),
    /// To be forwarded: without room it is refused, so that nothing behind it waits for another relay.
    Forwarded(usize),
}

impl Intake {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            commands: Arc::new(Semaphore::new(limits.max_pending_commands)),
            max_commands: limits.max_pending_commands,
            bytes: Arc::new(Semaphore::new(limits.max_pending_kib << 10)),
            forwarded: Arc::new(Semaphore::new(limits.max_forwarded_kib << 10)),
        }
    }

    /// Waits until enough of the answers before have been read. `None` if the session has ended.
    pub(super) async fn admit(&self, weight: usize) -> Option<Permit> {
        let command = self.commands.clone().acquire_owned().await.ok()?;
        let weight = match u32::try_from(weight).ok()? {
            0 => None,
            weight => Some(self.bytes.clone().acquire_many_owned(weight).await.ok()?),
        };
        Some(Permit::new(command, weight))
    }

    /// Leave to have a command forwarded, if there is room now.
    pub(super) fn admit_forwarded(&self, weight: usize) -> Option<Permit> {
        let command = self.commands.clone().try_acquire_owned().ok()?;
        let weight = self.forwarded.clone().try_acquire_many_owned(u32::try_from(weight).ok()?).ok()?;
        Some(Permit::new(command, Some(weight)))
    }

    /// Resolves when every command is answered and the answers are written.
    pub(super) async fn answered(&self) {
        let all = u32::try_from(self.max_commands).unwrap_or(u32::MAX);
        // It is never closed.
        let _ = self.commands.acquire_many(all).await;
    }
}

/// How many bytes a command may take until it is answered, and then its answer.
pub(super) fn weight(transmission: &CommandTransmission<'_>) -> Weight {
    let bytes = bytes(transmission);
    match transmission.command {
        Command::ProxySession { .. } | Command::ProxyForward { .. } => Weight::Forwarded(bytes),
        _ => Weight::Own(bytes),
    }
}

fn bytes(transmission: &CommandTransmission<'_>) -> usize {
    // What is signed is kept next to the command.
    let is_signed = transmission.service_signature.is_some()
        || !matches!(transmission.authorization, None | Some(AuthorizationRef::Authenticator(_)));
    let copies = if is_signed { 2 } else { 1 };
    let command = Some(transmission.size()).filter(|size| *size >= SMALL).map_or(0, |size| size * copies);
    let answer = match transmission.command {
        Command::Get
        | Command::Acknowledge(_)
        | Command::GetLink
        | Command::SecureAndGetLink(_)
        | Command::ProxySession { .. }
        | Command::ProxyForward { .. }
        | Command::RelayForward(_) => LARGE_ANSWER,
        _ => 0,
    };
    command + answer
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use smp_protocol::{encoding::LargeString, id::SenderId, message::BrokerMessage};

    use super::*;
    use crate::client::Content;

    fn intake() -> Intake {
        Intake::new(&Limits { max_pending_commands: 4, max_pending_kib: 64, ..Limits::default() })
    }

    fn link() -> Content {
        let part = || LargeString::new(vec![0; 9_000]).unwrap();
        let data = smp_protocol::command::LinkData { fixed: part(), user: part() };
        Content::Message(BrokerMessage::Link(SenderId::generate(&mut rand::rng()), data))
    }

    #[test]
    fn bytes_are_given_back_when_the_command_is_done_and_when_its_answer_is_written() {
        let intake = intake();
        let mut one = intake.admit(48 << 10).now_or_never().flatten().unwrap();
        assert!(intake.admit(LARGE_ANSWER + 32).now_or_never().is_none());
        one.answered_by(&link());
        let mut two = intake.admit(48 << 10).now_or_never().flatten().unwrap();
        two.answered_by(&Content::Message(BrokerMessage::Ok));
        assert!(intake.admit(64 << 10).now_or_never().is_none(), "one answer waits");
        drop(one);
        assert!(intake.admit(64 << 10).now_or_never().is_some());
    }

    #[test]
    fn what_is_forwarded_has_room_of_its_own() {
        let intake =
            Intake::new(&Limits { max_pending_commands: 9, max_forwarded_kib: 64, ..Limits::default() });
        let forwarded: Vec<_> = (0..2).map(|_| intake.admit_forwarded(32 << 10).unwrap()).collect();
        assert!(intake.admit_forwarded(32 << 10).is_none());
        assert!(intake.admit(64 << 10).now_or_never().flatten().is_some());
        drop(forwarded);
        assert!(intake.admit_forwarded(32 << 10).is_some());
    }

    #[test]
    fn small_commands_are_counted_only() {
        let intake = intake();
        let _all = intake.admit(64 << 10).now_or_never().flatten().unwrap();
        let _small: Vec<_> = (0..3).map(|_| intake.admit(0).now_or_never().flatten().unwrap()).collect();
        assert!(intake.admit(0).now_or_never().is_none());
    }
}
