//! `Request`: a command out of its block, and out of the boxes of a proxy, ready to be run.

use smp_protocol::{
    command::Command,
    id::{CorrelationId, EntityId},
    version::SmpVersion,
};

use crate::{
    client::{Envelope, Permit},
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
