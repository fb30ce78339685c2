//! Connections: their settings, and what the server must be.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, query, raw_sql};

use super::config::PostgresConfig;
use super::fault::{fault, is_lost};
use crate::store::OpenError;

/// The oldest server, as `server_version_num` counts.
const OLDEST_SERVER: i32 = 140_000;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements that each connection keeps prepared: more than there are.
const PREPARED: usize = 100;

/// Settings of each session. A statement that hangs must not hold up the relay; and of a relay that is cut off in the middle of a transaction
/// the server must let go by itself.
const SESSION: &str = "SET statement_timeout = '30s'; SET lock_timeout = '15s'; \
     SET idle_in_transaction_session_timeout = '10s'; SET client_min_messages = 'warning'; ";

/// A claim survives a crash of the server, also if the settings let messages not.
const CLAIMS_ARE_KEPT: &str = "SELECT set_config('synchronous_commit', 'local', false) WHERE current_setting('synchronous_commit') = 'off'";

/// Makes connections that are all alike.
#[derive(Clone)]
pub(super) struct Connector {
    options: PgConnectOptions,
    session: &'static str,
    commit: String,
    /// Host, port and name of the database, for people.
    pub(super) place: String,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connector").field(&self.place).finish()
    }
}

impl Connector {
    pub(super) fn new(config: &PostgresConfig) -> Result<Self, OpenError> {
        // The driver takes any scheme.
        if !["postgres://", "postgresql://"].iter().any(|scheme| config.url.starts_with(scheme)) {
            return Err(OpenError::DatabaseUrl { reason: "it begins with something else".to_owned() });
        }
        let options = PgConnectOptions::from_str(&config.url).map_err(|error| OpenError::DatabaseUrl {
            // The error has no part of the address.
            reason: error.to_string(),
        })?;
        let host = options.get_socket().map_or_else(
            || format!("{}:{}", options.get_host(), options.get_port()),
            |socket| socket.display().to_string(),
        );
        let name = options.get_database().unwrap_or_else(|| options.get_username()).to_owned();
        Ok(Self {
            options: options
                .application_name("smp-server")
                .statement_cache_capacity(PREPARED)
                .disable_statement_logging(),
            session: SESSION,
            commit: format!("SET synchronous_commit = '{}'", config.synchronous_commit.text()),
            place: format!("postgres://{host}/{name}"),
        })
    }

    pub(super) async fn connect(&self) -> sqlx::Result<PgConnection> {
        let connecting = async {
            let mut connection = self.options.connect().await?;
            self.set_up(&mut connection).await?;
            Ok(connection)
        };
        let timed_out = |_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
        tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(timed_out)?
    }

    /// Connections that read.
    pub(super) async fn pool(&self, connections: u32) -> sqlx::Result<PgPool> {
        let this = self.clone();
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(CONNECT_TIMEOUT)
            // A read over a connection that is lost is repeated.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(move |connection, _| {
                let this = this.clone();
                Box::pin(async move {
                    this.set_up(connection).await?;
                    // These write nothing but claims of queues, which a crash of the server must not take back behind the owner.
                    raw_sql(CLAIMS_ARE_KEPT).execute(connection).await.map(drop)
                })
            })
            .connect_with(self.options.clone())
            .await
    }

    async fn set_up(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        raw_sql(self.session).execute(&mut *connection).await?;
        raw_sql(sqlx::AssertSqlSafe(self.commit.clone())).execute(connection).await?;
        Ok(())
    }

    /// Refuses a server that is too old, and one behind a pool that hands its connections to another client after each transaction: that one could
    /// not keep the lock by which no second process uses the store.
    pub(super) async fn check(&self, connection: &mut PgConnection) -> Result<(), OpenError> {
        let failed = |error: sqlx::Error| self.failed(&error);
        let version: i32 = query("SELECT current_setting('server_version_num')::int")
            .fetch_one(&mut *connection)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(failed)?;
        if version < OLDEST_SERVER {
            let reason = format!(
                "PostgreSQL {} is too old, the relay needs {}",
                version / 10_000,
                OLDEST_SERVER / 10_000
            );
            return Err(OpenError::Database { place: self.place.clone(), reason });
        }
        let mut other = self.connect().await.map_err(failed)?;
        let shared =
            backend(connection).await.map_err(failed)? == backend(&mut other).await.map_err(failed)?;
        let _ = other.close().await;
        if shared {
            return Err(OpenError::TransactionPool { place: self.place.clone() });
        }
        Ok(())
    }

    /// The database cannot be used.
    pub(super) fn failed(&self, error: &sqlx::Error) -> OpenError {
        let place = self.place.clone();
        let advice = match error {
            sqlx::Error::Database(error) => match error.code().as_deref() {
                Some("3D000") => "; create the database first: createdb --owner=USER NAME",
                Some("28P01" | "28000") => "; check user, password and pg_hba.conf of the server",
                Some("42501") => {
                    "; the relay's user must own the database, or be allowed to create tables in it"
                }
                _ => "",
            },
            error if is_lost(error) => "; check that PostgreSQL runs there, and store.url",
            _ => "",
        };
        OpenError::Database { place, reason: format!("{}{advice}", fault(error)) }
    }
}

/// The process of the server that this connection talks to.
pub(super) async fn backend(connection: &mut PgConnection) -> sqlx::Result<i32> {
    query("SELECT pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}
