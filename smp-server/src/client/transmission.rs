//! `Transmission`: an answer or an event on its way to a client.

use smp_protocol::{
    error::ErrorType,
    id::{CorrelationId, EntityId},
};

use super::{content::Content, envelope::Envelope, permit::Permit};
use crate::{metrics::Timer, store::StoreError};

/// One transmission to the client.
pub(crate) struct Transmission {
    /// That of the command; empty in events.
    pub(crate) corr_id: CorrelationId,
    /// Its entity.
    pub(crate) entity_id: EntityId,
    /// Its content.
    pub(crate) content: Content,
    /// If a proxy has forwarded the command: what the answer is sealed with.
    pub(crate) envelope: Option<Box<Envelope>>,
    /// Given back when it is sent: then the session may have another command.
    pub(crate) permit: Option<Permit>,
    /// How long the command has taken, if it was one.
    pub(crate) timer: Option<Timer>,
}

impl Transmission {
    /// Something that no command has asked for.
    pub(crate) fn event(entity_id: impl Into<EntityId>, content: impl Into<Content>) -> Self {
        Self {
            corr_id: CorrelationId::empty(),
            entity_id: entity_id.into(),
            content: content.into(),
            envelope: None,
            permit: None,
            timer: None,
        }
    }

    /// The store has kept what this stands for, or not: then it becomes an error.
    pub(crate) fn settle(&mut self, result: Result<(), StoreError>) {
        if let Err(error) = result {
            self.content = Content::Message(ErrorType::from(error).into());
        }
    }
}
