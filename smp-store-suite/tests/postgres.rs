//! The suite for the store in PostgreSQL, and what only that one has to show.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]

#[path = "postgres_server/cut_off.rs"]
mod cut_off;
#[path = "postgres_server/kills.rs"]
mod kills;
#[path = "postgres_server/ownership.rs"]
mod ownership;
#[path = "postgres_server/sharing.rs"]
mod sharing;

use std::sync::Arc;
use std::time::Duration;

use smp_server::store::{EngineLimits, PostgresConfig, PostgresStore, Store};
use smp_store_suite::{Fixture, QUOTA, cluster, conformance_suite};

/// Caches are too small for anything, so that the database is asked for nearly everything.
fn config(url: &str) -> PostgresConfig {
    PostgresConfig {
        limits: EngineLimits {
            quota: QUOTA,
            queue_cache_bytes: 1000,
            body_cache_bytes: 200,
            ack_wait: Duration::ZERO,
            ..EngineLimits::default()
        },
        ..PostgresConfig::new(url)
    }
}

async fn in_postgres() -> Option<Fixture> {
    store(Duration::ZERO).await
}

/// It waits a little for acknowledgements before it writes.
async fn in_patient_postgres() -> Option<Fixture> {
    store(Duration::from_millis(5)).await
}

async fn store(ack_wait: Duration) -> Option<Fixture> {
    let url = cluster::database().await?;
    let open = move || {
        let mut config = config(&url);
        config.limits.ack_wait = ack_wait;
        async { Arc::new(PostgresStore::open(config).await.unwrap()) as Arc<dyn Store> }
    };
    Some(Fixture::opened_by(open).await)
}

conformance_suite!(postgres, super::in_postgres);
conformance_suite!(patient_postgres, super::in_patient_postgres);
