//! `FileRelayClient`: a connection to a file relay. Any number of commands may run over it at the same time.
//!
//! Chunks are streams in both directions: of each, one piece is in memory.

mod connect;
mod exchange;

use std::sync::Arc;

use bytes::Bytes;
use smp_crypto::hash::Sha256Stream;
use smp_crypto::tail_box::OpeningBox;
use smp_crypto::{Nonce, PrivateAuthKey, X25519PrivateKey, X25519PublicKey};
use smp_protocol::address::XftpAddress;
use smp_protocol::encoding::NonEmpty;
use smp_protocol::id::{ChunkRecipientId, ChunkSenderId, CorrelationId, EntityId};
use smp_protocol::key::{ChunkRecipientKey, RecipientDownloadKey};
use smp_protocol::transmission::{CommandKey, authorize};
use smp_protocol::xftp::command::{ChunkDigest, NewChunk, XftpCommand};
use smp_protocol::xftp::header::TAG_BYTES;
use smp_protocol::xftp::response::XftpResponse;
use smp_protocol::xftp::session::XftpSession;
use smp_protocol::xftp::transmission::{CommandBlockError, command_block, read_response};
use smp_transport::dial::Dialler;
use smp_transport::surroundings::{Randomness, Surroundings};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use self::exchange::{Answer, Exchange};
use crate::error::FileRelayError;

/// A connection to a file relay. Clones are the same; it ends with the last one.
#[derive(Clone)]
pub struct FileRelayClient(Arc<Inner>);

struct Inner {
    exchange: Exchange,
    session: XftpSession,
    relay_key: X25519PublicKey,
    randomness: Randomness,
}

/// A chunk to be downloaded.
#[derive(Debug, Clone, Copy)]
pub struct ChunkToGet<'a> {
    /// The ID of this recipient.
    pub id: &'a EntityId,
    /// Its key.
    pub key: &'a PrivateAuthKey,
    /// Size in bytes.
    pub size: u32,
    /// SHA-256 of the chunk.
    pub digest: &'a ChunkDigest,
}

impl FileRelayClient {
    /// Connects to a relay: TCP or a proxy, TLS, HTTP/2, and the handshake of file relays.
    ///
    /// # Errors
    /// [`FileRelayError`].
    pub async fn connect(
        address: &XftpAddress,
        dialler: Dialler,
        surroundings: &Surroundings,
    ) -> Result<Self, FileRelayError> {
        connect::connect(address, &dialler, surroundings).await
    }

    fn new(
        exchange: Exchange,
        session: XftpSession,
        relay_key: X25519PublicKey,
        randomness: Randomness,
    ) -> Self {
        Self(Arc::new(Inner { exchange, session, relay_key, randomness }))
    }

    /// Whether both are the same connection.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// `FNEW`: creates a chunk, authorized by the private part of the sender's key in it.
    ///
    /// # Errors
    /// [`FileRelayError`]; [`TooLong`](FileRelayError::TooLong) with more than 255 recipients.
    pub async fn create(
        &self,
        chunk: NewChunk,
        key: &PrivateAuthKey,
    ) -> Result<(ChunkSenderId, NonEmpty<ChunkRecipientId>), FileRelayError> {
        let recipients = chunk.recipient_keys.as_slice().len();
        match self.ask(XftpCommand::New(Box::new(chunk)), &EntityId::empty(), Some(key)).await? {
            XftpResponse::SenderIds(sender, ids) if ids.as_slice().len() == recipients => Ok((sender, ids)),
            _ => Err(FileRelayError::Answer("to FNEW")),
        }
    }

    /// `FADD`: adds recipients to a chunk.
    ///
    /// # Errors
    /// [`FileRelayError`].
    pub async fn add_recipients(
        &self,
        id: &ChunkSenderId,
        key: &PrivateAuthKey,
        recipients: NonEmpty<ChunkRecipientKey>,
    ) -> Result<NonEmpty<ChunkRecipientId>, FileRelayError> {
        let count = recipients.as_slice().len();
        match self.ask(XftpCommand::AddRecipients(recipients), &id.into(), Some(key)).await? {
            XftpResponse::RecipientIds(ids) if ids.as_slice().len() == count => Ok(ids),
            _ => Err(FileRelayError::Answer("to FADD")),
        }
    }

    /// `FPUT`: uploads a chunk, of which `content` must give `size` bytes. `moved` is told of each piece.
    ///
    /// # Errors
    /// [`FileRelayError`]; [`Local`](FileRelayError::Local) if the content cannot be read, or is shorter.
    pub async fn upload(
        &self,
        id: &ChunkSenderId,
        key: &PrivateAuthKey,
        content: &mut (dyn AsyncRead + Send + Unpin),
        size: u32,
        moved: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), FileRelayError> {
        let block = self.block(&XftpCommand::Put, &id.into(), Some(key))?;
        let chunk = exchange::Chunk { content, missing: size, moved };
        let mut answer = self.0.exchange.ask(block, Some(chunk)).await?;
        match self.read(&mut answer).await? {
            XftpResponse::Ok => Ok(()),
            _ => Err(FileRelayError::Answer("to FPUT")),
        }
    }

