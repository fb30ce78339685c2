//! `ByteStream`: a connection of bytes, which TLS runs over.

use std::fmt;

use tokio::io::{AsyncRead, AsyncWrite};

/// A TCP stream, or a pipe in tests and simulations.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> ByteStream for T {}

impl fmt::Debug for dyn ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByteStream")
    }
}

/// A stream of a kind that only its maker knows.
pub type BoxedStream = Box<dyn ByteStream>;
