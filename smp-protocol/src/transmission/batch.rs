//! Putting transmissions into blocks.

use std::fmt;
use std::ops::Range;

use thiserror::Error;

use crate::encoding::Length;

/// The most bytes of content in a block, in every version, with and without block encryption.
pub const MAX_CONTENT: usize = 16366;
/// The most transmissions in a block.
pub const MAX_TRANSMISSIONS: usize = 255;
/// Bytes for the count.
const COUNT_BYTES: usize = 1;
/// Bytes for the length of a transmission.
const LENGTH_BYTES: usize = 2;

/// Why a transmission was not added.
///
/// Source: section 3.3 (`protocol-spec/3-transmissions.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DoesNotFit {
    /// There is no room left: send what there is, and add the transmission to the next block.
    #[error("the block is full")]
    Full,
    /// It fits in no block: send less (`LARGE_MSG`).
    #[error("the transmission is too large for a block")]
    TooLarge,
}

/// The content of one block, filled in the order in which transmissions are added. Reuse it: it keeps its memory.
///
/// Source: section 3.3 (`protocol-spec/3-transmissions.md`).
#[derive(Clone)]
pub struct BlockContent {
    bytes: Vec<u8>,
}

impl fmt::Debug for BlockContent {
    /// Prints how much there is: IDs do not belong into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockContent({} transmissions, {:?})", self.count(), Length(self.bytes.len()))
    }
}

impl Default for BlockContent {
    fn default() -> Self {
        BlockContent { bytes: vec![0] }
    }
}

impl BlockContent {
    /// An empty block.
    pub fn new() -> Self {
        BlockContent::default()
    }

    /// Empties the block and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.truncate(COUNT_BYTES);
        self.bytes[0] = 0;
    }

    /// Gives the memory of an idle block back.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// How many transmissions there are.
    pub fn count(&self) -> usize {
        usize::from(self.bytes[0])
    }

    /// Whether there are none; then there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The content, at most [`MAX_CONTENT`] bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds the transmission that `write` appends.
    ///
    /// # Errors
    /// [`DoesNotFit`]; then the content is as before.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), DoesNotFit> {
        self.push_with_tail(write, 0, |_| {})
    }

    /// Adds the transmission that `write_head` and `write_tail` append, of which the second appends `tail_length` bytes and
    /// is called only if they fit: sealing a body twice would cost more than copying it.
    ///
    /// # Errors
    /// [`DoesNotFit`]; then the content is as before.
    pub fn push_with_tail(
        &mut self,
        write_head: impl FnOnce(&mut Vec<u8>),
        tail_length: usize,
        write_tail: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), DoesNotFit> {
        if self.count() == MAX_TRANSMISSIONS {
            return Err(DoesNotFit::Full);
        }
        let start = self.bytes.len();
        // At once: it would grow in several steps, each with a copy.
        self.bytes.reserve_exact(MAX_CONTENT.saturating_sub(start));
        let length = append_with_length(&mut self.bytes, write_head) + tail_length;
        if start + LENGTH_BYTES + length <= MAX_CONTENT {
            write_tail(&mut self.bytes);
            set_length(&mut self.bytes, start, length);
            self.bytes[0] += 1;
            return Ok(());
        }
        self.bytes.truncate(start);
        let fits_alone = COUNT_BYTES + LENGTH_BYTES + length <= MAX_CONTENT;
        Err(if fits_alone { DoesNotFit::Full } else { DoesNotFit::TooLarge })
    }
}

/// Many transmissions, divided into blocks from the last one: the first block is the one that is not full.
///
/// Source: section 3.3 (`protocol-spec/3-transmissions.md`).
#[derive(Clone, Default)]
pub struct Batch {
    /// Transmissions with their lengths.
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl fmt::Debug for Batch {
    /// Prints how much there is: IDs do not belong into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} transmissions, {:?})", self.len(), Length(self.bytes.len()))
    }
}

/// A part of a [`Batch`].
///
/// Source: section 3.3 (`protocol-spec/3-transmissions.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchPart<'a> {
    /// The content of one block.
    Block {
        /// Which transmissions are in it, by the order in which they were added.
        indices: Range<usize>,
        /// The content without the count byte; see [`BatchPart::write_content`].
        transmissions: &'a [u8],
    },
    /// The transmission with this index fits in no block.
    TooLarge(usize),
}

impl BatchPart<'_> {
    /// Appends the content of the block to `out`; nothing if there is none.
    pub fn write_content(&self, out: &mut Vec<u8>) {
        if let BatchPart::Block { indices, transmissions } = self {
            // At most 255.
            out.push(indices.len() as u8);
            out.extend_from_slice(transmissions);
        }
    }
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Batch::default()
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// How many transmissions there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds the transmission that `write` appends.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        append_with_length(&mut self.bytes, write);
        self.ends.push(self.bytes.len());
    }

    /// The blocks in the order in which they are to be sent.
    pub fn parts(&self) -> Vec<BatchPart<'_>> {
        let mut parts = Vec::new();
        let mut block = self.len()..self.len();
        for index in (0..self.len()).rev() {
            let alone = index..index + 1;
            let extended = index..block.end;
            if !self.fits(&alone) {
                parts.extend(self.part(block));
                parts.push(BatchPart::TooLarge(index));
                block = index..index;
            } else if self.fits(&extended) {
                block = extended;
            } else {
                parts.extend(self.part(block));
                block = alone;
            }
        }
        parts.extend(self.part(block));
        parts.reverse();
        parts
    }

    fn fits(&self, indices: &Range<usize>) -> bool {
        indices.len() <= MAX_TRANSMISSIONS && COUNT_BYTES + self.slice(indices).len() <= MAX_CONTENT
    }

    fn slice(&self, indices: &Range<usize>) -> &[u8] {
        let end = |count: usize| count.checked_sub(1).map_or(0, |last| self.ends[last]);
        &self.bytes[end(indices.start)..end(indices.end)]
    }

    fn part(&self, indices: Range<usize>) -> Option<BatchPart<'_>> {
        let transmissions = self.slice(&indices);
        (!indices.is_empty()).then_some(BatchPart::Block { indices, transmissions })
    }
}

/// Appends a length and what `write` appends; returns the length. One over 65535 is written wrong, so the caller must not send
/// more than [`MAX_CONTENT`].
fn append_with_length(bytes: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; LENGTH_BYTES]);
    write(bytes);
    let length = bytes.len() - start - LENGTH_BYTES;
    set_length(bytes, start, length);
    length
}

/// Writes the length of the transmission that starts here into the room in front of it.
fn set_length(bytes: &mut [u8], start: usize, length: usize) {
    bytes[start..start + LENGTH_BYTES].copy_from_slice(&(length as u16).to_be_bytes());
}
