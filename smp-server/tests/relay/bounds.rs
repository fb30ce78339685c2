//! Cost of one client, or of many: it is bounded, and others are not slowed down meanwhile: two people exchange messages
//! before and during each attack, in the same run.

use std::{
    future::Future,
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use smp_crypto::{Ed448PrivateKey, PrivateAuthKey};
use smp_protocol::{
    command::{Command, MessageFlags, SubscriptionMode},
    encoding::NonEmpty,
    id::EntityId,
    message::BrokerMessage,
};
use smp_transport::{
    client::{ClientConfig, RelayClient, Request},
    connection::{ConnectorSettings, RelayConnector},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    net::{TcpSocket, TcpStream},
    sync::watch,
};

use crate::support::{Client, Queue, TestRelay, contact, ed25519, messaging, relay_with, send};

/// Exchanges that are timed.
const EXCHANGES: usize = 25;
/// How much longer an exchange may take during an attack: this many times, as attackers need the same processor in a
/// test, and this much for what it does by chance.
const FACTOR: u32 = 20;
const SLACK: Duration = Duration::from_millis(100);

/// Two people who do nothing wrong.
struct Pair {
    alice: Client,
    bob: Client,
    queue: Queue,
    key: PrivateAuthKey,
}

impl Pair {
    async fn meet(relay: &TestRelay) -> Self {
        let (alice, bob) = (relay.client().await, relay.client().await);
        let queue = alice.queue().await;
        let key = bob.secure(&queue).await;
        Self { alice, bob, queue, key }
    }

    /// The median time of a message from one to the other, with its acknowledgement.
    async fn exchange(&mut self) -> Duration {
        let mut times = Vec::new();
        for _ in 0..EXCHANGES {
            let start = Instant::now();
            self.bob.ok(Some(&self.key), self.queue.sender(), send(b"hello")).await;
            let (id, body) = self.alice.message(&self.queue).await;
            assert_eq!(body, b"hello");
            assert!(self.alice.ack(&self.queue, &id).await.is_none());
            times.push(start.elapsed());
        }
        times.sort_unstable();
        times[EXCHANGES / 2]
    }
}

/// Times exchanges before, and while `attack` goes on. It tells through its argument when it is in full force; with its
/// receiver gone it need not go on.
async fn others_are_not_slowed<F>(
    what: &str,
    relay: &TestRelay,
    attack: impl FnOnce(watch::Sender<bool>) -> F,
) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut pair = Pair::meet(relay).await;
    pair.exchange().await;
    let before = pair.exchange().await;
    let (begun, mut has_begun) = watch::channel(false);
    let attack = tokio::spawn(attack(begun));
    let _ = has_begun.wait_for(|begun| *begun).await;
    let during = pair.exchange().await;
    drop(has_begun);
    println!("{what}: an exchange took {before:?} before and {during:?} during it");
    assert!(during < before * FACTOR + SLACK, "{what}: {during:?}, before {before:?}");
    attack.await.unwrap()
}

