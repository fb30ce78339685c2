//! Buffers of one block, reused by all connections of the process.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use smp_crypto::block_chain::{BLOCK_SIZE, Block};

/// Free buffers that are kept: 2 MiB. More connections than that may be busy at once; their buffers are given back to
/// the allocator.
const MAX_FREE: usize = 128;

static FREE: Mutex<Vec<Box<Block>>> = Mutex::new(Vec::new());

/// A buffer of 16,384 bytes with any content, returned when dropped. Only a connection that is in the middle of a
/// block holds one.
pub(super) struct Buffer(Option<Box<Block>>);

impl Buffer {
    /// Takes a free buffer, or makes one.
    pub(super) fn take() -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self(Some(free.unwrap_or_else(new_block)))
    }
}

/// Made on the heap: a block is large for a stack.
fn new_block() -> Box<Block> {
    match vec![0; BLOCK_SIZE].into_boxed_slice().try_into() {
        Ok(block) => block,
        Err(_) => Box::new([0; BLOCK_SIZE]),
    }
}

impl Deref for Buffer {
    type Target = Block;

    fn deref(&self) -> &Block {
        static EMPTY: Block = [0; BLOCK_SIZE];
        // only `drop` takes it out
        self.0.as_deref().unwrap_or(&EMPTY)
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Block {
        self.0.get_or_insert_with(new_block)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MAX_FREE {
            free.extend(self.0.take());
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Buffer(..)")
    }
}

/// Content of a block that was received. Give it up soon: its buffer is shared with other connections.
pub struct ReceivedBlock {
    pub(super) buffer: Buffer,
    pub(super) start: usize,
    pub(super) length: usize,
}

impl Deref for ReceivedBlock {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buffer.get(self.start..self.start + self.length).unwrap_or_default()
    }
}

impl fmt::Debug for ReceivedBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedBlock").field("length", &self.length).finish_non_exhaustive()
    }
}
