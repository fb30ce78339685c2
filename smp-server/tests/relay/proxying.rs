//! `PRXY` and `PFWD`: sending to one relay through another.

use std::{borrow::Cow, time::Duration};

use futures_util::StreamExt as _;
use smp_crypto::{PrivateAuthKey, X25519PublicKey};
use smp_protocol::{
    address::{Password, RelayAddress},
    command::Command,
    encoding::NonEmpty,
    error::{BrokerErrorType, ErrorType, NetworkError, ProxyError},
    id::{EntityId, SessionId},
    key::SenderAuthKey,
    message::BrokerMessage,
    session::SessionParameters,
    version::{SmpVersion, VersionRange},
};
use smp_server::config::parse_password;
use smp_transport::{
    client::{ClientError, ProxiedRelay, Request, SendPath},
    connection::{AcceptorSettings, RelayAcceptor},
    identity::{CertificateAuthority, KeyAlgorithm},
};

use crate::{
    forwarding::Sealed,
    support::{Client, TestRelay, ed25519, refused, relay, relay_with, send, x25519},
};

/// A session of a proxy with a destination, as the sender knows it.
pub(crate) struct ProxySession {
    id: SessionId,
    versions: VersionRange<SmpVersion>,
    key: X25519PublicKey,
}

pub(crate) async fn prxy(
    client: &Client,
    relay: &RelayAddress,
    password: Option<Password>,
) -> Result<ProxySession, ClientError> {
    let command = Command::ProxySession { relay: Box::new(relay.clone()), password };
    match client.ask(None, EntityId::empty(), command).await? {
        BrokerMessage::ProxySessionKey { session_id, versions, key } => {
            assert_eq!(key.chain.relay_fingerprint(), Some(relay.fingerprint));
            let leaf_key = key.chain.leaf_key().unwrap();
            let key = key.signed_key.verify_x25519(&leaf_key).unwrap();
            Ok(ProxySession { id: session_id, versions, key })
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn pfwd(
    client: &Client,
    session: &ProxySession,
    key: Option<&PrivateAuthKey>,
    entity: impl Into<EntityId>,
    command: Command<'_>,
) -> Result<BrokerMessage<'static>, ClientError> {
    let version = session.versions.max();
    let parameters = SessionParameters { version, id: session.id.clone() };
    let sealed = Sealed::new(parameters, &session.key, key, entity.into(), &command);
    let transmission = Cow::Borrowed(sealed.boxed.as_slice());
    let forward = Command::ProxyForward { version, key: sealed.key, transmission };
    let mut request = Request::new(None, EntityId::new(session.id.as_bytes()).unwrap(), forward);
    request.correlation_id = Some(sealed.corr_id.clone());
    match client.relay.request(request).await? {
        BrokerMessage::ProxyResponse(response) => Ok(sealed.open(&response)),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn proxy_error(answer: Result<ProxySession, ClientError>) -> ProxyError {
    match refused(answer.map(|_| BrokerMessage::Ok)) {
        ErrorType::Proxy(error) => *error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_sender_is_hidden_behind_a_proxy() {
    let (proxy, destination) = (relay().await, relay().await);
    let (mut alice, bob, eve) = (destination.client().await, proxy.client().await, proxy.client().await);
    let session = prxy(&bob, destination.running.address(), None).await.unwrap();
    let same = prxy(&eve, destination.running.address(), None).await.unwrap();
    assert_eq!(session.id, same.id, "clients share the session");
    assert_eq!((session.versions.min(), session.versions.max()), (SmpVersion(8), SmpVersion(17)));

    let (queue, key) = (alice.queue().await, x25519());
    let skey = Command::SenderSecure(SenderAuthKey(key.public_key()));
    assert_eq!(pfwd(&bob, &session, Some(&key), queue.sender(), skey).await.unwrap(), BrokerMessage::Ok);
    let largest = vec![b'x'; 16_048];
    for body in [b"hidden".as_slice(), &largest] {
        let answer = pfwd(&bob, &session, Some(&key), queue.sender(), send(body)).await.unwrap();
        assert_eq!(answer, BrokerMessage::Ok);
        let (id, received) = alice.message(&queue).await;
        assert_eq!(received, body);
        assert!(alice.ack(&queue, &id).await.is_none());
    }
    let answer = pfwd(&eve, &same, Some(&x25519()), queue.sender(), send(b"")).await.unwrap();
    assert_eq!(answer, BrokerMessage::Error(ErrorType::Auth));
}

/// As an agent sends: the same call, whichever way it goes.
#[tokio::test]
async fn the_relay_client_sends_directly_and_through_a_proxy() {
    let (proxy, destination) = (relay().await, relay().await);
    let (mut alice, own, bob) =
        (destination.client().await, destination.client().await, proxy.client().await);
    let address = destination.running.address();
    let open = async |address: &RelayAddress| {
        ProxiedRelay::open(&bob.relay, address, None, SmpVersion::SUPPORTED).await
    };
    let proxied = open(address).await.unwrap();
    for path in [SendPath::Direct(own.relay.clone()), SendPath::Proxied(proxied)] {
        let expected = if matches!(path, SendPath::Direct(_)) { SmpVersion::MAX } else { SmpVersion(17) };
        assert_eq!((path.version(), path.ended().is_none()), (expected, true));
        for key in [x25519(), ed25519()] {
            let queue = alice.queue().await;
            let skey = Command::SenderSecure(SenderAuthKey(key.public_key()));
            assert_eq!(path.send(Some(&key), queue.sender(), skey).await.unwrap(), BrokerMessage::Ok);
            let largest = vec![b'x'; 16_048];
            for body in [b"text".as_slice(), &largest] {
                let answer = path.send(Some(&key), queue.sender(), send(body)).await.unwrap();
                assert_eq!(answer, BrokerMessage::Ok);
                let (id, received) = alice.message(&queue).await;
                assert_eq!(received, body);
                assert!(alice.ack(&queue, &id).await.is_none());
            }
            let refused = path.send(Some(&x25519()), queue.sender(), send(b"")).await;
            assert!(matches!(refused, Err(ClientError::Relay(ErrorType::Auth))), "{refused:?}");
        }
        let refused = path.send(None, EntityId::from([1; 24]), send(&[0; 20_000])).await;
        assert!(matches!(refused, Err(ClientError::TooLarge)), "{refused:?}");
    }
    // Errors of the proxy are told from those of the destination.
    let foreign = changed(&destination, |address| address.fingerprint = [7; 32]);
    let error = open(&foreign).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Proxy(error) if matches!(**error, ProxyError::Broker(_))),
        "{error:?}"
    );
    assert!(error.is_temporary());
    let lost = open(address).await.unwrap();
    destination.running.kill().await;
    let error = lost.send(None, EntityId::from([1; 24]), send(b"")).await.unwrap_err();
    assert!(matches!(error, ClientError::Proxy(_)), "{error:?}");
}

#[tokio::test]
async fn many_senders_at_once_share_the_session() {
    let (proxy, destination) = (relay_with(|c| c.proxy.client_concurrency = 4).await, relay().await);
    let (mut alice, bob) = (destination.client().await, proxy.client().await);
    let session = prxy(&bob, destination.running.address(), None).await.unwrap();
    let queue = alice.queue().await;
    let sending = (0..64).map(|_| pfwd(&bob, &session, None, queue.sender(), send(b"one of many")));
    let answers = futures_util::future::join_all(sending).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(BrokerMessage::Ok))), "{answers:?}");
    let mut count = 0;
    let mut next = Some(alice.message(&queue).await);
    while let Some((id, _)) = next {
        count += 1;
        next = alice.ack(&queue, &id).await;
    }
    assert_eq!(count, 64);
}

#[tokio::test]
async fn the_proxy_can_be_reserved_or_switched_off() {
    let destination = relay().await;
    let protected = relay_with(|config| {
        config.queues.create_password = Some(parse_password("s3cret").unwrap());
    })
    .await;
    let client = protected.client().await;
    let address = destination.running.address();
    for password in [None, Some(parse_password("wrong").unwrap())] {
        assert_eq!(proxy_error(prxy(&client, address, password).await), ProxyError::BasicAuth);
    }
    assert!(prxy(&client, address, Some(parse_password("s3cret").unwrap())).await.is_ok());
    let off = relay_with(|config| config.proxy.enabled = false).await;
    assert_eq!(proxy_error(prxy(&off.client().await, address, None).await), ProxyError::BasicAuth);
}

/// The address of a relay with something changed.
fn changed(relay: &TestRelay, change: impl FnOnce(&mut RelayAddress)) -> RelayAddress {
    let mut address = relay.running.address().clone();
    change(&mut address);
    address
}

#[tokio::test]
async fn relays_that_cannot_be_used_are_named_with_the_reason() {
    let (proxy, destination) = (relay().await, relay().await);
    let client = proxy.client().await;
    let foreign = changed(&destination, |address| address.fingerprint = [7; 32]);
    let network = ProxyError::Broker(BrokerErrorType::Network(NetworkError::Failed));
    assert_eq!(proxy_error(prxy(&client, &foreign, None).await), network, "senders try again then");
    // Nobody listens on port 1.
    let absent = changed(&destination, |address| address.port = Some(1));
    for _ in 0..2 {
        assert_eq!(proxy_error(prxy(&client, &absent, None).await), network);
    }
    let onion: RelayAddress =
        format!("smp://{}@abcdef.onion", smp_crypto::base64url::encode(&[7; 32])).parse().unwrap();
    assert_eq!(proxy_error(prxy(&client, &onion, None).await), ProxyError::Broker(BrokerErrorType::Host));
    let careful = relay_with(|config| config.proxy.allow_private_hosts = false).await;
    let answer = prxy(&careful.client().await, destination.running.address(), None).await;
    // After this answer an app may connect directly, if its user allows that.
    assert_eq!(proxy_error(answer), ProxyError::Broker(BrokerErrorType::Host));
}

#[tokio::test]
async fn a_lost_session_is_made_again() {
    let proxy = relay_with(|config| config.proxy.retry_interval = Duration::ZERO).await;
    let destination = relay().await;
    let client = proxy.client().await;
    let address = destination.running.address().clone();
    let session = prxy(&client, &address, None).await.unwrap();
    let destination = destination.again(smp_server::RunningRelay::kill).await;
    let lost = pfwd(&client, &session, None, EntityId::from([1; 24]), send(b"")).await;
    let ErrorType::Proxy(lost) = refused(lost) else { panic!() };
    assert!(matches!(*lost, ProxyError::NoSession | ProxyError::Broker(_)), "{lost:?}");
    let renewed = prxy(&client, &address, None).await.unwrap();
    assert_ne!(session.id, renewed.id);
    let answer = pfwd(&client, &renewed, None, EntityId::from([1; 24]), send(b"")).await.unwrap();
    assert_eq!(answer, BrokerMessage::Error(ErrorType::Auth));
    drop(destination);
}

#[tokio::test]
async fn unknown_sessions_are_refused() {
    let proxy = relay().await;
    let client = proxy.client().await;
    let forward = Command::ProxyForward {
        version: SmpVersion::MAX,
        key: smp_crypto::X25519PrivateKey::generate(&mut rand::rng()).public_key().into(),
        transmission: Cow::Borrowed(b"box"),
    };
    let answer = client.ask(None, EntityId::from([1; 24]), forward).await;
    assert_eq!(refused(answer), ErrorType::Proxy(Box::new(ProxyError::NoSession)));
}

#[tokio::test]
async fn a_session_that_nobody_uses_is_closed() {
    let proxy = relay_with(|config| config.proxy.idle_timeout = Duration::from_millis(300)).await;
    let destination = relay().await;
    let client = proxy.client().await;
    let address = destination.running.address();
    let session = prxy(&client, address, None).await.unwrap();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let answer = pfwd(&client, &session, None, EntityId::from([1; 24]), send(b"")).await.unwrap();
        assert_eq!(answer, BrokerMessage::Error(ErrorType::Auth), "used, so not closed");
    }
    while destination.running.connections() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let answer = pfwd(&client, &session, None, EntityId::from([1; 24]), send(b"")).await;
    assert_eq!(refused(answer), ErrorType::Proxy(Box::new(ProxyError::NoSession)));
    assert_ne!(prxy(&client, address, None).await.unwrap().id, session.id);
}

