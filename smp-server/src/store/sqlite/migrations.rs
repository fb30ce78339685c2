//! The versions of the schema, in the order in which they came.
//!
//! Listed by hand: the macro that reads the folder compiles SQLite and sqlx a second time, for itself.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// A file of the folder of the same name is never changed: its hash is in the databases that have it.
const FILES: [(&str, &str); 2] = [
    ("queues and messages", include_str!("migrations/0001_queues_and_messages.sql")),
    ("store", include_str!("migrations/0002_store.sql")),
];

/// All versions, the first of which has the number 1.
pub(super) fn all() -> Migrator {
    let migrations = (1..).zip(FILES).map(|(version, (name, sql))| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}
