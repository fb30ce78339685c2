//! The relay client, with relays that behave and with those that do not.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/relay.rs"]
mod relay;

use std::time::Duration;

use relay::{TestRelay, client, client_and_connection};
use smp_crypto::block_chain::MAX_CONTENT;
use smp_crypto::{Ed448PrivateKey, Ed25519PrivateKey, Nonce, PrivateAuthKey, X25519PrivateKey};
use smp_protocol::address::RelayAddress;
use smp_protocol::base64url;
use smp_protocol::certificate::CertifiedKey;
use smp_protocol::command::{Command, MessageFlags};
use smp_protocol::error::ErrorType;
use smp_protocol::id::{CorrelationId, EntityId, MessageId, RecipientId, SessionId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::transmission::{BlockContent, read_commands, write_message};
use smp_protocol::version::{SmpVersion, VersionRange};
use smp_transport::client::{ClientConfig, ClientError, MAX_EVENTS, ProxiedRelay, RelayClient, Request};
use smp_transport::connection::{Connection, ConnectionError, RelaySide};
use tokio::net::TcpListener;
use tokio::time::Instant;

fn some_id() -> EntityId {
    RecipientId::generate(&mut rand::rng()).into()
}

fn numbered(number: u32) -> EntityId {
    EntityId::new(&number.to_be_bytes()).unwrap()
}

fn message(number: u32) -> BrokerMessage<'static> {
    BrokerMessage::Message(MessageId::generate(&mut rand::rng()), number.to_be_bytes().to_vec().into())
}

fn send_command(body: &[u8]) -> Command<'_> {
    Command::Send(MessageFlags::default(), body.into())
}

/// Answers every command with `OK`.
async fn answer_all(mut relay: TestRelay) {
    while let Some(received) = relay.commands.recv().await {
        relay.send(vec![received.answer(BrokerMessage::Ok)]);
    }
}

#[tokio::test]
async fn ping_has_an_answer() {
    let (client, _events, mut relay) = client(ClientConfig::default()).await;
    let relay = async {
        let ping = relay.command().await;
        assert_eq!(ping.command, Command::Ping);
        assert_eq!(ping.correlation_id.as_bytes().len(), 24);
        relay.send(vec![ping.answer(BrokerMessage::Pong)]);
        relay
    };
    let (answer, _relay) = tokio::join!(client.send(None, EntityId::empty(), Command::Ping), relay);
    assert_eq!(answer.unwrap(), BrokerMessage::Pong);
}

#[tokio::test]
async fn commands_are_authorized_by_keys_of_every_kind_in_every_version() {
    let mut rng = rand::rng();
    let x25519 = PrivateAuthKey::from(X25519PrivateKey::generate(&mut rng));
    let keys = [
        PrivateAuthKey::from(Ed25519PrivateKey::generate(&mut rng)),
        PrivateAuthKey::from(Ed448PrivateKey::generate(&mut rng)),
        x25519.clone(),
        // again: from the cache
        x25519,
    ];
    for number in SmpVersion::MIN.0..=SmpVersion::MAX.0 {
        let versions = VersionRange::new(SmpVersion::MIN, SmpVersion(number)).unwrap();
        let config = ClientConfig { versions, ..ClientConfig::default() };
        let (client, _events, mut relay) = client_and_connection(config).await;
        let session = relay.session.parameters.clone();
        for key in &keys {
            let (entity, key_for_task, client) = (some_id(), key.clone(), client.clone());
            let sending =
                tokio::spawn(
                    async move { client.send(Some(&key_for_task), entity, Command::Subscribe).await },
                );
            let block = relay.reader.read_block().await.unwrap();
            let command = read_commands(&block, &session).next().unwrap().unwrap();
            let nonce = Nonce::from_slice_padded(command.correlation_id.as_bytes());
            let mut covered = Vec::new();
            command.write_authorized(&session, &mut covered);
            let agreed = |theirs: &_| relay.side.key.agree(theirs).box_key();
            assert!(command.authorization.unwrap().is_by(&key.public_key(), agreed, &nonce, &covered));
            sending.abort();
        }
    }
}