#[tokio::test]
async fn one_client_cannot_take_all_places_for_relays() {
    let proxy = relay_with(|config| config.proxy.max_relays = 2).await;
    let (one, two, three) = (relay().await, relay().await, relay().await);
    let client = proxy.client().await;
    let first = prxy(&client, one.running.address(), None).await.unwrap();
    let network = ProxyError::Broker(BrokerErrorType::Network(NetworkError::Failed));
    // Nobody listens there. Failed ones go first.
    for port in 1..=5 {
        let absent = changed(&one, |address| address.port = Some(port));
        assert_eq!(proxy_error(prxy(&client, &absent, None).await), network);
    }
    let second = prxy(&client, two.running.address(), None).await.unwrap();
    let answer = pfwd(&client, &first, None, EntityId::from([1; 24]), send(b"")).await.unwrap();
    assert_eq!(answer, BrokerMessage::Error(ErrorType::Auth));
    // Then the one that was used before the others.
    let third = prxy(&client, three.running.address(), None).await.unwrap();
    for session in [&first, &third] {
        let answer = pfwd(&client, session, None, EntityId::from([1; 24]), send(b"")).await.unwrap();
        assert_eq!(answer, BrokerMessage::Error(ErrorType::Auth));
    }
    let answer = pfwd(&client, &second, None, EntityId::from([1; 24]), send(b"")).await;
    assert_eq!(refused(answer), ErrorType::Proxy(Box::new(ProxyError::NoSession)));
}

