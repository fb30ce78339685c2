//! What moves of queues need at relays: NEW, KEY, and whether a queue that was left is empty. Messages do not wait for it.

use super::backoff::Backoff;
use super::session::CommandError;
use super::update::{until_stored, update};
use crate::connection::{Connection, Errand, Phase, Place, ReceiveQueue};
use crate::core::Core;
use crate::error::AgentError;
use crate::id::ConnectionId;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The connections that have an errand, each with one task.
#[derive(Default)]
pub(crate) struct Errands {
    /// Whether there may be more to do than the task has seen.
    running: Mutex<HashMap<ConnectionId, bool>>,
}

impl Errands {
    /// There may be something to do for a connection.
    pub(crate) fn wake(&self, core: &Arc<Core>, connection: ConnectionId) {
        match self.lock().entry(connection) {
            Entry::Occupied(mut entry) => {
                entry.insert(true);
            }
            Entry::Vacant(entry) => {
                entry.insert(false);
                core.spawn(run(core.clone(), connection));
            }
        }
    }

    /// Whether a task may end, which it has to then.
    fn end(&self, connection: ConnectionId) -> bool {
        let mut running = self.lock();
        match running.get_mut(&connection) {
            Some(more) if *more => {
                *more = false;
                false
            }
            _ => {
                running.remove(&connection);
                true
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, bool>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn run(core: Arc<Core>, id: ConnectionId) {
    let timeouts = &core.config.timeouts;
    let mut backoff = Backoff::new(timeouts.retry_first, timeouts.retry_longest);
    loop {
        match until_stored!(&core, next(&core, id).await) {
            Some((errand, queue)) => match attempt(&core, id, errand, &queue).await {
                Ok(()) => backoff.reset(),
                Err(Later) => backoff.pause().await,
            },
            None if core.errands.end(id) => break,
            None => {}
        }
    }
}

async fn next(core: &Core, id: ConnectionId) -> Result<Option<(Errand, ReceiveQueue)>, AgentError> {
    let Some(connection) = core.step().await?.find(id).await? else { return Ok(None) };
    Ok(errand(&connection))
}

fn errand(connection: &Connection) -> Option<(Errand, ReceiveQueue)> {
    let errand = connection.errand().filter(|_| connection.phase != Phase::Failed)?;
    let place = match errand {
        Errand::CreateReplacement | Errand::SecureReplacement => Place::Replacement,
        Errand::Drain => Place::Draining,
    };
    Some((errand, connection.queue_at(place)?.clone()))
}

/// It did not work this time, and may the next.
struct Later;

async fn attempt(
    core: &Arc<Core>,
    id: ConnectionId,
    errand: Errand,
    queue: &ReceiveQueue,
) -> Result<(), Later> {
    let relay = core.relay(&queue.relay);
    let session = relay.session_or_error().await.map_err(|_| Later)?;
    match errand {
        Errand::CreateReplacement => {
            match session.create_queue(queue, core.password(&queue.relay), None).await {
                Ok(created) => {
                    let made = ReceiveQueue { created: Some(created.clone()), ..queue.clone() };
                    update(core, id, &[], &|connection, effects| {
                        connection.replacement_created(made.clone(), &core.config, effects)
                    })
                    .await;
                    relay.subscribe_new(core, &session, queue, &created);
                    Ok(())
                }
                Err(error) => refused(core, id, error).await,
            }
        }
        // Repeated with the same key it is answered by OK again.
        Errand::SecureReplacement => match session.secure_by_recipient(queue).await {
            Ok(()) => {
                update(core, id, &[], &|connection, effects| {
                    connection.replacement_secured(&core.config, effects)
                })
                .await;
                Ok(())
            }
            Err(error) => refused(core, id, error).await,
        },
        Errand::Drain => match session.is_empty(queue).await {
            Ok(false) | Err(CommandError::Again(_)) => Err(Later),
            // With an error too: there is nothing to be had.
            Ok(true) | Err(_) => {
                update(core, id, &[], &|connection, effects| {
                    connection.drained(effects);
                    Ok(())
                })
                .await;
                Ok(())
            }
        },
    }
}

async fn refused(core: &Arc<Core>, id: ConnectionId, error: CommandError) -> Result<(), Later> {
    if matches!(error, CommandError::Again(_)) {
        return Err(Later);
    }
    update(core, id, &[], &|connection, effects| {
        connection.replacement_refused(effects);
        Ok(())
    })
    .await;
    Ok(())
}
