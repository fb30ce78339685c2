//! Queues move to other relays while messages flow.

use super::harness::{Peer, TestRelay, connect, numbers};
use smp_agent::{ConnectionId, Event, RotationSide, RotationStage};

const BEFORE: usize = 5;
const DURING: usize = 40;

/// Takes messages until the side's own move is done, and as many in all as are sent.
async fn take_all(peer: &mut Peer, id: ConnectionId, count: usize) -> Vec<String> {
    let (mut texts, mut moved) = (Vec::new(), false);
    while texts.len() < count || !moved {
        match peer.next().await {
            Event::Message { connection, body, integrity, .. } if connection == id => {
                assert_eq!(integrity, smp_agent::Integrity::Ok);
                texts.push(String::from_utf8(body).unwrap());
            }
            Event::QueueRotation { side: RotationSide::Receiving, stage, .. } => {
                assert_ne!(stage, RotationStage::Aborted);
                moved |= stage == RotationStage::Completed;
            }
            event @ (Event::ReceiveFailed { .. }
            | Event::ConnectionFailed { .. }
            | Event::SendFailed { .. }) => {
                panic!("{event:?}")
            }
            _ => {}
        }
    }
    texts
}

#[tokio::test]
async fn both_sides_move_while_messages_flow_and_the_old_relays_are_not_needed_any_more() {
    let (mut first, mut second) = (TestRelay::start().await, TestRelay::start().await);
    let (third, fourth) = (TestRelay::start().await, TestRelay::start().await);
    let mut alice = Peer::open(&[&first]).await;
    let mut bob = Peer::open(&[&second]).await;
    let (a, b) = connect(&mut alice, &mut bob).await;
    for (peer, id) in [(&alice, a), (&bob, b)] {
        for text in numbers(0..BEFORE) {
            peer.agent.connection(id).send(text.as_bytes()).await.unwrap();
        }
    }
    alice.agent.connection(a).rotate(Some(&third.address())).await.unwrap();
    bob.agent.connection(b).rotate(Some(&fourth.address())).await.unwrap();
    for text in numbers(BEFORE..DURING) {
        alice.agent.connection(a).send(text.as_bytes()).await.unwrap();
        bob.agent.connection(b).send(text.as_bytes()).await.unwrap();
    }
    let (at_alice, at_bob) = tokio::join!(take_all(&mut alice, a, DURING), take_all(&mut bob, b, DURING));
    assert_eq!(at_alice, numbers(0..DURING));
    assert_eq!(at_bob, numbers(0..DURING));
    first.kill().await;
    second.kill().await;
    alice.agent.connection(a).send(b"moved").await.unwrap();
    bob.agent.connection(b).send(b"moved too").await.unwrap();
    assert_eq!(bob.texts(1).await, ["moved"]);
    assert_eq!(alice.texts(1).await, ["moved too"]);
}

#[tokio::test]
async fn move_survives_crashes_of_both_sides() {
    let (first, second) = (TestRelay::start().await, TestRelay::start().await);
    let mut alice = Peer::open(&[&first]).await;
    let mut bob = Peer::open(&[&first]).await;
    let (a, b) = connect(&mut alice, &mut bob).await;
    alice.agent.connection(a).rotate(Some(&second.address())).await.unwrap();
    let mut sent = 0;
    let mut received = Vec::new();
    let mut stages = Vec::new();
    while stages.last() != Some(&RotationStage::Completed) {
        bob.agent.connection(b).send(sent.to_string().as_bytes()).await.unwrap();
        sent += 1;
        alice = alice.crash().await;
        bob = bob.crash().await;
        while received.len() < sent {
            match alice.next().await {
                Event::Message { body, .. } => received.push(String::from_utf8(body).unwrap()),
                Event::QueueRotation { stage, .. } => stages.push(stage),
                _ => {}
            }
        }
    }
    assert_eq!(received, numbers(0..sent));
}

#[tokio::test]
async fn move_to_a_relay_that_is_away_is_aborted_and_begun_again() {
    let (first, mut second) = (TestRelay::start().await, TestRelay::start().await);
    let third = TestRelay::start().await;
    let mut alice = Peer::open(&[&first]).await;
    let mut bob = Peer::open(&[&first]).await;
    let (a, b) = connect(&mut alice, &mut bob).await;
    second.kill().await;
    alice.agent.connection(a).rotate(Some(&second.address())).await.unwrap();
    // It is not in the way of messages.
    bob.agent.connection(b).send(b"1").await.unwrap();
    assert_eq!(alice.texts(1).await, ["1"]);
    alice.agent.connection(a).abort_rotation().await.unwrap();
    assert!(alice.agent.connection(a).abort_rotation().await.is_err());
    let aborted = |event: &Event| matches!(event, Event::QueueRotation { stage: RotationStage::Aborted, .. });
    alice.until(aborted).await;
    alice.agent.connection(a).rotate(Some(&third.address())).await.unwrap();
    bob.agent.connection(b).send(b"2").await.unwrap();
    assert_eq!(take_all(&mut alice, a, 1).await, ["2"]);
}
