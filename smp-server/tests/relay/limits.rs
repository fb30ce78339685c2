//! Clients that cost too much.

use std::time::Duration;

use smp_protocol::{
    command::Command,
    error::ErrorType,
    id::{CorrelationId, EntityId},
    message::BrokerMessage,
    transmission::{BlockContent, prepare, read_messages},
    version::{SmpVersion, VersionRange},
};
use smp_transport::{
    client::{ClientConfig, ClientError, Request},
    connection::{ClientSide, Connection, ConnectorSettings, RelayConnector},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{relay, relay_with, send};

/// Waits until the other side closes.
async fn closed(stream: &mut TcpStream) {
    let mut buffer = [0; 1024];
    let read = async { while !matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)) {} };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("still open");
}

#[tokio::test]
async fn there_are_places_for_so_many_connections() {
    let relay = relay_with(|config| config.limits.max_connections = 2).await;
    let (one, two) = (relay.client().await, relay.client().await);
    // Those for whom nothing was done would leave for a newcomer.
    one.queue().await;
    two.queue().await;
    let mut third = TcpStream::connect(relay.running.local_addrs()[0]).await.unwrap();
    closed(&mut third).await;
    assert_eq!(relay.running.connections(), 2);
    drop(one);
    while relay.running.connections() > 1 {
        tokio::task::yield_now().await;
    }
    relay.client().await;
    drop(two);
}

#[tokio::test]
async fn a_handshake_takes_so_long_at_most() {
    let relay = relay_with(|config| config.limits.handshake_timeout = Duration::from_millis(200)).await;
    let mut silent = TcpStream::connect(relay.running.local_addrs()[0]).await.unwrap();
    closed(&mut silent).await;
    let mut slow = TcpStream::connect(relay.running.local_addrs()[0]).await.unwrap();
    slow.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
    closed(&mut slow).await;
    let mut other = TcpStream::connect(relay.running.local_addrs()[0]).await.unwrap();
    other.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    closed(&mut other).await;
}

#[tokio::test]
async fn idle_connections_without_subscriptions_are_closed() {
    let relay = relay_with(|config| {
        config.limits.idle_timeout = Some(Duration::from_millis(100));
        config.limits.idle_check_interval = Duration::from_millis(50);
    })
    .await;
    let (mut idle, mut subscribed) = (relay.client().await, relay.client().await);
    let queue = subscribed.queue().await;
    assert!(tokio::time::timeout(Duration::from_secs(10), idle.events.recv()).await.unwrap().is_err());
    let bob = relay.client().await;
    bob.ok(None, queue.sender(), send(b"still there?")).await;
    assert_eq!(subscribed.message(&queue).await.1, b"still there?");
}

/// `PING` keeps a connection, but it does not show that somebody needs it.
#[tokio::test]
async fn connections_on_which_nothing_is_done_are_closed() {
    let relay = relay_with(|config| config.limits.first_command_timeout = Some(Duration::from_secs(1))).await;
    let (mut useless, used) = (relay.client().await, relay.client().await);
    let queue = used.queue().await;
    let closed = async {
        while useless.relay.send(None, EntityId::empty(), Command::Ping).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), closed).await.expect("still open");
    assert!(useless.events.recv().await.is_err());
    let bob = relay.client().await;
    bob.ok(None, queue.sender(), send(b"still there?")).await;
}

#[tokio::test]
async fn new_queues_are_spread_out() {
    let relay = relay_with(|config| config.limits.new_queues_per_minute = 60).await;
    let alice = relay.client().await;
    let start = std::time::Instant::now();
    for _ in 0..61 {
        alice.queue().await;
    }
    // A burst of 60 passes, then one every second.
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert!(start.elapsed() < Duration::from_secs(50));
}

#[tokio::test]
async fn one_client_with_many_commands_does_not_stop_others() {
    let relay = relay_with(|config| config.limits.max_pending_commands = 16).await;
    let (flood, other) = (relay.client().await, relay.client().await);
    let pings = (0..5_000).map(|_| Request::new(None, EntityId::empty(), Command::Ping));
    let answers = flood.relay.send_many(pings).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(BrokerMessage::Pong))));
    assert_eq!(other.ask(None, EntityId::empty(), Command::Ping).await.unwrap(), BrokerMessage::Pong);
}

/// They wait for each other where they would take too much memory together, and are all done.
#[tokio::test]
async fn many_large_commands_and_answers_get_through_little_memory() {
    let relay = relay_with(|config| {
        config.limits.max_pending_kib = 64;
        config.queues.quota = 100;
    })
    .await;
    let (alice, mut bob) = (relay.client().await, relay.client().await);
    let queue = bob.queue().await;
    let body = vec![7; 15_000];
    let sends = (0..100).map(|_| Request::new(None, queue.sender(), send(&body)));
    let answers = alice.relay.send_many(sends).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(BrokerMessage::Ok))), "{answers:?}");
    let (mut id, _) = bob.message(&queue).await;
    for _ in 1..100 {
        (id, _) = bob.ack(&queue, &id).await.unwrap();
    }
    assert!(bob.ack(&queue, &id).await.is_none());
}

