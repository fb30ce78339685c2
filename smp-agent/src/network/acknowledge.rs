//! ACK: one at a time for each queue, whatever a relay delivers.

use super::backoff::Backoff;
use super::session::{CommandError, Session};
use crate::core::Core;
use smp_crypto::PrivateAuthKey;
use smp_protocol::id::{MessageId, RecipientId};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The messages that a session is acknowledging.
#[derive(Clone, Default)]
pub(super) struct Acknowledgements {
    /// For each queue that has a task: the message that came meanwhile. A relay delivers no other one before the ACK, so the
    /// last one is the only one that it can be waiting for.
    queues: Arc<Mutex<HashMap<RecipientId, Option<MessageId>>>>,
}

impl Acknowledgements {
    /// Begins to acknowledge a message. The relay delivers the next one only after this.
    pub(super) fn add(
        &self,
        core: &Arc<Core>,
        session: &Arc<Session>,
        queue: RecipientId,
        key: PrivateAuthKey,
        message: MessageId,
    ) {
        if self.begin(&queue, &message) {
            let (all, core_, session) = (self.clone(), core.clone(), session.clone());
            core.spawn(async move {
                let mut next = Some(message);
                while let Some(message) = next {
                    acknowledge(&core_, &session, &queue, &key, &message).await;
                    next = all.next(&queue);
                }
            });
        }
    }

    /// Whether there is no task yet; if there is, it will take this message next.
    fn begin(&self, queue: &RecipientId, message: &MessageId) -> bool {
        match self.lock().entry(queue.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(None);
                true
            }
            Entry::Occupied(mut entry) => {
                entry.insert(Some(message.clone()));
                false
            }
        }
    }

    /// The next message of a queue; without one its task ends.
    fn next(&self, queue: &RecipientId) -> Option<MessageId> {
        let mut queues = self.lock();
        let next = queues.get_mut(queue).and_then(Option::take);
        if next.is_none() {
            queues.remove(queue);
        }
        next
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RecipientId, Option<MessageId>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// If the session ends before, the next one brings the message again.
async fn acknowledge(
    core: &Core,
    session: &Session,
    queue: &RecipientId,
    key: &PrivateAuthKey,
    message: &MessageId,
) {
    let timeouts = &core.config.timeouts;
    let mut backoff = Backoff::new(timeouts.retry_first, timeouts.retry_longest);
    while let Err(CommandError::Again(_)) = session.acknowledge(queue, key, message).await {
        if session.has_ended() {
            break;
        }
        backoff.pause().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_has_one_task_and_the_last_message_follows() {
        let all = Acknowledgements::default();
        let rng = &mut rand::rng();
        let (queue, other) = (RecipientId::generate(rng), RecipientId::generate(rng));
        let messages: Vec<_> = (0..4).map(|_| MessageId::generate(rng)).collect();
        assert!(all.begin(&queue, &messages[0]));
        assert!(all.begin(&other, &messages[0]));
        for message in &messages[1..] {
            assert!(!all.begin(&queue, message));
        }
        assert_eq!(all.next(&queue).as_ref(), messages.last());
        assert_eq!(all.next(&queue), None);
        assert!(all.begin(&queue, &messages[0]));
    }
}
