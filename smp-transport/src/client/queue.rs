//! Requests that wait to be written.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use smp_protocol::id::EntityId;
use smp_protocol::transmission::{CommandBlock, MAX_TRANSMISSIONS};
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};

/// A transmission that waits to be written.
pub(super) struct Outgoing {
    pub(super) entity_id: EntityId,
    pub(super) transmission: Vec<u8>,
    /// Goes before everything that is not urgent: `PING`, which asks whether the connection lives.
    pub(super) urgent: bool,
    pub(super) handed: Handed,
}

/// The rest of a transmission while its block is written.
pub(super) struct Handed {
    /// Its part of the bytes that may wait.
    pub(super) room: OwnedSemaphorePermit,
    /// Told when the block was handed to the network.
    pub(super) written: Option<oneshot::Sender<()>>,
}

/// Filled by requests, emptied block by block by the writer.
///
/// Transmissions keep their order, but for two: urgent ones pass, and one about an entity that the block is about already
/// waits for the next block while others pass it.
#[derive(Default)]
pub(super) struct WriteQueue {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Default)]
struct Waiting {
    urgent: VecDeque<Outgoing>,
    others: VecDeque<Outgoing>,
}

impl WriteQueue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a transmission that fits into a block.
    pub(super) fn push(&self, outgoing: Outgoing) {
        let mut waiting = self.lock();
        let queue = if outgoing.urgent { &mut waiting.urgent } else { &mut waiting.others };
        queue.push_back(outgoing);
        drop(waiting);
        self.filled.notify_one();
    }

    /// Waits until there is something. Cancel safe.
    pub(super) async fn filled(&self) {
        while self.is_empty() {
            self.filled.notified().await;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let waiting = self.lock();
        waiting.urgent.is_empty() && waiting.others.is_empty()
    }

    /// Fills an empty block. The ends of its transmissions go to `handed`.
    pub(super) fn fill(&self, block: &mut CommandBlock, handed: &mut Vec<Handed>) {
        let mut waiting = self.lock();
        let Waiting { urgent, others } = &mut *waiting;
        fill(urgent, block, handed);
        fill(others, block, handed);
    }
}

fn fill(queue: &mut VecDeque<Outgoing>, block: &mut CommandBlock, handed: &mut Vec<Handed>) {
    // No longer than a block: the search for what may pass stays short.
    let mut put_off = Vec::new();
    while put_off.len() < MAX_TRANSMISSIONS
        && let Some(next) = queue.pop_front()
    {
        if block.is_about(&next.entity_id) {
            put_off.push(next);
        } else if block.push(&next.entity_id, &next.transmission).is_ok() {
            handed.push(next.handed);
        } else {
            queue.push_front(next);
            break;
        }
    }
    put_off.into_iter().rev().for_each(|next| queue.push_front(next));
}
