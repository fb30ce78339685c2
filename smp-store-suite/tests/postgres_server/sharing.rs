//! Several processes share the store.

use std::sync::Arc;
use std::time::Duration;

use smp_protocol::id::{RecipientId, SenderId};
use smp_server::store::{
    AfterAck, Maintenance as _, Message, MessageContent, Messages as _, OpenError, PostgresConfig,
    PostgresStore, ProcessId, QueueChange, QueueId, QueueStatus, Queues as _, Sharing as _, StoreError,
};
use smp_store_suite::{MustBeAccepted as _, cluster, id, new_queue, sent};

use super::config;

const LEASE: Duration = Duration::from_secs(2);

async fn process(url: &str, address: &str) -> PostgresStore {
    let shared_at = Some(address.to_owned());
    PostgresStore::open(PostgresConfig { shared_at, lease: LEASE, ..config(url) }).await.unwrap()
}

async fn pair() -> Option<(String, PostgresStore, PostgresStore)> {
    let url = cluster::database().await?;
    // Nobody listens at either.
    let (one, other) = (process(&url, "127.0.0.1:1").await, process(&url, "127.0.0.1:2").await);
    Some((url, one, other))
}

fn own(store: &PostgresStore) -> ProcessId {
    store.process().unwrap()
}

fn has(error: &StoreError, process: ProcessId) -> bool {
    matches!(error, StoreError::Elsewhere(owner) if *owner == process)
}

fn bodies(messages: &[Arc<Message>]) -> Vec<Vec<u8>> {
    let body = |message: &Arc<Message>| match &message.content {
        MessageContent::Sent { body, .. } => body.clone(),
        MessageContent::QuotaMarker => Vec::new(),
    };
    messages.iter().map(body).collect()
}

async fn acknowledge_first(store: &PostgresStore, queue: &RecipientId) {
    let first = store.first_message(queue).await.unwrap().unwrap();
    store.acknowledge(queue, &first.id, AfterAck::Nothing).await.unwrap().durable.await.unwrap();
}

#[tokio::test]
async fn a_queue_is_served_by_the_process_that_has_it() {
    let Some((_, one, other)) = pair().await else { return };
    let queue = new_queue(1);
    let (recipient, sender): (_, SenderId) = (id(1, 0), queue.record.sender_id.clone());
    one.create_queue(queue).await.unwrap();
    assert_eq!(other.locate(QueueId::Sender(&sender)).await.unwrap(), Some(own(&one)));
    assert_eq!(one.locate(QueueId::Sender(&sender)).await.unwrap(), None);
    // An ID of no queue is that of the next one, so that both are refused by the same process.
    assert_eq!(other.locate(QueueId::Sender(&id(900, 1))).await.unwrap(), Some(own(&one)));
    let change = QueueChange::Status(QueueStatus::Suspended);
    for error in [
        other.find_queue(QueueId::Sender(&sender)).await.map(drop).unwrap_err(),
        other.append(&recipient, sent(1), None).await.map(drop).unwrap_err(),
        other.update_queue(&recipient, change).await.map(drop).unwrap_err(),
        other.first_message(&recipient).await.map(drop).unwrap_err(),
        other.delete_queue(&recipient).await.map(drop).unwrap_err(),
        other.give_away(&recipient, own(&other)).await.unwrap_err(),
    ] {
        assert!(has(&error, own(&one)), "{error:?}");
    }
    // An ID that was looked for before it was in use is found as soon as it is.
    let later: SenderId = new_queue(2).record.sender_id;
    assert!(other.find_queue(QueueId::Recipient(&id(2, 0))).await.unwrap().is_none());
    one.create_queue(new_queue(2)).await.unwrap();
    let error = other.find_queue(QueueId::Sender(&later)).await.unwrap_err();
    assert!(has(&error, own(&one)), "{error:?}");
    one.close().await.unwrap();
    // A queue that nobody has any more is taken.
    assert!(other.find_queue(QueueId::Sender(&sender)).await.unwrap().is_some());
    assert!(other.neighbours().len() <= 1);
    other.close().await.unwrap();
}

