//! Queues that take nothing more.

use crate::harness::{Peer, TestRelay, connect, soon};
use smp_agent::{AgentError, Event, RelayState, SuspensionState};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_before_a_suspension_is_delivered_and_the_rest_is_refused() {
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, b) = connect(&mut alice, &mut bob).await;
    // Her application takes nothing, and then she is off.
    alice.agent.pause();
    let mut states = alice.agent.relays();
    soon("pause", states.wait_for(|states| states.values().all(|state| *state == RelayState::Paused)))
        .await
        .unwrap();
    for text in [&b"one"[..], b"two"] {
        bob.agent.connection(b).send(text).await.unwrap().outcome().await.unwrap();
    }
    // Her relay is not asked yet, so it can be taken back.
    let state = async |alice: &Peer| alice.agent.connection(a).summary().await.unwrap().unwrap().suspension;
    alice.agent.connection(a).suspend().await.unwrap();
    assert_eq!(state(&alice).await, SuspensionState::Suspending);
    alice.agent.connection(a).resume().await.unwrap();
    assert_eq!(state(&alice).await, SuspensionState::Active);
    alice.agent.connection(a).suspend().await.unwrap();
    let mut alice = alice.crash().await;
    let suspended = Event::Suspension { connection: a, state: SuspensionState::Suspended };
    let mut texts = Vec::new();
    let mut told = 0;
    while texts.len() < 2 || told < 1 {
        match alice.next().await {
            Event::Message { body, .. } => texts.push(body),
            event if event == suspended => told += 1,
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(texts, [b"one", b"two"]);
    assert_eq!(state(&alice).await, SuspensionState::Suspended);
    bob.agent.connection(b).send(b"three").await.unwrap();
    bob.until(|event| *event == Event::QueueRefused { connection: b }).await;
    // It is final; what she writes arrives.
    for refused in [alice.agent.connection(a).resume().await, alice.agent.connection(a).rotate(None).await] {
        assert!(matches!(refused, Err(AgentError::NotNow { .. })));
    }
    let mut alice = alice.crash().await;
    alice.agent.connection(a).send(b"good bye").await.unwrap();
    assert_eq!(bob.texts(1).await, ["good bye"]);
    assert_eq!(state(&alice).await, SuspensionState::Suspended);
    assert_eq!(alice.next_of(a).await.map(|event| matches!(event, Event::Sent { .. })), Some(true));
}
