//! The store in an SQLite database.
//!
//! ```text
//!  commands ──► operations ──► active (queues in use, one lock each) ──► write_queue ──► writer ──► database
//!                   │                        ▲  roll back on failure ◄─────────────────┘          │
//!                   └────── reader ──────────┴───────────── load on demand ◄──────────────────────┘
//! ```
//!
//! * `cache` holds the queues in use, and evicts those that nobody uses; a queue not in use takes no memory at all.
//! * `queue` is one queue in memory, and `active` has its rules. Appending and removing messages happens there first; records change there only
//!   when they have changed on disk.
//! * `write_queue` and `writer` are the group commit. A message that is acknowledged before the writer takes it up is never
//!   written. If writing fails, the queues concerned are dropped from memory and loaded again from the disk when they are
//!   next used, so that the two cannot disagree.
//! * `recent` keeps bodies that were just written; other bodies are read when they are delivered.
//!
//! # Acknowledgements
//!
//! The removal of a message that is on disk is written like a message, in the next group, and
//! [`Acknowledged::durable`](super::Acknowledged::durable) resolves when it is. The protocol would allow to answer
//! sooner and to deliver again after a crash. Waiting costs a recipient who drains a long queue one group commit per message;
//! the commits are shared with all other queues, and recipients who are online mostly acknowledge what was never
//! written. For that price nothing is delivered twice by a relay that was killed.
//!
//! # What is left on disk
//!
//! Bodies are what senders encrypted, end to end. With `secure_delete = FAST` SQLite zeroes what is deleted inside a
//! page (IDs, keys, secrets, small bodies), but pages that become free as a whole keep their content until they are
//! reused; [`SqliteConfig::overwrite_deleted`] zeroes them too. The log keeps old pages until it is reused, at the
//! latest when the store is closed.

mod active;
mod backup;
mod cache;
mod config;
mod disk;
mod fault;
mod migrations;
mod open;
mod operations;
mod presence;
mod queue;
mod reader;
mod recent;
mod rows;
mod shared;
mod statements;
mod write_queue;
mod writer;

#[cfg(test)]
mod seam;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};

use smp_protocol::id::{MessageId, RecipientId, ServiceId};
use tokio::task::JoinHandle;

pub use config::{DiskDurability, Presence, SqliteConfig};

use super::{
    Acknowledged, AfterAck, Appended, Day, LinkData, LookedUp, Message, NewMessage, NewQueue, NewService,
    OpenError, QueueChange, QueueContent, QueueId, QueueRecord, ServiceQueues, ServiceRole, Store,
    StoreCounts, StoreError, StoreFuture, StoreLoad, SweepPosition, Swept, Updated,
};
use crate::sync::lock;
use reader::Reader;
use shared::Shared;
use writer::Writer;

