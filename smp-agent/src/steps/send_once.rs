//! Messages that are sent once for each key, however often the application asks.

use super::{Request, Steps};
use crate::connection::Connection;
use crate::error::AgentError;
use crate::id::{ConnectionId, MessageId};
use crate::send_handle::SendOutcome;
use crate::store::SendKey;
use tokio::sync::oneshot;

impl Steps {
    /// Sends a message by a step, unless one was sent with the same key: then nothing is changed.
    pub(crate) async fn send_once(
        &self,
        id: ConnectionId,
        key: SendKey,
        send: impl FnOnce(&mut Connection, &mut Request) -> Result<MessageId, AgentError>,
    ) -> Result<(MessageId, oneshot::Receiver<SendOutcome>), AgentError> {
        let slot = self.slot(id);
        let mut state = slot.state.lock().await;
        let mut present = self.present(&slot, state.take(), id).await?;
        if !slot.is_pending() {
            present.keys.clear();
        } else if present.keys.contains(&key) {
            // By then the step with it is durable, or undone.
            self.flush().await?;
            present = self.present(&slot, Some(present), id).await?;
        }
        if let Some((message, _)) = self.store.sent_with_key(id, &key).await? {
            *state = Some(present);
            return Ok((message, self.outcome_of(id, message, &key).await?));
        }
        let mut request = Request { next: present.next_outgoing(), ..Request::default() };
        let message = send(&mut present.connection, &mut request)?;
        request.send_key = Some((key, message));
        present.keys.push(key);
        self.events.keyed.add(id, message);
        // Before anybody else can learn of the message, so that its outcome is not missed.
        let outcome = self.events.sends.wait_for(id, message);
        let commit = self.keep(&slot, &mut state, present, request)?;
        drop(state);
        commit.durable().await?;
        Ok((message, outcome))
    }

    /// The outcome of a message that is stored with a key, now or once it is known.
    async fn outcome_of(
        &self,
        id: ConnectionId,
        message: MessageId,
        key: &SendKey,
    ) -> Result<oneshot::Receiver<SendOutcome>, AgentError> {
        // First: an outcome that is not stored yet is told to whoever waits by then.
        let waiting = self.events.sends.wait_for(id, message);
        let Some((_, Some(outcome))) = self.store.sent_with_key(id, key).await? else { return Ok(waiting) };
        let (sender, known) = oneshot::channel();
        // The receiver is here.
        let _ = sender.send(outcome);
        Ok(known)
    }
}
