//! A connection whose blocks are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use smp_protocol::session::AgreedSession;
use smp_transport::connection::{BlockReader, BlockWriter, ClientSide, Connection, ReceivedBlock};

/// Blocks of 16 KiB that went over all connections of a measurement. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct BlockCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    received: AtomicU64,
}

impl BlockCounts {
    /// Blocks that we sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }

    /// Blocks that we received.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }
}

/// A connection to a relay.
#[derive(Debug)]
pub struct Link {
    /// Agreed parameters and keys.
    pub session: AgreedSession,
    /// Reads blocks.
    pub reader: LinkReader,
    /// Writes blocks.
    pub writer: LinkWriter,
}

/// The reading half of a [`Link`].
#[derive(Debug)]
pub struct LinkReader {
    reader: BlockReader,
    counts: BlockCounts,
}

/// The writing half of a [`Link`].
#[derive(Debug)]
pub struct LinkWriter {
    writer: BlockWriter,
    counts: BlockCounts,
}

impl Link {
    pub(super) fn new(connection: Connection<ClientSide>, counts: BlockCounts) -> Self {
        let Connection { session, reader, writer, .. } = connection;
        Self {
            session,
            reader: LinkReader { reader, counts: counts.clone() },
            writer: LinkWriter { writer, counts },
        }
    }
}

impl LinkReader {
    /// Waits for the next block.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn block(&mut self) -> Result<ReceivedBlock> {
        let block = self.reader.read_block().await.context("reading from the relay")?;
        self.counts.0.received.fetch_add(1, Ordering::Relaxed);
        Ok(block)
    }
}

impl LinkWriter {
    /// Queues a block.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn block(&mut self, content: &[u8]) -> Result<()> {
        self.writer.write_block(content).await.context("writing to the relay")?;
        self.counts.0.sent.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Sends what is queued.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn flush(&mut self) -> Result<()> {
        self.writer.flush().await.context("writing to the relay")
    }
}
