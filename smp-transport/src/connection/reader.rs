//! The reading half of a connection.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use smp_crypto::block_chain::{self, BLOCK_SIZE, OpeningChain};
use tokio::time::{Instant, timeout_at};

use super::buffer::{Buffer, ReceivedBlock};
use super::error::ConnectionError;
use super::stream::{Readiness, SharedStream};
use crate::surroundings::Time;

/// Bytes that may arrive without counting as the beginning of a block: TLS sends small messages of its own. So much is
/// buffered at no cost, as rustls reads in pieces of this size.
const UNNOTICED: u64 = 4096;

/// Reads blocks.
///
/// While no block is arriving it holds no buffer. Once a block has begun, its peer has a limited time to send the rest.
pub struct BlockReader {
    stream: SharedStream,
    chain: Option<OpeningChain>,
    block_timeout: Duration,
    time: Time,
    partial: Option<Partial>,
    /// When the block that has begun must be complete.
    deadline: Option<Instant>,
    /// The value of [`SharedStream::received`] at the end of the last block.
    received_before: u64,
}

struct Partial {
    buffer: Buffer,
    filled: usize,
}

enum Progress {
    /// A block has begun; it is time to limit how long it takes.
    Begun,
    Complete(Buffer),
}

impl BlockReader {
    pub(super) fn new(stream: SharedStream, block_timeout: Duration, time: Time) -> Self {
        let received_before = stream.received();
        Self { stream, chain: None, block_timeout, time, partial: None, deadline: None, received_before }
    }

    /// From now on blocks are encrypted.
    pub(super) fn set_chain(&mut self, chain: OpeningChain) {
        self.chain = Some(chain);
    }

    /// Waits for the next block, for as long as it takes to begin, and returns its content.
    ///
    /// Cancel safe: if the future is dropped, the next call goes on where it was.
    ///
    /// # Errors
    /// [`ConnectionError::Closed`] when the peer closed after a whole block; any other error too means that the
    /// connection is of no more use.
    pub async fn read_block(&mut self) -> Result<ReceivedBlock, ConnectionError> {
        let buffer = loop {
            let progress = match self.deadline {
                None => poll_fn(|cx| self.poll_progress(cx)).await?,
                Some(deadline) => timeout_at(deadline, poll_fn(|cx| self.poll_progress(cx)))
                    .await
                    .map_err(|_| ConnectionError::SlowBlock)??,
            };
            match progress {
                Progress::Begun => self.deadline = Some(self.time.monotonic() + self.block_timeout),
                Progress::Complete(buffer) => break buffer,
            }
        };
        self.deadline = None;
        self.received_before = self.stream.received();
        self.open(buffer)
    }

    fn poll_progress(&mut self, cx: &mut Context<'_>) -> Poll<Result<Progress, ConnectionError>> {
        if self.partial.is_none() {
            let Poll::Ready(readiness) = self.stream.poll_ready(cx)? else { return self.not_yet() };
            if readiness == Readiness::End {
                return Poll::Ready(Err(self.end_without_block()));
            }
        }
        let partial = self.partial.get_or_insert_with(|| Partial { buffer: Buffer::take(), filled: 0 });
        while let Some(room @ [_, ..]) = partial.buffer.get_mut(partial.filled..) {
            match self.stream.poll_read(cx, room)? {
                Poll::Ready(0) => return Poll::Ready(Err(ConnectionError::Truncated)),
                Poll::Ready(read) => partial.filled += read,
                Poll::Pending => return self.not_yet(),
            }
        }
        match self.partial.take() {
            Some(partial) => Poll::Ready(Ok(Progress::Complete(partial.buffer))),
            None => Poll::Pending,
        }
    }

    /// Nothing to read: either nothing has come since the last block, or the rest of one is awaited.
    fn not_yet(&self) -> Poll<Result<Progress, ConnectionError>> {
        if self.deadline.is_none() && (self.partial.is_some() || self.arrived() > UNNOTICED) {
            return Poll::Ready(Ok(Progress::Begun));
        }
        Poll::Pending
    }

    fn arrived(&self) -> u64 {
        self.stream.received().saturating_sub(self.received_before)
    }

    /// The peer may have closed in the middle of a record, of which nothing can be read then.
    fn end_without_block(&self) -> ConnectionError {
        if self.arrived() > UNNOTICED { ConnectionError::Truncated } else { ConnectionError::Closed }
    }

    fn open(&mut self, mut buffer: Buffer) -> Result<ReceivedBlock, ConnectionError> {
        debug_assert_eq!(buffer.len(), BLOCK_SIZE);
        let (start, opened) = match &mut self.chain {
            Some(chain) => (block_chain::CONTENT_OFFSET, chain.open(&mut buffer)),
            None => (smp_crypto::padding::LENGTH_SIZE, block_chain::unpad_block(&buffer)),
        };
        let length = opened.map_err(|_| ConnectionError::UnreadableBlock)?.len();
        Ok(ReceivedBlock { buffer, start, length })
    }
}

impl fmt::Debug for BlockReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockReader").field("encrypted", &self.chain.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::connection::{AcceptorSettings, ConnectorSettings, RelayAcceptor, RelayConnector};
    use crate::identity::{CertificateAuthority, KeyAlgorithm};

    #[tokio::test]
    async fn only_a_block_that_has_begun_takes_a_buffer() {
        let now = OffsetDateTime::now_utc();
        let authority = CertificateAuthority::generate(KeyAlgorithm::Ed25519, now, &mut rand::rng());
        let identity = authority.issue("localhost", KeyAlgorithm::Ed25519, now, &mut rand::rng()).unwrap();
        let acceptor = RelayAcceptor::new(&identity, AcceptorSettings::default()).unwrap();
        let connector = RelayConnector::new(identity.fingerprint(), ConnectorSettings::default()).unwrap();
        // so small that a block needs many polls
        let (ours, theirs) = tokio::io::duplex(1000);
        let (client, relay) = tokio::join!(connector.connect(ours), acceptor.accept(theirs));
        let (mut client, mut relay) = (client.unwrap(), relay.unwrap());

        let idle = poll_fn(|cx| Poll::Ready(relay.reader.poll_progress(cx).is_pending())).await;
        assert!(idle);
        assert!(relay.reader.partial.is_none());
        assert!(relay.reader.deadline.is_none());

        client.writer.write_block(b"content").await.unwrap();
        let (sent, block) = tokio::join!(client.writer.flush(), relay.reader.read_block());
        sent.unwrap();
        assert_eq!(block.unwrap()[..], *b"content");
        assert!(relay.reader.partial.is_none());
        assert!(relay.reader.deadline.is_none());
    }
}
