//! The task that writes requests.

use std::sync::Arc;
use std::time::Duration;

use smp_protocol::transmission::CommandBlock;
use tokio::time::timeout;

use super::config::{CLOSE_TIMEOUT, MAX_BLOCKS_PER_FLUSH};
use super::queue::{Handed, WriteQueue};
use super::{ClientError, Shared};
use crate::connection::BlockWriter;

/// Writes what is queued until the connection ends. Requests that were queued while others were being written go
/// together, without waiting for more: an idle client sends at once, a busy one fills blocks.
pub(super) async fn write_requests(shared: Arc<Shared>, mut writer: BlockWriter) {
    let mut batch = WriteBatch::default();
    loop {
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => break,
            () = shared.queue.filled() => (),
        }
        let written = tokio::select! {
            biased;
            () = shared.stop.cancelled() => break,
            written = batch.write(&shared.queue, &mut writer, shared.config.response_timeout) => written,
        };
        if let Err(error) = written {
            shared.end(error);
        }
    }
    // the peer may be gone already, and then there is nobody to tell
    let _ = timeout(CLOSE_TIMEOUT, writer.close()).await;
}

#[derive(Default)]
struct WriteBatch {
    block: CommandBlock,
    handed: Vec<Handed>,
}

impl WriteBatch {
    /// Writes what is in the queue, at most a few blocks; each may take `limit`.
    async fn write(
        &mut self,
        queue: &WriteQueue,
        writer: &mut BlockWriter,
        limit: Duration,
    ) -> Result<(), ClientError> {
        let mut blocks = 0;
        while blocks < MAX_BLOCKS_PER_FLUSH {
            queue.fill(&mut self.block, &mut self.handed);
            if self.block.is_empty() {
                break;
            }
            let written = timeout(limit, writer.write_block(self.block.as_bytes())).await;
            written.map_err(|_| ClientError::NotResponding)?.map_err(ClientError::Connection)?;
            self.block.clear();
            blocks += 1;
        }
        let flushed = timeout(limit.saturating_mul(blocks), writer.flush()).await;
        flushed.map_err(|_| ClientError::NotResponding)?.map_err(ClientError::Connection)?;
        for Handed { room, written } in self.handed.drain(..) {
            drop(room);
            // a caller who has left needs no time limit
            let _ = written.map(|written| written.send(()));
        }
        if queue.is_empty() {
            self.block.shrink();
            self.handed.shrink_to_fit();
        }
        Ok(())
    }
}
