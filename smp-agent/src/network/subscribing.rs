//! SUB for all queues on a relay, a part at a time.

use super::backoff::Backoff;
use super::engine::Engine;
use super::inbox;
use super::relays::Relay;
use super::session::{CommandError, Session};
use super::update::until_stored;
use crate::error::{AgentError, SubscriptionError};
use crate::store::Subscription;
use std::sync::Arc;

/// Queues that are read from the database and subscribed at once. Their answers are waited for before the next ones, so that neither memory nor
/// the time until an answer grows with the number of queues.
const BATCH: u32 = 512;

/// Subscribes to all queues on a relay. Does not return when the session ends before.
pub(super) async fn subscribe_all(engine: &Arc<Engine>, relay: &Relay, session: &Session) {
    let timeouts = &engine.config.timeouts;
    let mut backoff = Backoff::new(timeouts.retry_first, timeouts.retry_longest);
    let mut last = 0;
    loop {
        let mut queues = until_stored!(engine, next(engine, relay, last).await);
        let Some(next_last) = queues.last().map(|queue| queue.row) else { return };
        last = next_last;
        loop {
            queues = subscribe(engine, relay, session, queues).await;
            if queues.is_empty() {
                break;
            }
            engine.pause(&mut backoff).await;
        }
        backoff.reset();
    }
}

async fn next(engine: &Engine, relay: &Relay, after: i64) -> Result<Vec<Subscription>, AgentError> {
    Ok(engine.steps.store.subscriptions(&relay.address, after, BATCH).await?)
}

/// Why a queue will not be subscribed in this session. One such queue must not keep the others' relay from being up.
fn refusal(error: &CommandError) -> Option<SubscriptionError> {
    match error {
        CommandError::Again(_) => None,
        CommandError::Auth => Some(SubscriptionError::Unknown),
        error => Some(SubscriptionError::Refused(error.to_string())),
    }
}

/// Subscribes to queues. Returns those that have to be tried again.
pub(super) async fn subscribe(
    engine: &Arc<Engine>,
    relay: &Relay,
    session: &Session,
    queues: Vec<Subscription>,
) -> Vec<Subscription> {
    let mut again = Vec::new();
    let results = session.subscribe(&queues).await;
    for (queue, result) in queues.into_iter().zip(results) {
        match result {
            Ok(()) => relay.subscribed(engine, &queue.recipient_id),
            Err(error) => match refusal(&error) {
                Some(error) => {
                    let id = &queue.recipient_id;
                    until_stored!(engine, inbox::tell_stopped(engine, relay, id, &error).await);
                }
                None => again.push(queue),
            },
        }
    }
    again
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::RelayError;

    #[test]
    fn only_temporary_errors_are_tried_again() {
        assert_eq!(refusal(&CommandError::Again(RelayError::Timeout)), None);
        assert_eq!(refusal(&CommandError::Auth), Some(SubscriptionError::Unknown));
        let refused = SubscriptionError::Refused("CMD PROHIBITED".to_owned());
        assert_eq!(refusal(&CommandError::Refused("CMD PROHIBITED".to_owned())), Some(refused));
    }
}