/// The same relay under many addresses is as many relays.
#[tokio::test]
async fn one_client_cannot_take_the_places_of_others() {
    let proxy = relay_with(|config| {
        (config.proxy.max_relays, config.proxy.max_client_relays) = (3, 2);
    })
    .await;
    let (one, two) = (relay().await, relay().await);
    let (greedy, other) = (proxy.client().await, proxy.client().await);
    let session = prxy(&other, one.running.address(), None).await.unwrap();
    let mut last = None;
    for more in 0..5 {
        let address = changed(&two, |address| {
            let hosts = vec!["127.0.0.1".parse().unwrap(); 1 + more];
            address.hosts = NonEmpty::new(hosts).unwrap();
        });
        last = Some(prxy(&greedy, &address, None).await.unwrap());
    }
    for (client, session) in [(&other, &session), (&greedy, &last.unwrap())] {
        let answer = pfwd(client, session, None, EntityId::from([1; 24]), send(b"")).await.unwrap();
        assert_eq!(answer, BrokerMessage::Error(ErrorType::Auth));
    }
}

/// Each with a connection of its own, so that none has a place to give up.
#[tokio::test]
async fn many_clients_cannot_close_the_sessions_that_another_one_uses() {
    let proxy = relay_with(|config| config.proxy.max_relays = 2).await;
    let (one, two) = (relay().await, relay().await);
    let client = proxy.client().await;
    let sessions =
        [prxy(&client, one.running.address(), None).await, prxy(&client, two.running.address(), None).await];
    let network = ProxyError::Broker(BrokerErrorType::Network(NetworkError::Failed));
    for number in 2..6 {
        let address = changed(&two, |address| {
            address.hosts = NonEmpty::new(vec!["127.0.0.1".parse().unwrap(); number]).unwrap();
        });
        let other = proxy.client().await;
        assert_eq!(proxy_error(prxy(&other, &address, None).await), network);
    }
    for session in &sessions {
        let session = session.as_ref().unwrap();
        let answer = pfwd(&client, session, None, EntityId::from([1; 24]), send(b"")).await.unwrap();
        assert_eq!(answer, BrokerMessage::Error(ErrorType::Auth));
    }
}

