//! A file relay under clients of HTTP/2, without TLS.

mod histories;
mod hostile;
mod tls;
mod transfers;

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Method, Request};
use smp_crypto::hash::sha256;
use smp_crypto::tail_box::OpeningBox;
use smp_crypto::{Ed25519PrivateKey, Nonce, PrivateAuthKey, X25519PrivateKey, X25519PublicKey, padding};
use smp_protocol::address::Password;
use smp_protocol::certificate::CertificateChain;
use smp_protocol::encoding::{NonEmpty, to_bytes};
use smp_protocol::id::{ChunkRecipientId, ChunkSenderId, CorrelationId, EntityId, SessionId};
use smp_protocol::key::{ChunkRecipientKey, ChunkSenderKey, RecipientDownloadKey};
use smp_protocol::transmission::{CommandKey, authorize};
use smp_protocol::version::XftpVersion;
use smp_protocol::xftp::command::{NewChunk, XftpCommand};
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::handshake::client::{XftpClient, answer};
use smp_protocol::xftp::handshake::{XftpClientHello, XftpRelayHello, read_refusal};
use smp_protocol::xftp::response::XftpResponse;
use smp_protocol::xftp::session::XftpSession;
use smp_protocol::xftp::transmission::{command_block, read_response};
use smp_transport::identity::{CertificateAuthority, KeyAlgorithm, RelayIdentity};
use smp_transport::surroundings::Surroundings;
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{FileConnection, FileIdentity, FileRelay, FileSettings};

const SIZE: u32 = 65_536;

/// An identity that is the same for all relays here.
fn relay_identity() -> &'static RelayIdentity {
    static IDENTITY: LazyLock<RelayIdentity> = LazyLock::new(|| {
        let (now, rng) = (OffsetDateTime::now_utc(), &mut rand::rng());
        let authority = CertificateAuthority::generate(KeyAlgorithm::Ed448, now, rng);
        authority.issue("localhost", KeyAlgorithm::Ed25519, now, rng).unwrap()
    });
    &IDENTITY
}

fn identity() -> FileIdentity {
    FileIdentity::of(relay_identity()).unwrap()
}

fn settings(directory: &Path) -> FileSettings {
    FileSettings { quota: 4 * u64::from(SIZE), ..FileSettings::new(directory.join("files")) }
}

fn start(settings: FileSettings) -> FileRelay {
    FileRelay::new(settings, identity(), Surroundings::machine()).unwrap()
}

fn chunk_files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory.join("files")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Waits until a condition holds.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A client with a session.
struct Client {
    http: SendRequest<Bytes>,
    session: XftpSession,
    relay_key: Option<X25519PublicKey>,
    number: u8,
}

/// A connection without a handshake.
async fn connect(relay: &FileRelay, alpn: bool) -> Client {
    let (ours, theirs) = tokio::io::duplex(20_000);
    let id = SessionId::new(&[9; 32]).unwrap();
    let connection = FileConnection { session_id: id.clone(), alpn };
    let relay = relay.clone();
    tokio::spawn(async move { relay.serve(theirs, connection).await });
    Client::over(ours, id).await
}

async fn client(relay: &FileRelay) -> Client {
    let mut client = connect(relay, true).await;
    client.agree(&identity().fingerprint, &identity().chain).await;
    client
}

fn client_hello(version: u16, fingerprint: [u8; 32]) -> Vec<u8> {
    let hello = XftpClientHello { version: XftpVersion(version), fingerprint: fingerprint.into() };
    padding::pad(&to_bytes(&hello), 16_384).unwrap()
}

