//! The writer: the only one that changes the database.
//!
//! Group commit without timers: a transaction takes everything that arrived while the one before it was written. So an
//! idle relay writes at once, and a busy one shares the cost of a flush among many. If a transaction fails, its
//! operations are tried one by one, so that only those fail that cannot be done.
//!
//! One thing waits although the writer is idle: a message whose recipient has just shown to acknowledge at once. It is
//! not late for anybody, its `OK` comes with the acknowledgement ([`EngineLimits::ack_wait`](super::super::EngineLimits)).

use std::sync::Arc;
use std::time::Duration;

use smp_transport::durable::Lock;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _, query};
use tokio::time::Instant;

use super::disk::Disk;
use super::fault::fault;
use super::statements;
use crate::store::StorageFault;
use crate::store::engine::shared::Shared;
use crate::store::engine::write_queue::{Batch, ChangeKind, Operation};
use crate::store::engine::writing::{Outcome, Plan};

/// How long to wait before looking again whether there is space.
const LOOK_FOR_SPACE: Duration = Duration::from_secs(5);

/// Removals that one transaction makes after that.
const DEFERRED_AT_ONCE: usize = 1024;

pub(super) struct Writer {
    connection: SqliteConnection,
    shared: Arc<Shared>,
    disk: Arc<Disk>,
    /// The disk was full, and the log has not been emptied since: it may hold the space that is missing.
    needs_space: bool,
}

impl Writer {
    pub(super) fn new(connection: SqliteConnection, shared: Arc<Shared>, disk: Arc<Disk>) -> Self {
        Writer { connection, shared, disk, needs_space: false }
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
        let unwritten = self.disk.deferred_count();
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
        let disk = &self.disk;
        if !disk.is_full() && disk.deferred_count() == 0 {
            return until;
        }
        let soon = self.shared.time.monotonic() + LOOK_FOR_SPACE;
        Some(until.map_or(soon, |until| until.min(soon)))
    }

    /// Looks whether there is space again, and writes what could not be written.
    async fn recover(&mut self) {
        let disk = self.disk.clone();
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
        let checked = self.shared.faults.check(crate::store::engine::seam::Stage::Remove);
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
        if self.needs_space || self.disk.is_full() {
            self.empty_log().await;
        }
        let fault = match self.transaction(&operations).await {
            Ok(outcomes) => return self.shared.finish(operations, outcomes),
            Err(fault) => fault,
        };
        if matches!(fault, StorageFault::Full) {
            self.disk.met_full();
            self.needs_space = true;
            self.empty_log().await;
        }
        let (count, mut failed) = (operations.len(), 0);
        for operation in operations {
            let single = vec![operation];
            // Room that the reserve has made is for others.
            let refused = matches!(single[..], [Operation::Append(_)]) && self.disk.is_full();
            let result = if refused { Err(StorageFault::Full) } else { self.transaction(&single).await };
            match result {
                Ok(outcomes) => self.shared.finish(single, outcomes),
                Err(StorageFault::Full) if self.defer(&single) => {}
                Err(fault) => {
                    failed += 1;
                    self.shared.fail(single, &fault);
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
        let sql = match self.disk.is_full() {
            true => "PRAGMA wal_checkpoint(RESTART)",
            false => "PRAGMA wal_checkpoint(TRUNCATE)",
        };
        self.needs_space = !(moved && self.checkpoint(sql).await);
    }

    /// Keeps a removal in memory that cannot be written. The recipient has the message, and what it holds is removed later.
    fn defer(&self, operations: &[Operation]) -> bool {
        let [Operation::Remove(removal)] = operations else { return false };
        let is_kept = removal.is_wanted() && removal.is_on_disk() && self.disk.defer(removal.key);
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
        self.shared.faults.check(crate::store::engine::seam::Stage::Commit)?;
        query("COMMIT").execute(&mut self.connection).await.map_err(|error| fault(&error))?;
        Ok(())
    }

    async fn execute(&mut self, plan: &Plan<'_>, outcomes: &mut [Outcome]) -> Result<(), StorageFault> {
        for (place, change) in &plan.changes {
            outcomes[*place] = self.change(change).await?;
        }
        #[cfg(test)]
        for _ in &plan.appends {
            self.shared.faults.check(crate::store::engine::seam::Stage::Append)?;
        }
        let rows: Vec<_> = plan
            .appends
            .iter()
            .map(|(pending, message)| (pending.key, pending.queue, message.as_ref()))
            .collect();
        statements::insert_messages(&mut self.connection, &rows).await?;
        #[cfg(test)]
        for _ in &plan.removals {
            self.shared.faults.check(crate::store::engine::seam::Stage::Remove)?;
        }
        statements::delete_messages(&mut self.connection, &plan.removals).await?;
        for (place, change) in &plan.last {
            outcomes[*place] = self.change(change).await?;
        }
        Ok(())
    }

    async fn change(&mut self, change: &ChangeKind) -> Result<Outcome, StorageFault> {
        #[cfg(test)]
        self.shared.faults.check(crate::store::engine::seam::Stage::Change)?;
        statements::change(&mut self.connection, change).await
    }
}
