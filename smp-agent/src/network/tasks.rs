//! The tasks of the network, and what starts them.

use super::age::give_up_what_is_old;
use super::connecting::{DownAtEnd, keep_connected};
use super::deletion::delete_queues;
use super::disk::watch_disk;
use super::engine::{Engine, Wanted};
use super::restored::renew_all;
use super::sleep::watch_sleep;
use super::user_changes::remove_deleted;
use super::worker;
use crate::error::AgentError;
use crate::id::ConnectionId;
use crate::trace;
use std::sync::Arc;
use std::time::Duration;

/// How often states that nobody uses are dropped from memory.
const DROP_UNUSED: Duration = Duration::from_secs(10);

/// Goes on with whatever was going on.
pub(crate) async fn start(engine: &Arc<Engine>, wanted: Wanted) -> Result<(), AgentError> {
    remove_deleted(engine).await?;
    renew_all(engine).await?;
    engine.spawn(start_wanted(engine.clone(), wanted));
    engine.spawn(drop_unused(engine.clone()));
    engine.spawn(watch_disk(engine.clone()));
    engine.spawn(watch_sleep(engine.clone()));
    let sessions = engine.steps.store.receiving_sessions(engine.config.network.sessions).await?;
    trace::opened(sessions.len());
    for session in sessions {
        engine.relay_in(session);
    }
    for connection in engine.steps.store.busy_connections().await? {
        wake(engine, connection);
    }
    engine.spawn(delete_queues(engine.clone()));
    engine.spawn(give_up_what_is_old(engine.clone()));
    engine.look_for_deleted_queues();
    Ok(())
}

/// Starts what keeps the sessions of relays up that are needed for the first time, and the workers of connections whose steps are durable.
async fn start_wanted(engine: Arc<Engine>, mut wanted: Wanted) {
    loop {
        tokio::select! {
            Some(connection) = wanted.changed.recv() => wake(&engine, connection),
            Some(relay) = wanted.relays.next() => {
                engine.spawn(keep_connected(engine.clone(), DownAtEnd(relay)));
            }
            else => return,
        }
    }
}

/// Tells a connection's worker that there may be something to do, and starts it if there is none.
fn wake(engine: &Arc<Engine>, connection: ConnectionId) {
    if let Some(signals) = engine.workers().wake(connection) {
        engine.spawn(worker::run(engine.clone(), connection, signals));
    }
}

async fn drop_unused(engine: Arc<Engine>) {
    loop {
        tokio::time::sleep(DROP_UNUSED).await;
        engine.steps.drop_unused();
    }
}
