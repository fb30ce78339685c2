//! Requests out of transmissions: out of the block, and for `RFWD` out of the boxes of a proxy.

use smp_protocol::{
    command::Command,
    error::{CommandError, ErrorType},
    id::{CorrelationId, EntityId},
    transmission::CommandTransmission,
};
use tokio::time::Instant;

use super::{
    forwarded::{self, Opened},
    request::Request,
    state::Session,
};
use crate::{
    client::{Content, Permit, Transmission},
    commands::OwnedProof,
    metrics::Timer,
};

/// The result of reading a transmission.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for a moment on the stack; a box would be an allocation per command"
)]
pub(super) enum Received {
    /// It is to be run.
    Request(Request),
    /// It has its answer already.
    Answered(Transmission),
}

/// Takes a transmission out of its block.
pub(super) fn receive(
    session: &Session,
    transmission: CommandTransmission<'_>,
    permit: Permit,
    now: Instant,
) -> Received {
    if let Command::RelayForward(boxed) = &transmission.command {
        let may_forward = session.caller.service.is_none() && transmission.service_signature.is_none();
        let opened = if may_forward {
            forwarded::open(session, &transmission.correlation_id, boxed)
        } else {
            Err(CommandError::Prohibited.into())
        };
        return forwarded_request(opened, transmission.correlation_id, transmission.entity_id, permit, now);
    }
    let proof = OwnedProof::of(&transmission, &session.parameters);
    // Forwarded commands are about different queues, although the session is the same.
    let ordered = !matches!(transmission.command, Command::ProxyForward { .. });
    Received::Request(Request {
        timer: Timer::start(transmission.command.tag(), now),
        order: Some(transmission.entity_id.clone()).filter(|id| ordered && !id.is_empty()),
        corr_id: transmission.correlation_id,
        entity_id: transmission.entity_id,
        version: session.parameters.version,
        command: transmission.command.into_owned(),
        proof,
        envelope: None,
        permit,
    })
}

/// A request from the boxes of `RFWD`. If they could be opened the answer goes back in them.
fn forwarded_request(
    opened: Result<Opened, ErrorType>,
    corr_id: CorrelationId,
    entity_id: EntityId,
    mut permit: Permit,
    now: Instant,
) -> Received {
    let (error, envelope) = match opened {
        Ok(Opened { command: Ok(inner), envelope }) => {
            return Received::Request(Request {
                timer: Timer::start(inner.command.tag(), now),
                order: Some(inner.entity_id.clone()),
                corr_id: inner.corr_id,
                entity_id: inner.entity_id,
                version: envelope.parameters.version,
                command: inner.command,
                proof: inner.proof,
                envelope: Some(envelope),
                permit,
            });
        }
        Ok(Opened { command: Err(refused), envelope }) => (refused, Some(envelope)),
        Err(error) => (error, None),
    };
    let content = Content::Message(error.into());
    permit.answered_by(&content);
    Received::Answered(Transmission {
        corr_id,
        entity_id,
        content,
        envelope,
        permit: Some(permit),
        timer: None,
    })
}