#[tokio::test]
async fn answers_find_their_requests_in_any_order() {
    const REQUESTS: u32 = 500;
    let (client, _events, mut relay) = client(ClientConfig::default()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..REQUESTS {
        let client = client.clone();
        tasks.spawn(async move {
            let answer = client.send(None, numbered(number), send_command(&number.to_be_bytes())).await;
            assert_eq!(
                answer.unwrap(),
                BrokerMessage::Message(MessageId::empty(), number.to_be_bytes().to_vec().into())
            );
        });
    }
    let mut answers = Vec::new();
    for _ in 0..REQUESTS {
        let received = relay.command().await;
        let body = received.entity_id.as_bytes().to_vec();
        answers.push(received.answer(BrokerMessage::Message(MessageId::empty(), body.into())));
    }
    answers.reverse();
    relay.send(answers);
    tasks.join_all().await;
}

#[tokio::test]
async fn requests_together_share_blocks_and_keep_their_order() {
    const REQUESTS: u32 = 1000;
    let (client, _events, mut relay) = client(ClientConfig::default()).await;
    let sending = tokio::spawn(async move {
        let requests = (0..REQUESTS).map(|number| Request::new(None, numbered(number), send_command(b"")));
        (client.send_many(requests).await, client)
    });
    for number in 0..REQUESTS {
        let received = relay.command().await;
        assert_eq!(received.entity_id, numbered(number));
        let answer = if number % 2 == 0 { BrokerMessage::Ok } else { BrokerMessage::Error(ErrorType::Quota) };
        relay.send(vec![received.answer(answer)]);
    }
    let (answers, _client) = sending.await.unwrap();
    assert_eq!(answers.len(), REQUESTS as usize);
    for (number, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(BrokerMessage::Ok) => assert_eq!(number % 2, 0),
            Err(ClientError::Relay(ErrorType::Quota)) => assert_eq!(number % 2, 1),
            other => panic!("{other:?}"),
        }
    }
    assert!(relay.blocks() < 20, "{} blocks", relay.blocks());
}

/// Reads a block as a relay does, and answers every command in it. Returns what they are about, in order, and what
/// they send.
async fn serve(relay: &mut Connection<RelaySide>) -> Vec<(EntityId, Vec<u8>)> {
    let block = relay.reader.read_block().await.unwrap();
    let session = &relay.session.parameters;
    let (mut commands, mut answers) = (Vec::new(), BlockContent::new());
    for command in read_commands(&block, session) {
        let command = command.unwrap();
        let (id, entity) = (&command.correlation_id, &command.entity_id);
        let answer = if command.command == Command::Ping { BrokerMessage::Pong } else { BrokerMessage::Ok };
        answers.push(|out| write_message(session, id, entity, &answer, out)).unwrap();
        let body = match command.command {
            Command::Send(_, body) => body.into_owned(),
            Command::Ping => b"PING".to_vec(),
            other => panic!("{other:?}"),
        };
        commands.push((command.entity_id, body));
    }
    relay.writer.write_block(answers.as_bytes()).await.unwrap();
    relay.writer.flush().await.unwrap();
    commands
}

