//! Our server and our client with each other: what is negotiated, what is refused.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::pin::Pin;
use std::task::{Context, Poll};

use smp_transport::identity::{CertificateAuthority, ChainError, KeyAlgorithm, RelayIdentity};
use smp_transport::surroundings::Time;
use smp_transport::tls::{ALPN, ByteStream, TlsClient, TlsError, TlsServer, TlsSession};
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

fn identity(ca: KeyAlgorithm, leaf: KeyAlgorithm) -> RelayIdentity {
    let now = OffsetDateTime::now_utc();
    let authority = CertificateAuthority::generate(ca, now, &mut rand::rng());
    authority.issue("localhost", leaf, now, &mut rand::rng()).unwrap()
}

fn default_identity() -> RelayIdentity {
    identity(KeyAlgorithm::Ed25519, KeyAlgorithm::Ed25519)
}

async fn handshake(
    client: &TlsClient,
    server: &TlsServer,
    ends: (impl ByteStream, impl ByteStream),
) -> (Result<TlsSession, TlsError>, Result<TlsSession, TlsError>) {
    tokio::join!(client.connect(ends.0), server.accept(ends.1))
}

fn pipe() -> (DuplexStream, DuplexStream) {
    tokio::io::duplex(16 * 1024)
}

#[tokio::test]
async fn both_sides_see_the_same_session() {
    for ca in [KeyAlgorithm::Ed25519, KeyAlgorithm::Ed448] {
        for leaf in [KeyAlgorithm::Ed25519, KeyAlgorithm::Ed448] {
            let identity = identity(ca, leaf);
            let server = TlsServer::new(&identity, Time::machine()).unwrap();
            let client = TlsClient::new(identity.fingerprint(), None, Time::machine()).unwrap();
            let (ours, theirs) = handshake(&client, &server, pipe()).await;
            let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
            assert_eq!(ours.session_id(), theirs.session_id());
            assert_eq!(ours.peer_chain(), identity.chain());
            assert_eq!(ours.alpn(), Some(ALPN));
            assert_eq!(theirs.alpn(), Some(ALPN));
            assert_eq!(theirs.peer_chain(), []);
            assert!(!ours.certificate_sent());
        }
    }
}

#[tokio::test]
async fn another_relay_is_refused() {
    let server = TlsServer::new(&default_identity(), Time::machine()).unwrap();
    let client = TlsClient::new(default_identity().fingerprint(), None, Time::machine()).unwrap();
    let (ours, theirs) = handshake(&client, &server, pipe()).await;
    assert!(matches!(ours, Err(TlsError::Certificate(ChainError::Fingerprint))), "{ours:?}");
    assert!(matches!(theirs, Err(TlsError::Protocol(_))), "{theirs:?}");
}

#[tokio::test]
async fn a_service_shows_its_certificates() {
    let (relay, service) = (default_identity(), identity(KeyAlgorithm::Ed448, KeyAlgorithm::Ed25519));
    let server = TlsServer::new(&relay, Time::machine()).unwrap();
    let client = TlsClient::new(relay.fingerprint(), Some(&service), Time::machine()).unwrap();
    let (ours, theirs) = handshake(&client, &server, pipe()).await;
    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
    assert!(ours.certificate_sent());
    assert_eq!(theirs.peer_chain(), service.chain());
    assert_eq!(ours.session_id(), theirs.session_id());
}

#[tokio::test]
async fn bytes_that_are_not_tls_are_an_error() {
    let server = TlsServer::new(&default_identity(), Time::machine()).unwrap();
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 2000], &[0x16, 3, 1, 0xff, 0xff], &[]] {
        let (mut client, end) = pipe();
        tokio::io::AsyncWriteExt::write_all(&mut client, bytes).await.unwrap();
        drop(client);
        assert!(server.accept(end).await.is_err());
    }
}

/// A stream that is often not ready, so that handshakes interleave at every point.
struct Reluctant<S>(S, u32);

impl<S> Reluctant<S> {
    fn not_now(&mut self, cx: &Context<'_>) -> bool {
        self.1 = self.1.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let refuse = self.1 >> 31 == 1;
        if refuse {
            cx.waker().wake_by_ref();
        }
        refuse
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Reluctant<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.not_now(cx) {
            return Poll::Pending;
        }
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Reluctant<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.not_now(cx) {
            return Poll::Pending;
        }
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn interleaved_handshakes_keep_their_own_session_ids() {
    const HANDSHAKES: u32 = 400;
    let identity = default_identity();
    let server = TlsServer::new(&identity, Time::machine()).unwrap();
    let client = TlsClient::new(identity.fingerprint(), None, Time::machine()).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..HANDSHAKES {
        let (server, client) = (server.clone(), client.clone());
        tasks.spawn(async move {
            let (ours, theirs) = tokio::io::duplex(97);
            let (ours, theirs) = (Reluctant(ours, number), Reluctant(theirs, !number));
            // half of them have both ends in one task, half in two
            let (ours, theirs) = if number % 2 == 0 {
                handshake(&client, &server, (ours, theirs)).await
            } else {
                let accepting = tokio::spawn(async move { server.accept(theirs).await });
                let ours = client.connect(ours).await;
                (ours, accepting.await.unwrap())
            };
            let (ours, theirs) = (*ours.unwrap().session_id(), *theirs.unwrap().session_id());
            assert_eq!(ours, theirs);
            ours
        });
    }
    let distinct: HashSet<[u8; 32]> = tasks.join_all().await.into_iter().collect();
    assert_eq!(distinct.len(), HANDSHAKES as usize);
}
