//! Tidying: the space of removed messages is made free soon, and how much the database takes is known.
//!
//! Messages come and go at a rate that PostgreSQL's own vacuum, which looks once in a minute, does not keep up with: the table would take many
//! times the space of what is in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnection;
use tokio::time::sleep;

use super::connect::Connector;
use super::{reader, statements};

/// How often it is looked whether there is something to do.
const LOOK: Duration = Duration::from_secs(5);

/// Removed messages that are worth a vacuum: 64 MiB of bodies.
const REMOVED: u64 = 4_096;

/// Looks at the size of the database once in so many.
const LOOKS_PER_SIZE: u32 = 12;

pub(super) struct Tidy {
    pub(super) connector: Connector,
    /// Rows of messages that were removed since the start.
    pub(super) removed: Arc<AtomicU64>,
    /// Bytes of the database.
    pub(super) disk_bytes: Arc<AtomicU64>,
}

impl Tidy {
    pub(super) async fn run(self) {
        let (mut tidied, mut looks) = (0, 0_u32);
        let mut connection = None;
        loop {
            let removed = self.removed.load(Ordering::Relaxed);
            let vacuums = removed.saturating_sub(tidied) >= REMOVED;
            if vacuums || looks.is_multiple_of(LOOKS_PER_SIZE) {
                match self.tidy(&mut connection, vacuums).await {
                    Ok(()) if vacuums => tidied = removed,
                    Ok(()) => {}
                    // The writer says what there is to say.
                    Err(_) => connection = None,
                }
            }
            looks = looks.wrapping_add(1);
            sleep(LOOK).await;
        }
    }

    async fn tidy(&self, connection: &mut Option<PgConnection>, vacuums: bool) -> sqlx::Result<()> {
        let connection = match connection {
            Some(connection) => connection,
            none => none.insert(self.connector.connect().await?),
        };
        if vacuums {
            statements::vacuum(connection).await?;
        }
        if let Ok(bytes) = reader::disk_bytes(connection).await {
            self.disk_bytes.store(bytes, Ordering::Relaxed);
        }
        Ok(())
    }
}