    /// `FGET`: downloads a chunk into `out`. **Nothing in `out` is authentic before this has returned `Ok`.**
    ///
    /// # Errors
    /// [`FileRelayError`]; [`Damaged`](FileRelayError::Damaged) if it is not the chunk of the digest: forget what is in `out`.
    pub async fn download(
        &self,
        chunk: ChunkToGet<'_>,
        out: &mut (dyn AsyncWrite + Send + Unpin),
        moved: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), FileRelayError> {
        let own = X25519PrivateKey::generate(&mut self.0.randomness.rng());
        let command = XftpCommand::Get(RecipientDownloadKey(own.public_key()));
        let block = self.block(&command, chunk.id, Some(chunk.key))?;
        let mut answer = self.0.exchange.ask(block, None).await?;
        let XftpResponse::File(relay_key, nonce) = self.read(&mut answer).await? else {
            return Err(FileRelayError::Answer("to FGET"));
        };
        let mut opening = OpeningBox::new(&own.agree(&relay_key.0).box_key(), &nonce);
        let (mut hash, mut missing, mut tag) = (Sha256Stream::new(), chunk.size as usize, Vec::new());
        while let Some(piece) = answer.next().await? {
            let of_chunk = piece.len().min(missing);
            let (content, of_tag) = piece.split_at(of_chunk);
            tag.extend_from_slice(of_tag);
            if tag.len() > TAG_BYTES {
                return Err(FileRelayError::Damaged);
            }
            missing -= of_chunk;
            let mut content = content.to_vec();
            opening.open(&mut content);
            hash.update(&content);
            out.write_all(&content).await?;
            moved(of_chunk);
        }
        // A connection that breaks ends the body with an error, not here.
        if missing > 0 || opening.finish(&tag).is_err() || hash.finish() != *chunk.digest {
            return Err(FileRelayError::Damaged);
        }
        Ok(out.flush().await?)
    }

    /// `FACK`: this recipient has no use for the chunk any more.
    ///
    /// # Errors
    /// [`FileRelayError`].
    pub async fn acknowledge(&self, id: &EntityId, key: &PrivateAuthKey) -> Result<(), FileRelayError> {
        self.done(XftpCommand::Acknowledge, id, key).await
    }

    /// `FDEL`: deletes a chunk for all of its recipients. `id` and `key` are the sender's.
    ///
    /// # Errors
    /// [`FileRelayError`].
    pub async fn delete(&self, id: &EntityId, key: &PrivateAuthKey) -> Result<(), FileRelayError> {
        self.done(XftpCommand::Delete, id, key).await
    }

    /// `PING`.
    ///
    /// # Errors
    /// [`FileRelayError`].
    pub async fn ping(&self) -> Result<(), FileRelayError> {
        match self.ask(XftpCommand::Ping, &EntityId::empty(), None).await? {
            XftpResponse::Pong => Ok(()),
            _ => Err(FileRelayError::Answer("to PING")),
        }
    }

    async fn done(
        &self,
        command: XftpCommand,
        id: &EntityId,
        key: &PrivateAuthKey,
    ) -> Result<(), FileRelayError> {
        match self.ask(command, id, Some(key)).await? {
            XftpResponse::Ok => Ok(()),
            _ => Err(FileRelayError::Answer("to FACK or FDEL")),
        }
    }

    /// Asks a command that has no chunk, on either side.
    async fn ask(
        &self,
        command: XftpCommand,
        entity: &EntityId,
        key: Option<&PrivateAuthKey>,
    ) -> Result<XftpResponse, FileRelayError> {
        let block = self.block(&command, entity, key)?;
        let mut answer = self.0.exchange.ask(block, None).await?;
        self.read(&mut answer).await
    }

    /// The block of a command, with an empty correlation ID, as peers in use send it, or one that is the nonce of an authenticator.
    fn block(
        &self,
        command: &XftpCommand,
        entity: &EntityId,
        key: Option<&PrivateAuthKey>,
    ) -> Result<Bytes, FileRelayError> {
        let id = match key {
            Some(PrivateAuthKey::X25519(_)) => CorrelationId::generate(&mut self.0.randomness.rng()),
            _ => CorrelationId::empty(),
        };
        let nonce = Nonce::from_slice_padded(id.as_bytes());
        let authorize = |covered: &[u8]| {
            let key = key.map(CommandKey::Queue);
            key.map(|key| authorize(key, Some(&self.0.relay_key), &nonce, covered, None)).transpose()
        };
        let block = command_block(&self.0.session, &id, entity, command, authorize);
        block.map(Bytes::from).map_err(|error| match error {
            CommandBlockError::TooLong(error) => FileRelayError::TooLong(error),
            CommandBlockError::Authorization(error) => FileRelayError::Handshake(error),
        })
    }

    async fn read(&self, answer: &mut Answer) -> Result<XftpResponse, FileRelayError> {
        let block = answer.block().await?;
        match read_response(&block, &self.0.session).response {
            Ok(XftpResponse::Error(error)) => Err(FileRelayError::Refused(error)),
            Ok(response) => Ok(response),
            Err(_) => Err(FileRelayError::Answer("no block of a file relay")),
        }
    }
}

impl std::fmt::Debug for FileRelayClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileRelayClient").finish_non_exhaustive()
    }
}
