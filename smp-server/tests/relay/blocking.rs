//! Answers to clients of a queue that the operator has blocked, unblocked or deleted.

use smp_protocol::{
    command::{Command, SubscriptionMode},
    error::{BlockingInfo, BlockingReason, ClientNotice, ErrorType},
    message::BrokerMessage,
};
use smp_server::{
    RunningRelay,
    control::{QueueAnswer, QueueId, QueueOrder, QueueState, order_queue},
};

use crate::support::{Client, Queue, TestRelay, VERSIONS, contact, messaging, refused, relay_with, send};

pub(crate) const SPAM: BlockingInfo = BlockingInfo { reason: BlockingReason::Spam, notice: None };
const CONTENT: BlockingInfo =
    BlockingInfo { reason: BlockingReason::Content, notice: Some(ClientNotice { ttl: Some(86_400) }) };

pub(crate) async fn relay() -> TestRelay {
    relay_with(|config| {
        config.server.control_socket = config.identity.path.parent().map(|dir| dir.join("control.sock"));
    })
    .await
}

/// Does what `smp-server block` and its like do.
pub(crate) async fn order(relay: &TestRelay, id: &[u8], order: QueueOrder) -> QueueAnswer {
    let socket = relay.config.server.control_socket.clone().unwrap();
    let id = QueueId::new(id).unwrap();
    tokio::task::spawn_blocking(move || order_queue(&socket, id, order).unwrap()).await.unwrap()
}

pub(crate) async fn block(relay: &TestRelay, queue: &Queue, info: BlockingInfo) -> QueueAnswer {
    order(relay, queue.sender().as_bytes(), QueueOrder::Block(info)).await
}

/// The error as clients of a version see it.
fn seen(version: u16, info: BlockingInfo) -> ErrorType {
    match version {
        ..12 => ErrorType::Auth,
        12..18 => ErrorType::Blocked(BlockingInfo { notice: None, ..info }),
        _ => ErrorType::Blocked(info),
    }
}

