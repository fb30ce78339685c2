//! The writer: the only one that changes the database.
//!
//! Group commit without timers: a transaction takes everything that arrived while the one before it was written. So an
//! idle relay writes at once, and a busy one shares the cost of a flush among many. If a transaction fails, its
//! operations are tried one by one, so that only those fail that cannot be done.
//!
//! One thing waits although the writer is idle: a message whose recipient has just shown to acknowledge at once. It is
//! not late for anybody, its `OK` comes with the acknowledgement ([`SqliteConfig::ack_wait`](super::SqliteConfig)).

use std::sync::Arc;
use std::time::Duration;

use smp_transport::durable::Lock;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _, query};
use tokio::time::Instant;

use super::fault::fault;
use super::queue::{Loaded, Pending, State};
use super::shared::Shared;
use super::statements;
use super::write_queue::{Batch, Change, ChangeKind, Operation};
use crate::store::{Message, ServiceRole, StorageFault, StoreError};
use crate::sync::lock;

/// How long to wait before looking again whether there is space.
const LOOK_FOR_SPACE: Duration = Duration::from_secs(5);

/// Removals that one transaction makes after that.
const DEFERRED_AT_ONCE: usize = 1024;

/// Number of rows that a change made, for those who count; an error is the caller's fault, not the disk's.
type Outcome = Result<u64, StoreError>;

pub(super) struct Writer {
    connection: SqliteConnection,
    shared: Arc<Shared>,
    /// The disk was full, and the log has not been emptied since: it may hold the space that is missing.
    needs_space: bool,
}

/// The parts of a transaction, in this order.
#[derive(Default)]
struct Plan<'a> {
    changes: Vec<(usize, &'a ChangeKind)>,
    appends: Vec<(&'a Pending, Arc<Message>)>,
    removals: Vec<i64>,
    /// Changes that remove messages come after the messages.
    last: Vec<(usize, &'a ChangeKind)>,
}

impl Plan<'_> {
    fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.appends.is_empty() && self.removals.is_empty() && self.last.is_empty()
    }
}

impl<'a> Plan<'a> {
    /// Leaves out what is not wanted any more: messages that were acknowledged in the meantime, above all.
    fn new(operations: &'a [Operation]) -> Self {
        let mut plan = Plan::default();
        for (place, operation) in operations.iter().enumerate() {
            match operation {
                Operation::Append(pending) => {
                    plan.appends.extend(pending.take_up().map(|message| (pending.as_ref(), message)));
                }
                Operation::Remove(removal) => {
                    plan.removals.extend(removal.is_wanted().then_some(removal.key))
                }
                Operation::Change(change) if change.kind.removes_messages() => {
                    plan.last.push((place, &change.kind));
                }
                Operation::Change(change) => plan.changes.push((place, &change.kind)),
            }
        }
        plan
    }
}

impl Writer {
    pub(super) fn new(connection: SqliteConnection, shared: Arc<Shared>) -> Self {
        Writer { connection, shared, needs_space: false }
    }

