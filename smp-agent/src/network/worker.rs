//! The worker of a connection: it does one thing after the other, so nothing overtakes.

use super::attempt::Later;
use super::backoff::Backoff;
use super::commands::{self, Task};
use super::engine::Engine;
use super::errands;
use super::quota_wait::QuotaWait;
use super::sending::Sending;
use super::update::{unless_gone, until_stored};
use super::workers::Signals;
use crate::connection::{Connection, Deferred, Effects, Phase, SendQueue};
use crate::error::AgentError;
use crate::event::Event;
use crate::id::ConnectionId;
use crate::steps::Commit;
use crate::store::StoredOutgoing;
use std::sync::Arc;
use std::time::Duration;

/// How long a worker waits for more to do before it ends.
const LINGER: Duration = Duration::from_secs(5);

/// The next work for a connection.
enum Work {
    /// Nothing until something happens.
    Nothing,
    /// The connection was deleted.
    Gone,
    /// A command that its phase needs.
    Command(Box<Task>),
    /// Messages that wait to be encrypted.
    Release,
    /// A body for the peer's queue.
    Send(Arc<StoredOutgoing>, Arc<SendQueue>),
}

/// Does what a connection needs, until there is nothing.
pub(super) async fn run(engine: Arc<Engine>, id: ConnectionId, signals: Arc<Signals>) {
    let timeouts = &engine.config.timeouts;
    let mut backoff = Backoff::new(timeouts.retry_first, timeouts.retry_longest);
    let mut quota = QuotaWait::new(timeouts);
    let mut sending = Sending::default();
    let mut refused = Vec::new();
    // Of a command, on its way to the disk.
    let mut unstored = None;
    let Some(owner) = until_stored!(&engine, unless_gone(engine.owner(id).await)) else {
        return engine.workers().forget(id, &signals);
    };
    loop {
        signals.begin();
        let work = until_stored!(&engine, next_work(&engine, id).await);
        let result = match work {
            Work::Gone => return engine.workers().forget(id, &signals),
            Work::Nothing if unstored.is_some() => stored(&engine, unstored.take()).await,
            Work::Nothing => {
                if tokio::time::timeout(LINGER, signals.work.notified()).await.is_err()
                    && engine.workers().retire(id, &signals)
                {
                    return;
                }
                Ok(())
            }
            Work::Command(task) => match commands::run(&engine, owner, &task, &mut refused).await {
                Ok(commit) => {
                    unstored = commit.or(unstored.take());
                    Ok(())
                }
                Err(later) => Err(later),
            },
            Work::Release => {
                until_stored!(&engine, release(&engine, id).await);
                Ok(())
            }
            Work::Send(stored, queue) => sending.send(&engine, owner, &stored, &queue).await,
        };
        match result {
            Ok(()) => {
                backoff.reset();
                quota.found();
            }
            Err(Later::Again) => engine.pause(&mut backoff).await,
            Err(Later::Full) => quota.wait_full(&engine, id, &signals).await,
            Err(Later::Refused) => quota.wait_refused(&engine, &signals).await,
        }
    }
}

/// Waits until the step of a command is durable. If it is undone, the command is done again.
async fn stored(engine: &Engine, commit: Option<Commit>) -> Result<(), Later> {
    let Some(commit) = commit else { return Ok(()) };
    commit.durable().await.map_err(|error| {
        engine.tell(Event::StorageFailed { reason: error.to_string() });
        Later::Again
    })
}

async fn next_work(engine: &Arc<Engine>, id: ConnectionId) -> Result<Work, AgentError> {
    let looked = engine.steps.look(id, |connection| {
        if connection.phase == Phase::Failed {
            return (None, None, false);
        }
        let work = match Task::of(connection) {
            Some(task) => Some(Work::Command(Box::new(task))),
            None => connection.releases().then_some(Work::Release),
        };
        let waits = work.is_none() && connection.waiting.total() > 0;
        (work, connection.send_queue().filter(|_| waits).cloned(), connection.errand().is_some())
    });
    let looked = looked.await;
    if let Ok((.., true)) = &looked {
        // Beside the messages, which do not wait for it.
        errands::wake(engine, id);
    }
    match looked {
        Ok((Some(work), ..)) => Ok(work),
        Ok((None, Some(queue), _)) => Ok(match engine.steps.next_outgoing(id).await? {
            Some(stored) => Work::Send(stored, Arc::new(queue)),
            None => Work::Nothing,
        }),
        Ok((None, None, _)) => Ok(Work::Nothing),
        Err(AgentError::UnknownConnection(_)) => Ok(Work::Gone),
        Err(error) => Err(error),
    }
}

/// Has messages encrypted that waited for the encryption to be renewed.
async fn release(engine: &Engine, id: ConnectionId) -> Result<(), AgentError> {
    let release = |connection: &mut Connection, oldest: &[Deferred], effects: &mut Effects| {
        connection.release(oldest, &engine.config, effects)
    };
    match unless_gone(engine.steps.release(id, release).await)? {
        Some(commit) => commit.durable().await,
        None => Ok(()),
    }
}
