//! The engine: shared by the tasks of the network.

use super::backoff::Backoff;
use super::held::HeldMessages;
use super::isolation::IsolationSecret;
use super::relay_states::{RelayState, RelayStates};
use super::relays::{NewRelays, Relay, Relays};
use super::routes::Routes;
use super::running::Running;
use super::switch::Switch;
use super::troubles::{Down, Troubles};
use super::users::Users;
use super::workers::Workers;
use crate::config::AgentConfig;
use crate::connection::{Connection, Role};
use crate::data_dir::DataDir;
use crate::error::{AgentError, SubscriptionError};
use crate::event::Event;
use crate::id::{ConnectionId, UserId};
use crate::key_file::KeyFile;
use crate::reserve::Reserve;
use crate::session_key::{Owner, SessionKey};
use crate::steps::{Commit, Steps};
use crate::summary::{ConnectionSummary, Trouble};
use crate::trace;
use smp_protocol::address::{Password, RelayAddress};
use smp_sqlite::DatabaseKey;
use smp_transport::dial::Isolation;
use smp_transport::surroundings::{Randomness, Rng, Surroundings};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Relay events that wait for a slow application; older ones are dropped, which the application is told.
const TRANSIENT_EVENTS: usize = 256;

/// The agent behind its public interface.
pub(crate) struct Engine {
    pub(crate) config: AgentConfig,
    surroundings: Surroundings,
    pub(crate) switch: Switch,
    pub(super) routes: Routes,
    pub(crate) steps: Steps,
    pub(crate) users: Users,
    isolation: IsolationSecret,
    /// Given back by a shutdown, though events may still hold the engine.
    data_dir: Mutex<Option<DataDir>>,
    ended: CancellationToken,
    tasks: TaskTracker,
    /// Ends when the writer has written everything and closed the database.
    writer: TaskTracker,
    transient: broadcast::Sender<Event>,
    relays: Relays,
    workers: Workers,
    pub(super) errands: Running,
    pub(super) held: HeldMessages,
    pub(super) troubles: Troubles,
    /// There may be queues to delete at their relays.
    pub(super) queues_to_delete: Notify,
}

/// Tasks that are wanted by what cannot start them.
pub(crate) struct Wanted {
    /// Connections whose steps are durable, and which may have something to do.
    pub(super) changed: mpsc::UnboundedReceiver<ConnectionId>,
    pub(super) relays: NewRelays,
}

impl Engine {
    /// Opens the data directory. Nothing goes on in it before what is wanted is started.
    pub(crate) async fn open(
        config: AgentConfig,
        surroundings: Surroundings,
    ) -> Result<(Arc<Self>, Wanted), AgentError> {
        let data_dir = DataDir::open(&config.data_dir)?;
        let (changes, changed) = mpsc::unbounded_channel();
        let key = unlock(&config, &surroundings).await?;
        let reserve = prepare_reserve(&config, &data_dir, &surroundings).await?;
        let (steps, writer) = Steps::open(&data_dir.database(), key.as_ref(), changes, reserve).await?;
        data_dir.opened()?;
        let troubles = Troubles::load(&steps).await?;
        let users = Users::load(&steps, &config.relays).await?;
        let isolation = IsolationSecret::generate(&mut surroundings.randomness.rng());
        let (relays, new_relays) = Relays::new();
        let engine = Arc::new(Self {
            config,
            surroundings,
            switch: Switch::default(),
            routes: Routes::default(),
            steps,
            users,
            isolation,
            data_dir: Mutex::new(Some(data_dir)),
            ended: CancellationToken::new(),
            tasks: TaskTracker::new(),
            writer: TaskTracker::new(),
            transient: broadcast::Sender::new(TRANSIENT_EVENTS),
            relays,
            workers: Workers::default(),
            errands: Running::default(),
            held: HeldMessages::default(),
            troubles,
            queues_to_delete: Notify::new(),
        });
        // It holds the engine, and so the data directory, until the last step is written.
        let engine_ = engine.clone();
        engine.surroundings.spawner.spawn(engine.writer.track_future(async move {
            writer.run().await;
            drop(engine_);
        }));
        engine.writer.close();
        Ok((engine, Wanted { changed, relays: new_relays }))
    }