    /// Writes until the store is closed, then closes the database and gives the lock back.
    pub(super) async fn run(mut self, process_lock: Lock) {
        let died = self.shared.writer_died.clone().drop_guard();
        loop {
            match self.shared.write_queue.take(self.shared.time.monotonic()) {
                Batch::Write(operations) => self.write(operations).await,
                // If the queue is not loaded, a write has failed, and the message with it.
                Batch::Overdue(messages) => messages.iter().for_each(|pending| {
                    let _ = pending.active.with_loaded(|queue| queue.waited(pending, &self.shared));
                }),
                Batch::Wait(until) => {
                    self.shared.write_queue.wait(self.wait_until(until)).await;
                    self.recover().await;
                }
                Batch::Stop => break,
            }
        }
        died.disarm();
        self.recover().await;
        let unwritten = self.shared.disk.deferred_count();
        if unwritten > 0 {
            tracing::warn!(
                "the disk is full: {unwritten} messages that were acknowledged will be delivered once more"
            );
        }
        // SQLite does it when the last connection closes, which may be a moment later.
        self.empty_log().await;
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the database was not closed cleanly; it is intact");
        }
        drop(process_lock);
    }

    /// Without space, as long as it is worth waiting before looking for some.
    fn wait_until(&self, until: Option<Instant>) -> Option<Instant> {
        let disk = &self.shared.disk;
        if !disk.is_full() && disk.deferred_count() == 0 {
            return until;
        }
        let soon = self.shared.time.monotonic() + LOOK_FOR_SPACE;
        Some(until.map_or(soon, |until| until.min(soon)))
    }

    /// Looks whether there is space again, and writes what could not be written.
    async fn recover(&mut self) {
        let disk = self.shared.disk.clone();
        disk.recover().await;
        loop {
            let messages = disk.deferred(DEFERRED_AT_ONCE);
            if messages.is_empty() || self.remove_deferred(&messages).await.is_err() {
                return;
            }
            disk.written(&messages);
        }
    }

    async fn remove_deferred(&mut self, messages: &[i64]) -> Result<(), StorageFault> {
        query("BEGIN IMMEDIATE").execute(&mut self.connection).await.map_err(|error| fault(&error))?;
        #[cfg(test)]
        let checked = self.shared.faults.check(super::seam::Stage::Remove);
        #[cfg(not(test))]
        let checked = Ok(());
        let removed = match checked {
            Ok(()) => statements::delete_messages(&mut self.connection, messages).await,
            Err(fault) => Err(fault),
        };
        let result = match removed {
            Ok(_) => self.commit().await,
            Err(fault) => Err(fault),
        };
        if result.is_err() {
            // SQLite may have rolled back already; then this is an error without meaning.
            let _ = query("ROLLBACK").execute(&mut self.connection).await;
            self.empty_log().await;
        }
        result
    }

    async fn write(&mut self, operations: Vec<Operation>) {
        if self.needs_space || self.shared.disk.is_full() {
            self.empty_log().await;
        }
        let fault = match self.transaction(&operations).await {
            Ok(outcomes) => return self.finish(operations, outcomes),
            Err(fault) => fault,
        };
        if matches!(fault, StorageFault::Full) {
            self.shared.disk.met_full();
            self.needs_space = true;
            self.empty_log().await;
        }
        let (count, mut failed) = (operations.len(), 0);
        for operation in operations {
            let single = vec![operation];
            // Room that the reserve has made is for others.
            let refused = matches!(single[..], [Operation::Append(_)]) && self.shared.disk.is_full();
            let result = if refused { Err(StorageFault::Full) } else { self.transaction(&single).await };
            match result {
                Ok(outcomes) => self.finish(single, outcomes),
                Err(StorageFault::Full) if self.defer(&single) => {}
                Err(fault) => {
                    failed += 1;
                    self.fail(single, &fault);
                }
            }
        }
        if failed == 0 {
            return;
        }
        tracing::error!(%fault, "a transaction of {count} operations failed; {failed} of them could not be done");
    }

    /// Moves the log into the database, which may have free pages when the disk has no space left.
    async fn empty_log(&mut self) {
        // Emptying the file waits for readers; a backup can take minutes. So first see whether there is one in the way.
        let moved = self.checkpoint("PRAGMA wal_checkpoint(PASSIVE)").await;
        // On a full disk the file keeps its space, which others would take: it is written again from the beginning.
        let sql = match self.shared.disk.is_full() {
            true => "PRAGMA wal_checkpoint(RESTART)",
            false => "PRAGMA wal_checkpoint(TRUNCATE)",
        };
        self.needs_space = !(moved && self.checkpoint(sql).await);
    }

    /// Keeps a removal in memory that cannot be written. The recipient has the message, and what it holds is removed later.
    fn defer(&self, operations: &[Operation]) -> bool {
        let [Operation::Remove(removal)] = operations else { return false };
        let is_kept = removal.is_wanted() && removal.is_on_disk() && self.shared.disk.defer(removal.key);
        if is_kept {
            removal.finish();
        }
        is_kept
    }

    /// Whether all of the log is now in the database. If not, the operations will tell why.
    async fn checkpoint(&mut self, sql: &'static str) -> bool {
        let Ok(row) = query(sql).fetch_one(&mut self.connection).await else { return false };
        let number = |column| row.try_get::<i64, _>(column).ok();
        number(0) == Some(0) && number(1) == number(2)
    }

    /// All or nothing. Outcomes are those of the changes; for other operations they mean nothing.
    async fn transaction(&mut self, operations: &[Operation]) -> Result<Vec<Outcome>, StorageFault> {
        let plan = Plan::new(operations);
        let mut outcomes = vec![Ok(0); operations.len()];
        if plan.is_empty() {
            return Ok(outcomes);
        }
        query("BEGIN IMMEDIATE").execute(&mut self.connection).await.map_err(|error| fault(&error))?;
        let result = match self.execute(&plan, &mut outcomes).await {
            Ok(()) => self.commit().await,
            Err(fault) => Err(fault),
        };
        if result.is_err() {
            // SQLite may have rolled back already; then this is an error without meaning.
            let _ = query("ROLLBACK").execute(&mut self.connection).await;
        }
        result.map(|()| outcomes)
    }

    async fn commit(&mut self) -> Result<(), StorageFault> {
        #[cfg(test)]
        self.shared.faults.check(super::seam::Stage::Commit)?;
        query("COMMIT").execute(&mut self.connection).await.map_err(|error| fault(&error))?;
        Ok(())
    }

    async fn execute(&mut self, plan: &Plan<'_>, outcomes: &mut [Outcome]) -> Result<(), StorageFault> {
        for (place, change) in &plan.changes {
            outcomes[*place] = self.change(change).await?;
        }
        #[cfg(test)]
        for _ in &plan.appends {
            self.shared.faults.check(super::seam::Stage::Append)?;
        }
        let rows: Vec<_> = plan
            .appends
            .iter()
            .map(|(pending, message)| (pending.key, pending.queue, message.as_ref()))
            .collect();
        statements::insert_messages(&mut self.connection, &rows).await?;
        #[cfg(test)]
        for _ in &plan.removals {
            self.shared.faults.check(super::seam::Stage::Remove)?;
        }
        statements::delete_messages(&mut self.connection, &plan.removals).await?;
        for (place, change) in &plan.last {
            outcomes[*place] = self.change(change).await?;
        }
        Ok(())
    }

    async fn change(&mut self, change: &ChangeKind) -> Result<Outcome, StorageFault> {
        #[cfg(test)]
        self.shared.faults.check(super::seam::Stage::Change)?;
        statements::change(&mut self.connection, change).await
    }

    fn finish(&self, operations: Vec<Operation>, outcomes: Vec<Outcome>) {
        for (operation, outcome) in operations.into_iter().zip(outcomes) {
            match operation {
                Operation::Append(pending) => pending.active.stored(&pending, &self.shared),
                Operation::Remove(removal) => removal.finish(),
                Operation::Change(change) => self.finish_change(change, outcome),
            }
        }
    }

    fn fail(&self, operations: Vec<Operation>, fault: &StorageFault) {
        for operation in operations {
            match operation {
                Operation::Append(pending) => pending.active.roll_back(fault, &self.shared),
                Operation::Remove(removal) => removal.active.roll_back(fault, &self.shared),
                Operation::Change(change) => {
                    self.finish_change(change, Err(StoreError::Unavailable(fault.clone())));
                }
            }
        }
    }

    /// Makes in memory the change that was made on disk, gives the queue free, and only then answers.
    fn finish_change(&self, change: Change, outcome: Outcome) {
        let Change { kind, held, completer, room } = change;
        if let Ok(rows) = outcome {
            self.apply(kind, held.as_ref(), rows);
        }
        drop((held, room));
        completer.complete(outcome.map(|_| ()));
    }

    fn apply(&self, kind: ChangeKind, held: Option<&super::write_queue::Held>, rows: u64) {
        let shared = &self.shared;
        let active = held.map(|held| &held.active);
        match kind {
            ChangeKind::Create { queue, record, .. } => {
                if let Some(active) = active {
                    let loaded = Loaded::new(queue, record.clone(), Default::default());
                    *lock(&active.state) = State::Loaded(Box::new(loaded));
                }
                shared.cache.enter(&record);
                shared.cache.appeared(&record);
                shared.counts.queues.add(1);
                shared.counts.notifiers.add(usize::from(record.notifier.is_some()));
            }
            ChangeKind::Update { before, after, .. } => {
                if let Some(active) = active {
                    active.with_loaded(|queue| queue.record = after.clone());
                }
                shared.cache.replace(&before, &after);
                shared.cache.appeared(&after);
                shared.counts.notifiers.subtract(usize::from(before.notifier.is_some()));
                shared.counts.notifiers.add(usize::from(after.notifier.is_some()));
            }
            ChangeKind::Delete { record, .. } => {
                if let Some(active) = active {
                    active.deleted(rows, shared);
                    shared.cache.remove(active, Some(&record));
                }
                shared.counts.queues.subtract(1);
                shared.counts.notifiers.subtract(usize::from(record.notifier.is_some()));
            }
            // Some may have been removed by their recipient since they were found.
            ChangeKind::Expire { .. } => {
                shared.counts.messages.subtract(usize::try_from(rows).unwrap_or(usize::MAX))
            }
            ChangeKind::Service(service) => {
                let count = match service.role {
                    ServiceRole::Messaging => &shared.counts.messaging_services,
                    ServiceRole::Notifier => &shared.counts.notifier_services,
                };
                count.add(usize::from(rows > 0));
            }
            ChangeKind::Used { .. } | ChangeKind::Clock(_) | ChangeKind::Nothing => {}
        }
    }
}
