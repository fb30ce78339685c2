//! `Ownership`: the right of one process to use the store, or its part of one that several processes share, and its end.
//!
//! Invariant: what a process writes is refused by the database as soon as another one has taken over, as each transaction begins with the
//! epoch of its process ([`Ownership::begin`]). The process that has the store holds a lock of its session and renews a lease. If it dies, the
//! server frees the lock at once; if it is cut off, the lock stays, and the lease ends: then whoever comes ends that session. A process that
//! could not renew its lease in time counts it as lost a moment earlier, by its own clock, and stops serving.
//!
//! Processes that share the store hold that lock together, and each has a row and a lock of its own; `processes` removes the rows of the dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use smp_transport::surroundings::Time;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _, query};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::config::PostgresConfig;
use super::connect::Connector;
use crate::store::ProcessId;

/// The advisory lock of the process that has the store. "smp-stor", as a number.
const LOCK: i64 = 0x736d_702d_7374_6f72;

/// How many processes can share a store.
pub(super) const PLACES: i32 = 1_024;

/// How often a process that waits for the store looks.
const LOOK: Duration = Duration::from_millis(100);

/// Renewals in the time of a lease.
const RENEWALS: u32 = 3;

/// How long to wait before the next connection, after one that has failed.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// The place at which a process holds its right.
#[derive(Clone, Copy, Debug)]
enum Seat {
    /// The row of the store, which it has alone.
    Store { epoch: i64 },
    /// Its own row.
    Process(ProcessId),
}

/// The store, or a part of it, is this process's until it is lost.
#[derive(Debug)]
pub(super) struct Ownership {
    seat: Seat,
    lost: CancellationToken,
    released: CancellationToken,
    /// Whether the lease could not be renewed when that was tried last.
    is_out_of_reach: AtomicBool,
}

impl Ownership {
    /// Takes the store, or a seat among the processes that share it, for which it waits until the lease of whoever has it alone would be over,
    /// and a little longer. `None` if another process goes on renewing it.
    pub(super) async fn take(
        mut connection: PgConnection,
        connector: &Connector,
        config: &PostgresConfig,
    ) -> sqlx::Result<Option<(Arc<Self>, AbortOnDropHandle<()>)>> {
        let (time, lease) = (&config.surroundings.time, config.lease);
        let last = time.monotonic() + lease + lease / 2;
        let (seat, since) = loop {
            let now = time.monotonic();
            let seat = match &config.shared_at {
                None => try_take(&mut connection, lease).await?,
                Some(address) => try_join(&mut connection, lease, address).await?,
            };
            if let Some(seat) = seat {
                break (seat, now);
            }
            if now >= last {
                return Ok(None);
            }
            sleep(LOOK).await;
        };
        let ownership = Arc::new(Self {
            seat,
            lost: CancellationToken::new(),
            released: CancellationToken::new(),
            is_out_of_reach: AtomicBool::new(false),
        });
        let keeper = Keeper {
            ownership: ownership.clone(),
            connector: connector.clone(),
            lease,
            until: since + lease,
            time: time.clone(),
        };
        let keeping = config.surroundings.spawner.spawn(keeper.keep(connection));
        Ok(Some((ownership, AbortOnDropHandle::new(keeping))))
    }

    /// This process, if it shares the store.
    pub(super) fn process(&self) -> Option<ProcessId> {
        match self.seat {
            Seat::Store { .. } => None,
            Seat::Process(process) => Some(process),
        }
    }

    /// Begins a transaction of this process, with its number. `false` if it has lost its right.
    pub(super) async fn begin(&self, connection: &mut PgConnection, batch: i64) -> sqlx::Result<bool> {
        query("BEGIN").execute(&mut *connection).await?;
        let update = match self.seat {
            Seat::Store { epoch } => {
                query("UPDATE store SET batch = $1 WHERE one = 1 AND epoch = $2").bind(batch).bind(epoch)
            }
            Seat::Process(ProcessId(process)) => {
                query("UPDATE processes SET batch = $1 WHERE process = $2").bind(batch).bind(process)
            }
        };
        Ok(update.execute(connection).await?.rows_affected() == 1)
    }

