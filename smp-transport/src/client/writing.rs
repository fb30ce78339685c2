//! The task that writes requests.

use smp_protocol::transmission::{BlockContent, DoesNotFit};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::config::{CLOSE_TIMEOUT, MAX_BLOCKS_PER_FLUSH};
use super::{ClientError, Shared};
use crate::connection::{BlockWriter, ConnectionError};

/// A transmission that waits to be written.
pub(super) struct Outgoing {
    pub(super) transmission: Vec<u8>,
    /// Its part of the bytes that may wait.
    pub(super) room: OwnedSemaphorePermit,
}

/// Writes what is queued until the connection ends. What was queued while something else was being written goes
/// together, without waiting for more: an idle client sends at once, a busy one fills blocks.
pub(super) async fn write_requests(
    shared: std::sync::Arc<Shared>,
    mut writer: BlockWriter,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
) {
    let mut batch = WriteBatch::default();
    loop {
        let first = tokio::select! {
            biased;
            () = shared.stop.cancelled() => break,
            first = queue.recv() => match first {
                Some(first) => first,
                None => break,
            },
        };
        let limit = shared.config.response_timeout;
        let written = tokio::select! {
            biased;
            () = shared.stop.cancelled() => break,
            written = timeout(limit, batch.write(first, &mut queue, &mut writer)) => written,
        };
        match written {
            Ok(Ok(())) => (),
            Ok(Err(error)) => shared.end(ClientError::Connection(error)),
            Err(_) => shared.end(ClientError::NotResponding),
        }
    }
    // the peer may be gone already, and then there is nobody to tell
    let _ = timeout(CLOSE_TIMEOUT, writer.close()).await;
}

#[derive(Default)]
struct WriteBatch {
    content: BlockContent,
    rooms: Vec<OwnedSemaphorePermit>,
}

impl WriteBatch {
    /// Writes `first` and what else is in the queue, at most a few blocks.
    async fn write(
        &mut self,
        first: Outgoing,
        queue: &mut mpsc::UnboundedReceiver<Outgoing>,
        writer: &mut BlockWriter,
    ) -> Result<(), ConnectionError> {
        let mut blocks = 1;
        let mut next = Some(first);
        while let Some(Outgoing { transmission, room }) = next {
            self.rooms.push(room);
            if self.add(&transmission) == Err(DoesNotFit::Full) {
                writer.write_block(self.content.as_bytes()).await?;
                self.content.clear();
                blocks += 1;
                // alone it fits: its size was checked when it was queued
                let _ = self.add(&transmission);
            }
            next = if blocks < MAX_BLOCKS_PER_FLUSH { queue.try_recv().ok() } else { None };
        }
        writer.write_block(self.content.as_bytes()).await?;
        writer.flush().await?;
        self.content.clear();
        self.rooms.clear();
        if queue.is_empty() {
            self.content.shrink();
            self.rooms.shrink_to_fit();
        }
        Ok(())
    }

    fn add(&mut self, transmission: &[u8]) -> Result<(), DoesNotFit> {
        self.content.push(|out| out.extend_from_slice(transmission))
    }
}
