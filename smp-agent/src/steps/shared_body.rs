//! A text of messages to many connections, while they are being sent.

use super::{Steps, number_after};
use crate::connection::BodyId;
use crate::error::AgentError;
use crate::store::{Sharing, Upkeep};

/// A text to which more messages may come to refer.
pub(crate) struct SharedBody<'a> {
    pub(crate) id: BodyId,
    steps: &'a Steps,
}

impl Drop for SharedBody<'_> {
    fn drop(&mut self) {
        // If it cannot be left to the writer any more, the next opening of the database does it.
        let _ = self.steps.upkeep(Upkeep::Sharing(Sharing::Ends(self.id)));
    }
}

impl Steps {
    /// Stores a text to which messages of many connections can refer until what is returned is dropped.
    pub(crate) async fn share(&self, body: &[u8]) -> Result<SharedBody<'_>, AgentError> {
        let id = BodyId(number_after(&self.last_shared_body));
        let stored = self.upkeep(Upkeep::Sharing(Sharing::Begins(id, body.to_vec().into())))?;
        // Also if this is dropped, or fails.
        let shared = SharedBody { id, steps: self };
        stored.durable().await?;
        Ok(shared)
    }
}
