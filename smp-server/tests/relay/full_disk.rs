//! A relay whose disk is full, and has space again later.

use smp_crypto::X25519PrivateKey;
use smp_protocol::{
    command::{Command, SubscriptionMode},
    error::ErrorType,
    id::{EntityId, MessageId},
    message::BrokerMessage,
};
use smp_server::store::{SqliteConfig, SqliteStore};
use smp_transport::client::ClientError;

use small_disk::SmallDisk;

use crate::support::{Client, Queue, TestRelay, ed25519, messaging, open, relay_with, send};

#[path = "../../../tests/support/small_disk.rs"]
mod small_disk;

/// Large enough for the store of a new relay and some messages.
const SIZE_MIB: u32 = 2;
const BODY: usize = 12_000;

/// Whether it was done. Without space it must be the store that refuses it.
#[track_caller]
fn is_done(answer: Result<BrokerMessage<'static>, ClientError>) -> bool {
    match answer {
        Ok(_) => true,
        Err(ClientError::Relay(ErrorType::Store(_) | ErrorType::Internal)) => false,
        Err(error) => panic!("{error}"),
    }
}

fn body(number: u32) -> Vec<u8> {
    number.to_be_bytes().into_iter().cycle().take(BODY).collect()
}

fn number(body: &[u8]) -> u32 {
    u32::from_be_bytes(body[..4].try_into().unwrap())
}

/// A queue with what must be in it.
struct Filled {
    queue: Queue,
    kept: Vec<u32>,
}

impl Filled {
    async fn create(client: &Client) -> Self {
        Self { queue: client.queue_with(messaging(), SubscriptionMode::OnlyCreate).await, kept: Vec::new() }
    }

    /// Sends a message; whether it got `OK`.
    async fn send(&mut self, client: &Client, number: u32) -> bool {
        let done = is_done(client.ask(None, self.queue.sender(), send(&body(number))).await);
        if done {
            self.kept.push(number);
        }
        done
    }

    /// Subscribes, and returns the first message.
    async fn first(&self, client: &mut Client) -> (MessageId, u32) {
        client.subscribe(&self.queue).await;
        let (id, body) = client.message(&self.queue).await;
        (id, number(&body))
    }

    /// Takes everything, which must be what got `OK`, in order.
    async fn drain(&mut self, client: &mut Client) {
        let mut next = Some(self.first(client).await);
        let mut received = Vec::new();
        while let Some((id, number)) = next {
            received.push(number);
            let message = client.ack(&self.queue, &id).await;
            next = message.map(|(id, body)| (id, self::number(&body)));
        }
        assert_eq!(received, self.kept);
        self.kept.clear();
    }
}

/// Tries commands that change something on the disk. How many of them were done.
async fn change(client: &Client, queue: &Queue) -> usize {
    let notifier_dh = X25519PrivateKey::generate(&mut rand::rng());
    let nkey = Command::SetNotifier(ed25519().public_key().into(), notifier_dh.public_key().into());
    let sender = ed25519();
    let skey = Command::SenderSecure(sender.public_key().into());
    let new = client.try_queue(messaging(), SubscriptionMode::OnlyCreate).await;
    let answers = [
        new.map(|_| BrokerMessage::Ok),
        client.ask(Some(&queue.key), queue.recipient(), nkey).await,
        client.ask(Some(&sender), queue.sender(), skey).await,
    ];
    answers.into_iter().filter(|answer| is_done(answer.clone())).count()
}

