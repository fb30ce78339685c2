//! One network that opens connections by the thousand does not keep others from theirs.
//!
//! The crowd is played by child processes, so that their ends of the connections do not count against the relay's limit of open files.
//! `SMP_TEST_CROWD=40000` runs the long form: as many connections, with the default limits, or as many places as files may be open.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::select_all;
use smp_protocol::{
    command::{Command, SubscriptionMode},
    error::{BrokerErrorType, ErrorType, ProxyError},
    id::EntityId,
    message::BrokerMessage,
};
use smp_server::config::Config;
use smp_transport::client::{ClientConfig, ClientError, RelayClient};
use tokio::{
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

use crate::proxying::prxy;
use crate::support::{Client, TestRelay, messaging, refused, relay_with, send};

/// Networks of the attackers, each a /24 of its own.
const NETWORKS: usize = 40;

/// Open files of the test besides the connections of the attackers, both ends of which it has.
const OTHER_FILES: u64 = 500;

fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Raises the limit of open files, the hard one too where that is allowed. Returns what it is now.
fn allow_files(files: u64) -> u64 {
    let (soft, hard) = rlimit::getrlimit(rlimit::Resource::NOFILE).unwrap();
    if soft >= files || rlimit::setrlimit(rlimit::Resource::NOFILE, files, hard.max(files)).is_ok() {
        return soft.max(files);
    }
    rlimit::increase_nofile_limit(files).unwrap()
}

/// An address of that network on this machine.
fn address_in(network: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 40, u8::try_from(network).unwrap(), 1)
}

async fn connect_from(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(to).await
}

async fn client_from(network: usize, relay: &TestRelay) -> Client {
    let stream = connect_from(address_in(network), relay.running.local_addrs()[0]).await.unwrap();
    let fingerprint = relay.running.address().fingerprint;
    let (relay, events) =
        RelayClient::connect_over(stream, fingerprint, ClientConfig::default()).await.unwrap();
    Client { relay, events }
}

/// Somebody from elsewhere connects, creates a queue and receives. Returns how long that took.
async fn newcomer(relay: &TestRelay) -> Duration {
    let start = Instant::now();
    let mut alice = client_from(NETWORKS + 1, relay).await;
    let queue = alice.queue().await;
    let bob = client_from(NETWORKS + 2, relay).await;
    bob.ok(None, queue.sender(), send(b"hello")).await;
    let (id, body) = alice.message(&queue).await;
    assert_eq!(body, b"hello");
    assert!(alice.ack(&queue, &id).await.is_none());
    start.elapsed()
}

fn counting_loopback(config: &mut Config) {
    config.limits.count_loopback = true;
}

/// Opens connections that say nothing, at once another one for each that is closed, for ever.
async fn open_for_ever(network: usize, count: usize, to: SocketAddr, opened: Arc<AtomicUsize>) {
    let mut connections = std::collections::VecDeque::new();
    loop {
        if let Ok(stream) = connect_from(address_in(network), to).await {
            connections.push_back(stream);
            opened.fetch_add(1, Ordering::Relaxed);
        } else {
            tokio::task::yield_now().await;
        }
        if connections.len() >= count {
            // Those that the relay has closed make room for others.
            let before = connections.len();
            connections.retain(|stream| {
                matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
            });
            if connections.len() == before {
                connections.pop_front();
            }
        }
    }
}

/// Says to a child process which part of the crowd it is: relay, first network, connections of each network.
const PART: &str = "SMP_TEST_CROWD_PART";

/// A process has as many networks.
const NETWORKS_OF_PART: usize = 10;

