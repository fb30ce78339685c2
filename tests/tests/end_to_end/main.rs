//! Agents that talk with each other through relays, all in this process.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod address;
mod archive;
mod chaos;
mod echo_bot;
mod failures;
mod full_disk;
mod glance;
mod harness;
mod joining_again;
mod matrix;
mod network;
mod records;
mod resync;
mod rotation;
mod short_invitations;
mod short_links;
mod socks;
mod suspension;
mod tor;
mod tor_network;
mod troubles;
mod upgrade;
mod users;

use harness::{Peer, TestRelay, connect, finish, numbers};
use std::time::Duration;

use smp_agent::{ConnectionId, ConnectionStatus, Event, Trouble};

type Connections = (ConnectionId, ConnectionId);

async fn talk(alice: &mut Peer, bob: &mut Peer, (a, b): Connections) {
    for round in 0..3 {
        let id = alice.agent.connection(a).send(format!("from alice {round}").as_bytes()).await.unwrap().id();
        alice.sent(id).await;
        assert_eq!(bob.texts(1).await, [format!("from alice {round}")]);
        let id = bob.agent.connection(b).send(format!("from bob {round}").as_bytes()).await.unwrap().id();
        bob.sent(id).await;
        assert_eq!(alice.texts(1).await, [format!("from bob {round}")]);
    }
    let codes = (
        alice.agent.connection(a).security_code().await.unwrap(),
        bob.agent.connection(b).security_code().await.unwrap(),
    );
    assert!(codes.0.is_some() && codes.0 == codes.1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_queues_on_one_relay() {
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let connections = connect(&mut alice, &mut bob).await;
    talk(&mut alice, &mut bob, connections).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_on_two_relays() {
    let (one, other) = (TestRelay::start().await, TestRelay::start().await);
    let (mut alice, mut bob) = (Peer::open(&[&one]).await, Peer::open(&[&one, &other]).await);
    let connections = connect(&mut alice, &mut bob).await;
    talk(&mut alice, &mut bob, connections).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_procedure_on_relays_where_senders_cannot_secure_queues() {
    let (old, new) = (TestRelay::start_old().await, TestRelay::start().await);
    for (invitation, reply) in [(&old, &old), (&old, &new), (&new, &old)] {
        let (mut alice, mut bob) = (Peer::open(&[invitation]).await, Peer::open(&[reply]).await);
        let connections = connect(&mut alice, &mut bob).await;
        talk(&mut alice, &mut bob, connections).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn web_links_can_be_joined() {
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, link) = alice.agent.create_invitation().await.unwrap();
    let web = link.to_string().replacen("simplex:/", "https://simplex.chat/", 1);
    let b = bob.agent.join(&format!(" {web}\n"), b"bob").await.unwrap();
    finish(&mut alice, &mut bob).await;
    talk(&mut alice, &mut bob, (a, b)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_wait_for_a_recipient_that_is_off() {
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, _) = connect(&mut alice, &mut bob).await;
    let off = bob.stop().await;
    for text in numbers(0..20) {
        let id = alice.agent.connection(a).send(text.as_bytes()).await.unwrap().id();
        alice.sent(id).await;
    }
    let mut bob = Peer::reopen(off).await;
    assert_eq!(bob.texts(20).await, numbers(0..20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_wait_for_a_relay_that_is_down_and_keep_their_order() {
    let mut relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, b) = connect(&mut alice, &mut bob).await;
    relay.kill().await;
    alice.until(|event| matches!(event, Event::RelayDown { .. })).await;
    for text in numbers(0..20) {
        alice.agent.connection(a).send(text.as_bytes()).await.unwrap();
        bob.agent.connection(b).send(text.as_bytes()).await.unwrap();
    }
    // They survive the sender's crash too.
    let mut alice = alice.crash().await;
    relay.restart().await;
    assert_eq!(bob.texts(20).await, numbers(0..20));
    assert_eq!(alice.texts(20).await, numbers(0..20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joining_waits_for_relays_that_are_down() {
    let (mut one, mut other) = (TestRelay::start().await, TestRelay::start().await);
    let (mut alice, mut bob) = (Peer::open(&[&one]).await, Peer::open(&[&other]).await);
    let (a, link) = alice.agent.create_invitation().await.unwrap();
    one.kill().await;
    let b = bob.agent.join(&link.to_string(), b"bob").await.unwrap();
    bob.until(|event| matches!(event, Event::RelayDown { .. })).await;
    other.kill().await;
    one.restart().await;
    let mut bob = bob.crash().await;
    bob.until(|event| matches!(event, Event::RelayDown { .. })).await;
    other.restart().await;
    finish(&mut alice, &mut bob).await;
    talk(&mut alice, &mut bob, (a, b)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_again_until_they_are_done() {
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, _) = connect(&mut alice, &mut bob).await;
    for text in numbers(0..3) {
        let id = alice.agent.connection(a).send(text.as_bytes()).await.unwrap().id();
        alice.sent(id).await;
    }
    let mut first = Vec::new();
    while first.len() < 3 {
        let delivery = bob.next_delivery().await;
        if delivery.event.connection().is_some() {
            first.push(delivery);
        }
    }
    let durable = first[1].done_soon().await.unwrap();
    first[1].done().await.unwrap();
    durable.wait().await.unwrap();
    let first = first.into_iter().map(|delivery| delivery.event.clone()).collect::<Vec<_>>();
    let mut bob = bob.crash().await;
    let again = [bob.next().await, bob.next().await];
    assert_eq!(again, [first[0].clone(), first[2].clone()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_queue_is_waited_for() {
    let relay = TestRelay::start_with(|config| config.queues.quota = 4).await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, _) = connect(&mut alice, &mut bob).await;
    let off = bob.stop().await;
    for text in numbers(0..12) {
        alice.agent.connection(a).send(text.as_bytes()).await.unwrap();
    }
    alice.until(|event| matches!(event, Event::QuotaExceeded { .. })).await;
    // Far less than the time between attempts passes: the recipient says that there is space.
    let mut bob = Peer::reopen(off).await;
    assert_eq!(bob.texts(12).await, numbers(0..12));
}

/// Each one's word that there is space again has to wait, as its messages do, for space in the other's queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_filled_each_others_queues_go_on() {
    let mut first = TestRelay::start_with(|config| config.queues.quota = 4).await;
    let second = TestRelay::start_with(|config| config.queues.quota = 4).await;
    let mut alice =
        Peer::open_with(&[&first], |config| config.timeouts.retry_first = Duration::from_secs(3)).await;
    let mut bob = Peer::open(&[&second]).await;
    let (a, b) = connect(&mut alice, &mut bob).await;
    let alice_off = alice.stop().await;
    fill(&mut bob, b).await;
    let bob_off = bob.stop().await;
    // Alice writes without having read.
    first.kill().await;
    let mut alice = Peer::reopen(alice_off).await;
    fill(&mut alice, a).await;
    let mut bob = Peer::reopen(bob_off).await;
    assert_eq!(bob.texts(4).await, numbers(0..4));
    // Bob is back first, and finds the queue full that Alice is about to read.
    first.restart().await;
    // He was told before, and sees it as long as it lasts.
    let bob_sees = bob.agent.connections().await.unwrap().remove(0).troubles;
    assert!(bob_sees.iter().any(|trouble| matches!(trouble, Trouble::Full { .. })));
    assert_eq!(alice.texts(12).await, numbers(0..12));
    assert_eq!(bob.texts(8).await, numbers(4..12));
}

/// Sends twelve messages to a queue that holds four.
async fn fill(sender: &mut Peer, connection: ConnectionId) {
    for text in numbers(0..12) {
        sender.agent.connection(connection).send(text.as_bytes()).await.unwrap();
    }
    sender.until(|event| matches!(event, Event::QuotaExceeded { .. })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_name_the_message() {
    let relay = TestRelay::start().await;
    let mut alice = Peer::open(&[&relay]).await;
    let mut bob = Peer::open_with(&[&relay], |config| config.receipts = true).await;
    let (a, _) = connect(&mut alice, &mut bob).await;
    let sent = alice.agent.connection(a).send(b"hello").await.unwrap().id();
    bob.message().await;
    let receipt = alice.until(|event| matches!(event, Event::Receipt { .. })).await;
    assert_eq!(receipt, Event::Receipt { connection: a, id: sent, matches: true });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joiner_may_write_before_it_is_accepted() {
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, link) = alice.agent.create_invitation().await.unwrap();
    let b = bob.agent.join(&link.to_string(), b"bob").await.unwrap();
    alice.until(|event| matches!(event, Event::Confirmation { .. })).await;
    bob.agent.connection(b).send(b"early").await.unwrap();
    assert_eq!(alice.texts(1).await, ["early"]);
    alice.agent.connection(a).accept(b"alice").await.unwrap();
    bob.until(|event| matches!(event, Event::Connected { .. })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_of_one_agent() {
    let relay = TestRelay::start().await;
    let mut alice = Peer::open(&[&relay]).await;
    let mut peers = Vec::new();
    for _ in 0..5 {
        let mut bob = Peer::open(&[&relay]).await;
        let (a, b) = connect(&mut alice, &mut bob).await;
        peers.push((a, b, bob));
    }
    let statuses = alice.agent.connections().await.unwrap();
    assert!(statuses.iter().all(|summary| summary.status == ConnectionStatus::Connected));
    assert_eq!(statuses.len(), 5);
    for (a, _, bob) in &mut peers {
        alice.agent.connection(*a).send(a.to_string().as_bytes()).await.unwrap();
        assert_eq!(bob.texts(1).await, [a.to_string()]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn post_quantum_keys_are_switched_off_and_on_and_that_is_told() {
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let connections = connect(&mut alice, &mut bob).await;
    talk(&mut alice, &mut bob, connections).await;
    for wanted in [false, true] {
        alice.agent.connection(connections.0).set_post_quantum(wanted).await.unwrap();
        // It goes on after a crash.
        alice = alice.crash().await;
        talk(&mut alice, &mut bob, connections).await;
        talk(&mut alice, &mut bob, connections).await;
        for (peer, id, wants) in [(&alice, connections.0, wanted), (&bob, connections.1, true)] {
            let now = peer.agent.connection(id).summary().await.unwrap().unwrap().post_quantum;
            assert_eq!((now.wanted, now.sending, now.receiving), (wants, wanted, wanted));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_goes_to_many_over_a_crash() {
    let mut relay = TestRelay::start().await;
    let (mut alice, mut bobs, mut ids) = (Peer::open(&[&relay]).await, Vec::new(), Vec::new());
    for _ in 0..3 {
        let mut bob = Peer::open(&[&relay]).await;
        ids.push(connect(&mut alice, &mut bob).await.0);
        bobs.push(bob);
    }
    relay.kill().await;
    let text = "to all of you ".repeat(900);
    for handle in alice.agent.send_to_many(&ids, text.as_bytes()).await.unwrap() {
        handle.unwrap();
    }
    alice.agent.connection(ids[0]).send(b"and to you").await.unwrap();
    let _alice = alice.crash().await;
    relay.restart().await;
    for bob in &mut bobs {
        assert_eq!(bob.texts(1).await[0], text);
    }
    assert_eq!(bobs[0].texts(1).await, ["and to you"]);
}
