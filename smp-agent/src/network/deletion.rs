//! Deletes the queues of deleted connections at their relays.

use super::backoff::Backoff;
use super::engine::Engine;
use super::session::CommandError;
use super::update::until_stored;
use crate::error::AgentError;
use crate::session_key::SessionKey;
use crate::store::{DeletedQueue, Upkeep};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Queues to delete that are read at once.
const BATCH: u32 = 128;
/// Days of the agent for which a relay is asked to delete a queue. One that has not answered by then is gone.
pub(super) const KEEP_DELETED: i64 = 30;

/// The sessions in which queues are being deleted, each with a task of its own.
type Sessions = Arc<Mutex<HashMap<SessionKey, mpsc::UnboundedSender<DeletedQueue>>>>;

/// Deletes all queues that are to be deleted. Each is tried until its relay answers.
pub(super) async fn delete_queues(engine: Arc<Engine>) {
    let sessions = Sessions::default();
    let mut last = 0;
    loop {
        engine.queues_to_delete.notified().await;
        loop {
            let queues = until_stored!(&engine, deleted_queues(&engine, last).await);
            let Some(read) = queues.last().map(|queue| queue.row) else { break };
            last = read;
            queues.into_iter().for_each(|queue| give(&engine, &sessions, queue));
        }
    }
}

async fn deleted_queues(engine: &Engine, after: i64) -> Result<Vec<DeletedQueue>, AgentError> {
    Ok(engine.steps.store.deleted_queues(after, BATCH).await?)
}

/// Gives a queue to the task of its session, which ends when it has none left.
fn give(engine: &Arc<Engine>, sessions: &Sessions, queue: DeletedQueue) {
    let mut tasks = sessions.lock().unwrap_or_else(PoisonError::into_inner);
    let session = engine.session_key(queue.owner, &queue.relay);
    let queue = match tasks.get(&session) {
        Some(task) => match task.send(queue) {
            Ok(()) => return,
            Err(mpsc::error::SendError(queue)) => queue,
        },
        None => queue,
    };
    let (task, queues) = mpsc::unbounded_channel();
    // The receiver is here.
    let _ = task.send(queue);
    tasks.insert(session.clone(), task);
    engine.spawn(delete_in(engine.clone(), sessions.clone(), session, queues));
}

async fn delete_in(
    engine: Arc<Engine>,
    sessions: Sessions,
    session: SessionKey,
    mut queues: mpsc::UnboundedReceiver<DeletedQueue>,
) {
    let begun = engine.steps.day();
    loop {
        let next = {
            let mut tasks = sessions.lock().unwrap_or_else(PoisonError::into_inner);
            let next = queues.try_recv().ok();
            if next.is_none() {
                tasks.remove(&session);
            }
            next
        };
        let Some(queue) = next else { return };
        delete(&engine, &session, &queue, begun).await;
        engine.look_at_sessions(queue.owner.connection);
    }
}

async fn delete(engine: &Arc<Engine>, session: &SessionKey, queue: &DeletedQueue, begun: i64) {
    let timeouts = &engine.config.timeouts;
    let mut backoff = Backoff::new(timeouts.retry_first, timeouts.retry_longest);
    while engine.steps.day() < begun + KEEP_DELETED {
        let relay = engine.relay_in(session.clone());
        let result = match relay.session_or_error().await {
            Ok(session) => session.delete(&queue.recipient_id, &queue.recipient_key).await,
            Err(error) => Err(CommandError::Again(error)),
        };
        match result {
            Err(CommandError::Again(_)) => engine.pause(&mut backoff).await,
            // With an error too: then it is not there, or nothing helps.
            _ => break,
        }
    }
    until_stored!(engine, forget(engine, queue.row).await);
}

async fn forget(engine: &Engine, row: i64) -> Result<(), AgentError> {
    engine.steps.upkeep(Upkeep::Deleted(row))?.durable().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Agent;
    use crate::config::AgentConfig;
    use crate::network::RelayState;
    use smp_protocol::address::RelayAddress;
    use std::time::Duration;

    /// In seconds.
    const DAY: i64 = 24 * 60 * 60;

    #[tokio::test]
    async fn a_relay_that_never_comes_back_is_not_asked_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = AgentConfig::new(dir.path(), Vec::<crate::RelayEntry>::new());
        config.timeouts.retry_first = Duration::from_millis(5);
        config.timeouts.retry_longest = Duration::from_millis(20);
        let (agent, _events) = Agent::open(config).await.unwrap();
        let engine = agent.engine();
        let (mut connection, _) = crate::connection::tests::connected_sides();
        // Nobody listens there.
        let nowhere: RelayAddress =
            "smp://tmJ4adaRel6G5gDls7oz4uREc6BhVHmRqI3VwjRE5Bs=@127.0.0.1:1".parse().unwrap();
        connection.receive.as_mut().unwrap().relay = nowhere.clone();
        let (id, commit) = engine.steps.create(connection).await.unwrap();
        commit.durable().await.unwrap();
        agent.connection(id).delete().await.unwrap();
        let mut states = agent.relays();
        let (name, down) = (nowhere.to_string(), |state: &RelayState| matches!(state, RelayState::Down(_)));
        states.wait_for(|states| states.get(&name).is_some_and(down)).await.unwrap();
        assert_eq!(engine.steps.store.deleted_queues(0, 10).await.unwrap().len(), 1);
        for day in 2..KEEP_DELETED + 3 {
            engine.steps.begin_day(engine.now() + day * DAY).await.unwrap();
        }
        states.wait_for(|states| states.get(&name) == Some(&RelayState::Unused)).await.unwrap();
        assert_eq!(engine.steps.store.deleted_queues(0, 10).await.unwrap().len(), 0);
    }
}