/// With any hosts in its address.
#[tokio::test]
async fn a_relay_forwards_to_itself_past_all_networks() {
    let proxy = relay_with(|config| config.proxy.allow_private_hosts = false).await;
    let (mut alice, bob) = (proxy.client().await, proxy.client().await);
    let queue = alice.queue().await;
    let elsewhere = changed(&proxy, |address| {
        (address.hosts, address.port) = (NonEmpty::one("192.0.2.1".parse().unwrap()), Some(1));
    });
    let session = prxy(&bob, &elsewhere, None).await.unwrap();
    let answer = pfwd(&bob, &session, None, queue.sender(), send(b"to itself")).await.unwrap();
    assert_eq!(answer, BrokerMessage::Ok);
    assert_eq!(alice.message(&queue).await.1, b"to itself");
}

/// A contact whose relay is dead must not keep a client from receiving and acknowledging.
#[tokio::test]
async fn a_dead_relay_does_not_delay_other_commands() {
    let proxy = relay_with(|config| {
        (config.limits.max_forwarded_kib, config.limits.max_pending_kib) = (128, 64);
        config.proxy.timeout = Duration::from_secs(60);
    })
    .await;
    let (address, _accepting) = silent().await;
    let client = proxy.client().await;
    let session = prxy(&client, &address, None).await.unwrap();
    let forwarding = (0..20).map(|_| pfwd(&client, &session, None, EntityId::from([1; 24]), send(b"")));
    let mut forwarding: futures_util::stream::FuturesUnordered<_> = forwarding.collect();
    // More than fit are refused at once, as if the relay had not answered in time; the others wait for it.
    let timeout = ErrorType::Proxy(Box::new(ProxyError::Broker(BrokerErrorType::Timeout)));
    for _ in 0..10 {
        assert_eq!(refused(forwarding.next().await.unwrap()), timeout);
    }
    let queue = client.queue().await;
    client.ok(None, queue.sender(), send(b"received")).await;
    client.ok(Some(&queue.key), queue.recipient(), Command::Delete).await;
}

