//! The store in a PostgreSQL database, which one process at a time has, or several share.
//!
//! [`engine`](super::engine) does all that does not depend on the database. `connect` makes connections; `ownership` keeps other processes out and
//! lets one of them take over when this one dies or is cut off, or shares
//! the queues with them (`processes`); `reader` and `writer` are the connections of the engine, `statements` what the
//! writer says; `tidy` keeps the files small.
//!
//! # What is committed
//!
//! `OK` means that PostgreSQL has committed, with the `synchronous_commit` of the settings. A connection that is lost in the middle is made again,
//! and the transaction is done once ([`writer`]); those who wait for it wait. After [`PostgresConfig::lease`] without the database the process
//! gives the store up: [`Maintenance::failed`](super::Maintenance::failed) resolves, and what waited is refused.

mod config;
mod connect;
mod fault;
mod migrations;
mod ownership;
mod processes;
mod reader;
mod rows;
mod statements;
mod tidy;
mod writer;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Row as _, query};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

pub use config::{PostgresConfig, SynchronousCommit};

use super::engine::Engine;
use super::engine::shared::{Keys, Shared};
use super::{OpenError, Presence, ProcessId, StoreError};
use connect::Connector;
use ownership::{Ownership, PLACES};
use processes::{Processes, Watch};
use tidy::Tidy;
use writer::Writer;

/// Keeps queues and messages in a PostgreSQL database. See [`Store`](super::Store).
pub type PostgresStore = Engine<Postgres>;

/// The database of a [`PostgresStore`].
#[derive(Debug)]
pub struct Postgres {
    /// Connections that read.
    pool: PgPool,
    /// How often a read is tried again over another connection.
    attempts: u32,
    /// Places for searches by IDs that memory does not know: one less than there are connections, as in any store.
    strangers: Semaphore,
    connector: Connector,
    disk_bytes: Arc<AtomicU64>,
    ownership: Arc<Ownership>,
    processes: Processes,
    id: String,
}

impl PostgresStore {
    /// Opens the store in a database, makes its tables if there are none. Needs a Tokio runtime. Takes as long as counting the rows, and if
    /// another process has the store, up to one and a half times the lease.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub async fn open(config: PostgresConfig) -> Result<Self, OpenError> {
        let connector = Connector::new(&config)?;
        let failed = |error: sqlx::Error| connector.failed(&error);
        let unavailable = |error: StoreError| OpenError::Database {
            place: connector.place.clone(),
            reason: error.to_string(),
        };
        let mut connection = connector.connect().await.map_err(failed)?;
        connector.check(&mut connection).await?;
        prepare(&mut connection, &connector, &config).await?;
        let surroundings = &config.surroundings;
        let taken = Ownership::take(connection, &connector, &config);
        let (ownership, keeping) =
            taken.await.map_err(failed)?.ok_or_else(|| OpenError::Held { place: connector.place.clone() })?;
        let mut connection = connector.connect().await.map_err(failed)?;
        let id = store_id(&mut connection).await.map_err(failed)?;
        let counts = reader::counts(&mut connection).await.map_err(unavailable)?;
        let last_keys = reader::last_keys(&mut connection).await.map_err(unavailable)?;
        let processes = Processes::default();
        let (keys, watching) = match ownership.process() {
            None => (Keys::behind(last_keys), None),
            Some(own) => {
                processes.look(&mut connection, own).await.map_err(failed)?;
                let place = place(&mut connection, own).await.map_err(failed)?;
                let watch = Watch {
                    connector: connector.clone(),
                    own,
                    processes: processes.clone(),
                    surroundings: surroundings.clone(),
                };
                let watching = AbortOnDropHandle::new(surroundings.spawner.spawn(watch.run()));
                (Keys::of_place(last_keys, place, PLACES.into()), Some(watching))
            }
        };
        let pool = connector.pool(config.readers.max(1)).await.map_err(failed)?;
        let shared = Arc::new(Shared::new(&config.limits, surroundings.time.clone(), counts, keys));
        let (removed, disk_bytes) = (Arc::default(), Arc::default());
        let tidy = Tidy {
            connector: connector.clone(),
            removed: Arc::clone(&removed),
            disk_bytes: Arc::clone(&disk_bytes),
        };
        let writer = Writer {
            connection: Some(connection),
            connector: connector.clone(),
            shared: shared.clone(),
            ownership: ownership.clone(),
            keeping,
            tidying: AbortOnDropHandle::new(surroundings.spawner.spawn(tidy.run())),
            watching,
            removed,
            begun: 0,
            committed: 0,
            tried: Vec::new(),
        };
        let writer = surroundings.spawner.spawn(writer.run());
        // Each connection may have been lost, and a new one too.
        let attempts = config.readers + 1;
        let strangers = Semaphore::new(config.readers.saturating_sub(1).max(1) as usize);
        let backend = Postgres { pool, attempts, strangers, connector, disk_bytes, ownership, processes, id };
        Ok(Engine::new(shared, backend, writer))
    }

    /// The ID of this store, which it keeps for ever: 32 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.backend.id
    }

    /// Host and name of the database, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.backend.connector.place
    }
}

/// Checks that the store is there, and brings its schema up to date.
async fn prepare(
    connection: &mut PgConnection,
    connector: &Connector,
    config: &PostgresConfig,
) -> Result<(), OpenError> {
    let may_be_new = matches!(config.presence, Presence::MayBeNew | Presence::AcceptLoss);
    if !may_be_new && !has_tables(connection).await.map_err(|error| connector.failed(&error))? {
        return Err(OpenError::NoTables { place: connector.place.clone() });
    }
    migrations::all().run(connection).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => connector.failed(&error),
        error => OpenError::Schema { path: connector.place.clone().into(), reason: error.to_string() },
    })
}

/// Whether the tables of a store are there.
async fn has_tables(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let sql = "SELECT to_regclass('queues') IS NOT NULL AND to_regclass('messages') IS NOT NULL";
    query(sql).fetch_one(connection).await?.try_get(0)
}

/// Where the keys of a process are.
async fn place(connection: &mut PgConnection, process: ProcessId) -> sqlx::Result<i64> {
    let sql = "SELECT place::bigint FROM processes WHERE process = $1";
    query(sql).bind(process.0).fetch_one(connection).await?.try_get(0)
}

async fn store_id(connection: &mut PgConnection) -> sqlx::Result<String> {
    query("SELECT upper(encode(store_id, 'hex')) FROM store").fetch_one(connection).await?.try_get(0)
}
