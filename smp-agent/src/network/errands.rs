//! Commands about own queues, besides messages: NEW and KEY for moves, QUE for a queue that was left, OFF for one that is suspended.

use super::backoff::Backoff;
use super::engine::Engine;
use super::session::CommandError;
use super::subscribing::subscribe_new;
use super::update::{unless_gone, until_stored, update};
use crate::connection::{Connection, Errand, Phase, Place, ReceiveQueue};
use crate::error::AgentError;
use crate::id::ConnectionId;
use crate::session_key::Owner;
use crate::trace;
use smp_protocol::agent::QueueMode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// There may be something to do for a connection.
pub(super) fn wake(engine: &Arc<Engine>, connection: ConnectionId) {
    if engine.errands.begin(connection) {
        engine.spawn(run(engine.clone(), connection));
    }
}

async fn run(engine: Arc<Engine>, id: ConnectionId) {
    let timeouts = &engine.config.timeouts;
    let mut backoff = Backoff::new(timeouts.retry_first, timeouts.retry_longest);
    loop {
        match until_stored!(&engine, next(&engine, id).await) {
            Some((owner, errand, queue)) => match attempt(&engine, owner, errand, &queue).await {
                Ok(()) => backoff.reset(),
                Err(Later) => engine.pause(&mut backoff).await,
            },
            None if engine.errands.end(id) => break,
            None => {}
        }
    }
}

async fn next(
    engine: &Engine,
    id: ConnectionId,
) -> Result<Option<(Owner, Errand, ReceiveQueue)>, AgentError> {
    Ok(unless_gone(engine.steps.look(id, errand).await)?.flatten())
}

fn errand(connection: &Connection) -> Option<(Owner, Errand, ReceiveQueue)> {
    let errand = connection.errand().filter(|_| connection.phase != Phase::Failed)?;
    let place = match errand {
        Errand::CreateReplacement | Errand::SecureReplacement => Place::Replacement,
        Errand::Drain => Place::Draining,
        Errand::Suspend => Place::Current,
    };
    Some((connection.owner(), errand, connection.queue_at(place)?.clone()))
}

/// It did not work this time, and may the next.
struct Later;

async fn attempt(
    engine: &Arc<Engine>,
    owner: Owner,
    errand: Errand,
    queue: &ReceiveQueue,
) -> Result<(), Later> {
    let (command, done) = match errand {
        Errand::CreateReplacement => ("CreateReplacement", create(engine, owner, queue).await),
        Errand::SecureReplacement => ("SecureReplacement", secure(engine, owner, queue).await),
        Errand::Drain => ("Drain", drain(engine, owner, queue).await),
        Errand::Suspend => ("Suspend", suspend(engine, owner, queue).await),
    };
    trace::command(command, if done.is_ok() { "answered" } else { "to be repeated" });
    done
}

/// NEW. If an answer is lost the queue is made again; the first one stays unused on its relay.
async fn create(engine: &Arc<Engine>, owner: Owner, queue: &ReceiveQueue) -> Result<(), Later> {
    let id = owner.connection;
    let relay = engine.relay(owner, &queue.relay);
    let session = relay.session_or_error().await.map_err(|_| Later)?;
    let created = match session
        .create_queue(queue, QueueMode::Messaging, engine.password(owner.user, &queue.relay), None)
        .await
    {
        Ok(created) => created,
        Err(error) => return refused(engine, id, &error).await,
    };
    let made = ReceiveQueue { created: Some(created.clone()), ..queue.clone() };
    update(engine, id, &|connection, effects| {
        connection.replacement_created(made.clone(), &engine.config, effects)
    })
    .await;
    engine.queues_to_delete.notify_one();
    subscribe_new(engine, &relay, &session, queue, &created);
    Ok(())
}

/// KEY. Repeated with the same key it is answered by OK again.
async fn secure(engine: &Arc<Engine>, owner: Owner, queue: &ReceiveQueue) -> Result<(), Later> {
    let id = owner.connection;
    let session = engine.relay(owner, &queue.relay).session_or_error().await.map_err(|_| Later)?;
    if let Err(error) = session.secure_by_recipient(queue).await {
        return refused(engine, id, &error).await;
    }
    update(engine, id, &|connection, effects| connection.replacement_secured(&engine.config, effects)).await;
    Ok(())
}

/// QUE, of a queue that was left.
async fn drain(engine: &Arc<Engine>, owner: Owner, queue: &ReceiveQueue) -> Result<(), Later> {
    let id = owner.connection;
    let session = engine.relay(owner, &queue.relay).session_or_error().await.map_err(|_| Later)?;
    match session.is_empty(queue).await {
        // If it is gone there is nothing to be had.
        Ok(true) | Err(CommandError::Auth) => {}
        Ok(false) | Err(_) => return Err(Later),
    }
    update(engine, id, &|connection, effects| {
        connection.drained(effects);
        Ok(())
    })
    .await;
    engine.queues_to_delete.notify_one();
    Ok(())
}

/// OFF. Repeated it is answered by OK again. From when it may have been sent on it cannot be taken back, so that is stored before.
async fn suspend(engine: &Arc<Engine>, owner: Owner, queue: &ReceiveQueue) -> Result<(), Later> {
    let id = owner.connection;
    let session = engine.relay(owner, &queue.relay).session_or_error().await.map_err(|_| Later)?;
    let asked = AtomicBool::new(false);
    update(engine, id, &|connection, _| {
        asked.store(connection.suspension_asked(), Ordering::Relaxed);
        Ok(())
    })
    .await;
    if !asked.into_inner() {
        return Ok(());
    }
    let refused = match session.suspend(queue).await {
        // A queue that is gone takes nothing more either.
        Ok(()) | Err(CommandError::Auth) => false,
        Err(CommandError::Again(_)) => return Err(Later),
        Err(_) => true,
    };
    update(engine, id, &|connection, effects| {
        connection.suspension_answered(refused, effects);
        Ok(())
    })
    .await;
    Ok(())
}

async fn refused(engine: &Arc<Engine>, id: ConnectionId, error: &CommandError) -> Result<(), Later> {
    if matches!(error, CommandError::Again(_)) {
        return Err(Later);
    }
    update(engine, id, &|connection, effects| {
        connection.replacement_refused(effects);
        Ok(())
    })
    .await;
    engine.queues_to_delete.notify_one();
    Ok(())
}