#[tokio::test]
async fn no_block_is_about_a_queue_twice() {
    const REQUESTS: u32 = 300;
    let (client, _events, mut relay) = client_and_connection(ClientConfig::default()).await;
    // Two queues, each many times, and transmissions about nothing between them.
    let sending = tokio::spawn(async move {
        let requests = (0..REQUESTS).map(|number| {
            let body = number.to_be_bytes().to_vec().into();
            match number % 3 {
                2 => Request::new(None, EntityId::empty(), Command::Ping),
                kind => Request::new(None, numbered(kind), Command::Send(MessageFlags::default(), body)),
            }
        });
        client.send_many(requests).await
    });
    let (mut received, mut blocks) = (Vec::new(), 0);
    while received.len() < REQUESTS as usize {
        let block = serve(&mut relay).await;
        for entity in [numbered(0), numbered(1)] {
            assert!(block.iter().filter(|(other, _)| *other == entity).count() <= 1, "{block:?}");
        }
        received.extend(block);
        blocks += 1;
    }
    assert!(sending.await.unwrap().iter().all(Result::is_ok));
    assert!(blocks <= 105, "{blocks} blocks, although the queues share them");
    for kind in 0..2 {
        let of_kind =
            received.iter().filter(|(other, _)| *other == numbered(kind)).map(|(_, body)| body.clone());
        let numbers = (0..REQUESTS).filter(|number| number % 3 == kind);
        assert!(of_kind.eq(numbers.map(|number| number.to_be_bytes().to_vec())), "out of order");
    }
}

/// The link is slower than the time limit of an answer: what waits for it gathers, `PING` passes, and nothing is given up.
#[tokio::test(start_paused = true)]
async fn what_waits_for_a_slow_link_has_time() {
    let config = ClientConfig { ping_interval: None, ..ClientConfig::default() };
    let (client, _events, mut relay) = client_and_connection(config).await;
    let mut sending = tokio::task::JoinSet::new();
    let mut send = |number: u32, body: Vec<u8>| {
        let client = client.clone();
        sending.spawn(async move { client.send(None, numbered(number), send_command(&body)).await });
    };
    (0..30).for_each(|number| send(number, vec![0; 16_000]));
    (100..200).for_each(|number| send(number, b"small".to_vec()));
    for _ in 0..500 {
        tokio::task::yield_now().await;
    }
    let pinging = tokio::spawn(async move { client.send(None, EntityId::empty(), Command::Ping).await });
    let (mut large, mut small, mut before_ping, mut blocks) = (0, 0, None, 0);
    while small < 100 || before_ping.is_none() {
        tokio::time::sleep(Duration::from_secs(5)).await;
        blocks += 1;
        for (_, body) in serve(&mut relay).await {
            match &body[..] {
                b"small" => small += 1,
                b"PING" => before_ping = Some(large),
                _ => large += 1,
            }
        }
    }
    assert!(sending.join_all().await.iter().all(Result::is_ok), "given up before it was written");
    pinging.await.unwrap().unwrap();
    assert_eq!(large, 30);
    assert!(before_ping.is_some_and(|before| before < 15), "PING behind {before_ping:?} blocks");
    assert!(blocks < 35, "{blocks} blocks, although the small ones had time to gather");
}

#[tokio::test]
async fn a_given_correlation_id_is_used_once_at_a_time() {
    let (client, _events, mut relay) = client(ClientConfig::default()).await;
    let id = CorrelationId::generate(&mut rand::rng());
    let request =
        || Request { correlation_id: Some(id.clone()), ..Request::new(None, some_id(), Command::GetLink) };
    let first = tokio::spawn({
        let (client, request) = (client.clone(), request());
        async move { client.request(request).await }
    });
    let received = relay.command().await;
    assert_eq!(received.correlation_id, id);
    assert!(matches!(client.request(request()).await, Err(ClientError::CorrelationIdInUse)));
    relay.send(vec![received.answer(BrokerMessage::Ok)]);
    assert_eq!(first.await.unwrap().unwrap(), BrokerMessage::Ok);
}

#[tokio::test]
async fn events_come_in_order_with_their_entities() {
    let (client, mut events, mut relay) = client(ClientConfig::default()).await;
    for number in 0..100 {
        relay.send(vec![(CorrelationId::empty(), numbered(number), message(number))]);
    }
    relay.send(vec![(CorrelationId::empty(), numbered(100), BrokerMessage::End)]);
    for number in 0..=100 {
        let event = events.recv().await.unwrap();
        assert_eq!(event.entity_id, numbered(number));
        assert!(!event.late);
        match event.message.unwrap() {
            BrokerMessage::Message(_, body) => assert_eq!(body[..], number.to_be_bytes()),
            other => assert_eq!((other, number), (BrokerMessage::End, 100)),
        }
    }
    relay.close();
    let reason = events.recv().await.unwrap_err();
    assert!(matches!(reason, ClientError::Connection(ConnectionError::Closed)), "{reason}");
    assert!(matches!(events.recv().await, Err(ClientError::Connection(ConnectionError::Closed))));
    assert!(client.ended().is_some());
}

