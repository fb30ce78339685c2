//! The store in an SQLite database.
//!
//! [`engine`](super::engine) does all that does not depend on the database. `reader` and `writer` are its connections, `statements` what
//! the writer says, `disk` what happens when there is no space, `presence` whether the file is the one it should be.
//!
//! # What is left on disk
//!
//! Bodies are what senders encrypted, end to end. With `secure_delete = FAST` SQLite zeroes what is deleted inside a
//! page (IDs, keys, secrets, small bodies), but pages that become free as a whole keep their content until they are
//! reused; [`SqliteConfig::overwrite_deleted`] zeroes them too. The log keeps old pages until it is reused, at the
//! latest when the store is closed.

mod backup;
mod config;
mod disk;
mod fault;
mod migrations;
mod open;
mod presence;
mod reader;
mod rows;
mod statements;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use smp_protocol::id::{RecipientId, ServiceId};
use tokio::sync::SemaphorePermit;

pub use config::{DiskDurability, Presence, SqliteConfig};

use super::engine::Engine;
use super::engine::backend::{Backend, Nearest, Result, StoredQueue};
use super::engine::shared::{Keys, Shared};
use super::{
    Day, LinkData, Message, NewService, OpenError, QueueId, QueueRecord, ServiceQueues, ServiceRole,
    StoreError, StoreLoad,
};
use disk::Disk;
use reader::Reader;
use writer::Writer;

/// Keeps queues and messages in an SQLite database. See [`Store`](super::Store).
pub type SqliteStore = Engine<Sqlite>;

/// The database of an [`SqliteStore`].
#[derive(Debug)]
pub struct Sqlite {
    reader: Reader,
    disk: Arc<Disk>,
    config: SqliteConfig,
    id: String,
}

impl SqliteStore {
    /// Opens a database, creates it if there is none. Needs a Tokio runtime. Takes as long as counting the rows.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub async fn open(config: SqliteConfig) -> std::result::Result<Self, OpenError> {
        let opened = open::open(&config).await?;
        Self::start(config, opened).await
    }

    /// As [`Self::open`], for a database that must not grow beyond so many pages.
    #[cfg(test)]
    async fn open_limited(config: SqliteConfig, pages: u32) -> std::result::Result<Self, OpenError> {
        let mut opened = open::open(&config).await?;
        let sql = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(sql).execute(&mut opened.writer).await.unwrap();
        Self::start(config, opened).await
    }

    async fn start(config: SqliteConfig, opened: open::Opened) -> std::result::Result<Self, OpenError> {
        let counted =
            async { Ok::<_, StoreError>((opened.reader.counts().await?, opened.reader.last_keys().await?)) };
        let (counts, keys) = counted.await.map_err(|error| OpenError::of_store(&config.path, &error))?;
        let shared = Arc::new(Shared::new(
            &config.limits,
            config.surroundings.time.clone(),
            counts,
            Keys::behind(keys),
        ));
        let writer = Writer::new(opened.writer, shared.clone(), opened.disk.clone());
        let writer = config.surroundings.spawner.spawn(writer.run(opened.lock));
        let backend = Sqlite { reader: opened.reader, disk: opened.disk, config, id: opened.id };
        Ok(Engine::new(shared, backend, writer))
    }

    /// The ID of this store, which it keeps for ever: 32 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.backend.id
    }
}

impl Backend for Sqlite {
    async fn place(&self) -> Result<SemaphorePermit<'_>> {
        self.reader.place().await
    }

    async fn resolve(&self, id: QueueId<'_>) -> Result<Nearest> {
        self.reader.resolve(id).await
    }

    async fn queue(&self, id: &RecipientId) -> Result<Option<StoredQueue>> {
        self.reader.queue(id).await
    }

    async fn message(&self, key: i64) -> Result<Option<Message>> {
        self.reader.message(key).await
    }

    async fn link_data(&self, queue: i64) -> Result<Option<LinkData>> {
        self.reader.link_data(queue).await
    }

    async fn expired(&self, before: u64, limit: usize) -> Result<Vec<(i64, RecipientId)>> {
        self.reader.expired(before, limit).await
    }

    async fn idle(&self, before: Day, limit: usize) -> Result<Vec<RecipientId>> {
        self.reader.idle(before, limit).await
    }

    async fn queue_page(&self, after: Option<&RecipientId>, limit: usize) -> Result<Vec<Arc<QueueRecord>>> {
        self.reader.queue_page(after, limit).await
    }

    async fn service_queue_page(
        &self,
        service: &ServiceId,
        role: ServiceRole,
        after: Option<&RecipientId>,
        limit: usize,
    ) -> Result<Vec<Arc<QueueRecord>>> {
        self.reader.service_queue_page(service, role, after, limit).await
    }

    async fn service(&self, fingerprint: &[u8]) -> Result<Option<(ServiceId, ServiceRole)>> {
        self.reader.service(fingerprint).await
    }

    async fn services(&self) -> Result<Vec<NewService>> {
        self.reader.services().await
    }

    async fn service_queues(&self, service: &ServiceId, role: ServiceRole) -> Result<Option<ServiceQueues>> {
        self.reader.service_queues(service, role).await
    }

    async fn clock(&self) -> Result<String> {
        self.reader.clock().await
    }

    fn refuses_messages(&self) -> bool {
        self.disk.is_full()
    }

    fn refuses_queues(&self) -> bool {
        self.disk.is_low()
    }

    fn is_removed(&self, message: i64) -> bool {
        self.disk.is_deferred(message)
    }

    fn load(&self) -> StoreLoad {
        StoreLoad {
            disk_bytes: open::disk_bytes(&self.config.path),
            free_bytes: self.disk.free(),
            is_full: self.disk.is_full(),
            to_be_freed: self.disk.to_be_freed(),
            unwritten_removals: self.disk.deferred_count() as u64,
            ..StoreLoad::default()
        }
    }

    async fn close(&self) {
        self.reader.pool.close().await;
    }
}
