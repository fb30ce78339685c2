//! The writer: the only one that changes the database.
//!
//! Group commit without timers: a transaction takes everything that arrived while the one before it was written. So an idle agent writes at
//! once, and a busy one shares the cost of a flush among many steps. If a transaction fails its steps are tried one by one, so that
//! only those are undone that cannot be done.

use super::event_log::EventLog;
use super::slot::Slot;
use crate::error::StorageError;
use crate::id::ConnectionId;
use crate::reserve::Reserve;
use crate::store::{Changes, Fault, Upkeep, Writing};
use crate::trace;
use sqlx::{Connection as _, SqliteConnection};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc, oneshot};

/// Steps of one transaction.
const MAX_STEPS: usize = 512;

type Done = oneshot::Sender<Result<(), StorageError>>;

/// Something to write.
pub(super) enum Item {
    Step {
        changes: Box<Changes>,
        slot: Arc<Slot>,
        /// Of the state from which the step was made.
        epoch: u64,
        /// Whether there may be something to do on the network afterwards.
        wake: bool,
        done: Done,
    },
    Upkeep {
        upkeep: Upkeep,
        done: Done,
    },
}

/// Steps to be written, in order.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    items: Vec<Item>,
    closed: bool,
}

/// The queue is closed.
#[derive(Debug)]
pub(super) struct Closed;

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, item: Item) -> Result<(), Closed> {
        let mut state = self.lock();
        if state.closed {
            return Err(Closed);
        }
        state.items.push(item);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// The next items; None at the end.
    async fn next(&self) -> Option<Vec<Item>> {
        loop {
            {
                let mut state = self.lock();
                if !state.items.is_empty() {
                    let count = state.items.len().min(MAX_STEPS);
                    return Some(state.items.drain(..count).collect());
                }
                if state.closed {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }
}

/// Writes steps. See [`run`](Self::run).
pub(crate) struct Writer {
    db: SqliteConnection,
    queue: Arc<Queue>,
    events: EventLog,
    changed: mpsc::UnboundedSender<ConnectionId>,
    day: Arc<AtomicI64>,
    last_event: i64,
    reserve: Arc<Reserve>,
    #[cfg(test)]
    pub(super) max_pages: Arc<AtomicI64>,
}

impl Writer {
    pub(super) fn new(
        db: SqliteConnection,
        queue: Arc<Queue>,
        events: EventLog,
        changed: mpsc::UnboundedSender<ConnectionId>,
        day: Arc<AtomicI64>,
        last_event: i64,
        reserve: Arc<Reserve>,
    ) -> Self {
        Self {
            db,
            queue,
            events,
            changed,
            day,
            last_event,
            reserve,
            #[cfg(test)]
            max_pages: Arc::default(),
        }
    }

    /// Writes until the queue is closed and empty, then closes the connection to the database.
    pub(crate) async fn run(mut self) {
        while let Some(items) = self.queue.next().await {
            self.write(items).await;
        }
        // The file is whole without that, too.
        let _ = self.db.close().await;
    }

    async fn write(&mut self, mut items: Vec<Item>) {
        // Steps that were made from a state that was undone are worth nothing.
        let stale: Vec<_> = items.extract_if(.., |item| item.is_stale()).collect();
        stale.into_iter().for_each(|item| item.undo(&undone()));
        match self.transaction(&items).await {
            Ok(()) => {
                trace::committed(items.len());
                self.finish(items);
            }
            Err(Fault(error)) if items.len() == 1 && error != StorageError::DiskFull => {
                trace::not_committed(items.len());
                items.into_iter().for_each(|item| item.undo(&error));
            }
            Err(Fault(error)) => {
                trace::not_committed(items.len());
                if error == StorageError::DiskFull {
                    self.reserve.met_full();
                    self.empty_log().await;
                }
                self.write_singly(items).await;
            }
        }
    }

    /// Moves the log into the database, which may have free pages when the disk has no space left: what frees space needs some.
    async fn empty_log(&mut self) {
        // If it cannot be done, the steps will tell why. The space of the log is kept: others would take it.
        let _ = sqlx::query("PRAGMA wal_checkpoint(RESTART)").execute(&mut self.db).await;
    }

    async fn write_singly(&mut self, items: Vec<Item>) {
        for item in items {
            if item.is_stale() {
                item.undo(&undone());
                continue;
            }
            let items = vec![item];
            match self.transaction(&items).await {
                Ok(()) => self.finish(items),
                Err(Fault(error)) => items.into_iter().for_each(|item| item.undo(&error)),
            }
        }
    }

    /// All or nothing.
    async fn transaction(&mut self, items: &[Item]) -> Result<(), Fault> {
        #[cfg(test)]
        self.limit_pages().await?;
        let mut writing = Writing {
            day: self.day.load(Ordering::Relaxed),
            last_event: self.last_event,
            keyed: self.events.keyed.clone(),
            ..Writing::default()
        };
        for item in items {
            match item {
                Item::Step { changes, .. } => writing.steps.push(changes),
                Item::Upkeep { upkeep: Upkeep::Nothing, .. } => {}
                Item::Upkeep { upkeep: Upkeep::Done(event), .. } => writing.done.push(*event),
                Item::Upkeep { upkeep, .. } => writing.upkeep.push(upkeep),
            }
        }
        if writing.steps.is_empty() && writing.upkeep.is_empty() && writing.done.is_empty() {
            return Ok(());
        }
        let events = writing.commit(&mut self.db).await?;
        if let Some(last) = events.last() {
            self.last_event = last.sequence;
        }
        events.iter().for_each(|stored| trace::event(stored.event.name()));
        self.events.add(events);
        Ok(())
    }

    fn finish(&self, items: Vec<Item>) {
        for item in items {
            match item {
                Item::Step { changes, slot, wake, done, .. } => {
                    slot.finish(changes.outgoing.last().map(|(row, ..)| *row));
                    if changes.remove {
                        self.events.sends.forget(changes.connection);
                        self.events.keyed.forget(changes.connection);
                    }
                    if wake {
                        // Without a receiver the agent has stopped.
                        let _ = self.changed.send(changes.connection);
                    }
                    // A waiter that has left does not want to know.
                    let _ = done.send(Ok(()));
                }
                Item::Upkeep { done, .. } => {
                    let _ = done.send(Ok(()));
                }
            }
        }
    }

    #[cfg(test)]
    async fn limit_pages(&mut self) -> Result<(), Fault> {
        let pages = self.max_pages.load(Ordering::Relaxed);
        if pages > 0 {
            let sql = format!("PRAGMA max_page_count = {pages}");
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut self.db).await?;
        }
        Ok(())
    }
}

impl Item {
    fn is_stale(&self) -> bool {
        matches!(self, Self::Step { slot, epoch, .. } if slot.epoch() != *epoch)
    }

    fn undo(self, error: &StorageError) {
        match self {
            Self::Step { slot, epoch, done, .. } => {
                slot.undo(epoch);
                // A waiter that has left does not want to know.
                let _ = done.send(Err(error.clone()));
            }
            Self::Upkeep { done, .. } => {
                let _ = done.send(Err(error.clone()));
            }
        }
    }
}

/// Why a step is undone that was made after one that was.
fn undone() -> StorageError {
    StorageError::Undone
}
