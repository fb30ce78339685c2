//! `ByteStream`: what TLS runs over.

use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes that TLS 1.3 adds to a record: header, content type and tag.
pub(super) const RECORD_OVERHEAD: usize = 5 + 1 + 16;

/// A TCP stream, or a pipe in tests.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> ByteStream for T {}
