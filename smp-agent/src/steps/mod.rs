//! Steps: changes of connections in memory, which become durable in groups.
//!
//! A step takes the state of one connection, changes it by a pure function, and leaves what that changes in the database to the writer.
//! The next step of the connection goes on with the changed state at once; a [`Commit`] tells when, and whether, a step is durable. Nothing of a
//! step may leave the machine or reach the application before. If the database does not take a step, all steps of its
//! connection that are not durable are undone, and the connection is read again from what is.
//!
//! States are in memory while they are in use; a connection that has nothing to do takes none.

mod all;
mod changes;
mod event_log;
mod send_once;
mod sends;
mod shared_body;
mod slot;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use event_log::EventLog;
pub(crate) use send_once::KeyOf;

use crate::connection::{Connection, Deferred, Effects, StateError};
use crate::error::{AgentError, ConnectionError, SendError, StorageError};
use crate::id::{ConnectionId, MessageId, UserId};
use crate::reserve::Reserve;
use crate::store::{Changes, Keyed, Loaded, SendKey, Store, StoredOutgoing, Upkeep};
use slot::{Present, Slot};
use smp_sqlite::DatabaseKey;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};
use writer::{Item, Queue, Writer};

/// States in memory above which those are dropped that nobody uses.
const MAX_SLOTS: usize = 1024;
/// Bodies of a connection that wait in memory; more wait in the database.
const OUTGOING_IN_MEMORY: usize = 32;
/// Messages that are encrypted in one step after the encryption was renewed.
const RELEASED_AT_ONCE: u32 = 64;

/// All steps of an agent.
pub(crate) struct Steps {
    pub(crate) store: Store,
    pub(crate) events: EventLog,
    pub(crate) reserve: Arc<Reserve>,
    queue: Arc<Queue>,
    slots: Mutex<HashMap<ConnectionId, Arc<Slot>>>,
    last_user: AtomicI64,
    last_connection: AtomicI64,
    last_outgoing: AtomicI64,
    last_shared_body: AtomicI64,
    keyed_calls: AtomicU64,
    day: Arc<AtomicI64>,
    day_began_at: AtomicI64,
    #[cfg(test)]
    pub(crate) max_pages: Arc<AtomicI64>,
}

/// Requests of a step besides the state of its connection.
#[derive(Default)]
pub(crate) struct Request {
    pub(crate) effects: Effects,
    /// Bodies that need not be sent any more.
    pub(crate) sent: Vec<i64>,
    /// Events that the application is done with.
    pub(crate) done: Vec<i64>,
    /// The hash of the encrypted message that was received.
    pub(crate) received: Option<[u8; 32]>,
    /// Everything that waits to be sent is given up.
    pub(crate) give_up: Option<SendError>,
    /// Messages that do not wait for the encryption any more.
    pub(crate) released: Vec<MessageId>,
    /// The key of a message that is sent with one.
    send_key: Option<(SendKey, MessageId)>,
    /// The body that is to be sent next, if that is known.
    next: Option<Option<i64>>,
}

impl Request {
    /// Whether a body that is on its way to its relay was given up meanwhile: it is not among those that wait any more.
    pub(crate) fn is_given_up(&self, row: i64) -> bool {
        self.next.is_some_and(|next| next != Some(row))
    }

    /// Whether this body is the first of those that wait.
    pub(crate) fn is_first(&self, row: i64) -> bool {
        self.next == Some(Some(row))
    }
}

/// When a step is durable.
#[must_use = "a step is not durable before its commit"]
pub(crate) struct Commit(oneshot::Receiver<Result<(), StorageError>>);

impl Commit {
    /// Waits until the step is durable, or tells why it is undone. The step goes on if this is dropped.
    pub(crate) async fn durable(self) -> Result<(), AgentError> {
        match self.0.await {
            Ok(result) => Ok(result?),
            Err(_) => Err(AgentError::ShutDown),
        }
    }
}