#[tokio::test]
async fn more_events_than_may_wait_are_not_lost() {
    let many = u32::try_from(MAX_EVENTS).unwrap() * 3;
    let (_client, mut events, relay) = client(ClientConfig::default()).await;
    for number in 0..many {
        relay.send(vec![(CorrelationId::empty(), numbered(number), message(number))]);
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    for number in 0..many {
        assert_eq!(events.recv().await.unwrap().entity_id, numbered(number));
    }
}

#[tokio::test]
async fn the_end_of_the_connection_reaches_everybody() {
    let (client, mut events, mut relay) = client(ClientConfig::default()).await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let client = client.clone();
        waiting.spawn(async move { client.send(None, some_id(), send_command(b"x")).await });
    }
    for _ in 0..10 {
        relay.command().await;
    }
    relay.close();
    for answer in waiting.join_all().await {
        assert!(matches!(answer, Err(ClientError::Connection(ConnectionError::Closed))), "{answer:?}");
    }
    assert!(events.recv().await.is_err());
    let later = client.send(None, some_id(), Command::Ping).await;
    assert!(matches!(later, Err(ClientError::Connection(ConnectionError::Closed))), "{later:?}");
}

#[tokio::test]
async fn closing_on_our_side_reaches_everybody_too() {
    let (client, mut events, mut relay) = client(ClientConfig::default()).await;
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.send(None, some_id(), send_command(b"x")).await }
    });
    relay.command().await;
    client.close();
    assert!(matches!(waiting.await.unwrap(), Err(ClientError::Closed)));
    assert!(matches!(events.recv().await, Err(ClientError::Closed)));
    assert!(relay.commands.recv().await.is_none(), "the relay sees the end");
}

#[tokio::test]
async fn dropping_the_last_client_closes_the_connection() {
    let (client, mut events, mut relay) = client(ClientConfig::default()).await;
    drop(client.clone());
    assert!(client.ended().is_none());
    drop(client);
    assert!(matches!(events.recv().await, Err(ClientError::Closed)));
    assert!(relay.commands.recv().await.is_none());
}

#[tokio::test]
async fn odd_answers_are_errors_of_their_request_only() {
    let (client, _events, mut relay) = client(ClientConfig::default()).await;
    let sending = tokio::spawn(async move {
        let requests = (0..3).map(|number| Request::new(None, numbered(number), send_command(b"")));
        (client.send_many(requests).await, client)
    });
    let (first, second, third) = (relay.command().await, relay.command().await, relay.command().await);
    relay.send(vec![(first.correlation_id.clone(), numbered(7), BrokerMessage::Ok)]);
    // errors may come without entity
    relay.send(vec![(second.correlation_id, EntityId::empty(), BrokerMessage::Error(ErrorType::Auth))]);
    relay.send(vec![third.answer(BrokerMessage::Ok)]);
    let (answers, _client) = sending.await.unwrap();
    assert!(matches!(answers[0], Err(ClientError::UnexpectedEntity)), "{answers:?}");
    assert!(matches!(answers[1], Err(ClientError::Relay(ErrorType::Auth))), "{answers:?}");
    assert!(matches!(answers[2], Ok(BrokerMessage::Ok)), "{answers:?}");
}