/// Keeps queues and messages in an SQLite database. See [`Store`].
///
/// Call [`Store::close`] in the end: dropping also writes what was accepted, but nobody knows when it is done.
#[derive(Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    reader: Reader,
    config: SqliteConfig,
    id: String,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteStore {
    /// Opens a database, creates it if there is none. Needs a Tokio runtime. Takes as long as counting the rows.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub async fn open(config: SqliteConfig) -> Result<Self, OpenError> {
        let opened = open::open(&config).await?;
        Self::start(config, opened).await
    }

    /// As [`Self::open`], for a database that must not grow beyond so many pages.
    #[cfg(test)]
    async fn open_limited(config: SqliteConfig, pages: u32) -> Result<Self, OpenError> {
        let mut opened = open::open(&config).await?;
        let sql = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(sql).execute(&mut opened.writer).await.unwrap();
        Self::start(config, opened).await
    }

    async fn start(config: SqliteConfig, opened: open::Opened) -> Result<Self, OpenError> {
        let counted =
            async { Ok::<_, StoreError>((opened.reader.counts().await?, opened.reader.last_keys().await?)) };
        let (counts, keys) = counted.await.map_err(|error| OpenError::of_store(&config.path, &error))?;
        let shared = Arc::new(Shared::new(&config, opened.disk, counts, keys));
        let writer = Writer::new(opened.writer, shared.clone());
        let writer = config.surroundings.spawner.spawn(writer.run(opened.lock));
        Ok(SqliteStore {
            shared,
            reader: opened.reader,
            config,
            id: opened.id,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// The ID of this store, which it keeps for ever: 32 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    async fn close_now(&self) -> Result<(), StoreError> {
        self.shared.close();
        let writer = lock(&self.writer).take();
        // Readers first: the last connection to close tidies the log up, and that is to be the writer's.
        self.reader.pool.close().await;
        if let Some(writer) = writer {
            // It does not panic, and who aborts it does not close.
            let _ = writer.await;
        }
        Ok(())
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Store for SqliteStore {
    fn create_queue(&self, queue: NewQueue) -> StoreFuture<'_, Arc<QueueRecord>> {
        Box::pin(self.create(queue))
    }

    fn find_queue<'a>(&'a self, id: QueueId<'a>) -> StoreFuture<'a, Option<Arc<QueueRecord>>> {
        Box::pin(async move { Ok(self.find(id).await?.queue) })
    }

    fn look_up<'a>(&'a self, id: QueueId<'a>) -> StoreFuture<'a, LookedUp> {
        Box::pin(self.find(id))
    }

    fn refuse<'a>(&'a self, id: QueueId<'a>, asked_disk: bool) -> StoreFuture<'a, ()> {
        Box::pin(self.read_as_unknown(id, asked_disk))
    }

    fn link_data<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, Option<LinkData>> {
        Box::pin(self.read_link_data(queue))
    }

    fn update_queue<'a>(&'a self, queue: &'a RecipientId, change: QueueChange) -> StoreFuture<'a, Updated> {
        Box::pin(self.update(queue, change))
    }

    fn delete_queue<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, (Arc<QueueRecord>, usize)> {
        Box::pin(self.delete(queue))
    }

    fn append<'a>(
        &'a self,
        queue: &'a RecipientId,
        message: NewMessage,
        expire_before: Option<u64>,
    ) -> StoreFuture<'a, Appended> {
        Box::pin(self.append_message(queue, message, expire_before))
    }

    fn first_message<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, Option<Arc<Message>>> {
        Box::pin(self.first(queue))
    }

    fn acknowledge<'a>(
        &'a self,
        queue: &'a RecipientId,
        message: &'a MessageId,
        after: AfterAck,
    ) -> StoreFuture<'a, Acknowledged> {
        Box::pin(self.acknowledge_message(queue, message, after))
    }

    fn queue_content<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, QueueContent> {
        Box::pin(self.content(queue))
    }

    fn expire_messages(&self, before: u64, _: SweepPosition, limit: usize) -> StoreFuture<'_, Swept> {
        Box::pin(self.expire(before, limit))
    }

    fn delete_idle_queues(&self, before: Day, limit: usize) -> StoreFuture<'_, Vec<Arc<QueueRecord>>> {
        Box::pin(self.delete_idle(before, limit))
    }

    fn service(&self, service: NewService) -> StoreFuture<'_, ServiceId> {
        Box::pin(self.find_or_create_service(service))
    }

    fn find_service<'a>(
        &'a self,
        fingerprint: &'a [u8],
        role: ServiceRole,
    ) -> StoreFuture<'a, Option<ServiceId>> {
        Box::pin(self.find_service_id(fingerprint, role))
    }

    fn service_queues<'a>(
        &'a self,
        service: &'a ServiceId,
        role: ServiceRole,
    ) -> StoreFuture<'a, ServiceQueues> {
        Box::pin(self.read_service_queues(service, role))
    }

    fn service_queue_page<'a>(
        &'a self,
        service: &'a ServiceId,
        role: ServiceRole,
        after: Option<&'a RecipientId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Arc<QueueRecord>>> {
        Box::pin(self.reader.service_queue_page(service, role, after, limit))
    }

    fn queue_page<'a>(
        &'a self,
        after: Option<&'a RecipientId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Arc<QueueRecord>>> {
        Box::pin(self.reader.queue_page(after, limit))
    }

    fn messages<'a>(&'a self, queue: &'a RecipientId) -> StoreFuture<'a, Vec<Arc<Message>>> {
        Box::pin(self.all_messages(queue))
    }

    fn restore_messages<'a>(&'a self, queue: &'a RecipientId, messages: Vec<Message>) -> StoreFuture<'a, ()> {
        Box::pin(self.restore(queue, messages))
    }

    fn saved_clock(&self) -> StoreFuture<'_, String> {
        Box::pin(self.reader.clock())
    }

    fn save_clock(&self, text: String) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            self.shared.write_queue.change(write_queue::ChangeKind::Clock(text), None, None).await
        })
    }

    fn counts(&self) -> StoreCounts {
        self.shared.counts.get()
    }

    fn load(&self) -> StoreLoad {
        StoreLoad {
            waiting_operations: self.shared.write_queue.waiting() as u64,
            waiting_bytes: self.shared.waiting_bytes(),
            disk_bytes: open::disk_bytes(&self.config.path),
            free_bytes: self.shared.disk.free(),
            is_full: self.shared.disk.is_full(),
            to_be_freed: self.shared.disk.to_be_freed(),
            unwritten_removals: self.shared.disk.deferred_count() as u64,
        }
    }

    fn failed(&self) -> StoreFuture<'_, ()> {
        Box::pin(async {
            self.shared.writer_died.cancelled().await;
            Ok(())
        })
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.close_now())
    }

    fn abandon(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let writer = lock(&self.writer).take();
            if let Some(writer) = writer {
                writer.abort();
                // Cancelled, or just finished.
                let _ = writer.await;
            }
            self.shared.close();
            self.reader.pool.close().await;
            Ok(())
        })
    }
}