/// How many commands [`change`] has.
const CHANGES: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_only_what_needs_it() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("small"), SIZE_MIB) else {
        return println!("skipped: a small file system can be mounted by root only");
    };
    let store = disk.0.join("store");
    let relay = relay_with(|config| config.store.path = store).await;
    let (alice, bob) = (relay.client().await, relay.client().await);
    let (mut read, mut waiting) = (Filled::create(&alice).await, Filled::create(&alice).await);
    for number in 0..4 {
        assert!(read.send(&bob, number).await && waiting.send(&bob, number).await);
    }

    disk.fill();
    // The log may have room for some.
    let mut next = 4;
    while waiting.send(&bob, next).await {
        next += 1;
        disk.fill();
    }
    assert_eq!(change(&alice, &waiting.queue).await, 0, "done without space");
    assert!(!read.send(&bob, next).await, "done without space");
    let acknowledged = others_go_on(&relay, [&alice, &bob], &read, &waiting).await;
    read.kept.drain(..usize::from(acknowledged));

    disk.free().unwrap();
    // Nothing has to be started again, neither the relay nor the connections.
    for filled in [&mut read, &mut waiting] {
        assert!(filled.send(&bob, next).await, "refused although there is space again");
    }
    assert_eq!(change(&alice, &Filled::create(&alice).await.queue).await, CHANGES);
    println!(
        "full disk: SEND, NEW, NKEY, SKEY refused; PING, SUB, GET, QUE done; ACK {}; {} messages that got OK delivered",
        if acknowledged { "done" } else { "refused" },
        read.kept.len() + waiting.kept.len()
    );
    read.drain(&mut relay.client().await).await;

    let config = relay.config.clone();
    let relay = relay.again(|running| async { running.shutdown().await.unwrap() }).await;
    let (mut alice, bob) = (relay.client().await, relay.client().await);
    assert!(read.send(&bob, 0).await);
    read.drain(&mut alice).await;
    waiting.drain(&mut alice).await;
    relay.running.shutdown().await.unwrap();
    SqliteStore::check(SqliteConfig::new(config.store.path.join("smp-server.sqlite"))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_keeps_nobody_from_receiving() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("small"), SIZE_MIB) else {
        return println!("skipped: a small file system can be mounted by root only");
    };
    let store = disk.0.join("store");
    let relay = relay_with(|config| {
        config.store.path = store;
        config.store.reserve_mib = 48;
    })
    .await;
    let (mut alice, bob) = (relay.client().await, relay.client().await);
    let (mut first, mut second) = (Filled::create(&alice).await, Filled::create(&alice).await);
    for number in 0..10 {
        assert!(first.send(&bob, number).await && second.send(&bob, number).await);
    }
    disk.fill();
    let mut next = 10;
    while second.send(&bob, next).await {
        next += 1;
        disk.fill();
    }
    // Until somebody else takes what the reserve had.
    first.drain(&mut alice).await;
    let new = alice.try_queue(messaging(), SubscriptionMode::OnlyCreate).await;
    assert!(!is_done(new.map(|_| BrokerMessage::Ok)), "the reserve is not for new queues");
    assert!(!second.send(&bob, next).await, "nor for messages");
    let deleted = alice.ask(Some(&first.queue.key), first.queue.recipient(), Command::Delete).await;
    assert!(is_done(deleted));

    let relay = relay.again(|running| async { running.shutdown().await.unwrap() }).await;
    second.drain(&mut relay.client().await).await;
    disk.free().unwrap();
    let relay = relay.again(|running| async { running.shutdown().await.unwrap() }).await;
    assert!(second.send(&relay.client().await, 91).await);
    second.drain(&mut relay.client().await).await;
    relay.running.shutdown().await.unwrap();
}

/// Commands that need no disk are done, on connections that were refused something and on others. Returns whether `ACK` was: if
/// not, the message comes again.
async fn others_go_on(relay: &TestRelay, refused: [&Client; 2], read: &Filled, waiting: &Filled) -> bool {
    let other = relay.client().await;
    for client in [refused[0], refused[1], &other] {
        assert_eq!(client.ask(None, EntityId::empty(), Command::Ping).await.unwrap(), BrokerMessage::Pong);
        let got =
            client.ask(Some(&waiting.queue.key), waiting.queue.recipient(), Command::Get).await.unwrap();
        let BrokerMessage::Message(id, content) = got else { panic!("{got:?}") };
        assert_eq!(number(&open(&waiting.queue, id, &content).1), 0);
        let info = client.ask(Some(&read.queue.key), read.queue.recipient(), Command::QueueInfo).await;
        assert!(matches!(info, Ok(BrokerMessage::QueueInfo(info)) if info.size == 4));
    }
    let mut first = relay.client().await;
    assert_eq!(read.first(&mut first).await.1, 0);
    let mut second = relay.client().await;
    let (id, message) = read.first(&mut second).await;
    assert_eq!(message, 0);
    let ack = second.ask(Some(&read.queue.key), read.queue.recipient(), Command::Acknowledge(id)).await;
    let acknowledged = is_done(ack);
    let again = read.first(&mut relay.client().await).await.1;
    assert_eq!(again, u32::from(acknowledged));
    acknowledged
}
