//! The TLS stream, shared by the reading and the writing half of a connection.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead as _, AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio_rustls::TlsStream;

use crate::tls::Metered;

/// Both halves lock it for as long as one poll takes, which is at most the encryption of a few records.
#[derive(Clone)]
pub(super) struct SharedStream(Arc<Mutex<TlsStream<Metered>>>);

/// The state of a stream for a reader who holds no buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// There is plain text.
    Data,
    /// The peer has closed.
    End,
}

impl SharedStream {
    pub(super) fn new(stream: TlsStream<Metered>) -> Self {
        Self(Arc::new(Mutex::new(stream)))
    }

    fn lock(&self) -> MutexGuard<'_, TlsStream<Metered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that arrived from the network so far.
    pub(super) fn received(&self) -> u64 {
        self.lock().get_ref().0.received()
    }

    /// Waits until there is something to read.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Readiness>> {
        let mut stream = self.lock();
        match ready!(Pin::new(&mut *stream).poll_fill_buf(cx)) {
            Ok([]) => Poll::Ready(Ok(Readiness::End)),
            Ok(_) => Poll::Ready(Ok(Readiness::Data)),
            Err(error) => end_or_error(error).map_ok(|()| Readiness::End),
        }
    }

    /// Reads into `buffer`; 0 bytes mean that the peer has closed.
    pub(super) fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        match ready!(Pin::new(&mut *self.lock()).poll_read(cx, &mut buffer)) {
            Ok(()) => Poll::Ready(Ok(buffer.filled().len())),
            Err(error) => end_or_error(error).map_ok(|()| 0),
        }
    }

    /// Encrypts bytes for sending; writes to the network only if there is too much waiting already.
    pub(super) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut stream = self.lock();
        loop {
            let taken = match &mut *stream {
                TlsStream::Client(stream) => stream.get_mut().1.writer().write(bytes)?,
                TlsStream::Server(stream) => stream.get_mut().1.writer().write(bytes)?,
            };
            if taken > 0 || bytes.is_empty() {
                return Poll::Ready(Ok(taken));
            }
            ready!(Pin::new(&mut *stream).poll_flush(cx))?;
        }
    }

    /// Writes all that waits to the network.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_flush(cx)
    }

    /// Tells the peer that nothing more will come.
    pub(super) fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.lock()).poll_shutdown(cx)
    }
}

/// Many peers close the TCP connection without saying so in TLS. Blocks have a length, so nothing can be cut off unseen.
fn end_or_error(error: io::Error) -> Poll<io::Result<()>> {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
        _ => Poll::Ready(Err(error)),
    }
}
