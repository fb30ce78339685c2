//! Many messages at once: the same to many connections, or one to each.

use super::Agent;
use crate::error::AgentError;
use crate::id::ConnectionId;
use crate::send_handle::SendHandle;
use crate::steps::KeyOf;
use smp_crypto::hash::sha256;

/// A message that is sent once for its key, for [`Agent::send_each_once`].
#[derive(Clone, Copy, derive_more::Debug)]
pub struct KeyedMessage<'a> {
    /// The connection.
    pub connection: ConnectionId,
    /// As for [`ConnectionHandle::send_once`](crate::ConnectionHandle::send_once).
    #[debug("{} bytes", key.len())]
    pub key: &'a [u8],
    /// The content.
    #[debug("{} bytes", body.len())]
    pub body: &'a [u8],
}

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

    /// Sends many messages, each as [`ConnectionHandle::send_once`](crate::ConnectionHandle::send_once) does, in their order; they share their turns of
    /// the disk. The result has one entry for each, in their order; that one of them fails concerns no other.
    ///
    /// # Errors
    /// In the entries: as [`ConnectionHandle::send_once`](crate::ConnectionHandle::send_once).
    ///
    /// # Cancel safety
    /// When it is dropped some of the messages are sent. Calling it again with the same keys is always right.
    pub async fn send_each_once(&self, messages: &[KeyedMessage<'_>]) -> Vec<Result<SendHandle, AgentError>> {
        let steps = &self.engine().steps;
        let keyed = || messages.iter().map(|message| (message.connection, sha256(message.key)));
        // Before the question: keys of later calls are not in the answer.
        let mut calls = steps.keyed_calls();
        let known = steps.store.known_keys(keyed()).await;
        let mut sent = Vec::with_capacity(messages.len());
        for (message, (connection, key)) in messages.iter().zip(keyed()) {
            let is_unknown = known.as_ref().is_ok_and(|known| !known.contains(&(connection, key)));
            let of_key = if is_unknown { KeyOf::Nothing { calls } } else { KeyOf::Anything };
            sent.push(self.connection(connection).send_once_soon(key, message.body, of_key).await);
            calls += 1;
        }
        let mut handles = Vec::with_capacity(sent.len());
        for sent in sent {
            handles.push(match sent {
                Ok((handle, Some(commit))) => commit.durable().await.map(|()| handle),
                Ok((handle, None)) => Ok(handle),
                Err(error) => Err(error),
            });
        }
        handles
    }
}
