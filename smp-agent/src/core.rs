//! What the public interface and the background tasks share.

use crate::config::AgentConfig;
use crate::connection::{Connection, Effects, Phase, StateError};
use crate::data_dir::DataDir;
use crate::error::{AgentError, StorageError};
use crate::event::Event;
use crate::id::{ConnectionId, MessageId};
use crate::network::{Errands, Relay, Relays, Workers};
use crate::store::{Step, Store};
use smp_protocol::address::{Password, RelayAddress};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Relay events that wait for a slow application; older ones are dropped.
const TRANSIENT_EVENTS: usize = 256;

/// Receipts of a connection that wait to be sent. A peer that takes none gets no more: they fill the disk.
const MAX_WAITING_RECEIPTS: u32 = 256;

/// The agent behind its public interface.
pub(crate) struct Core {
    pub(crate) config: AgentConfig,
    pub(crate) store: Store,
    /// Given back by a shutdown, though events may still hold the core.
    data_dir: Mutex<Option<DataDir>>,
    stop: CancellationToken,
    tasks: TaskTracker,
    events_changed: watch::Sender<()>,
    transient: broadcast::Sender<Event>,
    relays: Relays,
    workers: Workers,
    pub(crate) errands: Errands,
    /// There may be queues to delete at their relays.
    pub(crate) queues_to_delete: Notify,
}

impl Core {
    pub(crate) async fn open(config: AgentConfig) -> Result<Arc<Self>, AgentError> {
        let data_dir = DataDir::open(&config.data_dir)?;
        let store = Store::open(&data_dir.database()).await?;
        Ok(Arc::new(Self {
            config,
            store,
            data_dir: Mutex::new(Some(data_dir)),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            events_changed: watch::Sender::new(()),
            transient: broadcast::Sender::new(TRANSIENT_EVENTS),
            relays: Relays::default(),
            workers: Workers::default(),
            errands: Errands::default(),
            queues_to_delete: Notify::new(),
        }))
    }

    /// Stops the background tasks wherever they are, which loses nothing and ends the sessions with relays, and gives the data
    /// directory back.
    pub(crate) async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.store.close().await;
        self.data_dir.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Stops the background tasks when the last handle of the agent is dropped.
    pub(crate) fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Runs a background task until the agent stops.
    pub(crate) fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(task));
    }

    /// Begins a step.
    pub(crate) async fn step(&self) -> Result<Step, AgentError> {
        if self.stop.is_cancelled() {
            return Err(AgentError::ShutDown);
        }
        match self.store.step().await {
            Err(StorageError::Database(sqlx::Error::PoolClosed)) => Err(AgentError::ShutDown),
            step => Ok(step?),
        }
    }

    /// Ends a step of a connection, then starts what it asks for.
    pub(crate) async fn commit(
        self: &Arc<Self>,
        mut step: Step,
        connection: ConnectionId,
        effects: &Effects,
    ) -> Result<(), StorageError> {
        step.add_effects(connection, effects, now()).await?;
        self.finish(step, connection, effects.has_events()).await
    }

    /// Commits in a task of its own: a caller that gives up waiting may leave the step done or not, but not done without those
    /// knowing whom it concerns.
    async fn finish(
        self: &Arc<Self>,
        step: Step,
        connection: ConnectionId,
        events: bool,
    ) -> Result<(), StorageError> {
        let core = self.clone();
        let done = tokio::spawn(async move {
            step.commit().await?;
            if events {
                core.events_changed.send_replace(());
            }
            core.wake(connection);
            Ok(())
        });
        done.await.unwrap_or(Err(StorageError::Database(sqlx::Error::WorkerCrashed)))
    }

    /// Writes a connection's whole state and ends the step.
    pub(crate) async fn save(
        self: &Arc<Self>,
        mut step: Step,
        connection: &Connection,
        effects: &Effects,
    ) -> Result<(), StorageError> {
        step.save(connection).await?;
        step.add_effects(connection.id, effects, now()).await?;
        let failed = connection.phase == Phase::Failed;
        if failed {
            step.give_up_outgoing(connection.id).await?;
        }
        if !effects.deleted.is_empty() {
            // Who looks for queues to delete waits for the end of this step.
            self.queues_to_delete.notify_one();
        }
        self.finish(step, connection.id, failed || effects.has_events()).await?;
        if connection.errand().is_some() {
            self.errands.wake(self, connection.id);
        }
        Ok(())
    }

    /// Tells the connection's worker that there is something to do.
    pub(crate) fn wake(self: &Arc<Self>, connection: ConnectionId) {
        self.workers.wake(self, connection);
    }

    #[cfg(test)]
    pub(crate) fn has_worker(&self, connection: ConnectionId) -> bool {
        self.workers.has(connection)
    }

    /// Removes a connection, with everything that belongs to it. Its queue is deleted at the relay as soon as possible.
    pub(crate) async fn remove(
        self: &Arc<Self>,
        mut step: Step,
        connection: &Connection,
    ) -> Result<(), AgentError> {
        step.remove(connection).await?;
        // Who looks for queues to delete waits for the end of this step.
        self.queues_to_delete.notify_one();
        Ok(self.commit(step, connection.id, &Effects::default()).await?)
    }

    /// Tells the connection's worker that a full queue has space again.
    pub(crate) fn resume(&self, connection: ConnectionId) {
        self.workers.resume(connection);
    }

    pub(crate) fn forget_worker(&self, connection: ConnectionId) {
        self.workers.forget(connection);
    }

    /// The relay at an address; the password does not matter.
    pub(crate) fn relay(self: &Arc<Self>, address: &RelayAddress) -> Arc<Relay> {
        self.relays.get(self, address)
    }

    /// The password for new queues on a relay.
    pub(crate) fn password(&self, address: &RelayAddress) -> Option<Password> {
        let relay = self.config.relays.iter().find(|relay| relay.without_password() == *address);
        relay.and_then(|relay| relay.password.clone())
    }

    /// Tells the application something that is not stored.
    pub(crate) fn tell(&self, event: Event) {
        // Without a receiver nobody wants to know.
        let _ = self.transient.send(event);
    }

    pub(crate) fn subscribe_events(&self) -> (watch::Receiver<()>, broadcast::Receiver<Event>) {
        (self.events_changed.subscribe(), self.transient.subscribe())
    }

    /// The application is done with a received message.
    pub(crate) async fn ack(
        self: &Arc<Self>,
        id: ConnectionId,
        message: MessageId,
    ) -> Result<(), AgentError> {
        let mut step = self.step().await?;
        let mut connection = step.get(id).await?;
        let Some(event) = step.take_message(id, message).await? else {
            return Err(AgentError::UnknownMessage(id, message));
        };
        let mut effects = Effects::default();
        connection.undelivered = connection.undelivered.saturating_sub(1);
        let receipts = self.config.receipts && connection.waiting.receipts < MAX_WAITING_RECEIPTS;
        if let (true, Event::Message { origin, .. }) = (receipts, event) {
            connection
                .send_receipt(&origin, &self.config, &mut effects)
                .map_err(|StateError| AgentError::Encryption(id))?;
        }
        step.save(&connection).await?;
        Ok(self.commit(step, id, &effects).await?)
    }
}

/// Seconds since 1970, by this machine's clock.
pub(crate) fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}
