//! `Ownership`: the right of one process to use the store, and its end.
//!
//! Invariant: what a process writes is refused by the database as soon as another one has taken over, as each transaction begins with the
//! epoch of its process ([`Ownership::begin`]). The process that has the store holds a lock of its session and renews a lease. If it dies, the
//! server frees the lock at once; if it is cut off, the lock stays, and the lease ends: then whoever comes ends that session. A process that
//! could not renew its lease in time counts it as lost a moment earlier, by its own clock, and stops serving.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use smp_transport::surroundings::{Spawner, Time};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _, query};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::connect::Connector;

/// The advisory lock of the process that has the store. "smp-stor", as a number.
const LOCK: i64 = 0x736d_702d_7374_6f72;

/// How often a process that waits for the store looks.
const LOOK: Duration = Duration::from_millis(100);

/// Renewals in the time of a lease.
const RENEWALS: u32 = 3;

/// How long to wait before the next connection, after one that has failed.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// The store is this process's until it is lost.
#[derive(Debug)]
pub(super) struct Ownership {
    epoch: i64,
    lost: CancellationToken,
    released: CancellationToken,
    /// Whether the lease could not be renewed when that was tried last.
    is_out_of_reach: AtomicBool,
}

impl Ownership {
    /// Takes the store, for which it waits until its lease would be over and a little longer. `None` if another process goes on renewing it.
    pub(super) async fn take(
        mut connection: PgConnection,
        connector: &Connector,
        lease: Duration,
        time: &Time,
        spawner: &Spawner,
    ) -> sqlx::Result<Option<(Arc<Self>, AbortOnDropHandle<()>)>> {
        let last = time.monotonic() + lease + lease / 2;
        let (epoch, since) = loop {
            let now = time.monotonic();
            if let Some(epoch) = try_take(&mut connection, lease).await? {
                break (epoch, now);
            }
            if now >= last {
                return Ok(None);
            }
            sleep(LOOK).await;
        };
        let ownership = Arc::new(Self {
            epoch,
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
        let keeping = spawner.spawn(keeper.keep(connection));
        Ok(Some((ownership, AbortOnDropHandle::new(keeping))))
    }

    /// Begins a transaction of this process, with its number. `false` if the store belongs to another.
    pub(super) async fn begin(&self, connection: &mut PgConnection, batch: i64) -> sqlx::Result<bool> {
        query("BEGIN").execute(&mut *connection).await?;
        let sql = "UPDATE store SET batch = $1 WHERE one = 1 AND epoch = $2";
        let done = query(sql).bind(batch).bind(self.epoch).execute(connection).await?;
        Ok(done.rows_affected() == 1)
    }

    /// The number of the last transaction of this process that was committed, also if it is being committed now. `None` if the store belongs to
    /// another.
    pub(super) async fn last_batch(&self, connection: &mut PgConnection) -> sqlx::Result<Option<i64>> {
        let sql = "SELECT batch FROM store WHERE one = 1 AND epoch = $1 FOR UPDATE";
        let row = query(sql).bind(self.epoch).fetch_optional(connection).await?;
        row.map(|row| row.try_get(0)).transpose()
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

    /// Everything is written: gives the store to whoever wants it.
    pub(super) fn release(&self) {
        self.released.cancel();
    }
}

async fn try_take(connection: &mut PgConnection, lease: Duration) -> sqlx::Result<Option<i64>> {
    if lock(connection).await? {
        let sql = "UPDATE store SET epoch = epoch + 1, batch = 0, backend = pg_backend_pid(), \
                   lease_until = now() + make_interval(secs => $1) WHERE one = 1 RETURNING epoch";
        return query(sql).bind(lease.as_secs_f64()).fetch_one(connection).await?.try_get(0).map(Some);
    }
    let sql = "SELECT backend FROM store WHERE one = 1 AND lease_until < now()";
    if let Some(row) = query(sql).fetch_optional(&mut *connection).await? {
        // It is cut off, and the server does not know it yet. It may be another session by now, which has no lock then.
        let backend: i32 = row.try_get(0)?;
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid = $1 AND granted";
        query(sql).bind(backend).fetch_optional(connection).await?;
    }
    Ok(None)
}

async fn lock(connection: &mut PgConnection) -> sqlx::Result<bool> {
    query("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(connection).await?.try_get(0)
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
            let sql = "UPDATE store SET lease_until = '-infinity' WHERE one = 1 AND epoch = $1";
            // Should it fail, the lock is free all the same when the connection is closed.
            let _ = query(sql).bind(ownership.epoch).execute(&mut connection).await;
            let _ = connection.close().await;
        }
    }

    /// `false` if the store belongs to another process.
    async fn renew(&self, connection: &mut Option<PgConnection>) -> sqlx::Result<bool> {
        let connection = match connection {
            Some(connection) => connection,
            none => {
                let mut new = self.connector.connect().await?;
                if !lock(&mut new).await? {
                    if self.ownership.last_batch(&mut new).await?.is_none() {
                        return Ok(false);
                    }
                    return Err(sqlx::Error::Protocol("its session before has not ended yet".to_owned()));
                }
                none.insert(new)
            }
        };
        let sql = "UPDATE store SET backend = pg_backend_pid(), lease_until = now() + make_interval(secs => $1) \
                   WHERE one = 1 AND epoch = $2";
        let done = query(sql).bind(self.lease.as_secs_f64()).bind(self.ownership.epoch);
        Ok(done.execute(connection).await?.rows_affected() == 1)
    }
}
