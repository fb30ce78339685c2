//! `NEW`, `KEY`, `SKEY`, `RKEY`, `OFF`, `DEL`, `QUE`, `PING`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use smp_crypto::X25519PrivateKey;
use smp_protocol::{
    command::{Command, NewQueue, SubscriptionMode},
    encoding::NonEmpty,
    error::{CommandError, ErrorType},
    id::EntityId,
    key::SenderAuthKey,
    message::{BrokerMessage, SubscriptionThread},
};
use smp_server::config::parse_password;

use crate::support::{contact, ed25519, messaging, refused, relay, relay_with, send, x25519};

#[tokio::test]
async fn the_password_is_needed_to_create_queues() {
    let relay = relay_with(|config| {
        config.queues.create_password = Some(parse_password("s3cret").unwrap());
    })
    .await;
    assert!(relay.running.address().to_string().contains(":s3cret@"));
    for version in [6, 9, 19] {
        let alice = relay.client_of(version).await;
        for (password, fits) in [(None, false), (Some("wrong"), false), (Some("s3cret"), true)] {
            let key = ed25519();
            let command = Command::New(Box::new(NewQueue {
                auth_key: key.public_key().into(),
                dh_key: X25519PrivateKey::generate(&mut rand::rng()).public_key().into(),
                password: password.map(|text| parse_password(text).unwrap()),
                subscription: SubscriptionMode::Subscribe,
                request: messaging(),
                notifier: None,
            }));
            let answer = alice.ask(Some(&key), EntityId::empty(), command).await;
            match fits {
                true => assert!(matches!(answer, Ok(BrokerMessage::QueueIds(_)))),
                false => assert_eq!(refused(answer), ErrorType::Auth),
            }
        }
    }
}

#[tokio::test]
async fn new_queues_can_be_switched_off() {
    let relay = relay_with(|config| config.queues.new_queues = false).await;
    let alice = relay.client().await;
    let key = ed25519();
    let command = Command::New(Box::new(NewQueue {
        auth_key: key.public_key().into(),
        dh_key: X25519PrivateKey::generate(&mut rand::rng()).public_key().into(),
        password: None,
        subscription: SubscriptionMode::Subscribe,
        request: None,
        notifier: None,
    }));
    assert_eq!(refused(alice.ask(Some(&key), EntityId::empty(), command).await), ErrorType::Auth);
}

#[tokio::test]
async fn a_queue_is_secured_once() {
    let relay = relay().await;
    let (alice, bob) = (relay.client().await, relay.client().await);
    let queue = alice.queue().await;
    let skey = |key: &smp_crypto::PrivateAuthKey| Command::SenderSecure(SenderAuthKey(key.public_key()));
    let (key, other) = (x25519(), ed25519());
    // The client that secures must have the key.
    assert_eq!(refused(bob.ask(Some(&other), queue.sender(), skey(&key)).await), ErrorType::Auth);
    for _ in 0..2 {
        bob.ok(Some(&key), queue.sender(), skey(&key)).await;
    }
    assert_eq!(refused(bob.ask(Some(&other), queue.sender(), skey(&other)).await), ErrorType::Auth);
    // The recipient cannot change it either, but may repeat it.
    let secure = |key: &smp_crypto::PrivateAuthKey| Command::Secure(SenderAuthKey(key.public_key()));
    alice.ok(Some(&queue.key), queue.recipient(), secure(&key)).await;
    assert_eq!(
        refused(alice.ask(Some(&queue.key), queue.recipient(), secure(&other)).await),
        ErrorType::Auth
    );
    bob.ok(Some(&key), queue.sender(), send(b"")).await;
    assert_eq!(refused(bob.ask(Some(&other), queue.sender(), send(b"")).await), ErrorType::Auth);
    assert_eq!(refused(bob.ask(None, queue.sender(), send(b"")).await), ErrorType::Auth);
}

#[tokio::test]
async fn only_messaging_queues_are_secured_by_senders() {
    let relay = relay().await;
    let alice = relay.client().await;
    for request in [None, contact()] {
        let queue = alice.queue_with(request, SubscriptionMode::Subscribe).await;
        let key = x25519();
        let skey = Command::SenderSecure(SenderAuthKey(key.public_key()));
        assert_eq!(refused(alice.ask(Some(&key), queue.sender(), skey).await), ErrorType::Auth);
        // With an authorization nothing can be sent to a queue that is not secured.
        assert_eq!(refused(alice.ask(Some(&key), queue.sender(), send(b"")).await), ErrorType::Auth);
        alice.ok(None, queue.sender(), send(b"")).await;
    }
}