impl Steps {
    /// Opens the database. Connections that have something to do on the network after a commit are sent to `changed`.
    pub(crate) async fn open(
        path: &Path,
        key: Option<&DatabaseKey>,
        changed: mpsc::UnboundedSender<ConnectionId>,
        reserve: Arc<Reserve>,
    ) -> Result<(Self, Writer), AgentError> {
        let (store, db) = match Store::open(path, key, reserve.log_pages()).await {
            Err(StorageError::DiskFull) if reserve.met_full() => {
                Store::open(path, key, reserve.log_pages()).await?
            }
            opened => opened?,
        };
        let last = store.last().await?;
        let queue = Arc::new(Queue::default());
        let day = Arc::new(AtomicI64::new(last.day));
        let events = EventLog::new(last.event, Keyed::new(store.sent_with_keys().await?));
        let writer =
            Writer::new(db, queue.clone(), events.clone(), changed, day.clone(), last.event, reserve.clone());
        let steps = Self {
            store,
            events,
            reserve,
            queue,
            slots: Mutex::default(),
            last_user: AtomicI64::new(last.user),
            last_connection: AtomicI64::new(last.connection),
            last_outgoing: AtomicI64::new(last.outgoing),
            last_shared_body: AtomicI64::new(last.shared_body),
            keyed_calls: AtomicU64::new(0),
            day,
            day_began_at: AtomicI64::new(last.day_began_at),
            #[cfg(test)]
            max_pages: writer.max_pages.clone(),
        };
        Ok((steps, writer))
    }

    /// No more steps are taken; those that were are written.
    pub(crate) fn close(&self) {
        self.queue.close();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, id: ConnectionId) -> Arc<Slot> {
        let mut slots = self.lock();
        if slots.len() >= MAX_SLOTS && !slots.contains_key(&id) {
            slots.retain(|_, slot| slot.is_in_use());
        }
        slots.entry(id).or_insert_with(|| Arc::new(Slot::new())).clone()
    }

    /// Drops the states that nobody uses.
    pub(crate) fn drop_unused(&self) {
        let mut slots = self.lock();
        slots.retain(|_, slot| slot.is_in_use());
        slots.shrink_to_fit();
    }

    #[cfg(test)]
    pub(crate) fn states(&self) -> usize {
        self.lock().len()
    }

    /// A number for a user that is about to be added.
    pub(crate) fn next_user(&self) -> UserId {
        UserId::new(number_after(&self.last_user))
    }

    /// A number for a connection that is about to be made.
    pub(crate) fn next_connection(&self) -> ConnectionId {
        ConnectionId::new(number_after(&self.last_connection))
    }

    /// Adds a connection. Returns its number.
    #[cfg(test)]
    pub(crate) async fn create(&self, connection: Connection) -> Result<(ConnectionId, Commit), AgentError> {
        let id = self.next_connection();
        Ok((id, self.create_as(id, connection).await?))
    }

    /// Adds a connection that joins an invitation or asks a contact address.
    pub(crate) async fn join(
        &self,
        connection: Connection,
        invitation: Option<Vec<u8>>,
    ) -> Result<(ConnectionId, Commit), AgentError> {
        let id = self.next_connection();
        Ok((id, self.insert(id, connection, invitation).await?))
    }

    /// Adds a connection under a number that it was given.
    pub(crate) async fn create_as(
        &self,
        id: ConnectionId,
        connection: Connection,
    ) -> Result<Commit, AgentError> {
        self.insert(id, connection, None).await
    }

    async fn insert(
        &self,
        id: ConnectionId,
        connection: Connection,
        joins: Option<Vec<u8>>,
    ) -> Result<Commit, AgentError> {
        let connection = connection.numbered(id);
        let slot = self.slot(id);
        let mut state = slot.state.lock().await;
        let mut present =
            Present::new(Loaded { connection, state: Default::default(), queues: Vec::new() }, slot.epoch());
        let changes = Changes { insert: true, joins, ..self.changes(&mut present, Request::default())? };
        let commit = self.put(&slot, &present, changes)?;
        *state = Some(present);
        Ok(commit)
    }

