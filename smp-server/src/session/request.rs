//! `Request`: a command out of its block, and out of the boxes of a proxy, ready to be run; and the memory that it takes.

use smp_protocol::{
    command::Command,
    id::{CorrelationId, EntityId},
    transmission::{AuthorizationRef, CommandTransmission},
    version::SmpVersion,
};

use crate::{
    client::{Envelope, LARGE_ANSWER, Permit, SMALLEST},
    commands::OwnedProof,
    metrics::Timer,
};

/// A command that was received, to be verified and run.
pub(super) struct Request {
    /// Commands and answers about one entity keep their order; `None` if there is none to keep.
    pub(super) order: Option<EntityId>,
    pub(super) corr_id: CorrelationId,
    pub(super) entity_id: EntityId,
    pub(super) version: SmpVersion,
    pub(super) command: Command<'static>,
    pub(super) proof: OwnedProof,
    /// Where the answer goes if the command was forwarded by a proxy.
    pub(super) envelope: Option<Box<Envelope>>,
    pub(super) permit: Permit,
    pub(super) timer: Timer,
}

/// Bytes that a command may take until it is answered, and then its answer.
pub(super) enum Weight {
    /// It waits until there is room, and what is behind it too.
    Own(usize),
    /// To be forwarded: without room it is refused, so that nothing behind it waits for another relay.
    Forwarded(usize),
}

/// The weight of a command.
pub(super) fn weight(transmission: &CommandTransmission<'_>) -> Weight {
    let bytes = bytes(transmission);
    match transmission.command {
        Command::ProxySession { .. } | Command::ProxyForward { .. } => Weight::Forwarded(bytes),
        _ => Weight::Own(bytes),
    }
}

fn bytes(transmission: &CommandTransmission<'_>) -> usize {
    // The signed bytes are kept next to the command.
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
