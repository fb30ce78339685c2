//! Messages on their way into the new store, some at a time.

use smp_protocol::id::RecipientId;

use super::report::{ImportError, ReadCounts};
use crate::store::{Message, Store, StoreError};

/// Messages of one queue that are written together.
const BATCH: usize = 64;

/// Collects messages of one queue after the other.
pub(super) struct Messages<'a> {
    store: &'a dyn Store,
    queue: RecipientId,
    waiting: Vec<Message>,
    pub(super) counts: ReadCounts,
}

impl<'a> Messages<'a> {
    pub(super) fn new(store: &'a dyn Store) -> Self {
        Self { store, queue: RecipientId::empty(), waiting: Vec::new(), counts: ReadCounts::default() }
    }

    /// Puts a message behind those of its queue.
    pub(super) async fn push(&mut self, queue: &RecipientId, message: Message) -> Result<(), ImportError> {
        if self.queue != *queue || self.waiting.len() >= BATCH {
            self.flush().await?;
            self.queue = queue.clone();
        }
        self.waiting.push(message);
        Ok(())
    }

    /// Writes what was collected.
    pub(super) async fn flush(&mut self) -> Result<(), ImportError> {
        let messages = std::mem::take(&mut self.waiting);
        if messages.is_empty() {
            return Ok(());
        }
        let count = messages.len() as u64;
        self.counts.messages += count;
        match self.store.restore_messages(&self.queue, messages).await {
            Err(StoreError::NotFound) => self.counts.orphans += count,
            result => result?,
        }
        Ok(())
    }
}
