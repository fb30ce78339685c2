//! A client of file relays that does what tests want, and chunks with their keys. Also for the tests of the whole relay: so it uses nothing of
//! this crate.

use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use http::{Method, Request};
use smp_crypto::hash::sha256;
use smp_crypto::tail_box::OpeningBox;
use smp_crypto::{Ed25519PrivateKey, Nonce, PrivateAuthKey, X25519PrivateKey, X25519PublicKey, padding};
use smp_protocol::certificate::CertificateChain;
use smp_protocol::encoding::{NonEmpty, to_bytes};
use smp_protocol::id::{CorrelationId, EntityId, SessionId};
use smp_protocol::key::{ChunkRecipientKey, ChunkSenderKey, RecipientDownloadKey};
use smp_protocol::transmission::{CommandKey, authorize};
use smp_protocol::version::XftpVersion;
use smp_protocol::xftp::command::{NewChunk, XftpCommand};
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::handshake::XftpRelayHello;
use smp_protocol::xftp::handshake::client::{XftpClient, answer};
use smp_protocol::xftp::response::XftpResponse;
use smp_protocol::xftp::session::XftpSession;
use smp_protocol::xftp::transmission::{command_block, read_response};
use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) const SIZE: u32 = 65_536;

/// A client with a session.
pub(crate) struct Client {
    pub(crate) http: SendRequest<Bytes>,
    pub(crate) session: XftpSession,
    pub(crate) relay_key: Option<X25519PublicKey>,
    pub(crate) number: u8,
}

