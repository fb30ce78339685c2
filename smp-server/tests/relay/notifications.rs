//! `NKEY`, `NSUB`, `NMSG`, `NDEL`, and credentials inside `NEW`.

use std::borrow::Cow;

use smp_crypto::{BoxKey, PrivateAuthKey, X25519PrivateKey};
use smp_protocol::{
    body::NotificationMeta,
    command::{Command, MessageFlags, NewQueue, NotifierCredentials, SubscriptionMode},
    error::ErrorType,
    id::{EntityId, MessageId, NotifierId},
    message::BrokerMessage,
};

use smp_server::config::{Config, StoreKind};

use crate::support::{Client, Queue, ed25519, messaging, refused, relay, relay_with, send};

pub(crate) struct Notifier {
    key: PrivateAuthKey,
    id: NotifierId,
    secret: BoxKey,
}

fn noisy(body: &[u8]) -> Command<'_> {
    Command::Send(MessageFlags { notification: true }, Cow::Borrowed(body))
}

pub(crate) async fn allow(client: &Client, queue: &Queue) -> Notifier {
    let (key, dh) = (ed25519(), X25519PrivateKey::generate(&mut rand::rng()));
    let command = Command::SetNotifier(key.public_key().into(), dh.public_key().into());
    match client.ask(Some(&queue.key), queue.recipient(), command).await.unwrap() {
        BrokerMessage::NotifierId(id, relay_key) => {
            Notifier { key, id, secret: dh.agree(&relay_key.0).box_key() }
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn subscribe(client: &Client, notifier: &Notifier) {
    let answer = client.ask(Some(&notifier.key), notifier.id.clone(), Command::SubscribeNotifications).await;
    assert!(matches!(answer, Ok(BrokerMessage::Subscribed(None))), "{answer:?}");
}

/// The message that the next notification is about.
async fn notified(client: &mut Client, notifier: &Notifier) -> MessageId {
    match client.event().await {
        (entity, BrokerMessage::Notification(nonce, meta)) => {
            assert_eq!(entity, notifier.id.clone().into());
            NotificationMeta::open(&notifier.secret, &nonce, meta.as_bytes()).unwrap().message_id
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_notifier_learns_that_there_is_a_message() {
    let relay = relay().await;
    let (mut alice, bob, mut server) = (relay.client().await, relay.client().await, relay.client().await);
    let queue = alice.queue().await;
    let notifier = allow(&alice, &queue).await;
    // Before it subscribes, notifications wait.
    bob.ok(None, queue.sender(), noisy(b"1")).await;
    bob.ok(None, queue.sender(), send(b"silent")).await;
    subscribe(&server, &notifier).await;
    let (id, _) = alice.message(&queue).await;
    assert_eq!(notified(&mut server, &notifier).await, id);
    bob.ok(None, queue.sender(), noisy(b"2")).await;
    notified(&mut server, &notifier).await;
    server.assert_quiet().await;
    // The last one to subscribe gets them.
    let mut other = relay.client().await;
    subscribe(&other, &notifier).await;
    assert_eq!(server.event().await, (notifier.id.clone().into(), BrokerMessage::End));
    bob.ok(None, queue.sender(), noisy(b"3")).await;
    notified(&mut other, &notifier).await;
}

#[tokio::test]
async fn what_nobody_has_taken_survives_a_restart() {
    let on_disk = |config: &mut Config| {
        if config.store.kind == StoreKind::Memory {
            config.store.kind = StoreKind::Sqlite;
        }
    };
    let relay = relay_with(on_disk).await;
    let (alice, bob, mut server) = (relay.client().await, relay.client().await, relay.client().await);
    let (queue, other) = (alice.queue().await, alice.queue().await);
    let (notifier, taken) = (allow(&alice, &queue).await, allow(&alice, &other).await);
    subscribe(&server, &taken).await;
    for queue in [&queue, &queue, &other] {
        bob.ok(None, queue.sender(), noisy(b"1")).await;
    }
    notified(&mut server, &taken).await;
    let mut relay = relay;
    for _ in 0..2 {
        relay = relay.again(async |running| running.shutdown().await.unwrap()).await;
    }
    let (mut alice, mut server) = (relay.client().await, relay.client().await);
    subscribe(&server, &taken).await;
    subscribe(&server, &notifier).await;
    let first = notified(&mut server, &notifier).await;
    assert_ne!(first, notified(&mut server, &notifier).await);
    server.assert_quiet().await;
    alice.subscribe(&queue).await;
    assert_eq!(alice.message(&queue).await.0, first);
    // A notification that was taken does not come again.
    let relay = relay.again(async |running| running.shutdown().await.unwrap()).await;
    let mut server = relay.client().await;
    subscribe(&server, &notifier).await;
    server.assert_quiet().await;
}

#[tokio::test]
async fn notifications_end_with_the_notifier_and_the_queue() {
    let relay = relay().await;
    let (alice, bob, mut server) = (relay.client().await, relay.client().await, relay.client().await);
    let queue = alice.queue().await;
    let first = allow(&alice, &queue).await;
    subscribe(&server, &first).await;
    let second = allow(&alice, &queue).await;
    assert_eq!(server.event().await, (first.id.clone().into(), BrokerMessage::Deleted));
    let answer = server.ask(Some(&first.key), first.id.clone(), Command::SubscribeNotifications).await;
    assert_eq!(refused(answer), ErrorType::Auth);
    subscribe(&server, &second).await;
    for _ in 0..2 {
        alice.ok(Some(&queue.key), queue.recipient(), Command::DeleteNotifier).await;
    }
    assert_eq!(server.event().await, (second.id.clone().into(), BrokerMessage::Deleted));
    bob.ok(None, queue.sender(), noisy(b"1")).await;
    let third = allow(&alice, &queue).await;
    subscribe(&server, &third).await;
    server.assert_quiet().await;
    alice.ok(Some(&queue.key), queue.recipient(), Command::Delete).await;
    assert_eq!(server.event().await, (third.id.clone().into(), BrokerMessage::Deleted));
}

#[tokio::test]
async fn notifications_can_be_allowed_when_the_queue_is_created() {
    let relay = relay().await;
    let (alice, bob, mut server) = (relay.client().await, relay.client().await, relay.client().await);
    let (key, notifier_key) = (ed25519(), ed25519());
    let dh = X25519PrivateKey::generate(&mut rand::rng());
    let command = Command::New(Box::new(NewQueue {
        auth_key: key.public_key().into(),
        dh_key: dh.public_key().into(),
        password: None,
        subscription: SubscriptionMode::OnlyCreate,
        request: messaging(),
        notifier: Some(NotifierCredentials {
            auth_key: notifier_key.public_key().into(),
            dh_key: dh.public_key().into(),
        }),
    }));
    let BrokerMessage::QueueIds(ids) = alice.ask(Some(&key), EntityId::empty(), command).await.unwrap()
    else {
        panic!()
    };
    let given = ids.notifier.unwrap();
    let secret = dh.agree(&given.dh_key.0).box_key();
    let notifier = Notifier { key: notifier_key, id: given.notifier_id, secret };
    subscribe(&server, &notifier).await;
    bob.ok(None, ids.sender_id, noisy(b"1")).await;
    notified(&mut server, &notifier).await;
}
