//! Many commands at once.

use std::sync::Arc;

use smp_protocol::id::RecipientId;

use super::sqlite_config;
use crate::store::fixture::{MustBeAccepted as _, id, new_queue, sent};
use crate::store::{AfterAck, EngineLimits, Maintenance, Messages, QueueId, Queues, SqliteStore};

const QUEUES: u32 = 40;
const MESSAGES: u32 = 30;

/// With room for a handful of queues in memory, so that they come and go under load.
async fn open(directory: &tempfile::TempDir) -> Arc<SqliteStore> {
    let mut config = sqlite_config(directory);
    config.limits = EngineLimits { queue_cache_bytes: 8000, quota: 1000, ..config.limits };
    Arc::new(SqliteStore::open(config).await.unwrap())
}

async fn send(store: Arc<SqliteStore>, queue: u32) {
    let recipient: RecipientId = id(queue, 0);
    let mut waiting = Vec::new();
    for number in 1..=MESSAGES {
        waiting.push(store.append(&recipient, sent(number), None).await.unwrap().accepted().kept);
        if number % 5 == 0 {
            for kept in waiting.drain(..) {
                kept.await.unwrap();
            }
        }
    }
}

async fn receive(store: Arc<SqliteStore>, queue: u32) {
    let recipient: RecipientId = id(queue, 0);
    let mut expected = 1;
    while expected <= MESSAGES {
        let Some(message) = store.first_message(&recipient).await.unwrap() else {
            tokio::task::yield_now().await;
            continue;
        };
        assert_eq!(message.id, id(expected, 9));
        let done = store.acknowledge(&recipient, &message.id, AfterAck::Nothing).await.unwrap();
        assert!(done.removed.is_some());
        done.durable.await.unwrap();
        expected += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_queue_keeps_its_order_while_queues_come_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    let mut tasks = tokio::task::JoinSet::new();
    for queue in 0..QUEUES {
        store.create_queue(new_queue(queue)).await.unwrap();
        tasks.spawn(send(store.clone(), queue));
        // Every third queue has no reader.
        if queue % 3 != 0 {
            tasks.spawn(receive(store.clone(), queue));
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let unread = QUEUES.div_ceil(3);
    assert_eq!(store.counts().messages, u64::from(unread * MESSAGES));
    for queue in 0..QUEUES {
        let messages = store.messages(&id(queue, 0)).await.unwrap();
        let ids: Vec<_> = messages.iter().map(|message| message.id.clone()).collect();
        let expected = if queue % 3 == 0 { MESSAGES } else { 0 };
        assert_eq!(ids, (1..=expected).map(|number| id(number, 9)).collect::<Vec<_>>());
    }
    store.close().await.unwrap();
}

#[tokio::test]
async fn memory_holds_few_of_many_queues() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    for queue in 0..300 {
        store.create_queue(new_queue(queue)).await.unwrap();
    }
    for queue in 0..300 {
        assert!(store.find_queue(QueueId::Sender(&id(queue, 1))).await.unwrap().is_some());
    }
    assert!(store.shared.cache.len() < 20, "{} queues in memory", store.shared.cache.len());
    store.close().await.unwrap();
}

#[tokio::test]
async fn unknown_ids_take_bounded_memory() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    for number in 0..20_000 {
        assert!(store.find_queue(QueueId::Sender(&id(number, 1))).await.unwrap().is_none());
        assert!(store.first_message(&id(number, 0)).await.is_err());
    }
    let entries = store.shared.cache.entries();
    assert!(entries < 16_384 + 2000, "{entries} entries in memory");
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn only_one_of_many_creates_a_queue() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let store = store.clone();
        tasks.spawn(async move { store.create_queue(new_queue(1)).await.is_ok() });
    }
    let mut created = 0;
    while let Some(is_ok) = tasks.join_next().await {
        created += usize::from(is_ok.unwrap());
    }
    assert_eq!((created, store.counts().queues), (1, 1));
    store.close().await.unwrap();
}
