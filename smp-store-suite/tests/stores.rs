//! The suite for the stores that need nothing but this machine.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use smp_server::store::{DiskDurability, EngineLimits, MemoryStore, SqliteConfig, SqliteStore, Store};
use smp_store_suite::{Fixture, QUOTA, conformance_suite};

async fn in_memory() -> Fixture {
    Fixture::without_restart(Arc::new(MemoryStore::new(QUOTA)))
}

async fn in_sqlite() -> Fixture {
    sqlite(Duration::ZERO).await
}

/// It waits a little for acknowledgements before it writes.
async fn in_patient_sqlite() -> Fixture {
    sqlite(Duration::from_millis(5)).await
}

/// Caches are too small for anything, so that the disk is asked for nearly everything.
async fn sqlite(ack_wait: Duration) -> Fixture {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    Fixture::opened_by(move || {
        let directory = directory.clone();
        async move {
            let config = SqliteConfig {
                durability: DiskDurability::Os,
                limits: EngineLimits {
                    quota: QUOTA,
                    queue_cache_bytes: 1000,
                    body_cache_bytes: 200,
                    ack_wait,
                    ..EngineLimits::default()
                },
                ..SqliteConfig::new(directory.path().join("store.db"))
            };
            Arc::new(SqliteStore::open(config).await.unwrap()) as Arc<dyn Store>
        }
    })
    .await
}

conformance_suite!(memory, super::in_memory);
conformance_suite!(sqlite, super::in_sqlite);
conformance_suite!(patient_sqlite, super::in_patient_sqlite);
