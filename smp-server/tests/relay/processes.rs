//! Several processes of one relay, which share its store.

use std::time::Duration;

use smp_protocol::{
    command::{Command, MessageFlags, SubscriptionMode},
    error::ErrorType,
    id::EntityId,
    message::BrokerMessage,
};
use smp_server::{Relay, config::StoreKind};
use smp_transport::{
    identity::{CertificateAuthority, KeyAlgorithm, files},
    surroundings::Time,
    tls::TlsClient,
};
use time::OffsetDateTime;
use tokio::{io::AsyncReadExt as _, net::TcpStream};

use crate::{
    notifications::{allow, subscribe as subscribe_notifications},
    support::{Client, Queue, TestRelay, another, client_of, refused, relay_with, send},
};

/// A relay of two processes that notice soon that one of them is dead. `None` where there is no PostgreSQL.
async fn two() -> Option<TestRelay> {
    let relay = relay_with(|config| config.store.lease = Duration::from_secs(2)).await;
    (relay.config.store.kind == StoreKind::Postgres).then_some(relay)
}

/// Sends until it is answered by `OK`. Until it is known that a process has ended nobody else answers for it, neither by `OK` nor by `AUTH`.
async fn answered(client: &Client, queue: &Queue, body: &[u8]) {
    loop {
        match client.ask(None, queue.sender(), send(body)).await {
            Ok(BrokerMessage::Ok) => break,
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(matches!(refused(Err(error)), ErrorType::Store(_))),
        }
    }
}

/// A client of each process.
async fn clients(relay: &TestRelay) -> (Client, Client) {
    (client_of(&relay.running).await, client_of(&relay.others[0]).await)
}

#[tokio::test]
async fn a_queue_is_used_from_any_process() {
    let Some(relay) = two().await else { return };
    let (mut alice, bob) = clients(&relay).await;
    let queue = alice.queue().await;
    let key = bob.secure(&queue).await;
    for round in 0..3_u8 {
        bob.ok(Some(&key), queue.sender(), send(&[round, 1])).await;
        bob.ok(Some(&key), queue.sender(), send(&[round, 2])).await;
        let (id, body) = alice.message(&queue).await;
        assert_eq!(body, [round, 1]);
        let (id, body) = alice.ack(&queue, &id).await.unwrap();
        assert_eq!(body, [round, 2]);
        assert!(alice.ack(&queue, &id).await.is_none());
    }
    let wrong = crate::support::x25519();
    for entity in [EntityId::from(queue.sender()), EntityId::from([9; 24])] {
        assert_eq!(refused(bob.ask(Some(&wrong), entity, send(b"x")).await), ErrorType::Auth);
    }
    bob.ok(Some(&queue.key), queue.recipient(), Command::Delete).await;
    assert_eq!(alice.event().await, (queue.recipient().into(), BrokerMessage::Deleted));
    assert_eq!(refused(bob.ask(Some(&key), queue.sender(), send(b"x")).await), ErrorType::Auth);
}

#[tokio::test]
async fn a_queue_goes_where_its_recipient_subscribes() {
    let Some(relay) = two().await else { return };
    let (alice, mut elsewhere) = clients(&relay).await;
    let bob = client_of(&relay.running).await;
    let queue = alice.queue().await;
    let mut last = alice;
    for round in 0..4_u8 {
        bob.ok(None, queue.sender(), send(&[round])).await;
        let (_, body) = last.message(&queue).await;
        // It is not acknowledged, so the next subscriber gets it, too.
        assert_eq!(body, [round]);
        elsewhere.subscribe(&queue).await;
        assert_eq!(last.event().await, (queue.recipient().into(), BrokerMessage::End));
        let (id, body) = elsewhere.message(&queue).await;
        assert_eq!(body, [round]);
        assert!(elsewhere.ack(&queue, &id).await.is_none());
        let error = refused(last.ask(Some(&queue.key), queue.recipient(), Command::Acknowledge(id)).await);
        assert_eq!(error, ErrorType::NoMessage);
        std::mem::swap(&mut last, &mut elsewhere);
    }
    // Nobody takes it from its subscriber without its key.
    let stranger = crate::support::ed25519();
    assert_eq!(
        refused(elsewhere.ask(Some(&stranger), queue.recipient(), Command::Subscribe).await),
        ErrorType::Auth
    );
    last.assert_quiet().await;
}