    /// Stops the background tasks wherever they are, which loses nothing and ends the sessions with relays, and gives the data
    /// directory back.
    pub(crate) async fn shutdown(&self) {
        self.stop();
        self.tasks.close();
        self.tasks.wait().await;
        self.writer.wait().await;
        self.steps.store.close().await;
        self.data_dir.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Ends the agent as a crash would, when its last handle is dropped.
    pub(crate) fn stop(&self) {
        if !self.ended.is_cancelled() {
            trace::closed();
        }
        self.ended.cancel();
        self.steps.close();
    }

    pub(crate) async fn stopped(&self) {
        self.ended.cancelled().await;
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Cancelled when the agent stops.
    pub(crate) fn end(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Runs a background task until the agent stops.
    pub(crate) fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.track_future(self.ended.clone().run_until_cancelled_owned(task));
        self.surroundings.spawner.spawn(task);
    }

    #[cfg(test)]
    pub(crate) fn has_worker(&self, connection: ConnectionId) -> bool {
        self.workers.has(connection)
    }

    /// Tells the connection's worker that a full queue has space again.
    pub(super) fn resume(&self, connection: ConnectionId) {
        self.workers.resume(connection);
    }

    pub(super) fn workers(&self) -> &Workers {
        &self.workers
    }

    /// The relay at an address, in the session in which things are done for a connection. The password does not matter.
    pub(crate) fn relay(&self, owner: Owner, address: &RelayAddress) -> Arc<Relay> {
        self.relay_in(self.session_key(owner, address))
    }

    /// The relay of a session.
    pub(super) fn relay_in(&self, session: SessionKey) -> Arc<Relay> {
        self.relays.get(session)
    }

    /// The session with a relay in which things are done for a connection.
    pub(super) fn session_key(&self, owner: Owner, address: &RelayAddress) -> SessionKey {
        SessionKey::new(address, owner, self.config.network.sessions)
    }

    /// The owner of the sessions that the commands of a connection go through.
    pub(super) async fn owner(&self, id: ConnectionId) -> Result<Owner, AgentError> {
        self.steps.look(id, Connection::owner).await
    }

    /// By what the streams of a session are kept apart from others in a SOCKS proxy.
    pub(super) fn isolation(&self, session: &SessionKey) -> Option<Isolation> {
        self.isolation.of(session)
    }

    pub(crate) fn relay_states(&self) -> watch::Receiver<RelayStates> {
        self.relays.states.subscribe()
    }

    /// Notes the state of a session with a relay.
    pub(super) fn relay_is(&self, relay: &Relay, state: RelayState) {
        self.relays.states.set(&relay.session_key, Some(state));
    }

    /// The sessions of a connection, or of a deleted user, may not be needed any more.
    pub(super) fn look_at_sessions(&self, connection: ConnectionId) {
        self.relays.look_at(|session| {
            session.connection == Some(connection) || self.users.check(session.user).is_err()
        });
    }

    /// Nobody needs a session any more. False if somebody does, and it has to go on.
    pub(super) fn ends(&self, relay: &Arc<Relay>) -> bool {
        self.relays.remove(relay)
    }

    /// The password for new queues of a user on a relay, and for forwarding.
    pub(super) fn password(&self, user: UserId, address: &RelayAddress) -> Option<Password> {
        let address = address.without_password();
        let relays = self.users.relays(user);
        let relay = relays.iter().find(|relay| relay.address.without_password() == address);
        relay.and_then(|relay| relay.address.password.clone())
    }

    /// The agent's surroundings.
    pub(crate) fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// A generator of random numbers.
    pub(crate) fn rng(&self) -> Rng<'_> {
        self.surroundings.randomness.rng()
    }

    /// Where random numbers come from.
    pub(crate) fn randomness(&self) -> Randomness {
        self.surroundings.randomness.clone()
    }

    /// Proposes new keys for a connection.
    pub(crate) async fn resynchronize(&self, id: ConnectionId, force: bool) -> Result<Commit, AgentError> {
        let step = self.steps.step(id, |connection, request| {
            connection.resynchronize(force, &self.config, &mut self.rng(), &mut request.effects)
        });
        Ok(step.await?.1)
    }

    /// Reads from the database in a task of its own. A future of the application that nobody polls would keep a connection to it, and the
    /// shutdown wait for that.
    pub(crate) async fn in_task<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, AgentError> {
        let (result, outcome) = oneshot::channel();
        self.spawn(async move {
            // Without a receiver nobody wants to know.
            let _ = result.send(read.await);
        });
        outcome.await.map_err(|_| AgentError::ShutDown)
    }

    /// Does what blocks, on a thread for that.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AgentError> {
        self.surroundings.spawner.spawn_blocking(work).await.map_err(|_| AgentError::ShutDown)
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        i64::try_from(self.surroundings.time.unix_seconds()).unwrap_or(i64::MAX)
    }

    pub(crate) fn network_changed(&self) {
        self.routes.forget();
        self.switch.network_changed();
    }

    /// Waits until something is to be tried again.
    pub(super) async fn pause(&self, backoff: &mut Backoff) {
        let wait = backoff.wait(&mut self.rng());
        self.switch.pause(backoff, wait).await;
    }

    /// Tells the application something that is not stored.
    pub(super) fn tell(&self, event: Event) {
        // Without a receiver nobody wants to know.
        trace::event(event.name());
        let _ = self.transient.send(event);
    }