/// The crowd's part of a child process, which [`thousands_of_silent_connections_do_not_keep_others_out`] starts; by itself it is
/// nothing. Says when all its connections were opened, and ends with its parent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn part_of_a_crowd() {
    let Ok(part) = std::env::var(PART) else { return };
    let [to, first, count] = part.split(' ').collect::<Vec<_>>()[..] else { panic!("{part}") };
    let (to, first, count): (_, usize, usize) =
        (to.parse().unwrap(), first.parse().unwrap(), count.parse().unwrap());
    let files = (count * NETWORKS_OF_PART) as u64 + OTHER_FILES;
    assert!(allow_files(files) >= files, "{files} open files are not allowed");
    let opened = Arc::new(AtomicUsize::new(0));
    let mut networks = JoinSet::new();
    for network in first..first + NETWORKS_OF_PART {
        networks.spawn(open_for_ever(network, count, to, opened.clone()));
    }
    while opened.load(Ordering::Relaxed) < count * NETWORKS_OF_PART {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    say(OPENED);
    let parent_has_ended = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    parent_has_ended.await.unwrap().unwrap();
    std::process::exit(0);
}

/// Printed by a part of the crowd.
const OPENED: &str = "all are opened";

/// Starts a part of the crowd.
fn start_part(to: SocketAddr, first: usize, count: usize) -> Child {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crowd::part_of_a_crowd", "--nocapture"])
        .env(PART, format!("{to} {first} {count}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_silent_connections_do_not_keep_others_out() {
    let long: Option<usize> = std::env::var("SMP_TEST_CROWD").ok().map(|count| count.parse().unwrap());
    let count = long.unwrap_or(2_000);
    let wanted = Config::default().limits.max_connections.min(count / 2);
    let limit = allow_files(wanted as u64 + OTHER_FILES);
    let places = wanted.min(usize::try_from(limit.saturating_sub(OTHER_FILES)).unwrap());
    if places < wanted {
        say(&format!(
            "the relay has {places} places instead of {wanted}: {limit} open files are allowed (ulimit -n)"
        ));
    }
    let relay = relay_with(|config| {
        counting_loopback(config);
        config.limits.max_connections = places;
        if long.is_none() {
            config.limits.max_connections_per_address = 40;
        }
    })
    .await;
    let to = relay.running.local_addrs()[0];
    let parts = (0..NETWORKS / NETWORKS_OF_PART)
        .map(|part| start_part(to, 1 + part * NETWORKS_OF_PART, count / NETWORKS));
    let mut parts: Vec<_> = parts.collect();
    let outputs: Vec<_> = parts.iter_mut().map(|part| BufReader::new(part.stdout.take().unwrap())).collect();
    let all_opened = tokio::task::spawn_blocking(move || {
        outputs.into_iter().all(|output| output.lines().any(|line| line.unwrap().contains(OPENED)))
    });
    assert!(all_opened.await.unwrap(), "a part of the crowd has ended");
    // They have filled it, and go on.
    while relay.running.connections() < places {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = newcomer(&relay).await;
    say(&format!(
        "{count} connections were opened from {NETWORKS} networks to a relay with {places} places; somebody from another one connected, created a queue and received within {took:?}"
    ));
    assert!(relay.running.connections() <= places);
    assert!(long.is_none() || took < Duration::from_secs(1), "{took:?}");
    for mut part in parts {
        part.kill().unwrap();
        part.wait().unwrap();
    }
}

/// A client that has shown that it uses the relay is not displaced by one that has not.
#[tokio::test]
async fn strangers_leave_for_others_and_those_who_use_the_relay_stay() {
    let relay = relay_with(|config| {
        counting_loopback(config);
        config.limits.max_connections = 4;
    })
    .await;
    let mut alice = client_from(1, &relay).await;
    let queue = alice.queue().await;
    let mut strangers = Vec::new();
    for _ in 0..20 {
        // They speak the protocol, but have nothing here.
        let stranger = client_from(2, &relay).await;
        let pong = stranger.ask(None, EntityId::empty(), Command::Ping).await.unwrap();
        assert_eq!(pong, BrokerMessage::Pong);
        strangers.push(stranger);
    }
    assert!(strangers[0].events.recv().await.is_err(), "the oldest has left");
    let bob = client_from(3, &relay).await;
    bob.ok(None, queue.sender(), send(b"still there?")).await;
    assert_eq!(alice.message(&queue).await.1, b"still there?");
}

/// A queue can be had by everybody.
#[tokio::test]
async fn a_network_that_has_taken_all_places_gives_some_back() {
    const PLACES: usize = 12;
    let relay = relay_with(|config| {
        counting_loopback(config);
        config.limits.max_connections = PLACES;
    })
    .await;
    let mut crowd = Vec::new();
    for _ in 0..PLACES {
        let client = client_from(1, &relay).await;
        client.queue().await;
        crowd.push(client);
    }
    newcomer(&relay).await;
    assert!(relay.running.connections() <= PLACES);
}

/// A reconnect gives no new burst, and neither does another address of the network.
#[tokio::test]
async fn rates_survive_a_reconnect() {
    let relay = relay_with(|config| {
        counting_loopback(config);
        config.limits.new_queues_per_minute = 4;
        config.limits.new_queues_per_minute_network = 4;
    })
    .await;
    let first = client_from(1, &relay).await;
    for _ in 0..4 {
        first.queue().await;
    }
    drop(first);
    let second = client_from(1, &relay).await;
    let news = (0..4).map(|_| Box::pin(second.try_queue(messaging(), SubscriptionMode::OnlyCreate)));
    // Two wait for their turns, which come every 15 seconds; the others would wait for too long.
    let (refused, ..) = select_all(news).await;
    assert!(matches!(refused, Err(ClientError::Relay(ErrorType::Store(_)))), "refused");
    let elsewhere = client_from(2, &relay).await;
    elsewhere.queue().await;
}

/// The same holds for relays that nobody has asked for.
#[tokio::test]
async fn the_pace_of_new_relays_survives_a_reconnect() {
    let relay = relay_with(|config| {
        counting_loopback(config);
        config.proxy.new_relays_per_minute = 4;
        config.proxy.new_relays_per_minute_network = 4;
    })
    .await;
    let absent = |number: u8| {
        let mut address = relay.running.address().clone();
        (address.port, address.fingerprint) = (Some(1), [number; 32]);
        address
    };
    let busy = ErrorType::Proxy(Box::new(ProxyError::Broker(BrokerErrorType::Timeout)));
    let ask = async |client: &Client, number| {
        refused(prxy(client, &absent(number), None).await.map(|_| BrokerMessage::Ok))
    };
    let first = client_from(1, &relay).await;
    for number in 0..4 {
        assert_ne!(ask(&first, number).await, busy);
    }
    drop(first);
    let second = client_from(1, &relay).await;
    let asked = (4..8).map(|number| Box::pin(ask(&second, number)));
    // Two wait for their turns, which come every 15 seconds; the others would wait for too long.
    let (answer, ..) = select_all(asked).await;
    assert_eq!(answer, busy);
    assert_ne!(ask(&second, 0).await, busy, "this one was asked for before");
    assert_ne!(ask(&client_from(2, &relay).await, 9).await, busy);
}

#[tokio::test]
async fn there_are_so_many_queues_at_most() {
    let relay = relay_with(|config| config.limits.max_queues = 2).await;
    let client = relay.client().await;
    let queue = client.queue().await;
    client.queue().await;
    let refused = client.try_queue(messaging(), SubscriptionMode::OnlyCreate).await;
    assert!(matches!(refused, Err(ClientError::Relay(ErrorType::Store(_)))), "refused");
    client.ok(Some(&queue.key), queue.recipient(), Command::Delete).await;
    client.queue().await;
}

/// Where everybody has one address, who does nothing makes room for who does.
#[tokio::test]
async fn behind_one_address_strangers_leave_too() {
    let relay = relay_with(|config| {
        counting_loopback(config);
        config.limits.max_connections_per_address = 2;
    })
    .await;
    let silent = connect_from(address_in(1), relay.running.local_addrs()[0]).await.unwrap();
    let (one, two) = (client_from(1, &relay).await, client_from(1, &relay).await);
    one.queue().await;
    two.queue().await;
    drop(silent);
    let from = connect_from(address_in(1), relay.running.local_addrs()[0]).await.unwrap();
    let fingerprint = relay.running.address().fingerprint;
    assert!(RelayClient::connect_over(from, fingerprint, ClientConfig::default()).await.is_err());
    client_from(2, &relay).await;
}