impl Client {
    pub(crate) async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        id: SessionId,
    ) -> Self {
        Self::try_over(stream, id).await.unwrap()
    }

    pub(crate) async fn try_over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        id: SessionId,
    ) -> Result<Self, h2::Error> {
        let (http, connection) = h2::client::handshake(stream).await?;
        tokio::spawn(connection);
        Ok(Client { http, session: XftpSession::without_handshake(id), relay_key: None, number: 0 })
    }

    /// Does the handshake, as a client that has seen this chain in TLS.
    pub(crate) async fn agree(&mut self, fingerprint: &[u8; 32], relay_chain: &CertificateChain) {
        self.try_agree(fingerprint, relay_chain).await.unwrap();
    }

    pub(crate) async fn try_agree(
        &mut self,
        fingerprint: &[u8; 32],
        relay_chain: &CertificateChain,
    ) -> Result<(), h2::Error> {
        let hello = self.try_request(&[]).await?;
        let hello = XftpRelayHello::read(padding::unpad(&hello).unwrap()).unwrap();
        let id = self.session.id.clone();
        let versions = XftpVersion::SUPPORTED;
        let client = XftpClient { versions, session_id: &id, fingerprint, relay_chain };
        let (hello, agreed) = answer(&hello, &client).unwrap();
        let block = padding::pad(&to_bytes(&hello), 16_384).unwrap();
        assert!(self.try_request(&[&block]).await?.is_empty());
        (self.session, self.relay_key) = (agreed.session, Some(agreed.relay_key));
        Ok(())
    }

    /// Sends a body in pieces, and returns the whole answer.
    pub(crate) async fn request(&mut self, pieces: &[&[u8]]) -> Vec<u8> {
        self.try_request(pieces).await.unwrap()
    }

    pub(crate) async fn try_request(&mut self, pieces: &[&[u8]]) -> Result<Vec<u8>, h2::Error> {
        let request = Request::builder().method(Method::POST).uri("https://localhost/").body(()).unwrap();
        self.http = self.http.clone().ready().await?;
        let (response, mut body) = self.http.send_request(request, pieces.is_empty())?;
        for (n, piece) in pieces.iter().enumerate() {
            // The relay may have answered and closed the stream before all was sent.
            let _ = body.send_data(Bytes::copy_from_slice(piece), n + 1 == pieces.len());
        }
        let response = response.await?;
        assert_eq!(response.status(), 200);
        let (mut body, mut received) = (response.into_body(), Vec::new());
        while let Some(data) = body.data().await {
            let data = data?;
            received.extend_from_slice(&data);
            body.flow_control().release_capacity(data.len())?;
        }
        Ok(received)
    }

    pub(crate) fn block(
        &mut self,
        command: &XftpCommand,
        entity: &EntityId,
        key: Option<&PrivateAuthKey>,
    ) -> Vec<u8> {
        self.number = self.number.wrapping_add(1);
        let id = CorrelationId::from([self.number; 24]);
        let (relay_key, nonce) = (self.relay_key, Nonce::from_bytes([self.number; 24]));
        let authorize = |covered: &[u8]| {
            let key = key.map(CommandKey::Queue);
            key.map(|key| authorize(key, relay_key.as_ref(), &nonce, covered, None)).transpose()
        };
        command_block(&self.session, &id, entity, command, authorize).unwrap()
    }

    /// Sends a command, and what follows it, and returns the answer with what follows it.
    pub(crate) async fn send(
        &mut self,
        command: XftpCommand,
        entity: &EntityId,
        key: Option<&PrivateAuthKey>,
        chunk: &[&[u8]],
    ) -> (XftpResponse, Vec<u8>) {
        self.try_send(command, entity, key, chunk).await.unwrap()
    }

    /// As [`send`](Self::send), unless the connection breaks.
    pub(crate) async fn try_send(
        &mut self,
        command: XftpCommand,
        entity: &EntityId,
        key: Option<&PrivateAuthKey>,
        chunk: &[&[u8]],
    ) -> Result<(XftpResponse, Vec<u8>), h2::Error> {
        let block = self.block(&command, entity, key);
        let pieces: Vec<&[u8]> = std::iter::once(&block[..]).chain(chunk.iter().copied()).collect();
        let mut answer = self.try_request(&pieces).await?;
        let rest = answer.split_off(16_384);
        let read = read_response(&answer, &self.session);
        assert_eq!(read.correlation_id, CorrelationId::from([self.number; 24]));
        Ok((read.response.unwrap(), rest))
    }

    /// As [`send`](Self::send), of a command without a chunk.
    pub(crate) async fn ask(
        &mut self,
        command: XftpCommand,
        entity: &EntityId,
        key: &PrivateAuthKey,
    ) -> XftpResponse {
        self.send(command, entity, Some(key), &[]).await.0
    }

    pub(crate) async fn create(&mut self, chunk: &Chunk) -> (EntityId, Vec<EntityId>) {
        let response = self.ask(chunk.command(SIZE), &EntityId::empty(), &chunk.sender).await;
        let XftpResponse::SenderIds(sender, recipients) = response else { panic!("{response:?}") };
        (sender.into(), recipients.iter().map(EntityId::from).collect())
    }

    pub(crate) async fn put(
        &mut self,
        sender_id: &EntityId,
        chunk: &Chunk,
        content: &[&[u8]],
    ) -> XftpResponse {
        self.send(XftpCommand::Put, sender_id, Some(&chunk.sender), content).await.0
    }

    /// Begins an upload, which goes on until both are dropped.
    pub(crate) async fn begin_put(
        &mut self,
        sender_id: &EntityId,
        chunk: &Chunk,
        begin: &[u8],
    ) -> (ResponseFuture, SendStream<Bytes>) {
        let block = self.block(&XftpCommand::Put, sender_id, Some(&chunk.sender));
        let request = Request::builder().method(Method::POST).uri("https://localhost/").body(()).unwrap();
        self.http = self.http.clone().ready().await.unwrap();
        let (response, mut body) = self.http.send_request(request, false).unwrap();
        body.send_data(block.into(), false).unwrap();
        body.send_data(Bytes::copy_from_slice(begin), false).unwrap();
        (response, body)
    }

    /// Downloads a chunk and opens it.
    pub(crate) async fn get(
        &mut self,
        recipient_id: &EntityId,
        key: &PrivateAuthKey,
    ) -> Result<Vec<u8>, XftpError> {
        self.try_get(recipient_id, key).await.unwrap()
    }

    /// As [`get`](Self::get), unless the connection breaks.
    pub(crate) async fn try_get(
        &mut self,
        recipient_id: &EntityId,
        key: &PrivateAuthKey,
    ) -> Result<Result<Vec<u8>, XftpError>, h2::Error> {
        let own = X25519PrivateKey::generate(&mut rand::rng());
        let command = XftpCommand::Get(RecipientDownloadKey(own.public_key()));
        Ok(match self.try_send(command, recipient_id, Some(key), &[]).await? {
            (XftpResponse::File(relay_key, nonce), mut sealed) => {
                let tag = sealed.split_off(sealed.len() - 16);
                let mut opening = OpeningBox::new(&own.agree(&relay_key.0).box_key(), &nonce);
                opening.open(&mut sealed);
                opening.finish(&tag).unwrap();
                Ok(sealed)
            }
            (XftpResponse::Error(error), _) => Err(error),
            (other, _) => panic!("{other:?}"),
        })
    }
}

/// A chunk with keys of a sender and of two recipients, one of which agrees.
pub(crate) struct Chunk {
    pub(crate) sender: PrivateAuthKey,
    pub(crate) recipients: [PrivateAuthKey; 2],
    pub(crate) content: Vec<u8>,
}

impl Chunk {
    pub(crate) fn new(first: u8) -> Self {
        Self {
            sender: Ed25519PrivateKey::from_bytes([first; 32]).into(),
            recipients: [
                Ed25519PrivateKey::from_bytes([first + 1; 32]).into(),
                X25519PrivateKey::from_bytes([first + 2; 32]).into(),
            ],
            content: (0..SIZE).map(|n| (n % 251) as u8 ^ first).collect(),
        }
    }

    pub(crate) fn command(&self, size: u32) -> XftpCommand {
        let keys = self.recipients.iter().map(|key| ChunkRecipientKey(key.public_key())).collect();
        XftpCommand::New(Box::new(NewChunk {
            sender_key: ChunkSenderKey(self.sender.public_key()),
            size,
            digest: sha256(&self.content),
            recipient_keys: NonEmpty::new(keys).unwrap(),
            password: None,
        }))
    }
}

pub(crate) fn error(error: XftpError) -> XftpResponse {
    XftpResponse::Error(error)
}
