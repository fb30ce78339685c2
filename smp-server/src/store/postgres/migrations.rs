//! The versions of the schema, in the order in which they came. Each must leave alone what processes of the version before it use.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// A file of the folder of the same name is never changed: its hash is in the databases that have it.
const FILES: [(&str, &str); 2] = [
    ("queues and messages", include_str!("migrations/0001_queues_and_messages.sql")),
    ("processes", include_str!("migrations/0002_processes.sql")),
];

/// All versions, the first of which has the number 1. One process at a time brings a database up to date, under a lock of its own.
pub(super) fn all() -> Migrator {
    let one = |(version, (name, sql)): (i64, (&'static str, &'static str))| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations((1..).zip(FILES).map(one).collect())
}
