//! `Exchange`: requests and answers of HTTP/2, each a block and perhaps a chunk.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::{Request, StatusCode, Uri};
use smp_protocol::xftp::BLOCK_BYTES;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use crate::error::FileRelayError;

/// How long nothing may move before a request is given up.
const IDLE: Duration = Duration::from_secs(60);
/// Bytes of a chunk that are read at a time.
const PIECE: usize = 32 * 1024;

/// The requests of one connection.
#[derive(Clone)]
pub(super) struct Exchange {
    http: SendRequest<Bytes>,
    uri: Uri,
}

/// A chunk that follows a block.
pub(super) struct Chunk<'a> {
    pub(super) content: &'a mut (dyn AsyncRead + Send + Unpin),
    pub(super) missing: u32,
    pub(super) moved: &'a mut (dyn FnMut(usize) + Send),
}

/// An answer, as far as it was read.
pub(super) struct Answer {
    body: RecvStream,
    /// Bytes behind the block that came with it.
    rest: Bytes,
}

impl Exchange {
    pub(super) fn new(http: SendRequest<Bytes>, uri: Uri) -> Self {
        Self { http, uri }
    }

    /// Sends a request. The relay may answer before all of it was sent.
    pub(super) async fn ask(&self, block: Bytes, chunk: Option<Chunk<'_>>) -> Result<Answer, FileRelayError> {
        let mut request = Request::new(());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.uri.clone();
        let mut http = within(self.http.clone().ready()).await??;
        let is_empty = block.is_empty();
        let (response, stream) = http.send_request(request, is_empty)?;
        let mut response = pin!(response);
        let mut sending = pin!(async { if is_empty { Ok(()) } else { send(stream, block, chunk).await } });
        let response = tokio::select! {
            biased;
            response = &mut response => response,
            sent = &mut sending => {
                sent?;
                within(response).await?
            }
        }?;
        if response.status() != StatusCode::OK {
            return Err(FileRelayError::Answer("a status of HTTP"));
        }
        Ok(Answer { body: response.into_body(), rest: Bytes::new() })
    }
}

/// Sends the body of a request, as the relay takes it. A stream that the relay has closed is no error: its answer says why.
async fn send(
    mut stream: SendStream<Bytes>,
    block: Bytes,
    chunk: Option<Chunk<'_>>,
) -> Result<(), FileRelayError> {
    let Some(mut chunk) = chunk else {
        write(&mut stream, block, true).await?;
        return Ok(());
    };
    if !write(&mut stream, block, false).await? {
        return Ok(());
    }
    while chunk.missing > 0 {
        let mut piece = BytesMut::with_capacity(PIECE);
        let mut limited = (&mut *chunk.content).take(PIECE.min(chunk.missing as usize) as u64);
        if limited.read_buf(&mut piece).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let length = piece.len();
        chunk.missing = chunk.missing.saturating_sub(u32::try_from(length).unwrap_or(u32::MAX));
        if !write(&mut stream, piece.freeze(), chunk.missing == 0).await? {
            return Ok(());
        }
        (chunk.moved)(length);
    }
    Ok(())
}

/// Sends bytes, and says whether the relay still takes some.
async fn write(
    stream: &mut SendStream<Bytes>,
    mut bytes: Bytes,
    is_end: bool,
) -> Result<bool, FileRelayError> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let Some(Ok(capacity)) = within(poll_fn(|cx| stream.poll_capacity(cx))).await? else {
            return Ok(false);
        };
        let piece = bytes.split_to(capacity.min(bytes.len()));
        if stream.send_data(piece, is_end && bytes.is_empty()).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Answer {
    /// The block at the beginning; less if the body is shorter.
    pub(super) async fn block(&mut self) -> Result<Vec<u8>, FileRelayError> {
        let mut block = Vec::new();
        while block.len() < BLOCK_BYTES {
            let Some(mut piece) = self.next().await? else { break };
            let taken = piece.split_to(piece.len().min(BLOCK_BYTES - block.len()));
            block.extend_from_slice(&taken);
            self.rest = piece;
        }
        Ok(block)
    }

    /// The next bytes; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, FileRelayError> {
        if !self.rest.is_empty() {
            return Ok(Some(std::mem::take(&mut self.rest)));
        }
        loop {
            let Some(piece) = within(self.body.data()).await? else { return Ok(None) };
            let piece = piece?;
            // From here on they are ours, and the relay may send as many again.
            self.body.flow_control().release_capacity(piece.len())?;
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }
}

async fn within<T>(work: impl Future<Output = T>) -> Result<T, FileRelayError> {
    timeout(IDLE, work).await.map_err(|_| FileRelayError::Timeout(IDLE))
}
