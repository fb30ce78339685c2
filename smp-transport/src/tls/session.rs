//! An established TLS session.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use super::ahead::{Ahead, RECORD_OVERHEAD};
use crate::stream::ByteStream;

/// Bytes of plain text that a session takes before it must write to the network: four blocks.
const SEND_BUFFER: usize = 4 * (16_384 + RECORD_OVERHEAD);

/// A TLS session, before the SMP handshake.
pub struct TlsSession {
    pub(crate) stream: TlsStream<Metered>,
    /// Channel binding `tls-unique`.
    pub(crate) session_id: [u8; 32],
    pub(crate) certificate_sent: bool,
}

impl TlsSession {
    pub(super) fn new(mut stream: TlsStream<Metered>, session_id: [u8; 32], certificate_sent: bool) -> Self {
        match &mut stream {
            TlsStream::Client(stream) => stream.get_mut().1.set_buffer_limit(Some(SEND_BUFFER)),
            TlsStream::Server(stream) => stream.get_mut().1.set_buffer_limit(Some(SEND_BUFFER)),
        }
        Self { stream, session_id, certificate_sent }
    }

    /// The channel binding `tls-unique`, 32 bytes: the session ID of SMP.
    #[must_use]
    pub fn session_id(&self) -> &[u8; 32] {
        &self.session_id
    }

    /// The protocol that was agreed by ALPN, if the client offered one.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.stream.get_ref().1.alpn_protocol()
    }

    /// The peer's certificates, leaf first: a relay's, or a service's; none for ordinary clients.
    #[must_use]
    pub fn peer_chain(&self) -> &[CertificateDer<'static>] {
        self.stream.get_ref().1.peer_certificates().unwrap_or_default()
    }

    /// The plain stream inside, for other protocols than SMP.
    #[must_use]
    pub fn into_stream(self) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        self.stream
    }

    /// Whether our own certificates were sent: always by relays, by clients if they have some and the relay asked.
    #[must_use]
    pub fn certificate_sent(&self) -> bool {
        self.certificate_sent
    }
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession").finish_non_exhaustive()
    }
}

/// The stream below TLS; counts what TLS takes, so that a peer who sends a block bit by bit can be noticed.
pub(crate) struct Metered {
    inner: Box<dyn ByteStream>,
    ahead: Ahead,
    received: u64,
}

impl Metered {
    pub(super) fn new(inner: impl ByteStream) -> Self {
        Self { inner: Box::new(inner), ahead: Ahead::default(), received: 0 }
    }

    /// Bytes that TLS has taken so far, still encrypted.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let result = this.ahead.poll_read(&mut this.inner, cx, buffer);
        this.received += buffer.filled().len().saturating_sub(before) as u64;
        result
    }
}

impl AsyncWrite for Metered {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
