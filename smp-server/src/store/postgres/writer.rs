//! The writer: the only connection that changes the database.
//!
//! Group commit without timers, as in any store: a transaction takes everything that arrived while the one before it was written. It is begun
//! with the epoch of this process and a number of its own. If the connection is lost, the next one asks for the number of the last transaction
//! that was committed, and so knows whether to do it again: each is done exactly once, whenever the server dies.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::connect::Connector;
use super::fault::{fault, is_lost};
use super::ownership::{Ownership, RETRY};
use super::statements;
use crate::store::StorageFault;
use crate::store::engine::shared::Shared;
use crate::store::engine::write_queue::{Batch, Operation};
use crate::store::engine::writing::{Outcome, Plan};

/// How long an attempt may take, connecting included: more than the server gives a statement.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(40);

pub(super) struct Writer {
    pub(super) connection: Option<PgConnection>,
    pub(super) connector: Connector,
    pub(super) shared: Arc<Shared>,
    pub(super) ownership: Arc<Ownership>,
    /// Renews the lease.
    pub(super) keeping: AbortOnDropHandle<()>,
    /// Looks after the other processes.
    pub(super) watching: Option<AbortOnDropHandle<()>>,
    /// Makes space free, and measures it.
    pub(super) tidying: AbortOnDropHandle<()>,
    /// Rows of messages that were removed since the start.
    pub(super) removed: Arc<AtomicU64>,
    /// The number of the last transaction that was begun, and of the last that was committed.
    pub(super) begun: i64,
    pub(super) committed: i64,
    /// Outcomes of the one that was begun last, from before it is committed.
    pub(super) tried: Vec<Outcome>,
}

/// The end of an attempt that was no success.
enum Failed {
    /// Over this connection nothing more can be done; the transaction may be committed.
    Lost(sqlx::Error),
    /// Nothing was done.
    Fault(sqlx::Error),
    /// Another process has the store.
    NotOurs,
}

impl Writer {
    /// Writes until the store is closed, then gives it free for others.
    pub(super) async fn run(mut self) {
        let died = self.shared.writer_died.clone().drop_guard();
        let ownership = self.ownership.clone();
        loop {
            match self.shared.write_queue.take(self.shared.time.monotonic()) {
                Batch::Write(operations) => self.write(operations).await,
                // If the queue is not loaded, a write has failed, and the message with it.
                Batch::Overdue(messages) => messages.iter().for_each(|pending| {
                    let _ = pending.active.with_loaded(|queue| queue.waited(pending, &self.shared));
                }),
                Batch::Wait(until) => tokio::select! {
                    () = self.shared.write_queue.wait(until) => {}
                    () = ownership.lost() => {}
                },
                Batch::Stop => break,
            }
            if ownership.is_lost() {
                // Those who still ask are refused; the relay ends when it hears that the writer has died.
                self.shared.close();
                return;
            }
        }
        died.disarm();
        if let Some(connection) = self.connection.take() {
            let _ = connection.close().await;
        }
        drop((self.tidying, self.watching));
        ownership.release();
        let _ = self.keeping.await;
    }

    async fn write(&mut self, operations: Vec<Operation>) {
        let fault = match self.transaction(&operations).await {
            Ok(outcomes) => return self.shared.finish(operations, outcomes),
            Err(fault) => fault,
        };
        let (count, mut failed) = (operations.len(), 0);
        for operation in operations {
            let single = vec![operation];
            match self.transaction(&single).await {
                Ok(outcomes) => self.shared.finish(single, outcomes),
                Err(fault) => {
                    failed += 1;
                    self.shared.fail(single, &fault);
                }
            }
        }
        if failed > 0 {
            tracing::error!(%fault, "a transaction of {count} operations failed; {failed} of them could not be done");
        }
    }

    /// All or nothing, however often the connection is lost on the way. Outcomes are those of the changes; for other operations they mean
    /// nothing.
    async fn transaction(&mut self, operations: &[Operation]) -> Result<Vec<Outcome>, StorageFault> {
        let ownership = self.ownership.clone();
        while !ownership.is_lost() {
            let step = timeout(ATTEMPT_TIMEOUT, async {
                match self.connect().await? {
                    Some(outcomes) => Ok(outcomes),
                    None => self.attempt(operations).await,
                }
            });
            // A connection that is cut off may say nothing for many minutes.
            let result = tokio::select! {
                result = step => result,
                () = ownership.lost() => break,
            };
            match result.unwrap_or_else(|_| Err(Failed::Lost(sqlx::Error::Io(ErrorKind::TimedOut.into())))) {
                Ok(outcomes) => return Ok(outcomes),
                Err(Failed::NotOurs) => ownership.lose(),
                Err(Failed::Fault(error)) => return Err(fault(&error)),
                Err(Failed::Lost(error)) => {
                    tracing::warn!("the connection to the database is lost, and will be made again: {error}");
                    self.connection = None;
                    tokio::select! {
                        () = sleep(RETRY) => {}
                        () = ownership.lost() => {}
                    }
                }
            }
        }
        Err(StorageFault::Io("the store belongs to another process".into()))
    }

    /// Makes sure that there is a connection. If the transaction that was begun last has been committed after all: its outcomes.
    async fn connect(&mut self) -> Result<Option<Vec<Outcome>>, Failed> {
        if self.connection.is_some() {
            return Ok(None);
        }
        let mut connection = self.connector.connect().await.map_err(Failed::Lost)?;
        let last = self.ownership.last_batch(&mut connection).await.map_err(Failed::Lost)?;
        let last = last.ok_or(Failed::NotOurs)?;
        if last < self.committed {
            tracing::error!(
                "the database has forgotten what it had committed, as after the promotion of a standby that was behind: what is in \
                 memory does not belong to it any more"
            );
            return Err(Failed::NotOurs);
        }
        self.connection = Some(connection);
        let is_committed = last == self.begun && self.begun > self.committed;
        self.committed = last;
        Ok(is_committed.then(|| std::mem::take(&mut self.tried)))
    }

    async fn attempt(&mut self, operations: &[Operation]) -> Result<Vec<Outcome>, Failed> {
        let plan = Plan::new(operations);
        let mut outcomes = vec![Ok(0); operations.len()];
        let Some(connection) = self.connection.as_mut().filter(|_| !plan.is_empty()) else {
            return Ok(outcomes);
        };
        self.begun += 1;
        let (ownership, begun) = (self.ownership.clone(), self.begun);
        let done = async {
            if !ownership.begin(connection, begun).await? {
                return Ok(false);
            }
            statements::execute(connection, &plan, ownership.process(), &mut outcomes).await?;
            Ok(true)
        };
        match done.await {
            Ok(true) => {}
            Ok(false) => return Err(Failed::NotOurs),
            Err(error) if is_lost(&error) => return Err(Failed::Lost(error)),
            Err(error) => {
                return match statements::roll_back(connection).await {
                    Ok(()) => Err(Failed::Fault(error)),
                    Err(lost) => Err(Failed::Lost(lost)),
                };
            }
        }
        self.tried.clone_from(&outcomes);
        statements::commit(connection).await.map_err(Failed::Lost)?;
        self.committed = self.begun;
        let removed = plan.last.iter().filter_map(|(place, _)| outcomes[*place].as_ref().ok()).sum::<u64>();
        self.removed.fetch_add(removed + plan.removals.len() as u64, Ordering::Relaxed);
        Ok(outcomes)
    }
}