impl Client {
    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, id: SessionId) -> Self {
        let (http, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Client { http, session: XftpSession::without_handshake(id), relay_key: None, number: 0 }
    }

    /// Does the handshake, as a client that has seen this chain in TLS.
    async fn agree(&mut self, fingerprint: &[u8; 32], relay_chain: &CertificateChain) {
        let hello = self.request(&[]).await;
        let hello = XftpRelayHello::read(padding::unpad(&hello).unwrap()).unwrap();
        let id = self.session.id.clone();
        let versions = XftpVersion::SUPPORTED;
        let client = XftpClient { versions, session_id: &id, fingerprint, relay_chain };
        let (hello, agreed) = answer(&hello, &client).unwrap();
        let block = padding::pad(&to_bytes(&hello), 16_384).unwrap();
        assert!(self.request(&[&block]).await.is_empty());
        (self.session, self.relay_key) = (agreed.session, Some(agreed.relay_key));
    }

    /// Sends a body in pieces, and returns the whole answer.
    async fn request(&mut self, pieces: &[&[u8]]) -> Vec<u8> {
        self.try_request(pieces).await.unwrap()
    }

    async fn try_request(&mut self, pieces: &[&[u8]]) -> Result<Vec<u8>, h2::Error> {
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

    fn block(&mut self, command: &XftpCommand, entity: &EntityId, key: Option<&PrivateAuthKey>) -> Vec<u8> {
        self.number += 1;
        let id = CorrelationId::from([self.number; 24]);
        let (relay_key, nonce) = (self.relay_key, Nonce::from_bytes([self.number; 24]));
        let authorize = |covered: &[u8]| {
            let key = key.map(CommandKey::Queue);
            key.map(|key| authorize(key, relay_key.as_ref(), &nonce, covered, None)).transpose()
        };
        command_block(&self.session, &id, entity, command, authorize).unwrap()
    }

    /// Sends a command, and what follows it, and returns the answer with what follows it.
    async fn send(
        &mut self,
        command: XftpCommand,
        entity: &EntityId,
        key: Option<&PrivateAuthKey>,
        chunk: &[&[u8]],
    ) -> (XftpResponse, Vec<u8>) {
        let block = self.block(&command, entity, key);
        let pieces: Vec<&[u8]> = std::iter::once(&block[..]).chain(chunk.iter().copied()).collect();
        let mut answer = self.request(&pieces).await;
        let rest = answer.split_off(16_384);
        let read = read_response(&answer, &self.session);
        assert_eq!(read.correlation_id, CorrelationId::from([self.number; 24]));
        (read.response.unwrap(), rest)
    }

    /// As [`send`](Self::send), of a command without a chunk.
    async fn ask(&mut self, command: XftpCommand, entity: &EntityId, key: &PrivateAuthKey) -> XftpResponse {
        self.send(command, entity, Some(key), &[]).await.0
    }

    async fn create(&mut self, chunk: &Chunk) -> (EntityId, Vec<EntityId>) {
        let response = self.ask(chunk.command(SIZE), &EntityId::empty(), &chunk.sender).await;
        let XftpResponse::SenderIds(sender, recipients) = response else { panic!("{response:?}") };
        (sender.into(), recipients.iter().map(EntityId::from).collect())
    }

    async fn put(&mut self, sender_id: &EntityId, chunk: &Chunk, content: &[&[u8]]) -> XftpResponse {
        self.send(XftpCommand::Put, sender_id, Some(&chunk.sender), content).await.0
    }

    /// Downloads a chunk and opens it.
    async fn get(&mut self, recipient_id: &EntityId, key: &PrivateAuthKey) -> Result<Vec<u8>, XftpError> {
        let own = X25519PrivateKey::generate(&mut rand::rng());
        let command = XftpCommand::Get(RecipientDownloadKey(own.public_key()));
        match self.send(command, recipient_id, Some(key), &[]).await {
            (XftpResponse::File(relay_key, nonce), mut sealed) => {
                let tag = sealed.split_off(sealed.len() - 16);
                let mut opening = OpeningBox::new(&own.agree(&relay_key.0).box_key(), &nonce);
                opening.open(&mut sealed);
                opening.finish(&tag).unwrap();
                Ok(sealed)
            }
            (XftpResponse::Error(error), _) => Err(error),
            (other, _) => panic!("{other:?}"),
        }
    }
}

/// A chunk with keys of a sender and of two recipients, one of which agrees.
struct Chunk {
    sender: PrivateAuthKey,
    recipients: [PrivateAuthKey; 2],
    content: Vec<u8>,
}

impl Chunk {
    fn new(first: u8) -> Self {
        Self {
            sender: Ed25519PrivateKey::from_bytes([first; 32]).into(),
            recipients: [
                Ed25519PrivateKey::from_bytes([first + 1; 32]).into(),
                X25519PrivateKey::from_bytes([first + 2; 32]).into(),
            ],
            content: (0..SIZE).map(|n| (n % 251) as u8 ^ first).collect(),
        }
    }

    fn command(&self, size: u32) -> XftpCommand {
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

fn error(error: XftpError) -> XftpResponse {
    XftpResponse::Error(error)
}

#[test]
fn settings_and_errors_tell_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let password = Some(Password::new("swordfish").unwrap());
    let shown = format!("{:?} {:?}", FileSettings { password, ..settings(dir.path()) }, identity());
    assert!(!shown.contains("swordfish") && shown.contains("Ed25519(Ed25519PrivateKey(..))"), "{shown}");
}