    /// The number of the last transaction of this process that was committed, also if it is being committed now. `None` if it has lost its right.
    pub(super) async fn last_batch(&self, connection: &mut PgConnection) -> sqlx::Result<Option<i64>> {
        let select = match self.seat {
            Seat::Store { epoch } => {
                query("SELECT batch FROM store WHERE one = 1 AND epoch = $1 FOR UPDATE").bind(epoch)
            }
            Seat::Process(ProcessId(process)) => {
                query("SELECT batch FROM processes WHERE process = $1 FOR UPDATE").bind(process)
            }
        };
        select.fetch_optional(connection).await?.map(|row| row.try_get(0)).transpose()
    }

    /// Another process has the store, or could have it.
    pub(super) fn lose(&self) {
        self.lost.cancel();
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Resolves when it is lost.
    pub(super) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Whether the database did not answer when the lease was to be renewed last.
    pub(super) fn is_out_of_reach(&self) -> bool {
        self.is_lost() || self.is_out_of_reach.load(Ordering::Relaxed)
    }

    /// Everything is written: gives the store, or its part of it, to whoever wants it.
    pub(super) fn release(&self) {
        self.released.cancel();
    }
}

/// Takes the store for this process alone.
async fn try_take(connection: &mut PgConnection, lease: Duration) -> sqlx::Result<Option<Seat>> {
    let locked: bool =
        query("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut *connection).await?.try_get(0)?;
    if !locked {
        end_cut_off(connection).await?;
        return Ok(None);
    }
    // Processes that shared it are dead, or their sessions could not have been ended.
    query("DELETE FROM processes").execute(&mut *connection).await?;
    let sql = "UPDATE store SET epoch = epoch + 1, batch = 0, backend = pg_backend_pid(), \
               lease_until = now() + make_interval(secs => $1) WHERE one = 1 RETURNING epoch";
    let row = query(sql).bind(lease.as_secs_f64()).fetch_one(connection).await?;
    Ok(Some(Seat::Store { epoch: row.try_get(0)? }))
}

/// Takes a seat among the processes that share the store.
async fn try_join(
    connection: &mut PgConnection,
    lease: Duration,
    address: &str,
) -> sqlx::Result<Option<Seat>> {
    if !share_lock(connection).await? {
        end_cut_off(connection).await?;
        return Ok(None);
    }
    // No process that has had the store alone can write any more, as its epoch is over.
    let sql = "UPDATE store SET epoch = epoch + 1, lease_until = '-infinity' WHERE one = 1 RETURNING epoch";
    let process: i64 = query(sql).fetch_one(&mut *connection).await?.try_get(0)?;
    if !own_lock(connection, ProcessId(process)).await? {
        return Ok(None);
    }
    let sql = "INSERT INTO processes (process, place, batch, backend, lease_until, address) \
               SELECT $1, min(place), 0, pg_backend_pid(), now() + make_interval(secs => $2), $3 \
               FROM generate_series(0, $4 - 1) place WHERE place NOT IN (SELECT place FROM processes) \
               HAVING min(place) IS NOT NULL ON CONFLICT DO NOTHING";
    let insert = query(sql).bind(process).bind(lease.as_secs_f64()).bind(address).bind(PLACES);
    let joined = insert.execute(connection).await?.rows_affected() == 1;
    Ok(joined.then_some(Seat::Process(ProcessId(process))))
}

/// Ends the sessions of those whose lease is over: they are cut off, and the server does not know it yet. A session may be another one by
/// now, which has no lock then.
async fn end_cut_off(connection: &mut PgConnection) -> sqlx::Result<()> {
    let sql = "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN \
               (SELECT backend FROM store WHERE lease_until < now() AND lease_until > '-infinity' \
               UNION ALL SELECT backend FROM processes WHERE lease_until < now()) late ON l.pid = late.backend \
               WHERE l.locktype = 'advisory' AND l.granted";
    query(sql).fetch_all(connection).await.map(drop)
}

async fn share_lock(connection: &mut PgConnection) -> sqlx::Result<bool> {
    query("SELECT pg_try_advisory_lock_shared($1)").bind(LOCK).fetch_one(connection).await?.try_get(0)
}

/// The lock by which others see at once that a process is dead.
pub(super) async fn own_lock(connection: &mut PgConnection, process: ProcessId) -> sqlx::Result<bool> {
    let sql = "SELECT pg_try_advisory_lock($1 # $2)";
    query(sql).bind(LOCK).bind(process.0 << 32).fetch_one(connection).await?.try_get(0)
}

/// Gives [`own_lock`] back.
pub(super) async fn own_unlock(connection: &mut PgConnection, process: ProcessId) -> sqlx::Result<()> {
    let sql = "SELECT pg_advisory_unlock($1 # $2)";
    query(sql).bind(LOCK).bind(process.0 << 32).execute(connection).await.map(drop)
}

/// Renews the lease.
struct Keeper {
    ownership: Arc<Ownership>,
    connector: Connector,
    lease: Duration,
    /// When it is over.
    until: Instant,
    time: Time,
}

impl Keeper {
    async fn keep(mut self, connection: PgConnection) {
        let mut connection = Some(connection);
        let ownership = self.ownership.clone();
        loop {
            let pause = if connection.is_some() { self.lease / RENEWALS } else { RETRY };
            tokio::select! {
                () = ownership.released.cancelled() => break,
                () = sleep(pause) => {}
            }
            let now = self.time.monotonic();
            match timeout_at(self.until, self.renew(&mut connection)).await {
                Ok(Ok(true)) => {
                    self.until = now + self.lease;
                    ownership.is_out_of_reach.store(false, Ordering::Relaxed);
                }
                Ok(Ok(false)) => {
                    tracing::error!("another process has taken the store over");
                    return ownership.lose();
                }
                Ok(Err(error)) => {
                    tracing::warn!("the database cannot be reached: {error}");
                    ownership.is_out_of_reach.store(true, Ordering::Relaxed);
                    connection = None;
                }
                Err(_) => {
                    tracing::error!(
                        "the database was out of reach for {} s: another process may have the store now",
                        self.lease.as_secs()
                    );
                    return ownership.lose();
                }
            }
        }
        if let Some(mut connection) = connection {
            let release = match ownership.seat {
                Seat::Store { epoch } => {
                    let sql = "UPDATE store SET lease_until = '-infinity' WHERE one = 1 AND epoch = $1";
                    query(sql).bind(epoch)
                }
                Seat::Process(ProcessId(process)) => {
                    query("DELETE FROM processes WHERE process = $1").bind(process)
                }
            };
            // Should it fail, the lock is free all the same when the connection is closed.
            let _ = release.execute(&mut connection).await;
            let _ = connection.close().await;
        }
    }

    /// `false` if the process has lost its right.
    async fn renew(&self, connection: &mut Option<PgConnection>) -> sqlx::Result<bool> {
        let connection = match connection {
            Some(connection) => connection,
            none => {
                let mut new = self.connector.connect().await?;
                if !self.lock_again(&mut new).await? {
                    if self.ownership.last_batch(&mut new).await?.is_none() {
                        return Ok(false);
                    }
                    return Err(sqlx::Error::Protocol("its session before has not ended yet".to_owned()));
                }
                none.insert(new)
            }
        };
        let lease = self.lease.as_secs_f64();
        let renewal = match self.ownership.seat {
            Seat::Store { epoch } => {
                let sql = "UPDATE store SET backend = pg_backend_pid(), lease_until = now() + make_interval(secs => $1) \
                           WHERE one = 1 AND epoch = $2";
                query(sql).bind(lease).bind(epoch)
            }
            Seat::Process(ProcessId(process)) => {
                let sql = "UPDATE processes SET backend = pg_backend_pid(), lease_until = now() + make_interval(secs => $1) \
                           WHERE process = $2";
                query(sql).bind(lease).bind(process)
            }
        };
        Ok(renewal.execute(connection).await?.rows_affected() == 1)
    }

    /// Takes the locks in another session.
    async fn lock_again(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        match self.ownership.seat {
            Seat::Store { .. } => {
                query("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(connection).await?.try_get(0)
            }
            Seat::Process(process) => {
                let locked = share_lock(connection).await? && own_lock(connection, process).await?;
                if !locked {
                    // The session before is cut off, and the server does not know it yet.
                    let sql = "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN processes p ON l.pid = p.backend \
                               WHERE p.process = $1 AND l.locktype = 'advisory' AND l.granted";
                    query(sql).bind(process.0).fetch_all(connection).await?;
                }
                Ok(locked)
            }
        }
    }
}