    /// Changes a connection. If the function returns an error nothing has happened.
    pub(crate) async fn step<T>(
        &self,
        id: ConnectionId,
        change: impl FnOnce(&mut Connection, &mut Request) -> Result<T, AgentError>,
    ) -> Result<(T, Commit), AgentError> {
        let slot = self.slot(id);
        let mut state = slot.state.lock().await;
        // If anything happens before the end, the state is read again.
        let mut present = self.present(&slot, state.take(), id).await?;
        let mut request = Request { next: present.next_outgoing(), ..Request::default() };
        let value = change(&mut present.connection, &mut request)?;
        Ok((value, self.keep(&slot, &mut state, present, request)?))
    }

    /// Encrypts messages that waited for that, the oldest ones, in one step.
    pub(crate) async fn release(
        &self,
        id: ConnectionId,
        release: impl FnOnce(&mut Connection, &[Deferred], &mut Effects) -> Result<(), StateError>,
    ) -> Result<Commit, AgentError> {
        let slot = self.slot(id);
        let mut state = slot.state.lock().await;
        // Nobody else takes a step meanwhile, so those that are read are those that wait.
        self.flush().await?;
        let mut present = self.present(&slot, state.take(), id).await?;
        let oldest = self.store.deferred(id, RELEASED_AT_ONCE).await?;
        let (connection, mut request) = (&mut present.connection, Request::default());
        if connection.releases() {
            match release(connection, &oldest, &mut request.effects) {
                Ok(()) if oldest.is_empty() => connection.deferred = 0,
                Ok(()) => request.released = oldest.iter().map(|deferred| deferred.message).collect(),
                Err(StateError) => {
                    request.effects = Effects::default();
                    connection.fail(ConnectionError::Encryption, &mut request.effects);
                }
            }
        }
        self.keep(&slot, &mut state, present, request)
    }

    /// Looks at a connection, whose last steps may not be durable yet.
    pub(crate) async fn look<T>(
        &self,
        id: ConnectionId,
        look: impl FnOnce(&Connection) -> T,
    ) -> Result<T, AgentError> {
        let slot = self.slot(id);
        let mut state = slot.state.lock().await;
        let present = self.present(&slot, state.take(), id).await?;
        Ok(look(&state.insert(present).connection))
    }

    /// Removes a connection with everything that belongs to it. Its queues are left to be deleted at their relays.
    pub(crate) async fn remove(&self, id: ConnectionId) -> Result<Commit, AgentError> {
        let slot = self.slot(id);
        let mut state = slot.state.lock().await;
        let mut present = self.present(&slot, state.take(), id).await?;
        let deleted = present.queues.clone();
        let changes = self.changes(&mut present, Request::default())?;
        let changes = Changes { remove: true, deleted: [changes.deleted, deleted].concat(), ..changes };
        self.put(&slot, &present, changes)
    }

    /// The application is done with an event that changes nothing of its connection.
    pub(crate) fn done(&self, event: i64) -> Result<Commit, AgentError> {
        self.upkeep(Upkeep::Done(event))
    }

    /// Runs something on the database that concerns no connection, after all steps before it.
    pub(crate) fn upkeep(&self, upkeep: Upkeep) -> Result<Commit, AgentError> {
        let (done, commit) = oneshot::channel();
        self.queue.push(Item::Upkeep { upkeep, done }).map_err(|_| AgentError::ShutDown)?;
        Ok(Commit(commit))
    }

    /// Waits until all steps before this are durable or undone.
    pub(crate) async fn flush(&self) -> Result<(), AgentError> {
        self.upkeep(Upkeep::Nothing)?.durable().await
    }

