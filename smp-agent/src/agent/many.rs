//! One message to many connections.

use super::Agent;
use crate::error::AgentError;
use crate::id::ConnectionId;
use crate::send_handle::SendHandle;

impl Agent {
    /// Sends the same message on many connections, as [`ConnectionHandle::send`](crate::ConnectionHandle::send) does on each: its text is stored
    /// once until the last of them has sent it. Where the encryption is being renewed there is a copy of its own. The result has one
    /// entry for each connection, in their order; that one of them fails concerns no other.
    ///
    /// # Errors
    /// [`AgentError::Storage`] if nothing was sent. In the entries: as [`ConnectionHandle::send`](crate::ConnectionHandle::send).
    ///
    /// # Cancel safety
    /// When it is dropped the message is sent on some of the connections.
    pub async fn send_to_many(
        &self,
        connections: &[ConnectionId],
        body: &[u8],
    ) -> Result<Vec<Result<SendHandle, AgentError>>, AgentError> {
        let shared = self.engine().steps.share(body).await?;
        let mut sent = Vec::with_capacity(connections.len());
        for id in connections {
            sent.push(self.connection(*id).send_soon(body, Some(shared.id)).await);
        }
        // Many of them are written together.
        let mut handles = Vec::with_capacity(sent.len());
        for sent in sent {
            handles.push(match sent {
                Ok((handle, commit)) => commit.durable().await.map(|()| handle),
                Err(error) => Err(error),
            });
        }
        Ok(handles)
    }
}