/// Each process gives keys of its own, and none smaller than those that it finds.
#[tokio::test]
async fn messages_keep_their_order_wherever_the_queue_goes() {
    let Some((_, one, other)) = pair().await else { return };
    let (queue, mut expected) = (id(1, 0), Vec::new());
    one.create_queue(new_queue(1)).await.unwrap();
    // The counter of one of them is far ahead.
    one.create_queue(new_queue(2)).await.unwrap();
    for number in 0..20 {
        one.append(&id(2, 0), sent(number), None).await.unwrap().accepted().kept.await.unwrap();
        acknowledge_first(&one, &id(2, 0)).await;
    }
    let (mut here, mut there) = (&one, &other);
    for round in 0..6 {
        let mut kept = Vec::new();
        for number in 0..2 {
            let message = sent(100 + round * 2 + number);
            expected.push(message.body.clone());
            kept.push(here.append(&queue, message, None).await.unwrap().accepted().kept);
        }
        // Without waiting for what is on its way to the database.
        here.give_away(&queue, own(there)).await.unwrap();
        for kept in kept {
            kept.await.unwrap();
        }
        assert!(has(&here.first_message(&queue).await.unwrap_err(), own(there)));
        let found = there.messages(&queue).await.unwrap();
        assert_eq!(bodies(&found), expected, "{round}");
        while expected.len() > 1 {
            acknowledge_first(there, &queue).await;
            expected.remove(0);
        }
        std::mem::swap(&mut here, &mut there);
    }
    for store in [one, other] {
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn queues_of_a_dead_process_are_free_and_it_writes_nothing_any_more() {
    let Some((_, one, other)) = pair().await else { return };
    let queue = id(1, 0);
    one.create_queue(new_queue(1)).await.unwrap();
    one.append(&queue, sent(1), None).await.unwrap().accepted().kept.await.unwrap();
    assert!(other.first_message(&queue).await.is_err());
    one.abandon().await.unwrap();
    let first = loop {
        match other.first_message(&queue).await {
            Ok(first) => break first.unwrap(),
            Err(error) => assert!(matches!(error, StoreError::Elsewhere(_)), "{error:?}"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(bodies(&[first]), [sent(1).body]);
    other.close().await.unwrap();
}

#[tokio::test]
async fn of_several_that_want_a_free_queue_one_has_it() {
    let Some((url, one, other)) = pair().await else { return };
    let third = process(&url, "third:3").await;
    for number in 1..=20 {
        one.create_queue(new_queue(number)).await.unwrap();
    }
    one.close().await.unwrap();
    for number in 1..=20 {
        let queue = id(number, 0);
        let both = tokio::join!(other.first_message(&queue), third.first_message(&queue));
        assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
    }
    for store in [other, third] {
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_process_that_is_alone_keeps_out_those_that_share_and_the_other_way_round() {
    let Some(url) = cluster::database().await else { return };
    let alone = || PostgresStore::open(PostgresConfig { lease: LEASE, ..config(&url) });
    let store = alone().await.unwrap();
    store.create_queue(new_queue(1)).await.unwrap();
    let shared_at = Some("one:1".to_owned());
    let refused = PostgresStore::open(PostgresConfig { shared_at, lease: LEASE, ..config(&url) }).await;
    assert!(matches!(refused, Err(OpenError::Held { .. })), "{refused:?}");
    store.close().await.unwrap();
    let sharing = process(&url, "one:1").await;
    assert!(sharing.find_queue(QueueId::Recipient(&id(1, 0))).await.unwrap().is_some());
    assert!(matches!(alone().await, Err(OpenError::Held { .. })));
    sharing.close().await.unwrap();
    let store = alone().await.unwrap();
    assert!(store.find_queue(QueueId::Recipient(&id(1, 0))).await.unwrap().is_some());
    store.close().await.unwrap();
}

/// Messages and queues that are old are removed once, by whoever has them.
#[tokio::test]
async fn each_removes_what_is_old_in_its_queues_and_in_those_that_nobody_has() {
    let Some((url, one, other)) = pair().await else { return };
    for (number, store) in [(1, &one), (2, &other)] {
        store.create_queue(new_queue(number)).await.unwrap();
        store.append(&id(number, 0), sent(1), None).await.unwrap().accepted().kept.await.unwrap();
    }
    assert_eq!(one.expire_messages(u64::MAX >> 1, 100).await.unwrap().removed, 1);
    assert_eq!(other.messages(&id(2, 0)).await.unwrap().len(), 1);
    other.close().await.unwrap();
    assert_eq!(one.expire_messages(u64::MAX >> 1, 100).await.unwrap().removed, 1);
    one.close().await.unwrap();
    let alone = PostgresStore::open(config(&url)).await.unwrap();
    assert_eq!(alone.counts().messages, 0);
    alone.close().await.unwrap();
}