#[tokio::test]
async fn get_goes_to_the_process_of_the_queue() {
    let Some(relay) = two().await else { return };
    let (alice, other) = clients(&relay).await;
    let queue = alice.queue_with(crate::support::messaging(), SubscriptionMode::OnlyCreate).await;
    alice.ok(None, queue.sender(), send(b"1")).await;
    let got = other.ask(Some(&queue.key), queue.recipient(), Command::Get).await.unwrap();
    let BrokerMessage::Message(id, body) = got else { panic!("{got:?}") };
    let (id, body) = crate::support::open(&queue, id, &body);
    assert_eq!(body, b"1");
    let prohibited = refused(other.ask(Some(&queue.key), queue.recipient(), Command::Subscribe).await);
    assert!(matches!(prohibited, ErrorType::Command(_)), "{prohibited:?}");
    assert!(other.ack(&queue, &id).await.is_none());
    other.ok(Some(&queue.key), queue.recipient(), Command::Get).await;
}

#[tokio::test]
async fn notifications_find_their_notifier_in_any_process() {
    let Some(relay) = two().await else { return };
    let (alice, mut phone) = clients(&relay).await;
    let bob = client_of(&relay.others[0]).await;
    let queue = alice.queue().await;
    let notifier = allow(&alice, &queue).await;
    let noisy = || Command::Send(MessageFlags { notification: true }, b"hello".as_slice().into());
    // It waits where the queue is.
    bob.ok(None, queue.sender(), noisy()).await;
    subscribe_notifications(&phone, &notifier).await;
    assert!(matches!(phone.event().await.1, BrokerMessage::Notification(..)));
    bob.ok(None, queue.sender(), noisy()).await;
    assert!(matches!(phone.event().await.1, BrokerMessage::Notification(..)));
    let mut tablet = client_of(&relay.running).await;
    subscribe_notifications(&tablet, &notifier).await;
    assert_eq!(phone.event().await.1, BrokerMessage::End);
    tablet.assert_quiet().await;
    subscribe_notifications(&phone, &notifier).await;
    assert_eq!(tablet.event().await.1, BrokerMessage::End);
    alice.ok(Some(&queue.key), queue.recipient(), Command::DeleteNotifier).await;
    assert_eq!(phone.event().await.1, BrokerMessage::Deleted);
}

#[tokio::test]
async fn what_a_dead_process_had_goes_on_in_another() {
    let Some(mut relay) = two().await else { return };
    let (alice, bob) = clients(&relay).await;
    let queue = alice.queue().await;
    bob.ok(None, queue.sender(), send(b"before")).await;
    let rest = relay.others.remove(0);
    relay.running.kill().await;
    answered(&bob, &queue, b"after").await;
    let mut alice = client_of(&rest).await;
    alice.subscribe(&queue).await;
    let (id, body) = alice.message(&queue).await;
    assert_eq!(body, b"before");
    assert_eq!(alice.ack(&queue, &id).await.unwrap().1, b"after");
    rest.shutdown().await.unwrap();
}

/// The network between the processes is cut, the database can be reached by both.
#[tokio::test]
async fn a_process_that_cannot_be_reached_is_no_ok() {
    let Some(relay) = two().await else { return };
    let mut config = another(&relay.config, 9);
    // Nobody listens there.
    config.cluster.address = Some("127.0.0.1:1".to_owned());
    let lonely = Relay::start(config).await.unwrap();
    let mut alice = client_of(&lonely).await;
    let queue = alice.queue().await;
    let bob = client_of(&relay.running).await;
    for _ in 0..3 {
        let error = refused(bob.ask(None, queue.sender(), send(b"x")).await);
        assert!(matches!(error, ErrorType::Store(_)), "{error:?}");
    }
    alice.assert_quiet().await;
    lonely.shutdown().await.unwrap();
    answered(&bob, &queue, b"x").await;
}

#[tokio::test]
async fn only_processes_with_the_relays_identity_are_listened_to() {
    let Some(relay) = two().await else { return };
    let port = relay.running.cluster_addr().unwrap();
    let own = files::load(&relay.config.identity.path, OffsetDateTime::now_utc()).unwrap();
    let (now, mut rng) = (OffsetDateTime::now_utc(), rand::rng());
    let stranger = CertificateAuthority::generate(KeyAlgorithm::Ed25519, now, &mut rng)
        .issue("relay", KeyAlgorithm::Ed25519, now, &mut rng)
        .unwrap();
    for (identity, is_heard) in [(None, false), (Some(&stranger), false), (Some(&own), true)] {
        let tls = TlsClient::new(own.fingerprint(), identity, Time::machine()).unwrap();
        let stream = TcpStream::connect(port).await.unwrap();
        let mut stream = tls.connect(stream).await.unwrap().into_stream();
        // It is greeted by a version; a stranger is hung up on.
        assert_eq!(stream.read_u8().await.is_ok(), is_heard);
    }
}