#[tokio::test]
async fn what_cannot_be_read_ends_the_connection() {
    // not even a block of transmissions
    let (client, mut events, mut relay) = client_and_connection(ClientConfig::default()).await;
    relay.writer.write_block(b"\x02no transmissions").await.unwrap();
    relay.writer.flush().await.unwrap();
    let reason = events.recv().await.unwrap_err();
    assert!(matches!(reason, ClientError::Protocol(ErrorType::Block)), "{reason}");
    assert!(client.send(None, some_id(), Command::Ping).await.is_err());

    // the relay says that it cannot read us
    let (_client, mut events, relay) = self::client(ClientConfig::default()).await;
    relay.send(vec![(CorrelationId::empty(), EntityId::empty(), BrokerMessage::Error(ErrorType::Block))]);
    let reason = events.recv().await.unwrap_err();
    assert!(matches!(reason, ClientError::Protocol(ErrorType::Block)), "{reason}");
}

#[tokio::test]
async fn too_much_is_refused_before_it_is_sent() {
    let (client, _events, relay) = client(ClientConfig::default()).await;
    let refused = client.send(None, some_id(), send_command(&[0; MAX_CONTENT])).await;
    assert!(matches!(refused, Err(ClientError::TooLarge)), "{refused:?}");
    tokio::spawn(answer_all(relay));
    client.send(None, some_id(), send_command(&[0; 16_000])).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn late_answers_are_events() {
    let (client, mut events, mut relay) = client(ClientConfig::default()).await;
    let before = Instant::now();
    let timed_out = client.send(None, numbered(1), send_command(b"x")).await;
    assert!(matches!(timed_out, Err(ClientError::Timeout(_))), "{timed_out:?}");
    assert_eq!(before.elapsed().as_secs(), 30);
    let received = relay.command().await;
    relay.send(vec![received.answer(message(1))]);
    let event = events.recv().await.unwrap();
    assert!(event.late);
    assert_eq!(event.entity_id, numbered(1));

    // a request whose caller left
    let short =
        tokio::time::timeout(Duration::from_millis(1), client.send(None, numbered(2), send_command(b"x")));
    assert!(short.await.is_err());
    let received = relay.command().await;
    relay.send(vec![received.answer(message(2))]);
    let event = events.recv().await.unwrap();
    assert!(event.late);
    assert_eq!(event.entity_id, numbered(2));

    // a request with another limit
    let before = Instant::now();
    let limit = Some(Duration::from_secs(3));
    let request = Request { timeout: limit, ..Request::new(None, numbered(3), send_command(b"x")) };
    assert!(client.request(request).await.is_err());
    assert_eq!(before.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_alive() {
    let (client, _events, mut relay) = client(ClientConfig::default()).await;
    for _ in 0..5 {
        let before = Instant::now();
        let ping = relay.command().await;
        assert_eq!(ping.command, Command::Ping);
        assert!(before.elapsed() >= Duration::from_secs(599), "{:?}", before.elapsed());
        relay.send(vec![ping.answer(BrokerMessage::Pong)]);
    }
    assert!(client.ended().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_is_gone_is_noticed() {
    let (_client, mut events, mut relay) = client(ClientConfig::default()).await;
    let before = Instant::now();
    let reason = events.recv().await.unwrap_err();
    assert!(matches!(reason, ClientError::NotResponding), "{reason}");
    // one interval, then three pings 30 s apart
    assert_eq!(before.elapsed().as_secs(), 600 + 3 * 30);
    for _ in 0..3 {
        assert_eq!(relay.command().await.command, Command::Ping);
    }
    assert!(relay.commands.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_does_not_read_is_given_up() {
    let config = ClientConfig { ping_interval: None, ..ClientConfig::default() };
    let (client, mut events, _relay) = client_and_connection(config).await;
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let client = client.clone();
        waiting.spawn(async move { client.send(None, some_id(), send_command(&[0; 16_000])).await });
    }
    for answer in waiting.join_all().await {
        assert!(matches!(answer, Err(ClientError::NotResponding | ClientError::Timeout(_))), "{answer:?}");
    }
    assert!(matches!(events.recv().await, Err(ClientError::NotResponding)));
}

fn address(fingerprint: &[u8; 32], hosts: &str) -> RelayAddress {
    format!("smp://{}@{hosts}", base64url::encode(fingerprint)).parse().unwrap()
}

#[tokio::test]
async fn hosts_are_tried_in_order() {
    let identity = common::identity();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = common::acceptor(&identity);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(connection) = acceptor.accept(stream).await {
                tokio::spawn(answer_all(TestRelay::start(connection)));
            }
        }
    });
    // nobody listens at the first one
    let good = address(&identity.fingerprint(), &format!("127.0.0.9,127.0.0.1:{port}"));
    let (client, _events) = RelayClient::connect(&good, ClientConfig::default()).await.unwrap();
    assert_eq!(client.send(None, some_id(), send_command(b"x")).await.unwrap(), BrokerMessage::Ok);

    let wrong = address(&[7; 32], &format!("127.0.0.9,127.0.0.1:{port}"));
    let error = RelayClient::connect(&wrong, ClientConfig::default()).await.unwrap_err();
    assert!(matches!(&error, ClientError::WrongRelay { host } if host == "127.0.0.1"), "{error}");
    assert!(!error.is_temporary());

    let dead = address(&identity.fingerprint(), &format!("127.0.0.8,127.0.0.9:{port}"));
    let error = RelayClient::connect(&dead, ClientConfig::default()).await.unwrap_err();
    let ClientError::Unreachable(attempts) = &error else { panic!("{error}") };
    assert_eq!(attempts.len(), 2);
    assert!(error.is_temporary());
    println!("{error}");

    // in a task of its own, as agents do it
    let connecting = tokio::spawn(async move { RelayClient::connect(&good, ClientConfig::default()).await });
    let (client, _events) = connecting.await.unwrap().unwrap();
    let requests =
        tokio::spawn(
            async move { client.send_many([Request::new(None, some_id(), Command::GetLink)]).await },
        );
    assert!(requests.await.unwrap()[0].is_ok());

    let onion = address(&identity.fingerprint(), "abcdefghij.onion");
    let error = RelayClient::connect(&onion, ClientConfig::default()).await.unwrap_err();
    assert!(matches!(error, ClientError::OnionOnly), "{error}");
}

/// A proxy that shows another relay than the one that was asked for, or a key of its own.
#[tokio::test]
async fn a_proxy_cannot_stand_in_for_the_destination() {
    let (destination, _events, _relay) = client_and_connection(ClientConfig::default()).await;
    let shown = destination.side().relay_key.clone().unwrap();
    let fingerprint = shown.chain.relay_fingerprint().unwrap();
    let (other, _events, _relay) = client_and_connection(ClientConfig::default()).await;
    let mixed =
        CertifiedKey { signed_key: other.side().relay_key.clone().unwrap().signed_key, ..shown.clone() };
    let cases = [
        (shown.clone(), [7; 32], "WrongRelay"),
        (mixed, fingerprint, "Unreadable"),
        (shown, fingerprint, ""),
    ];
    for (key, asked, expected) in cases {
        let (proxy, _events, mut relay) = client(ClientConfig::default()).await;
        let address = address(&asked, "relay.example");
        let opening = ProxiedRelay::open(&proxy, &address, None, SmpVersion::SUPPORTED);
        let answering = async {
            let prxy = relay.command().await;
            let session_id = SessionId::new(&[1; 32]).unwrap();
            let versions = VersionRange::new(SmpVersion(8), SmpVersion(17)).unwrap();
            relay.send(vec![prxy.answer(BrokerMessage::ProxySessionKey {
                session_id,
                versions,
                key: Box::new(key),
            })]);
        };
        match tokio::join!(opening, answering).0 {
            Ok(_) => assert_eq!(expected, ""),
            Err(ClientError::WrongRelay { host }) => {
                assert_eq!((expected, &*host), ("WrongRelay", "relay.example"))
            }
            Err(ClientError::UnreadableAnswer(_)) => assert_eq!(expected, "Unreadable"),
            Err(other) => panic!("{other:?}"),
        }
    }
}
