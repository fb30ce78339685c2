//! `SUB`, `END`, `DELD`.

use smp_protocol::{
    command::{Command, SubscriptionMode},
    message::BrokerMessage,
};
use smp_transport::client::Request;

use crate::support::{messaging, relay, send};

#[tokio::test]
async fn the_last_connection_to_subscribe_gets_the_messages() {
    let relay = relay().await;
    let (mut alice, mut phone, bob) = (relay.client().await, relay.client().await, relay.client().await);
    let queue = alice.queue().await;
    phone.subscribe(&queue).await;
    assert_eq!(alice.event().await, (queue.recipient().into(), BrokerMessage::End));
    bob.ok(None, queue.sender(), send(b"1")).await;
    assert_eq!(phone.message(&queue).await.1, b"1");
    alice.assert_quiet().await;
    // When it is gone, the queue has no subscriber, until somebody subscribes.
    drop(phone);
    alice.subscribe(&queue).await;
    assert_eq!(alice.message(&queue).await.1, b"1");
}

#[tokio::test]
async fn subscribing_again_delivers_again() {
    let relay = relay().await;
    let (mut alice, bob) = (relay.client().await, relay.client().await);
    let queue = alice.queue().await;
    bob.ok(None, queue.sender(), send(b"1")).await;
    let first = alice.message(&queue).await;
    alice.subscribe(&queue).await;
    assert_eq!(alice.message(&queue).await, first);
    assert!(alice.ack(&queue, &first.0).await.is_none());
}

#[tokio::test]
async fn a_deleted_queue_is_gone_for_its_subscriber_too() {
    let relay = relay().await;
    for (version, told) in [(10, BrokerMessage::Deleted), (9, BrokerMessage::End)] {
        let (mut alice, phone) = (relay.client_of(version).await, relay.client().await);
        let queue = alice.queue().await;
        phone.ok(Some(&queue.key), queue.recipient(), Command::Delete).await;
        assert_eq!(alice.event().await, (queue.recipient().into(), told));
        let own = alice.queue().await;
        alice.ok(Some(&own.key), own.recipient(), Command::Delete).await;
        alice.assert_quiet().await;
    }
}

#[tokio::test]
async fn many_queues_are_subscribed_at_once() {
    let relay = relay().await;
    let (alice, bob) = (relay.client().await, relay.client().await);
    let mut queues = Vec::new();
    for _ in 0..300 {
        let queue = alice.queue_with(messaging(), SubscriptionMode::OnlyCreate).await;
        bob.ok(None, queue.sender(), send(b"message")).await;
        queues.push(queue);
    }
    let mut phone = relay.client().await;
    let requests = queues.iter().map(|q| Request::new(Some(&q.key), q.recipient(), Command::Subscribe));
    let answers = phone.relay.send_many(requests).await;
    assert!(answers.iter().all(|a| matches!(a, Ok(BrokerMessage::Subscribed(None)))), "{answers:?}");
    let mut received = std::collections::HashSet::new();
    for _ in &queues {
        let (entity, message) = phone.event().await;
        assert!(matches!(message, BrokerMessage::Message(..)));
        assert!(received.insert(entity));
    }
    let all: std::collections::HashSet<_> = queues.iter().map(|q| q.recipient().into()).collect();
    assert_eq!(received, all);
    phone.assert_quiet().await;
}

#[tokio::test]
async fn nothing_is_missed_while_sender_and_recipient_are_busy() {
    const MESSAGES: usize = 1_000;
    let relay = relay().await;
    let (mut alice, bob) = (relay.client().await, relay.client().await);
    let queue = alice.queue().await;
    let sender = queue.sender();
    let sending = tokio::spawn(async move {
        for n in 0..MESSAGES {
            loop {
                let body = n.to_string();
                if bob.ask(None, sender.clone(), send(body.as_bytes())).await.is_ok() {
                    break;
                }
            }
        }
    });
    let mut received = Vec::new();
    while received.len() < MESSAGES {
        let mut next = Some(alice.message(&queue).await);
        while let Some((id, body)) = next {
            if body != b"QUOTA" {
                received.push(String::from_utf8(body).unwrap());
            }
            next = alice.ack(&queue, &id).await;
        }
    }
    sending.await.unwrap();
    let sent: Vec<String> = (0..MESSAGES).map(|n| n.to_string()).collect();
    assert_eq!(received, sent);
}