/// Waits for something that is to happen soon.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn address(relay: &TestRelay) -> SocketAddr {
    relay.running.local_addrs()[0]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_connections() {
    const PLACES: usize = 300;
    const ATTEMPTS: usize = 3000;
    let relay = relay_with(|config| config.limits.max_connections = PLACES).await;
    let to = address(&relay);
    let attack = move |begun: watch::Sender<bool>| async move {
        let (mut open, mut refused) = (Vec::new(), 0);
        for _ in 0..ATTEMPTS {
            let stream = TcpStream::connect(to).await.unwrap();
            // Those without a place are closed at once.
            let mut byte = [0];
            match tokio::time::timeout(Duration::from_millis(2), stream.peek(&mut byte)).await {
                Ok(_) => refused += 1,
                Err(_) => open.push(stream),
            }
            if open.len() > PLACES / 2 {
                begun.send_replace(true);
            }
        }
        (open, refused)
    };
    let (open, refused) = others_are_not_slowed("3000 connections", &relay, attack).await;
    assert!(relay.running.connections() <= PLACES);
    println!("{refused} of {ATTEMPTS} were closed at once, {} when others came", open.len());
    drop(open);
    until("the places are not free again", || relay.running.connections() <= 2).await;
    relay.client().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_new_queues() {
    const PER_MINUTE: u32 = 120;
    const WANTED: usize = 1_000;
    let relay = relay_with(|config| config.limits.new_queues_per_minute = PER_MINUTE).await;
    let client = relay.client().await;
    let time = Duration::from_secs(2);
    let attack = move |begun: watch::Sender<bool>| async move {
        let news = (0..WANTED).map(|_| client.try_queue(messaging(), SubscriptionMode::OnlyCreate));
        let created = std::sync::atomic::AtomicU32::new(0);
        let flood = join_all(news.map(|new| async {
            if new.await.is_ok()
                && created.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > PER_MINUTE / 2
            {
                begun.send_replace(true);
            }
        }));
        let _ = tokio::time::timeout(time, flood).await;
        created.into_inner()
    };
    let created = others_are_not_slowed("a flood of NEW", &relay, attack).await;
    // A burst of as many as are allowed in a minute, then evenly.
    let allowed = PER_MINUTE + PER_MINUTE * (time.as_secs() as u32 + 1) / 60;
    assert!((PER_MINUTE..=allowed).contains(&created), "{created} queues");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_with_the_most_expensive_signatures() {
    const PER_MINUTE: u32 = 600;
    const MORE: u32 = 30;
    let relay = relay_with(|config| config.limits.failed_authorizations_per_minute = PER_MINUTE).await;
    let clients = [relay.client().await, relay.client().await];
    let attack = move |begun: watch::Sender<bool>| async move {
        let key: PrivateAuthKey = Ed448PrivateKey::generate(&mut rand::rng()).into();
        let guesses = |_| Request::new(Some(&key), EntityId::generate(&mut rand::rng()), Command::Delete);
        let start = Instant::now();
        let bursts =
            clients.each_ref().map(|client| client.relay.send_many((0..PER_MINUTE + MORE).map(guesses)));
        begun.send_replace(true);
        let refused = join_all(bursts).await.iter().flatten().filter(|answer| answer.is_err()).count();
        (refused, start.elapsed())
    };
    let (refused, time) = others_are_not_slowed("guesses", &relay, attack).await;
    assert_eq!(refused, 2 * (PER_MINUTE + MORE) as usize);
    // A burst of as many as are allowed in a minute, then evenly.
    assert!(time >= Duration::from_secs(60) * MORE / PER_MINUTE, "{refused} guesses took {time:?} only");
}

/// A command about a queue with many owners costs as many verifications.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_blocks_of_the_most_expensive_commands() {
    // As many as `limits.max_recipient_keys` allows.
    const OWNERS: usize = 16;
    // One about each queue: our client puts no two about one into a block.
    const COMMANDS: usize = 60;
    let relay = relay_with(|config| config.limits.max_pending_commands = 256).await;
    let clients = [relay.client().await, relay.client().await];
    let mut attackers = Vec::new();
    for client in clients {
        let owners: Vec<_> = (0..OWNERS).map(|_| ed25519()).collect();
        let mut queues = Vec::new();
        for _ in 0..COMMANDS {
            let queue = client.queue_with(contact(), SubscriptionMode::OnlyCreate).await;
            let keys = owners.iter().map(|key| key.public_key().into()).collect();
            let rkey = Command::SetRecipientKeys(NonEmpty::new(keys).unwrap());
            client.ok(Some(&queue.key), queue.recipient(), rkey).await;
            queues.push(queue.recipient());
        }
        attackers.push((client, queues, owners));
    }
    let attack = move |begun: watch::Sender<bool>| async move {
        let floods = attackers.iter().map(|(client, queues, owners)| async {
            let mut answered = 0;
            while answered == 0 || !begun.is_closed() {
                let commands =
                    queues.iter().map(|queue| Request::new(owners.last(), queue, Command::QueueInfo));
                let commands: Vec<_> = commands.collect();
                let answers = client.relay.send_many(commands).await;
                answered += answers.iter().filter(|answer| answer.is_ok()).count();
                begun.send_replace(true);
            }
            answered
        });
        join_all(floods).await
    };
    let answered = others_are_not_slowed("full blocks", &relay, attack).await;
    assert!(answered.iter().all(|answered| answered % COMMANDS == 0), "{answered:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_do_not_read() {
    const CLIENTS: usize = 8;
    let relay = relay_with(|config| {
        config.limits.block_timeout = Duration::from_millis(500);
        config.limits.max_pending_commands = 64;
        config.limits.max_outgoing = 128;
    })
    .await;
    let connections = || relay.running.connections();
    let fingerprint = relay.running.address().fingerprint;
    let to = address(&relay);
    let attack = move |begun: watch::Sender<bool>| async move {
        let floods = (0..CLIENTS).map(|_| async {
            let connector = RelayConnector::new(fingerprint, ConnectorSettings::default()).unwrap();
            // Otherwise the system takes megabytes for it.
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(8192).unwrap();
            socket.set_send_buffer_size(8192).unwrap();
            let mut connection = connector.connect(socket.connect(to).await.unwrap()).await.unwrap();
            begun.send_replace(true);
            crate::limits::ping_without_reading(&mut connection).await;
        });
        tokio::time::timeout(Duration::from_secs(30), join_all(floods)).await.expect("still connected");
    };
    others_are_not_slowed("clients that do not read", &relay, attack).await;
    until("they are still connected", || connections() == 0).await;
}

/// State of the line between a client and the relay.
#[derive(Clone, Copy, PartialEq)]
enum Line {
    Open,
    /// After so many more bytes they go to the relay one at a time, far more slowly than anybody types.
    Slow(usize),
    /// Nothing comes from the relay.
    Held,
}

/// Leads to the relay as `line` says.
async fn line_to(relay: SocketAddr, line: watch::Receiver<Line>) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(1 << 14);
    let (mut from_client, mut to_client) = tokio::io::split(theirs);
    let (mut from_relay, mut to_relay) = TcpStream::connect(relay).await.unwrap().into_split();
    let mut held = line.clone();
    tokio::spawn(async move {
        let (mut buffer, mut slow) = ([0; 4096], 0);
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            let mut bytes = &buffer[..length];
            while !bytes.is_empty() {
                let count = match *line.borrow() {
                    Line::Slow(fast) => fast.saturating_sub(slow).clamp(1, bytes.len()),
                    _ => bytes.len(),
                };
                if count == 1 {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                if to_relay.write_all(&bytes[..count]).await.is_err() {
                    return;
                }
                bytes = &bytes[count..];
                slow += usize::from(matches!(*line.borrow(), Line::Slow(_))) * count;
            }
        }
    });
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from_relay.read(&mut buffer).await {
            let _ = held.wait_for(|line| *line != Line::Held).await;
            if to_client.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    });
    ours
}

