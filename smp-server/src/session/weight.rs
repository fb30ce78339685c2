//! `Weight`: the memory that a command takes until it is answered.

use smp_protocol::{
    command::Command,
    transmission::{AuthorizationRef, CommandTransmission},
};

use crate::client::{LARGE_ANSWER, SMALLEST};

/// Bytes that a command may take until it is answered, and then its answer.
pub(super) enum Weight {
    /// It waits until there is room, and what is behind it too.
    Own(usize),
    /// To be forwarded: without room it is refused, so that nothing behind it waits for another relay.
    Forwarded(usize),
}

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
    let command = transmission.size() * copies;
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
    (command + answer).max(SMALLEST)
}
