//! Tests of what only a store on disk can do, or fail to do.

mod concurrency;
mod crash;
mod faults;
mod files;
mod full_disk;
mod pending;
mod refusals;

use super::{DiskDurability, SqliteConfig};
use crate::store::EngineLimits;
use crate::store::fixture::QUOTA;

/// Caches are too small for anything, so that the disk is asked for nearly everything.
fn sqlite_config(directory: &tempfile::TempDir) -> SqliteConfig {
    SqliteConfig {
        durability: DiskDurability::Os,
        limits: EngineLimits {
            quota: QUOTA,
            queue_cache_bytes: 1000,
            body_cache_bytes: 200,
            ack_wait: std::time::Duration::ZERO,
            ..EngineLimits::default()
        },
        ..SqliteConfig::new(directory.path().join("store.db"))
    }
}