/// Sends a byte at a time: in the TLS handshake, at the beginning of a block, which counts as doing nothing, and in the
/// middle of one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_send_a_byte_at_a_time() {
    const CLIENTS: usize = 20;
    const MIDDLE: usize = 6_000;
    let relay = relay_with(|config| {
        config.limits.handshake_timeout = Duration::from_secs(2);
        config.limits.block_timeout = Duration::from_millis(500);
        config.limits.idle_timeout = Some(Duration::from_secs(2));
        config.limits.idle_check_interval = Duration::from_millis(200);
    })
    .await;
    let (to, fingerprint) = (address(&relay), relay.running.address().fingerprint);
    let attack = move |begun: watch::Sender<bool>| async move {
        let connect = |line| async move {
            RelayClient::connect_over(line_to(to, line).await, fingerprint, ClientConfig::default()).await
        };
        let client = |slow| async move {
            let (change, line) = watch::channel(Line::Open);
            let (client, _events) = connect(line).await.unwrap();
            change.send_replace(slow);
            client.send(None, EntityId::empty(), Command::Ping).await.is_err()
        };
        let strangers = (0..CLIENTS).map(|_| async {
            let (_change, line) = watch::channel(Line::Slow(0));
            connect(line).await.is_err()
        });
        let at_beginning = (0..CLIENTS).map(|_| client(Line::Slow(0)));
        let in_the_middle = (0..CLIENTS).map(|_| client(Line::Slow(MIDDLE)));
        begun.send_replace(true);
        let (a, b, c) = tokio::join!(join_all(strangers), join_all(at_beginning), join_all(in_the_middle));
        [a, b, c].map(|disconnected| disconnected.into_iter().filter(|disconnected| *disconnected).count())
    };
    let disconnected = others_are_not_slowed("a byte at a time", &relay, attack).await;
    assert_eq!(disconnected, [CLIENTS; 3]);
    until("they are still connected", || relay.running.connections() == 0).await;
}

/// They are no answers, so that the number of commands does not bound them; those that wait for one queue are bounded, so that
/// there is no reason to disconnect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_that_nobody_reads() {
    let relay = relay_with(|config| {
        config.limits.max_pending_commands = 8;
        config.limits.max_outgoing = 16;
        config.queues.quota = 100_000;
    })
    .await;
    let (alice, bob) = (relay.client().await, relay.client().await);
    let queue = alice.queue_with(messaging(), SubscriptionMode::OnlyCreate).await;
    let notifier = crate::notifications::allow(&alice, &queue).await;
    let (hold, line) = watch::channel(Line::Open);
    let stream = line_to(address(&relay), line).await;
    let fingerprint = relay.running.address().fingerprint;
    let (client, events) =
        RelayClient::connect_over(stream, fingerprint, ClientConfig::default()).await.unwrap();
    let mut server = Client { relay: client, events };
    crate::notifications::subscribe(&server, &notifier).await;
    hold.send_replace(Line::Held);
    let attack = move |begun: watch::Sender<bool>| async move {
        let flagged = || Command::Send(MessageFlags { notification: true }, b"1".as_slice().into());
        let mut sent = 0;
        begun.send_replace(true);
        while sent < 3_000 {
            let batch = (0..100).map(|_| Request::new(None, queue.sender(), flagged()));
            sent += bob.relay.send_many(batch).await.len();
        }
        (bob, alice)
    };
    let _connected = others_are_not_slowed("notifications that nobody reads", &relay, attack).await;
    hold.send_replace(Line::Open);
    for _ in 0..32 {
        assert!(matches!(server.event().await.1, BrokerMessage::Notification(..)));
    }
}
