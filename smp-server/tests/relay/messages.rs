//! `SEND`, `MSG`, `ACK`, `GET`.

use smp_protocol::{
    body::max_message_length,
    command::{Command, SubscriptionMode},
    error::{CommandError, ErrorType},
    id::MessageId,
    message::BrokerMessage,
    version::SmpVersion,
};

use crate::support::{VERSIONS, messaging, open, refused, relay, relay_with, send};

#[tokio::test]
async fn messages_pass_in_every_version() {
    let relay = relay().await;
    for version in VERSIONS {
        let (mut alice, bob) = (relay.client_of(version).await, relay.client_of(version).await);
        let queue = alice.queue().await;
        let key = match version {
            9.. => bob.secure(&queue).await,
            _ => alice.secure(&queue).await,
        };
        let largest = vec![b'x'; max_message_length(SmpVersion(version))];
        for body in [b"hello".as_slice(), b"", &largest] {
            bob.ok(Some(&key), queue.sender(), send(body)).await;
            let (id, received) = alice.message(&queue).await;
            assert_eq!(received, body, "version {version}");
            assert!(alice.ack(&queue, &id).await.is_none());
        }
        let too_large = vec![b'x'; largest.len() + 1];
        if let Err(error) = bob.ask(Some(&key), queue.sender(), send(&too_large)).await {
            assert!(format!("{error:?}").contains("arge"), "version {version}: {error:?}");
        }
        alice.assert_quiet().await;
    }
}

#[tokio::test]
async fn messages_of_different_versions_are_delivered_to_each_other() {
    let relay = relay().await;
    for (sending, receiving) in [(6, 19), (19, 6), (9, 11), (18, 9)] {
        let (mut alice, bob) = (relay.client_of(receiving).await, relay.client_of(sending).await);
        let queue = alice.queue().await;
        bob.ok(None, queue.sender(), send(b"unsecured")).await;
        assert_eq!(alice.message(&queue).await.1, b"unsecured");
    }
}

#[tokio::test]
async fn one_message_at_a_time_in_order() {
    let relay = relay().await;
    let (mut alice, bob) = (relay.client().await, relay.client().await);
    let queue = alice.queue().await;
    let key = bob.secure(&queue).await;
    for n in 0..10u8 {
        bob.ok(Some(&key), queue.sender(), send(&[n])).await;
    }
    let (mut id, body) = alice.message(&queue).await;
    assert_eq!(body, [0]);
    alice.assert_quiet().await;
    for n in 1..10u8 {
        let (next, body) = alice.ack(&queue, &id).await.unwrap();
        assert_eq!(body, [n]);
        id = next;
    }
    assert!(alice.ack(&queue, &id).await.is_none());
}

#[tokio::test]
async fn messages_wait_for_a_recipient_who_is_away() {
    let relay = relay().await;
    let (alice, bob) = (relay.client().await, relay.client().await);
    let queue = alice.queue_with(messaging(), SubscriptionMode::OnlyCreate).await;
    let key = bob.secure(&queue).await;
    for n in 0..3u8 {
        bob.ok(Some(&key), queue.sender(), send(&[n])).await;
    }
    let mut alice = relay.client().await;
    alice.subscribe(&queue).await;
    let (id, body) = alice.message(&queue).await;
    assert_eq!(body, [0]);
    // Not acknowledged: it is delivered to the next connection again.
    let mut phone = relay.client().await;
    phone.subscribe(&queue).await;
    assert_eq!(phone.message(&queue).await, (id.clone(), vec![0]));
    assert_eq!(phone.ack(&queue, &id).await.unwrap().1, [1]);
}

#[tokio::test]
async fn only_what_was_delivered_can_be_acknowledged() {
    let relay = relay().await;
    let (mut alice, bob) = (relay.client().await, relay.client().await);
    let queue = alice.queue().await;
    let other = MessageId::from([7; 24]);
    let ack = |id: &MessageId| Command::Acknowledge(id.clone());
    let answer = alice.ask(Some(&queue.key), queue.recipient(), ack(&other)).await;
    assert_eq!(refused(answer), ErrorType::NoMessage);
    bob.ok(None, queue.sender(), send(b"1")).await;
    bob.ok(None, queue.sender(), send(b"2")).await;
    let (id, _) = alice.message(&queue).await;
    let answer = alice.ask(Some(&queue.key), queue.recipient(), ack(&other)).await;
    assert_eq!(refused(answer), ErrorType::NoMessage);
    assert_eq!(alice.ack(&queue, &id).await.unwrap().1, b"2");
    let answer = alice.ask(Some(&queue.key), queue.recipient(), ack(&id)).await;
    assert_eq!(refused(answer), ErrorType::NoMessage);
    // Without a subscription there is nothing to acknowledge.
    let answer = bob.ask(Some(&queue.key), queue.recipient(), ack(&id)).await;
    assert_eq!(refused(answer), ErrorType::NoMessage);
}

#[tokio::test]
async fn a_full_queue_refuses_until_it_is_drained() {
    let relay = relay_with(|config| config.queues.quota = 2).await;
    let (mut alice, bob) = (relay.client().await, relay.client().await);
    let queue = alice.queue().await;
    bob.ok(None, queue.sender(), send(b"1")).await;
    bob.ok(None, queue.sender(), send(b"2")).await;
    for _ in 0..2 {
        assert_eq!(refused(bob.ask(None, queue.sender(), send(b"3")).await), ErrorType::Quota);
    }
    let (id, _) = alice.message(&queue).await;
    let (id, body) = alice.ack(&queue, &id).await.unwrap();
    assert_eq!(body, b"2");
    assert_eq!(refused(bob.ask(None, queue.sender(), send(b"4")).await), ErrorType::Quota);
    let (id, body) = alice.ack(&queue, &id).await.unwrap();
    assert_eq!(body, b"QUOTA");
    assert!(alice.ack(&queue, &id).await.is_none());
    bob.ok(None, queue.sender(), send(b"5")).await;
    assert_eq!(alice.message(&queue).await.1, b"5");
}

#[tokio::test]
async fn messages_can_be_got_without_a_subscription() {
    let relay = relay().await;
    let (alice, bob) = (relay.client().await, relay.client().await);
    let queue = alice.queue_with(messaging(), SubscriptionMode::OnlyCreate).await;
    alice.ok(Some(&queue.key), queue.recipient(), Command::Get).await;
    bob.ok(None, queue.sender(), send(b"1")).await;
    bob.ok(None, queue.sender(), send(b"2")).await;
    let get = || alice.ask(Some(&queue.key), queue.recipient(), Command::Get);
    let BrokerMessage::Message(id, body) = get().await.unwrap() else { panic!() };
    let (id, body) = open(&queue, id, &body);
    assert_eq!(body, b"1");
    // After GET the next message has to be asked for.
    assert!(alice.ack(&queue, &id).await.is_none());
    let BrokerMessage::Message(id, body) = get().await.unwrap() else { panic!() };
    assert_eq!(open(&queue, id, &body).1, b"2");
}

#[tokio::test]
async fn get_and_sub_do_not_mix_in_one_connection() {
    let relay = relay().await;
    let (alice, phone) = (relay.client().await, relay.client().await);
    let queue = alice.queue().await;
    let prohibited = ErrorType::Command(CommandError::Prohibited);
    assert_eq!(refused(alice.ask(Some(&queue.key), queue.recipient(), Command::Get).await), prohibited);
    phone.ok(Some(&queue.key), queue.recipient(), Command::Get).await;
    assert_eq!(refused(phone.ask(Some(&queue.key), queue.recipient(), Command::Subscribe).await), prohibited);
}
