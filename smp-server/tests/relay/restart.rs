//! Ends of a relay in the same process, and everything that survives them.

use std::time::Duration;

use smp_server::RunningRelay;

use crate::support::{relay, relay_with, send};

#[tokio::test(flavor = "multi_thread")]
async fn queues_and_messages_survive_every_kind_of_end() {
    let mut relay = relay().await;
    let (alice, bob) = (relay.client().await, relay.client().await);
    let queue = alice.queue().await;
    let key = bob.secure(&queue).await;
    for round in 0..4u8 {
        let (mut alice, bob) = (relay.client().await, relay.client().await);
        bob.ok(Some(&key), queue.sender(), send(&[round, 1])).await;
        bob.ok(Some(&key), queue.sender(), send(&[round, 2])).await;
        alice.subscribe(&queue).await;
        let (id, body) = alice.message(&queue).await;
        assert_eq!(body, [round, 1]);
        // An acknowledged message is gone, one that is only delivered is not.
        assert_eq!(alice.ack(&queue, &id).await.unwrap().1, [round, 2]);
        relay = match round % 2 {
            0 => relay.again(RunningRelay::kill).await,
            _ => relay.again(|running| async { running.shutdown().await.unwrap() }).await,
        };
        let mut alice = relay.client().await;
        alice.subscribe(&queue).await;
        let (id, body) = alice.message(&queue).await;
        assert_eq!(body, [round, 2]);
        assert!(alice.ack(&queue, &id).await.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_let_go_while_it_drains() {
    let relay = relay_with(|config| config.limits.drain_timeout = Duration::from_secs(1)).await;
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(relay.client().await);
    }
    assert_eq!(relay.running.connections(), clients.len());
    relay.running.drain().await;
    // The last ones may just be going.
    while relay.running.connections() > 0 {
        tokio::task::yield_now().await;
    }
    relay.running.shutdown().await.unwrap();
}
