//! Messages that are sent once for each key, however often the application asks.

use super::{Commit, Request, Steps};
use crate::connection::Connection;
use crate::error::AgentError;
use crate::id::{ConnectionId, MessageId};
use crate::send_handle::SendOutcome;
use crate::store::SendKey;
use std::sync::atomic::Ordering;
use tokio::sync::oneshot;

/// Knowledge of the key of a message before it is sent.
#[derive(Clone, Copy)]
pub(crate) enum KeyOf {
    /// The database is asked.
    Anything,
    /// The database did not have it after this many calls. If there was another one since, or the connection was not in memory
    /// all the time, it is asked again.
    Nothing { calls: u64 },
}

/// A message that was sent once, and the way to learn of its outcome.
pub(crate) type SentOnce = (MessageId, oneshot::Receiver<SendOutcome>);

impl Steps {
    /// Sends a message by a step, unless one was sent with the same key: then nothing is changed, and there is no commit.
    pub(crate) async fn send_once(
        &self,
        id: ConnectionId,
        key: SendKey,
        known: KeyOf,
        send: impl FnOnce(&mut Connection, &mut Request) -> Result<MessageId, AgentError>,
    ) -> Result<(SentOnce, Option<Commit>), AgentError> {
        let calls = self.keyed_calls.fetch_add(1, Ordering::Relaxed);
        let slot = self.slot(id);
        let mut state = slot.state.lock().await;
        let before = state.take();
        let was_there = before.as_ref().is_some_and(|present| present.epoch == slot.epoch());
        let mut present = self.present(&slot, before, id).await?;
        let is_given = present.keys.contains(&key);
        if !slot.is_pending() {
            present.keys.clear();
        } else if is_given {
            // By then the step with it is durable, or undone.
            self.flush().await?;
            present = self.present(&slot, Some(present), id).await?;
        }
        let is_new =
            was_there && !is_given && matches!(known, KeyOf::Nothing { calls: then } if then == calls);
        let sent = if is_new { None } else { self.store.sent_with_key(id, &key).await? };
        if let Some((message, _)) = sent {
            *state = Some(present);
            return Ok(((message, self.outcome_of(id, message, &key).await?), None));
        }
        let mut request = Request { next: present.next_outgoing(), ..Request::default() };
        let message = send(&mut present.connection, &mut request)?;
        request.send_key = Some((key, message));
        present.keys.push(key);
        self.events.keyed.add(id, message);
        // Before anybody else can learn of the message, so that its outcome is not missed.
        let outcome = self.events.sends.wait_for(id, message);
        let commit = self.keep(&slot, &mut state, present, request)?;
        Ok(((message, outcome), Some(commit)))
    }

    /// How often messages were sent with keys since the agent was opened.
    pub(crate) fn keyed_calls(&self) -> u64 {
        self.keyed_calls.load(Ordering::Relaxed)
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