#[tokio::test]
async fn a_contact_queue_can_have_several_owners() {
    let relay = relay().await;
    let alice = relay.client().await;
    let queue = alice.queue_with(contact(), SubscriptionMode::OnlyCreate).await;
    let (one, two) = (ed25519(), x25519());
    let keys = NonEmpty::new(vec![one.public_key().into(), two.public_key().into()]).unwrap();
    alice.ok(Some(&queue.key), queue.recipient(), Command::SetRecipientKeys(keys.clone())).await;
    for owner in [&one, &two] {
        alice.ok(Some(owner), queue.recipient(), Command::Suspend).await;
    }
    assert_eq!(
        refused(alice.ask(Some(&queue.key), queue.recipient(), Command::Suspend).await),
        ErrorType::Auth
    );
    let queue = alice.queue().await;
    let answer = alice.ask(Some(&queue.key), queue.recipient(), Command::SetRecipientKeys(keys)).await;
    assert_eq!(refused(answer), ErrorType::Auth);
}

/// Each makes every command about the queue more expensive.
#[tokio::test]
async fn owners_are_limited() {
    let relay = relay_with(|config| config.limits.max_recipient_keys = 3).await;
    let alice = relay.client().await;
    let queue = alice.queue_with(contact(), SubscriptionMode::OnlyCreate).await;
    let owners: Vec<_> = (0..4).map(|_| ed25519()).collect();
    let of = |count| {
        let keys = owners[..count].iter().map(|key| key.public_key().into()).collect();
        Command::SetRecipientKeys(NonEmpty::new(keys).unwrap())
    };
    let answer = alice.ask(Some(&queue.key), queue.recipient(), of(4)).await;
    assert_eq!(refused(answer), ErrorType::Command(CommandError::Prohibited));
    alice.ok(Some(&queue.key), queue.recipient(), of(3)).await;
    for owner in &owners[..3] {
        alice.ok(Some(owner), queue.recipient(), Command::Suspend).await;
    }
    let answer = alice.ask(Some(&owners[3]), queue.recipient(), Command::Suspend).await;
    assert_eq!(refused(answer), ErrorType::Auth);
}

#[tokio::test]
async fn a_suspended_queue_can_only_be_emptied() {
    let relay = relay().await;
    let (mut alice, bob) = (relay.client().await, relay.client().await);
    let queue = alice.queue().await;
    bob.ok(None, queue.sender(), send(b"1")).await;
    bob.ok(None, queue.sender(), send(b"2")).await;
    for _ in 0..2 {
        alice.ok(Some(&queue.key), queue.recipient(), Command::Suspend).await;
    }
    assert_eq!(refused(bob.ask(None, queue.sender(), send(b"3")).await), ErrorType::Auth);
    let (id, _) = alice.message(&queue).await;
    let (id, _) = alice.ack(&queue, &id).await.unwrap();
    assert!(alice.ack(&queue, &id).await.is_none());
}

#[tokio::test]
async fn a_deleted_queue_is_unknown() {
    let relay = relay().await;
    let alice = relay.client().await;
    let queue = alice.queue().await;
    alice.ok(Some(&queue.key), queue.recipient(), Command::Delete).await;
    for command in [Command::Delete, Command::Subscribe, Command::Suspend, Command::QueueInfo] {
        let answer = alice.ask(Some(&queue.key), queue.recipient(), command).await;
        assert_eq!(refused(answer), ErrorType::Auth);
    }
    assert_eq!(refused(alice.ask(None, queue.sender(), send(b"")).await), ErrorType::Auth);
}

#[tokio::test]
async fn the_state_of_a_queue_is_told() {
    let relay = relay().await;
    let (mut alice, bob) = (relay.client().await, relay.client().await);
    let queue = alice.queue().await;
    let key = bob.secure(&queue).await;
    for body in [b"1", b"2"] {
        bob.ok(Some(&key), queue.sender(), send(body)).await;
    }
    let (id, _) = alice.message(&queue).await;
    let answer = alice.ask(Some(&queue.key), queue.recipient(), Command::QueueInfo).await;
    let BrokerMessage::QueueInfo(info) = answer.unwrap() else { panic!() };
    assert!(info.sender_secured && !info.notifications);
    assert_eq!(info.size, 2);
    let id = STANDARD.encode(id.as_bytes());
    assert_eq!(info.message.unwrap().id, id);
    let subscription = info.subscription.unwrap();
    assert_eq!((subscription.thread, subscription.delivered), (SubscriptionThread::NoSub, Some(id)));
    let answer = bob.ask(Some(&queue.key), queue.recipient(), Command::QueueInfo).await;
    let BrokerMessage::QueueInfo(info) = answer.unwrap() else { panic!() };
    assert_eq!(info.subscription, None);
}
