//! A handle of a sent message, by which its outcome can be waited for.

use crate::error::{AgentError, SendError};
use crate::id::{ConnectionId, MessageId};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// A message that is stored and on its way. Dropping this changes nothing: the message is sent all the same.
#[derive(Debug)]
pub struct SendHandle {
    connection: ConnectionId,
    id: MessageId,
    outcome: oneshot::Receiver<SendOutcome>,
    known: Option<SendOutcome>,
    end: CancellationToken,
}

/// Outcome of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendOutcome {
    /// The recipient's relay keeps it.
    Sent,
    /// It is given up.
    Failed(SendError),
}

impl SendHandle {
    pub(crate) fn new(
        connection: ConnectionId,
        id: MessageId,
        outcome: oneshot::Receiver<SendOutcome>,
        end: CancellationToken,
    ) -> Self {
        Self { connection, id, outcome, known: None, end }
    }

    /// Its number, by which events name it.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// Waits until the recipient's relay keeps the message, or it is given up: for days, if that relay is not there. The event that
    /// says the same comes too.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`] if the connection is deleted before; [`AgentError::ShutDown`].
    ///
    /// # Cancel safety
    /// It may be dropped while it waits, and called again.
    pub async fn outcome(&mut self) -> Result<SendOutcome, AgentError> {
        if let Some(known) = &self.known {
            return Ok(known.clone());
        }
        tokio::select! {
            biased;
            outcome = &mut self.outcome => match outcome {
                Ok(outcome) => {
                    self.known = Some(outcome.clone());
                    Ok(outcome)
                }
                Err(_) => Err(AgentError::UnknownConnection(self.connection)),
            },
            () = self.end.cancelled() => Err(AgentError::ShutDown),
        }
    }
}