    /// Nothing comes on a connection. The application is told once.
    pub(super) fn receiving_stopped(&self, connection: ConnectionId, error: SubscriptionError) {
        if self.troubles.receiving_stopped(&self.steps, connection, &error) {
            self.tell(Event::ReceivingStopped { connection, error });
        }
    }

    /// Something comes again.
    pub(super) fn receiving(&self, connection: ConnectionId) {
        self.troubles.receiving(&self.steps, connection);
    }

    /// Whether nothing comes on some connection.
    pub(super) fn is_any_stopped(&self) -> bool {
        self.troubles.is_any_stopped()
    }

    /// A connection as the application sees it; None for an invitation that is being made.
    pub(crate) fn summary(&self, connection: &Connection) -> Option<ConnectionSummary> {
        let mut summary = ConnectionSummary::of(connection)?;
        let stopped = self.troubles.stopped(connection.id);
        summary.troubles.extend(stopped.map(Trouble::ReceivingStopped));
        summary.troubles.extend(self.relays_down(connection));
        Some(summary)
    }

    /// The relays that a connection needs and that have not been reached for a while. A session that ends and comes back in seconds
    /// is no trouble; nor is a relay for which nothing waits.
    fn relays_down(&self, connection: &Connection) -> Vec<Trouble> {
        let own = connection.receive_queues().map(|(queue, _)| (&queue.relay, true));
        let sends = connection.waiting.total() > 0 || connection.releases() || connection.command().is_some();
        let theirs = connection.send_queue().filter(|_| sends).map(|queue| (&queue.relay, false));
        let (now, grace) = (self.now(), self.config.timeouts.relay_down.as_secs());
        let mut down: Vec<Trouble> = Vec::new();
        for (address, receiving) in own.chain(theirs) {
            let session = self.session_key(connection.owner(), address);
            let Some(Down { since, error }) = self.troubles.down(&session) else { continue };
            let relay = address.without_password().to_string();
            let is_told =
                down.iter().any(|told| matches!(told, Trouble::RelayDown { relay: it, .. } if *it == relay));
            // A clock that was set back says nothing.
            if !is_told && (now < since || now.abs_diff(since) >= grace) {
                down.push(Trouble::RelayDown { relay, receiving, since, error });
            }
        }
        down
    }

    /// How many messages of a connection the application may have before more is taken: with a full disk, what it takes at once.
    pub(super) fn undelivered_limit(&self) -> u32 {
        if self.steps.reserve.is_given_up() { 1 } else { self.config.limits.undelivered }
    }

    /// How many requests to a contact address may wait for an answer before more is taken.
    fn requests_limit(&self) -> u32 {
        if self.steps.reserve.is_given_up() { 1 } else { self.config.limits.requests }
    }

    /// There may be queues to delete at their relays.
    pub(crate) fn look_for_deleted_queues(&self) {
        self.queues_to_delete.notify_one();
    }

    pub(crate) fn transient_events(&self) -> broadcast::Receiver<Event> {
        self.transient.subscribe()
    }

    /// Whether the application may get more of a connection before it is done with what it has.
    pub(super) async fn has_room(&self, id: ConnectionId) -> Result<bool, AgentError> {
        let look = |connection: &Connection| (connection.role, connection.undelivered);
        Ok(match self.steps.look(id, look).await {
            Ok((Role::Address, _)) => {
                self.steps.store.count_requests(id).await? < i64::from(self.requests_limit())
            }
            Ok((Role::Initiator | Role::Joiner, undelivered)) => undelivered < self.undelivered_limit(),
            Err(AgentError::UnknownConnection(_)) => true,
            Err(error) => return Err(error),
        })
    }
}

/// The key of the data directory, if it is encrypted.
async fn unlock(
    config: &AgentConfig,
    surroundings: &Surroundings,
) -> Result<Option<DatabaseKey>, AgentError> {
    let (file, secret) = (KeyFile::of(&config.data_dir), config.secret.clone());
    let randomness = surroundings.randomness.clone();
    let unlock = move || file.unlock(secret.as_ref(), &mut randomness.rng());
    surroundings.spawner.spawn_blocking(unlock).await.map_err(|_| AgentError::ShutDown)?
}

/// Has the reserve for a full disk made, or given up.
async fn prepare_reserve(
    config: &AgentConfig,
    data_dir: &DataDir,
    surroundings: &Surroundings,
) -> Result<Arc<Reserve>, AgentError> {
    let (directory, bytes) = (data_dir.path().to_owned(), config.limits.reserve);
    let randomness = surroundings.randomness.clone();
    let prepare = move || Reserve::prepare(&directory, bytes, randomness);
    let reserve = surroundings.spawner.spawn_blocking(prepare).await;
    Ok(Arc::new(reserve.map_err(|_| AgentError::ShutDown)?))
}
