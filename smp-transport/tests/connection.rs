//! Connections between our two roles.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{acceptor, connect, connected, connector, identity, pipe};
use smp_crypto::block_chain::{BLOCK_SIZE, MAX_CONTENT, MAX_PLAIN_CONTENT};
use smp_crypto::{X25519PrivateKey, X25519PublicKey};
use smp_protocol::error::{HandshakeError, TransportError};
use smp_protocol::handshake::ServiceRole;
use smp_protocol::id::ServiceId;
use smp_protocol::version::{SmpVersion, VersionRange};
use smp_transport::connection::{
    AcceptorSettings, ConnectionError, ConnectorSettings, RelayAcceptor, RelayConnector, ServiceIdentity,
};
use smp_transport::identity::{ChainError, RelayIdentity};
use smp_transport::surroundings::Time;
use smp_transport::tls::{TlsError, TlsServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn connector_with(identity: &RelayIdentity, change: impl FnOnce(&mut ConnectorSettings)) -> RelayConnector {
    let mut settings = ConnectorSettings::default();
    change(&mut settings);
    RelayConnector::new(identity.fingerprint(), settings).unwrap()
}

#[tokio::test]
async fn every_version_connects_and_exchanges_blocks() {
    let identity = identity();
    for number in SmpVersion::MIN.0..=SmpVersion::MAX.0 {
        let versions = VersionRange::new(SmpVersion::MIN, SmpVersion(number)).unwrap();
        let connector = connector_with(&identity, |settings| settings.versions = versions);
        let (client, relay) = connect(&connector, &acceptor(&identity)).await;
        let (mut client, mut relay) = (client.unwrap(), relay.unwrap());
        assert_eq!(client.session.parameters, relay.session.parameters);
        assert_eq!(client.session.parameters.version.0, number);
        assert_eq!(client.session.relay_key, Some(relay.side.key.public_key()));
        let encrypted = number >= SmpVersion::ENCRYPTED_BLOCKS.0;
        let limit = if encrypted { MAX_CONTENT } else { MAX_PLAIN_CONTENT };
        assert_eq!(client.writer.max_content(), limit);
        for length in [0, 1, 1000, limit] {
            let content: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            client.writer.write_block(&content).await.unwrap();
            client.writer.flush().await.unwrap();
            assert_eq!(relay.reader.read_block().await.unwrap()[..], content);
            relay.writer.write_block(&content).await.unwrap();
            relay.writer.flush().await.unwrap();
            assert_eq!(client.reader.read_block().await.unwrap()[..], content);
        }
    }
}

#[tokio::test]
async fn a_proxy_has_no_block_encryption() {
    let identity = identity();
    let connector = connector_with(&identity, |settings| settings.proxy = true);
    let (client, relay) = connect(&connector, &acceptor(&identity)).await;
    let (client, relay) = (client.unwrap(), relay.unwrap());
    assert!(relay.session.proxy);
    assert!(relay.session.secret.is_some());
    assert_eq!(client.writer.max_content(), MAX_PLAIN_CONTENT);
}

#[tokio::test]
async fn another_relay_is_refused() {
    let (client, relay) = connect(&connector(&identity()), &acceptor(&identity())).await;
    let error = client.unwrap_err();
    assert!(matches!(error, ConnectionError::Tls(TlsError::Certificate(ChainError::Fingerprint))), "{error}");
    assert!(relay.is_err());
}

#[tokio::test]
async fn versions_without_overlap_are_named() {
    let identity = identity();
    let range = |min, max| VersionRange::new(SmpVersion(min), SmpVersion(max)).unwrap();
    let connector = connector_with(&identity, |settings| settings.versions = range(12, 19));
    let settings = AcceptorSettings { versions: range(6, 11), ..AcceptorSettings::default() };
    let (client, relay) = connect(&connector, &RelayAcceptor::new(&identity, settings).unwrap()).await;
    let error = client.unwrap_err();
    let ConnectionError::Version { relay: theirs, ours } = error else { panic!("{error}") };
    assert_eq!((theirs, ours), (range(6, 11), range(12, 19)));
    assert!(matches!(relay, Err(ConnectionError::Closed)));
}

fn service(identity: RelayIdentity) -> ServiceIdentity {
    ServiceIdentity { role: ServiceRole::Notifier, identity }
}

#[tokio::test]
async fn a_service_is_registered() {
    let (relay, service_identity) = (identity(), identity());
    let id = ServiceId::generate(&mut rand::rng());
    let connector =
        connector_with(&relay, |settings| settings.service = Some(service(service_identity.clone())));
    let (ours, theirs) = pipe();
    let acceptor = acceptor(&relay);
    let accepting = acceptor.accept_with(theirs, async |found| {
        assert_eq!(found.fingerprint, service_identity.fingerprint());
        Ok(id.clone())
    });
    let (client, relay) = tokio::join!(connector.connect(ours), accepting);
    let (mut client, mut relay) = (client.unwrap(), relay.unwrap());
    let registered = client.side.service.as_ref().unwrap();
    let (verified, known) = relay.side.service.as_ref().unwrap();
    assert_eq!((&registered.id, known), (&id, &id));
    assert_eq!(registered.key.public_key(), verified.key);
    client.writer.write_block(b"after three messages").await.unwrap();
    client.writer.flush().await.unwrap();
    assert_eq!(relay.reader.read_block().await.unwrap()[..], *b"after three messages");
}

#[tokio::test]
async fn a_service_is_refused_where_there_are_none() {
    let relay = identity();
    let connector = connector_with(&relay, |settings| settings.service = Some(service(identity())));
    let (client, relay) = connect(&connector, &acceptor(&relay)).await;
    let refused = |error| {
        matches!(error, ConnectionError::Handshake(TransportError::Handshake(HandshakeError::BadService)))
    };
    assert!(refused(client.unwrap_err()));
    assert!(refused(relay.unwrap_err()));
}

#[tokio::test]
async fn many_blocks_go_with_one_flush_and_keep_their_order() {
    let (mut client, mut relay) = connected().await;
    let writing = tokio::spawn(async move {
        for number in 0..200_u32 {
            client.writer.write_block(&number.to_be_bytes()).await.unwrap();
        }
        client.writer.flush().await.unwrap();
        client.writer.close().await.unwrap();
    });
    for number in 0..200_u32 {
        assert_eq!(relay.reader.read_block().await.unwrap()[..], number.to_be_bytes());
    }
    assert!(matches!(relay.reader.read_block().await, Err(ConnectionError::Closed)));
    writing.await.unwrap();
}

#[tokio::test]
async fn content_that_is_too_long_does_no_harm() {
    let (mut client, mut relay) = connected().await;
    let refused = client.writer.write_block(&[0; MAX_CONTENT + 1]).await;
    assert!(
        matches!(refused, Err(ConnectionError::TooLong { length, limit }) if (length, limit) == (MAX_CONTENT + 1, MAX_CONTENT))
    );
    client.writer.write_block(b"still there").await.unwrap();
    client.writer.flush().await.unwrap();
    assert_eq!(relay.reader.read_block().await.unwrap()[..], *b"still there");
}

#[tokio::test]
async fn reading_can_be_cancelled_at_any_point() {
    let (mut client, mut relay) = connected().await;
    let writing = tokio::spawn(async move {
        for number in 0..50_u8 {
            client.writer.write_block(&[number; 5000]).await.unwrap();
            client.writer.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        client
    });
    for number in 0..50_u8 {
        let content = loop {
            tokio::select! {
                biased;
                block = relay.reader.read_block() => break block.unwrap(),
                () = tokio::task::yield_now() => (),
            }
        };
        assert_eq!(content[..], [number; 5000]);
    }
    drop(writing.await.unwrap());
}

/// A relay that does TLS as it should, and then whatever `play` does with the plain stream.
async fn client_with_odd_relay<F: Future<Output = ()> + Send + 'static>(
    play: impl FnOnce(Box<dyn Stream>) -> F + Send + 'static,
) -> ConnectionError {
    let identity = identity();
    let server = TlsServer::new(&identity, Time::machine()).unwrap();
    let (ours, theirs) = pipe();
    let relay = tokio::spawn(async move {
        let session = server.accept(theirs).await.unwrap();
        play(Box::new(session.into_stream())).await;
    });
    let error = connector(&identity).connect(ours).await.unwrap_err();
    relay.abort();
    error
}

trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send> Stream for T {}

fn padded(content: &[u8]) -> Vec<u8> {
    let mut block = (content.len() as u16).to_be_bytes().to_vec();
    block.extend_from_slice(content);
    block.resize(BLOCK_SIZE, b'#');
    block
}

#[tokio::test]
async fn a_relay_with_another_session_id_is_refused() {
    let error = client_with_odd_relay(async |mut stream| {
        let mut hello = vec![0, 6, 0, 19, 32];
        hello.extend_from_slice(&[7; 32]);
        stream.write_all(&padded(&hello)).await.unwrap();
        stream.flush().await.unwrap();
        std::future::pending().await
    })
    .await;
    assert!(matches!(error, ConnectionError::Handshake(TransportError::BadSession)), "{error}");
}

#[tokio::test]
async fn a_relay_that_closes_in_the_middle_of_its_hello_is_noticed() {
    let error = client_with_odd_relay(async |mut stream| {
        stream.write_all(&[0; BLOCK_SIZE - 1]).await.unwrap();
        stream.shutdown().await.unwrap();
    })
    .await;
    assert!(matches!(error, ConnectionError::Truncated), "{error}");
    let error = client_with_odd_relay(async |mut stream| stream.shutdown().await.unwrap()).await;
    assert!(matches!(error, ConnectionError::Closed), "{error}");
}

#[tokio::test]
async fn a_hello_that_is_no_hello_is_refused() {
    let error = client_with_odd_relay(async |mut stream| {
        stream.write_all(&[0xff; BLOCK_SIZE]).await.unwrap();
        stream.flush().await.unwrap();
        std::future::pending().await
    })
    .await;
    assert!(matches!(error, ConnectionError::UnreadableBlock), "{error}");
    let error = client_with_odd_relay(async |mut stream| {
        stream.write_all(&padded(&[0, 6])).await.unwrap();
        stream.flush().await.unwrap();
        std::future::pending().await
    })
    .await;
    let parse = TransportError::Handshake(HandshakeError::Parse);
    assert!(matches!(error, ConnectionError::Handshake(error) if error == parse), "{error}");
}

#[tokio::test]
async fn a_client_who_wants_another_relay_is_refused() {
    let relay = identity();
    let (ours, theirs) = pipe();
    let acceptor = acceptor(&relay);
    let client = async {
        let session = smp_transport::tls::TlsClient::new(relay.fingerprint(), None, Time::machine())
            .unwrap()
            .connect(ours)
            .await
            .unwrap();
        let mut stream = session.into_stream();
        let mut hello = [0; BLOCK_SIZE];
        stream.read_exact(&mut hello).await.unwrap();
        let mut answer = vec![0, 6, 32];
        answer.extend_from_slice(&[1; 32]);
        stream.write_all(&padded(&answer)).await.unwrap();
        stream.flush().await.unwrap();
        stream
    };
    let (_stream, accepted) = tokio::join!(client, acceptor.accept(theirs));
    let error = accepted.unwrap_err();
    let identity = TransportError::Handshake(HandshakeError::Identity);
    assert!(matches!(error, ConnectionError::Handshake(error) if error == identity), "{error}");
}

#[tokio::test(start_paused = true)]
async fn handshakes_have_a_limit() {
    let relay = identity();
    // a client that connects and says nothing
    let (_silent, theirs) = pipe();
    let error = acceptor(&relay).accept(theirs).await.unwrap_err();
    assert!(matches!(error, ConnectionError::HandshakeTimeout(_)), "{error}");
    // a relay that accepts and says nothing
    let (ours, _silent) = pipe();
    let error = connector(&relay).connect(ours).await.unwrap_err();
    assert!(matches!(error, ConnectionError::HandshakeTimeout(_)), "{error}");
    // a relay that says nothing after TLS
    let error = client_with_odd_relay(async |_stream| std::future::pending().await).await;
    assert!(matches!(error, ConnectionError::HandshakeTimeout(_)), "{error}");
}

/// A connected relay side, and the bytes stream of a client who is past the handshake.
async fn relay_with_raw_client(
    version: SmpVersion,
    rest_of_hello: &[u8],
) -> (
    smp_transport::connection::Connection<smp_transport::connection::RelaySide>,
    impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
) {
    let identity = identity();
    let acceptor = acceptor(&identity);
    let (ours, theirs) = pipe();
    let client = async {
        let client =
            smp_transport::tls::TlsClient::new(identity.fingerprint(), None, Time::machine()).unwrap();
        let mut stream = client.connect(ours).await.unwrap().into_stream();
        let mut hello = [0; BLOCK_SIZE];
        stream.read_exact(&mut hello).await.unwrap();
        let mut answer = vec![0, version.0 as u8, 32];
        answer.extend_from_slice(&identity.fingerprint());
        answer.extend_from_slice(rest_of_hello);
        stream.write_all(&padded(&answer)).await.unwrap();
        stream.flush().await.unwrap();
        stream
    };
    let (client, relay) = tokio::join!(client, acceptor.accept(theirs));
    (relay.unwrap(), client)
}

#[tokio::test]
async fn the_end_is_told_apart_from_a_cut() {
    let (mut relay, mut client) = relay_with_raw_client(SmpVersion::MIN, &[]).await;
    client.write_all(&padded(b"whole")).await.unwrap();
    client.write_all(&padded(b"cut")[..100]).await.unwrap();
    client.flush().await.unwrap();
    drop(client);
    assert_eq!(relay.reader.read_block().await.unwrap()[..], *b"whole");
    assert!(matches!(relay.reader.read_block().await, Err(ConnectionError::Truncated)));

    let (mut relay, client) = relay_with_raw_client(SmpVersion::MIN, &[]).await;
    drop(client);
    assert!(matches!(relay.reader.read_block().await, Err(ConnectionError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn a_block_must_not_take_for_ever_but_silence_may() {
    let (mut relay, mut client) = relay_with_raw_client(SmpVersion::MIN, &[]).await;
    let idle = tokio::time::timeout(Duration::from_secs(100_000), relay.reader.read_block()).await;
    assert!(idle.is_err(), "an idle connection has no limit here");

    let dripping = tokio::spawn(async move {
        for byte in padded(b"slow") {
            client.write_all(&[byte]).await.unwrap();
            client.flush().await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let before = tokio::time::Instant::now();
    assert!(matches!(relay.reader.read_block().await, Err(ConnectionError::SlowBlock)));
    assert!(before.elapsed() < Duration::from_secs(62));
    dripping.abort();
}

#[tokio::test]
async fn a_garbage_block_ends_the_connection() {
    let key = X25519PrivateKey::generate(&mut rand::rng());
    let mut field = vec![X25519PublicKey::DER_SIZE as u8];
    field.extend_from_slice(&key.public_key().to_der());
    let (mut relay, mut client) = relay_with_raw_client(SmpVersion::ENCRYPTED_BLOCKS, &field).await;
    assert_eq!(relay.writer.max_content(), MAX_CONTENT);
    client.write_all(&padded(b"padded, but not encrypted")).await.unwrap();
    client.flush().await.unwrap();
    assert!(matches!(relay.reader.read_block().await, Err(ConnectionError::UnreadableBlock)));
}
