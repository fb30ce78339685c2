//! Reading more from the network than TLS asks for.
//!
//! rustls reads in pieces of 4 KiB. A block would take five system calls, which costs as much as decrypting it; and where
//! one block has arrived, often the next one has too.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, ReadBuf};

use crate::stream::ByteStream;

/// Bytes that TLS 1.3 adds to a record: header, content type and tag.
pub(super) const RECORD_OVERHEAD: usize = 5 + 1 + 16;

/// Bytes that are read at once: two blocks.
const AHEAD: usize = 2 * (16_384 + RECORD_OVERHEAD);

/// Free buffers that are kept: 2 MiB. More connections than that may be busy at once; their buffers are given back to
/// the allocator.
const MAX_FREE: usize = 64;

static FREE: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// Bytes that have arrived and TLS has not taken yet. Without any it holds no buffer.
#[derive(Default)]
pub(super) struct Ahead(Option<Arrived>);

struct Arrived {
    bytes: Buffer,
    start: usize,
    end: usize,
}

impl Ahead {
    /// Reads what has arrived before, or else from `inner`.
    pub(super) fn poll_read(
        &mut self,
        inner: &mut Box<dyn ByteStream>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let arrived = match &mut self.0 {
            Some(arrived) => arrived,
            None => {
                let mut bytes = Buffer::take();
                let mut room = ReadBuf::new(&mut bytes.0);
                ready!(Pin::new(inner).poll_read(cx, &mut room))?;
                let end = room.filled().len();
                self.0.insert(Arrived { bytes, start: 0, end })
            }
        };
        let waiting = arrived.bytes.0.get(arrived.start..arrived.end).unwrap_or_default();
        let count = waiting.len().min(out.remaining());
        out.put_slice(&waiting[..count]);
        arrived.start += count;
        if arrived.start == arrived.end {
            self.0 = None;
        }
        Poll::Ready(Ok(()))
    }
}

/// Returned when dropped.
struct Buffer(Box<[u8]>);

impl Buffer {
    /// Takes a free buffer, or makes one.
    fn take() -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self(free.unwrap_or_else(|| vec![0; AHEAD].into_boxed_slice()))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MAX_FREE {
            free.push(std::mem::take(&mut self.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::tls::Metered;

    #[tokio::test]
    async fn what_arrived_is_read_in_pieces_and_counted_when_it_is() {
        let (mut theirs, ours) = tokio::io::duplex(4 * AHEAD);
        let mut stream = Metered::new(ours);
        let sent: Vec<u8> = (0..3 * AHEAD / 2).map(|n| n as u8).collect();
        theirs.write_all(&sent).await.unwrap();
        let mut got = vec![0; 1000];
        stream.read_exact(&mut got).await.unwrap();
        assert_eq!(stream.received(), 1000);
        drop(theirs);
        stream.read_to_end(&mut got).await.unwrap();
        assert!(got == sent);
        assert_eq!(stream.received(), sent.len() as u64);
    }

    #[tokio::test]
    async fn who_waits_holds_no_buffer() {
        let (mut theirs, ours) = tokio::io::duplex(100);
        let (mut inner, mut ahead): (Box<dyn ByteStream>, _) = (Box::new(ours), Ahead::default());
        for _ in 0..2 {
            let waits = poll_fn(|cx| {
                let mut bytes = [0; 10];
                Poll::Ready(ahead.poll_read(&mut inner, cx, &mut ReadBuf::new(&mut bytes)).is_pending())
            });
            assert!(waits.await);
            assert!(ahead.0.is_none());
            theirs.write_all(b"12345").await.unwrap();
            let mut bytes = [0; 10];
            let mut out = ReadBuf::new(&mut bytes);
            poll_fn(|cx| ahead.poll_read(&mut inner, cx, &mut out)).await.unwrap();
            assert_eq!(out.filled(), b"12345");
            assert!(ahead.0.is_none());
        }
    }
}
