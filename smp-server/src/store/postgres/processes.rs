//! `Processes`: the others that share the store, and the end of those that are dead.
//!
//! A process is dead when its lease is over; or sooner if nobody holds its lock and its machine says that nobody listens at its address. The
//! lock alone does not say it: if the server ends the session of a process that lives, that one does not know it at once. The row of a dead process
//! is removed, and with that its right to write; whatever it has under way is committed before, or never.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smp_transport::surroundings::Surroundings;
use sqlx::postgres::PgConnection;
use sqlx::{Row as _, query};
use tokio::time::{sleep, timeout};

use super::connect::Connector;
use super::ownership::{own_lock, own_unlock};
use crate::store::{Neighbour, ProcessId};
use crate::sync::lock;

/// How often it is looked who lives.
const LOOK: Duration = Duration::from_millis(500);

/// How long a look may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a machine may take to say that nobody listens there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The other processes, as they were a moment ago. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Processes(Arc<Mutex<Vec<Neighbour>>>);

impl Processes {
    pub(super) fn alive(&self) -> Vec<Neighbour> {
        lock(&self.0).clone()
    }

    /// Looks once.
    pub(super) async fn look(&self, connection: &mut PgConnection, own: ProcessId) -> sqlx::Result<()> {
        let sql = "SELECT process, address FROM processes WHERE process <> $1 ORDER BY process";
        let rows = query(sql).bind(own.0).fetch_all(connection).await?;
        let neighbour = |row: &sqlx::postgres::PgRow| {
            Ok(Neighbour { process: ProcessId(row.try_get(0)?), address: row.try_get(1)? })
        };
        let alive = rows.iter().map(neighbour).collect::<sqlx::Result<_>>()?;
        *lock(&self.0) = alive;
        Ok(())
    }
}

/// Looks after the list.
pub(super) struct Watch {
    pub(super) connector: Connector,
    pub(super) own: ProcessId,
    pub(super) processes: Processes,
    pub(super) surroundings: Surroundings,
}

impl Watch {
    pub(super) async fn run(self) {
        let mut connection = None;
        loop {
            sleep(LOOK).await;
            let looked = timeout(LOOK_TIMEOUT, self.look(&mut connection)).await;
            if !matches!(looked, Ok(Ok(()))) {
                // The keeper of the lease says what there is to say.
                connection = None;
            }
        }
    }

    async fn look(&self, connection: &mut Option<PgConnection>) -> sqlx::Result<()> {
        let connection = match connection {
            Some(connection) => connection,
            none => none.insert(self.connector.connect().await?),
        };
        let sql = "DELETE FROM processes WHERE process <> $1 AND lease_until < now() RETURNING process";
        for row in query(sql).bind(self.own.0).fetch_all(&mut *connection).await? {
            let process: i64 = row.try_get(0)?;
            tracing::warn!("process {process} of this relay has not renewed its lease: its queues are free");
        }
        self.processes.look(connection, self.own).await?;
        for neighbour in self.processes.alive() {
            self.look_at(connection, &neighbour).await?;
        }
        Ok(())
    }

    async fn look_at(&self, connection: &mut PgConnection, neighbour: &Neighbour) -> sqlx::Result<()> {
        let process = neighbour.process;
        if !own_lock(connection, process).await? {
            return Ok(());
        }
        own_unlock(connection, process).await?;
        if !self.is_refused(&neighbour.address).await {
            return Ok(());
        }
        let sql = "DELETE FROM processes WHERE process = $1";
        if query(sql).bind(process.0).execute(&mut *connection).await?.rows_affected() == 1 {
            tracing::warn!("process {process} of this relay has died: its queues are free");
        }
        self.processes.look(connection, self.own).await
    }

    /// Whether the machine there says that nobody listens.
    async fn is_refused(&self, address: &str) -> bool {
        let network = &self.surroundings.network;
        let connect = async {
            let (host, port) = address.rsplit_once(':')?;
            let to = network.look_up(host.trim_matches(['[', ']']), port.parse().ok()?).await.ok()?;
            network.connect(*to.first()?).await.err()
        };
        let failed = timeout(CONNECT_TIMEOUT, connect).await.ok().flatten();
        failed.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    }
}