/// The event that the subscriber is sent without having asked.
async fn told(client: &mut Client, queue: &Queue) -> ErrorType {
    match client.event().await {
        (entity, BrokerMessage::Error(error)) => {
            assert_eq!(entity, queue.recipient().into());
            error
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_is_told_in_its_words_until_the_queue_is_unblocked() {
    let relay = relay().await;
    for version in VERSIONS {
        let (mut alice, bob) = (relay.client_of(version).await, relay.client_of(version).await);
        let queue = alice.queue_with(messaging(), SubscriptionMode::Subscribe).await;
        bob.ok(None, queue.sender(), send(b"before")).await;
        let (id, _) = alice.message(&queue).await;
        assert_eq!(block(&relay, &queue, CONTENT).await, QueueAnswer::Blocked(QueueState::Active));

        let expected = seen(version, CONTENT);
        assert_eq!(told(&mut alice, &queue).await, expected, "version {version}");
        assert_eq!(refused(bob.ask(None, queue.sender(), send(b"x")).await), expected, "version {version}");
        for command in [Command::Subscribe, Command::Acknowledge(id.clone()), Command::DeleteNotifier] {
            let answer = alice.ask(Some(&queue.key), queue.recipient(), command).await;
            assert_eq!(refused(answer), expected, "version {version}");
        }
        // Strangers learn nothing.
        let stranger = bob.ask(Some(&crate::support::ed25519()), queue.recipient(), Command::Subscribe).await;
        assert_eq!(refused(stranger), ErrorType::Auth);

        let answer = order(&relay, queue.sender().as_bytes(), QueueOrder::Unblock).await;
        assert_eq!(answer, QueueAnswer::Unblocked(QueueState::Blocked(CONTENT.to_string())));
        bob.ok(None, queue.sender(), send(b"after")).await;
        assert_eq!(alice.ack(&queue, &id).await.unwrap().1, b"after", "the subscription is still there");
        alice.assert_quiet().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_queue_can_be_suspended_and_deleted_by_its_recipient() {
    let relay = relay().await;
    let (alice, bob) = (relay.client().await, relay.client().await);
    let queue = alice.queue_with(messaging(), SubscriptionMode::OnlyCreate).await;
    block(&relay, &queue, SPAM).await;
    alice.ok(Some(&queue.key), queue.recipient(), Command::Suspend).await;
    assert_eq!(refused(bob.ask(None, queue.sender(), send(b"")).await), ErrorType::Blocked(SPAM));
    alice.ok(Some(&queue.key), queue.recipient(), Command::Delete).await;
    assert_eq!(block(&relay, &queue, SPAM).await, QueueAnswer::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_already_as_wanted_stays_and_is_said() {
    let relay = relay().await;
    let mut alice = relay.client().await;
    let queue = alice.queue().await;
    let unblock = || order(&relay, queue.ids.sender_id.as_bytes(), QueueOrder::Unblock);
    assert_eq!(unblock().await, QueueAnswer::Unblocked(QueueState::Active));
    block(&relay, &queue, SPAM).await;
    assert_eq!(told(&mut alice, &queue).await, ErrorType::Blocked(SPAM));
    let blocked = |info: BlockingInfo| QueueAnswer::Blocked(QueueState::Blocked(info.to_string()));
    assert_eq!(block(&relay, &queue, SPAM).await, blocked(SPAM));
    alice.assert_quiet().await;
    assert_eq!(block(&relay, &queue, CONTENT).await, blocked(SPAM));
    assert_eq!(told(&mut alice, &queue).await, ErrorType::Blocked(CONTENT), "for another reason");
    unblock().await;
    alice.ok(Some(&queue.key), queue.recipient(), Command::Suspend).await;
    assert_eq!(unblock().await, QueueAnswer::Unblocked(QueueState::Suspended));
    assert_eq!(block(&relay, &queue, SPAM).await, QueueAnswer::Blocked(QueueState::Suspended));
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_are_named_by_sender_or_link_and_by_nothing_else() {
    let relay = relay().await;
    let alice = relay.client().await;
    let queue = alice.queue_with(contact(), SubscriptionMode::OnlyCreate).await;
    for id in [queue.recipient().as_bytes(), &[9; 24], &[9; 255]] {
        for what in [QueueOrder::Block(SPAM), QueueOrder::Unblock, QueueOrder::Delete] {
            assert_eq!(order(&relay, id, what).await, QueueAnswer::Unknown);
        }
    }
    let (link, ids) = crate::links::contact_link(&alice).await;
    let answer = order(&relay, link.as_bytes(), QueueOrder::Block(CONTENT)).await;
    assert_eq!(answer, QueueAnswer::Blocked(QueueState::Active));
    let bob = relay.client().await;
    assert_eq!(refused(bob.ask(None, link, Command::GetLink).await), ErrorType::Blocked(CONTENT));
    assert_eq!(refused(bob.ask(None, ids.sender_id, send(b"")).await), ErrorType::Blocked(CONTENT));
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_behind_a_proxy_are_told_in_the_words_of_their_version() {
    let relay = relay().await;
    let (alice, proxy) = (relay.client().await, crate::forwarding::proxy(&relay).await);
    let queue = alice.queue().await;
    block(&relay, &queue, CONTENT).await;
    for version in [8, 11, 12, 17, 18, 19] {
        let sender = queue.sender().into();
        let answer = crate::forwarding::forward(&proxy, version, None, sender, send(b"")).await.unwrap();
        assert_eq!(answer, BrokerMessage::Error(seen(version, CONTENT)), "version {version}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_queue_is_gone_and_its_subscriber_is_told() {
    let relay = relay().await;
    let (mut alice, bob) = (relay.client().await, relay.client().await);
    let queue = alice.queue().await;
    for body in [b"one", b"two"] {
        bob.ok(None, queue.sender(), send(body)).await;
    }
    alice.message(&queue).await;
    let answer = order(&relay, queue.sender().as_bytes(), QueueOrder::Delete).await;
    assert_eq!(answer, QueueAnswer::Deleted(2));
    assert_eq!(alice.event().await, (queue.recipient().into(), BrokerMessage::Deleted));
    assert_eq!(refused(bob.ask(None, queue.sender(), send(b"")).await), ErrorType::Auth);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_survives_the_death_of_the_relay() {
    // The store in memory keeps nothing.
    if crate::STORE == smp_server::config::StoreKind::Memory {
        return;
    }
    let relay = relay().await;
    let alice = relay.client().await;
    let queue = alice.queue().await;
    block(&relay, &queue, CONTENT).await;
    let relay = relay.again(RunningRelay::kill).await;
    let bob = relay.client().await;
    assert_eq!(refused(bob.ask(None, queue.sender(), send(b"")).await), ErrorType::Blocked(CONTENT));
    order(&relay, queue.sender().as_bytes(), QueueOrder::Unblock).await;
    let relay = relay.again(RunningRelay::kill).await;
    relay.client().await.ok(None, queue.sender(), send(b"")).await;
}