/// A relay that accepts connections and answers nothing.
async fn silent() -> (RelayAddress, tokio::task::JoinHandle<()>) {
    let (now, mut rng) = (time::OffsetDateTime::now_utc(), rand::rng());
    let authority = CertificateAuthority::generate(KeyAlgorithm::Ed25519, now, &mut rng);
    let identity = authority.issue("relay", KeyAlgorithm::Ed25519, now, &mut rng).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let fingerprint = smp_crypto::base64url::encode(&identity.fingerprint());
    let acceptor = RelayAcceptor::new(&identity, AcceptorSettings::default()).unwrap();
    let accepting = tokio::spawn(async move {
        let mut connections = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.push(acceptor.accept(stream).await.unwrap());
        }
    });
    (format!("smp://{fingerprint}@127.0.0.1:{port}").parse().unwrap(), accepting)
}

#[tokio::test]
async fn a_session_stays_while_an_answer_is_awaited() {
    let proxy = relay_with(|config| {
        (config.proxy.max_relays, config.proxy.timeout) = (1, Duration::from_secs(3));
        config.proxy.idle_timeout = Duration::from_secs(1);
    })
    .await;
    let (address, _accepting) = silent().await;
    let destination = relay().await;
    let (waiting, other) = (proxy.client().await, proxy.client().await);
    let session = prxy(&waiting, &address, None).await.unwrap();
    let sending = pfwd(&waiting, &session, None, EntityId::from([1; 24]), send(b""));
    let asking = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        prxy(&other, destination.running.address(), None).await
    };
    let (sent, asked) = tokio::join!(sending, asking);
    let timeout = ErrorType::Proxy(Box::new(ProxyError::Broker(BrokerErrorType::Timeout)));
    assert_eq!(refused(sent), timeout);
    let network = ProxyError::Broker(BrokerErrorType::Network(NetworkError::Failed));
    assert_eq!(proxy_error(asked), network);
}

#[tokio::test]
async fn relays_that_nobody_knew_are_asked_for_at_a_pace() {
    let (proxy, destination) = (relay().await, relay().await);
    let (client, other) = (proxy.client().await, proxy.client().await);
    let start = std::time::Instant::now();
    let attempts = (1..=61).map(|number| {
        let absent = changed(&destination, |address| {
            (address.port, address.fingerprint) = (Some(1), [number; 32]);
        });
        let client = &client;
        async move { prxy(client, &absent, None).await.is_err() }
    });
    assert!(futures_util::future::join_all(attempts).await.into_iter().all(|failed| failed));
    assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
    assert!(prxy(&other, destination.running.address(), None).await.is_ok(), "others have their own");
}