    /// The next durable body of a connection, once those before it are gone. None if nothing is to be sent now.
    pub(crate) async fn next_outgoing(
        &self,
        id: ConnectionId,
    ) -> Result<Option<Arc<StoredOutgoing>>, AgentError> {
        let slot = self.slot(id);
        let mut state = slot.state.lock().await;
        let mut present = self.present(&slot, state.take(), id).await?;
        if present.outgoing.is_empty() && present.more {
            self.flush().await?;
            let rows = self.store.outgoing(id, present.last_taken, OUTGOING_IN_MEMORY as u32).await?;
            present.more = rows.len() == OUTGOING_IN_MEMORY;
            if let Some(last) = rows.last() {
                slot.committed(last.row);
                present.last_taken = last.row;
            }
            present.outgoing.extend(rows.into_iter().map(Arc::new));
        }
        let next = present.outgoing.front().filter(|stored| slot.is_committed(stored.row)).cloned();
        *state = Some(present);
        Ok(next)
    }

    /// The day, counted in those on which the agent ran.
    pub(crate) fn day(&self) -> i64 {
        self.day.load(Ordering::Relaxed)
    }

    /// Begins a new day if a day of 24 hours has passed by this clock, however many it says: one that jumps makes nothing old.
    pub(crate) async fn begin_day(&self, now: i64) -> Result<(), AgentError> {
        const DAY: i64 = 24 * 60 * 60;
        let began_at = self.day_began_at.load(Ordering::Relaxed);
        if (began_at.saturating_sub(DAY)..began_at.saturating_add(DAY)).contains(&now) {
            return Ok(());
        }
        let day = self.day() + i64::from(now > began_at);
        self.upkeep(Upkeep::Day(day, now))?.durable().await?;
        self.day.store(day, Ordering::Relaxed);
        self.day_began_at.store(now, Ordering::Relaxed);
        Ok(())
    }

    /// The state, read from the database if it is not in memory or was undone.
    async fn present(
        &self,
        slot: &Slot,
        present: Option<Present>,
        id: ConnectionId,
    ) -> Result<Present, AgentError> {
        if let Some(present) = present.filter(|present| present.epoch == slot.epoch()) {
            return Ok(present);
        }
        if slot.is_pending() {
            self.flush().await?;
        }
        let epoch = slot.epoch();
        let loaded = self.store.load(id).await?.ok_or(AgentError::UnknownConnection(id))?;
        Ok(Present::new(loaded, epoch))
    }

    /// Leaves what a step has changed to the writer, and the state to the next step.
    fn keep(
        &self,
        slot: &Arc<Slot>,
        state: &mut Option<Present>,
        mut present: Present,
        request: Request,
    ) -> Result<Commit, AgentError> {
        let changes = self.changes(&mut present, request)?;
        let commit = self.put(slot, &present, changes)?;
        *state = Some(present);
        Ok(commit)
    }

    /// Leaves a step to the writer.
    fn put(&self, slot: &Arc<Slot>, present: &Present, changes: Changes) -> Result<Commit, AgentError> {
        let (done, commit) = oneshot::channel();
        let wake =
            changes.insert || changes.remove || changes.lasting.is_some() || !changes.outgoing.is_empty();
        slot.begin();
        let item =
            Item::Step { changes: Box::new(changes), slot: slot.clone(), epoch: present.epoch, wake, done };
        self.queue.push(item).map_err(|_| AgentError::ShutDown)?;
        Ok(Commit(commit))
    }
}

/// The number after the last one that was given.
fn number_after(last: &AtomicI64) -> i64 {
    last.fetch_add(1, Ordering::Relaxed) + 1
}

/// A change that needs nothing but the connection and cannot be refused: if its state is not what it needs, the connection fails.
pub(crate) fn or_fail(
    change: impl FnOnce(&mut Connection, &mut Effects) -> Result<(), StateError>,
) -> impl FnOnce(&mut Connection, &mut Request) -> Result<(), AgentError> {
    |connection, request| {
        if change(connection, &mut request.effects).is_err() {
            request.effects = Effects::default();
            connection.fail(ConnectionError::Encryption, &mut request.effects);
        }
        Ok(())
    }
}
