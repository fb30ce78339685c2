//! SUB for all queues on a relay, a part at a time.

use super::backoff::Backoff;
use super::engine::Engine;
use super::relays::Relay;
use super::session::{CommandError, RelaySession};
use super::update::{unless_gone, until_stored};
use crate::connection::{CreatedQueue, ReceiveQueue};
use crate::error::{AgentError, SubscriptionError};
use crate::store::Subscription;
use crate::trace;
use smp_protocol::id::RecipientId;
use std::sync::Arc;

/// Queues that are read from the database and subscribed at once. Their answers are waited for before the next ones, so that neither memory nor
/// the time until an answer grows with the number of queues.
const BATCH: u32 = 512;

/// Subscribes to all queues on a relay. Does not return when the session ends before.
pub(super) async fn subscribe_all(engine: &Arc<Engine>, relay: &Relay, session: &RelaySession) {
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
    Ok(engine.steps.store.subscriptions(&relay.session_key, after, BATCH).await?)
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
    session: &RelaySession,
    queues: Vec<Subscription>,
) -> Vec<Subscription> {
    let mut again = Vec::new();
    let count = queues.len();
    let results = session.subscribe(&queues).await;
    for (queue, result) in queues.into_iter().zip(results) {
        match result {
            Ok(()) => subscribed(engine, relay, &queue.recipient_id),
            Err(error) => match refusal(&error) {
                Some(error) => {
                    let id = &queue.recipient_id;
                    until_stored!(engine, tell_stopped(engine, relay, id, &error).await);
                }
                None => again.push(queue),
            },
        }
    }
    trace::subscribed(count.saturating_sub(again.len()), again.len());
    again
}

/// Subscribes to a queue that was made in `session`, if that is not the present session any more. Those that come later
/// find the queue in the database.
pub(super) fn subscribe_new(
    engine: &Arc<Engine>,
    relay: &Arc<Relay>,
    session: &Arc<RelaySession>,
    queue: &ReceiveQueue,
    created: &CreatedQueue,
) {
    let (engine_, relay, made_in) = (engine.clone(), relay.clone(), session.clone());
    let queue = Subscription {
        row: 0,
        recipient_id: created.recipient_id.clone(),
        recipient_key: queue.recipient_key.clone(),
    };
    engine.spawn(async move {
        let session = relay.session().await;
        if !Arc::ptr_eq(&session, &made_in) {
            subscribe(&engine_, &relay, &session, vec![queue]).await;
        }
    });
}

/// Subscribes again to a queue that was taken from this session, after some time: another program that does the same must
/// not be answered in the same instant.
pub(super) fn subscribe_again(
    engine: &Arc<Engine>,
    relay: &Arc<Relay>,
    session: &Arc<RelaySession>,
    queue: Subscription,
) {
    let (engine_, relay, session) = (engine.clone(), relay.clone(), session.clone());
    engine.spawn(async move {
        tokio::time::sleep(engine_.config.timeouts.retry_longest).await;
        if !session.has_ended() {
            subscribe(&engine_, &relay, &session, vec![queue]).await;
        }
    });
}

/// A queue is subscribed.
fn subscribed(engine: &Engine, relay: &Relay, queue: &RecipientId) {
    if engine.is_any_stopped()
        && let Some(id) = relay.known_connection(queue)
    {
        engine.receiving(id);
    }
}

/// Tells the application that nothing comes in a queue. Returns the queue if it is ours still.
pub(super) async fn tell_stopped(
    engine: &Arc<Engine>,
    relay: &Relay,
    queue: &RecipientId,
    error: &SubscriptionError,
) -> Result<Option<Subscription>, AgentError> {
    let Some(id) = relay.connection_of(&engine.steps.store, queue).await? else { return Ok(None) };
    let key = engine.steps.look(id, |connection| connection.recipient_key(queue).cloned()).await;
    let Some(key) = unless_gone(key)? else { return Ok(None) };
    engine.receiving_stopped(id, error.clone());
    Ok(key.map(|recipient_key| Subscription { row: 0, recipient_id: queue.clone(), recipient_key }))
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