/// Sends commands until the connection is lost.
pub(crate) async fn ping_without_reading(connection: &mut Connection<ClientSide>) {
    let parameters = connection.session.parameters.clone();
    loop {
        let mut content = BlockContent::new();
        let corr_id = CorrelationId::generate(&mut rand::rng());
        let ping = prepare(&parameters, &corr_id, &EntityId::empty(), &Command::Ping);
        content.push(|out| ping.write(None, &parameters, out)).unwrap();
        if connection.writer.write_block(content.as_bytes()).await.is_err()
            || connection.writer.flush().await.is_err()
        {
            return;
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let relay = relay_with(|config| config.limits.block_timeout = Duration::from_millis(300)).await;
    let settings = ConnectorSettings::default();
    let connector = RelayConnector::new(relay.running.address().fingerprint, settings).unwrap();
    let stream = TcpStream::connect(relay.running.local_addrs()[0]).await.unwrap();
    let mut connection = connector.connect(stream).await.unwrap();
    let flood = ping_without_reading(&mut connection);
    tokio::time::timeout(Duration::from_secs(30), flood).await.expect("still connected");
    while relay.running.connections() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_block_with_too_many_commands_is_refused_whole() {
    let relay = relay_with(|config| config.limits.max_batch = 3).await;
    let connector =
        RelayConnector::new(relay.running.address().fingerprint, ConnectorSettings::default()).unwrap();
    let stream = TcpStream::connect(relay.running.local_addrs()[0]).await.unwrap();
    let mut connection = connector.connect(stream).await.unwrap();
    let parameters = connection.session.parameters.clone();
    for (count, expected) in
        [(4, vec![BrokerMessage::Error(ErrorType::Block)]), (3, vec![BrokerMessage::Pong; 3])]
    {
        let mut content = BlockContent::new();
        for _ in 0..count {
            let corr_id = CorrelationId::generate(&mut rand::rng());
            let ping = prepare(&parameters, &corr_id, &EntityId::empty(), &Command::Ping);
            content.push(|out| ping.write(None, &parameters, out)).unwrap();
        }
        connection.writer.write_block(content.as_bytes()).await.unwrap();
        connection.writer.flush().await.unwrap();
        let mut answers = Vec::new();
        while answers.len() < expected.len() {
            let block = connection.reader.read_block().await.unwrap();
            answers.extend(read_messages(&block, &parameters).map(|t| t.message.unwrap().into_owned()));
        }
        assert_eq!(answers, expected, "{count} commands");
    }
}

#[tokio::test]
async fn the_range_of_versions_can_be_narrowed() {
    let relay = relay_with(|config| {
        config.server.min_version = 8;
        config.server.max_version = 11;
    })
    .await;
    let newest = relay.client_with(ClientConfig::default()).await.unwrap();
    assert_eq!(newest.version(), SmpVersion(11));
    let versions = VersionRange::only(SmpVersion(7));
    let older = ClientConfig { versions, ..ClientConfig::default() };
    assert!(matches!(relay.client_with(older).await, Err(ClientError::Version { .. })));
}

#[tokio::test]
async fn a_shutdown_answers_what_was_asked() {
    let relay = relay().await;
    let mut alice = relay.client().await;
    let queue = alice.queue().await;
    let address = relay.running.local_addrs()[0];
    relay.running.shutdown().await.unwrap();
    assert!(alice.events.recv().await.is_err());
    assert!(TcpStream::connect(address).await.is_err());
    drop(queue);
}

/// Time until all of `count` commands with a wrong ID are answered.
async fn guess(client: &crate::support::Client, count: usize) -> Duration {
    let start = std::time::Instant::now();
    let guesses = (0..count).map(|_| {
        let id = EntityId::from(smp_protocol::id::SenderId::generate(&mut rand::rng()));
        Request::new(None, id, send(b"guess"))
    });
    for answer in client.relay.send_many(guesses).await {
        assert!(matches!(answer, Err(ClientError::Relay(ErrorType::Auth))), "{answer:?}");
    }
    start.elapsed()
}

#[tokio::test]
async fn guessing_is_slow() {
    let relay = relay_with(|config| config.limits.failed_authorizations_per_minute = 120).await;
    let client = relay.client().await;
    assert!(guess(&client, 120).await < Duration::from_secs(1), "a burst passes");
    assert!(guess(&client, 3).await >= Duration::from_millis(1_200), "further ones come evenly");
    // Others, and what is right, do not wait.
    assert!(guess(&relay.client().await, 3).await < Duration::from_millis(500));
    let start = std::time::Instant::now();
    client.relay.send(None, EntityId::empty(), Command::Ping).await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(500));
}

/// Also by forwarding to oneself; but a proxy carries many senders, so ten times as many guesses pass at once.
#[tokio::test]
async fn guessing_through_a_proxy_is_slow() {
    let relay = relay_with(|config| config.limits.failed_authorizations_per_minute = 2).await;
    let proxy = crate::forwarding::proxy(&relay).await;
    let guess = async |number: usize| {
        for _ in 0..number {
            let id = EntityId::from(smp_protocol::id::SenderId::generate(&mut rand::rng()));
            let answer =
                crate::forwarding::forward(&proxy, SmpVersion::MAX.0, None, id, send(b"guess")).await;
            assert_eq!(answer.unwrap(), BrokerMessage::Error(ErrorType::Auth));
        }
    };
    let start = std::time::Instant::now();
    guess(21).await;
    assert!(start.elapsed() >= Duration::from_secs(3), "after 20 of them, one comes each three seconds");
}
