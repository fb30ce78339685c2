//! The versions of the book's schema, in the order in which they came.
//!
//! Listed by hand: the macro that reads the folder compiles SQLite and sqlx a second time, for itself.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// A file of the folder is never changed: its hash is in the books that have it.
const FILES: [(&str, &str); 12] = [
    ("contacts and history", include_str!("../../migrations/1_contacts_and_history.sql")),
    ("own names and no history", include_str!("../../migrations/2_own_names_and_no_history.sql")),
    ("joined invitations", include_str!("../../migrations/3_joined_invitations.sql")),
    ("kinds of lines", include_str!("../../migrations/4_kinds_of_lines.sql")),
    ("troubles", include_str!("../../migrations/5_troubles.sql")),
    ("no troubles", include_str!("../../migrations/6_no_troubles.sql")),
    ("items", include_str!("../../migrations/7_items.sql")),
    ("requests", include_str!("../../migrations/8_requests.sql")),
    ("read", include_str!("../../migrations/9_read.sql")),
    ("mute and disappearing", include_str!("../../migrations/10_mute_and_disappearing.sql")),
    ("bots", include_str!("../../migrations/11_bots.sql")),
    ("words of programs", include_str!("../../migrations/12_words_of_programs.sql")),
];

/// The number of the last one.
pub(super) const VERSION: i64 = FILES.len() as i64;

/// All versions, the first of which has the number 1.
pub(super) fn migrations() -> Migrator {
    let migrations = (1..).zip(FILES).map(|(version, (name, sql))| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}
