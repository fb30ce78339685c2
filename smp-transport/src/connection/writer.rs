//! The writing half of a connection.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use smp_crypto::block_chain::{self, SealingChain};

use super::buffer::Buffer;
use super::error::ConnectionError;
use super::stream::SharedStream;

/// Writes blocks.
///
/// Blocks go to the network with [`flush`](Self::flush), several at once; earlier only if more than four wait.
pub struct BlockWriter {
    stream: SharedStream,
    chain: Option<SealingChain>,
    /// A block that TLS has not taken wholly yet, and how much of it it has.
    pending: Option<(Buffer, usize)>,
}

impl BlockWriter {
    pub(super) fn new(stream: SharedStream) -> Self {
        Self { stream, chain: None, pending: None }
    }

    /// From now on blocks are encrypted.
    pub(super) fn set_chain(&mut self, chain: SealingChain) {
        self.chain = Some(chain);
    }

    /// The longest content that fits into a block, in bytes: 16,382, or 16,366 if blocks are encrypted.
    #[must_use]
    pub fn max_content(&self) -> usize {
        match self.chain {
            Some(_) => block_chain::MAX_CONTENT,
            None => block_chain::MAX_PLAIN_CONTENT,
        }
    }

    /// Pads, encrypts and queues a block.
    ///
    /// There is no time limit: use one around this and [`flush`](Self::flush), and close the connection of a peer who
    /// does not read. If the future is dropped, either the whole block is queued or nothing of it.
    ///
    /// # Errors
    /// [`ConnectionError::TooLong`] if `content` does not fit: the connection stays usable.
    /// [`ConnectionError::Io`] if it is lost.
    pub async fn write_block(&mut self, content: &[u8]) -> Result<(), ConnectionError> {
        let limit = self.max_content();
        if content.len() > limit {
            return Err(ConnectionError::TooLong { length: content.len(), limit });
        }
        poll_fn(|cx| self.poll_pending(cx)).await?;
        let mut buffer = Buffer::take();
        let sealed = match &mut self.chain {
            Some(chain) => chain.seal(content, &mut buffer),
            None => block_chain::pad_block(content, &mut buffer),
        };
        sealed.map_err(|error| ConnectionError::TooLong { length: error.length, limit: error.limit })?;
        self.pending = Some((buffer, 0));
        poll_fn(|cx| self.poll_pending(cx)).await
    }

    /// Sends what is queued. Cancel safe: what is not sent then is sent by the next call.
    ///
    /// # Errors
    /// [`ConnectionError::Io`] if the connection is lost.
    pub async fn flush(&mut self) -> Result<(), ConnectionError> {
        poll_fn(|cx| self.poll_pending(cx)).await?;
        poll_fn(|cx| self.stream.poll_flush(cx)).await.map_err(ConnectionError::from)
    }

    /// Sends what is queued and closes the connection. Dropping both halves closes it too, but leaves the peer to guess
    /// whether that was intended.
    ///
    /// # Errors
    /// [`ConnectionError::Io`] if the connection was lost before.
    pub async fn close(mut self) -> Result<(), ConnectionError> {
        self.flush().await?;
        poll_fn(|cx| self.stream.poll_close(cx)).await.map_err(ConnectionError::from)
    }

    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        while let Some((buffer, taken)) = &mut self.pending {
            match buffer.get(*taken..) {
                Some(rest @ [_, ..]) => *taken += ready!(self.stream.poll_write(cx, rest))?,
                _ => self.pending = None,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for BlockWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockWriter").field("encrypted", &self.chain.is_some()).finish_non_exhaustive()
    }
}
