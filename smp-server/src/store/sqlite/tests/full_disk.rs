//! The database may not grow any more: a stand-in for a full disk that leaves other tests alone.

use std::path::PathBuf;

use super::sqlite_config;
use crate::store::fixture::{MustBeAccepted as _, id, new_queue, sent};
use crate::store::{
    AfterAck, MAX_BODY_BYTES, Maintenance, Messages, NewMessage, Queues, SqliteConfig, SqliteStore,
    StorageFault, StoreError,
};
use crate::sync::lock;

const QUEUES: u32 = 4;

async fn send(store: &SqliteStore, queue: u32, number: u32) -> Result<(), StoreError> {
    let message = NewMessage { body: vec![number as u8; MAX_BODY_BYTES], ..sent(number) };
    store.append(&id(queue, 0), message, None).await.unwrap().accepted().kept.await
}

async fn first(store: &SqliteStore, queue: u32) -> Option<u32> {
    let message = store.first_message(&id(queue, 0)).await.unwrap()?;
    Some(u32::from_be_bytes(message.id.as_bytes()[..4].try_into().unwrap()))
}

#[tokio::test]
async fn a_full_disk_refuses_messages_and_recovers() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = SqliteConfig::new(directory.path().join("store.db"));
    config.limits.quota = 1000;
    let store = SqliteStore::open_limited(config.clone(), 100).await.unwrap();
    for number in 1..=QUEUES {
        store.create_queue(new_queue(number)).await.unwrap();
    }
    // Until each queue has met the limit.
    let mut kept = vec![Vec::new(); QUEUES as usize + 1];
    let mut refused = 0;
    for number in 1..=200 {
        let queue = number % QUEUES + 1;
        match send(&store, queue, number).await {
            Ok(()) => kept[queue as usize].push(number),
            Err(StoreError::Unavailable(StorageFault::Full)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    let total: usize = kept.iter().map(Vec::len).sum();
    assert!(total >= 20 && refused >= 20, "kept {total}, refused {refused}");
    assert_eq!(store.counts().messages, total as u64);

    // Receiving makes space, and what was kept is all there, in order.
    for queue in 1..=QUEUES {
        for number in &kept[queue as usize] {
            assert_eq!(first(&store, queue).await, Some(*number));
            let done = store.acknowledge(&id(queue, 0), &id(*number, 9), AfterAck::Nothing).await.unwrap();
            done.durable.await.unwrap();
        }
        assert_eq!(first(&store, queue).await, None);
        send(&store, queue, 300 + queue).await.unwrap();
    }
    store.close().await.unwrap();

    SqliteStore::check(config.clone()).await.unwrap();
    let store = SqliteStore::open(config).await.unwrap();
    for queue in 1..=QUEUES {
        assert_eq!(first(&store, queue).await, Some(300 + queue));
    }
    store.close().await.unwrap();
}

/// A store with a reserve, and a queue with the messages 1 to 3.
async fn with_reserve(directory: &tempfile::TempDir) -> (SqliteStore, SqliteConfig, PathBuf) {
    let config = SqliteConfig { reserve_bytes: 1 << 20, ..sqlite_config(directory) };
    let store = SqliteStore::open(config.clone()).await.unwrap();
    let reserve = directory.path().join("store.db.reserve");
    assert_eq!(std::fs::metadata(&reserve).unwrap().len(), 1 << 20);
    for number in 1..=2 {
        store.create_queue(new_queue(number)).await.unwrap();
    }
    for number in 1..=3 {
        send(&store, 1, number).await.unwrap();
    }
    (store, config, reserve)
}

async fn acknowledge(store: &SqliteStore, number: u32) -> Result<(), StoreError> {
    let done = store.acknowledge(&id(1, 0), &id(number, 9), AfterAck::Next).await?;
    assert!(done.removed.is_some());
    done.durable.await
}

async fn numbers(store: &SqliteStore) -> Vec<u32> {
    let messages = store.messages(&id(1, 0)).await.unwrap();
    let number = |id: &[u8]| u32::from_be_bytes(id[..4].try_into().unwrap());
    messages.iter().map(|message| number(message.id.as_bytes())).collect()
}

fn is_refused<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unavailable(StorageFault::Full)))
}

#[tokio::test]
async fn receiving_and_deleting_go_on_with_the_reserve() {
    let directory = tempfile::tempdir().unwrap();
    let (store, config, reserve) = with_reserve(&directory).await;
    let disk = store.backend.disk.clone();
    *lock(&disk.pretended) = Some(0);
    let given_up = reserve.clone();
    store.shared.faults.set(move |_| given_up.exists().then_some(StorageFault::Full));
    assert!(!store.load().is_full);

    acknowledge(&store, 1).await.unwrap();
    assert!(!reserve.exists());
    let load = store.load();
    assert!(load.is_full && load.to_be_freed >= 1 << 20 && load.unwritten_removals == 0, "{load:?}");
    assert!(is_refused(store.append(&id(1, 0), sent(4), None).await));
    assert!(is_refused(store.create_queue(new_queue(3)).await));
    acknowledge(&store, 2).await.unwrap();
    store.delete_queue(&id(2, 0)).await.unwrap();
    assert_eq!(store.expire_messages(2_000, 10).await.unwrap().removed, 1);
    assert_eq!(store.counts().messages, 0);

    // A restart needs space too.
    store.close().await.unwrap();
    let store = SqliteStore::open(config).await.unwrap();
    assert!(reserve.exists() && !store.load().is_full, "there is space now");
    let disk = store.backend.disk.clone();
    *lock(&disk.pretended) = Some(0);
    assert!(disk.met_full() && disk.is_full());
    disk.recover().await;
    assert!(disk.is_full(), "there is none yet");
    assert!(is_refused(store.append(&id(1, 0), sent(4), None).await));
    *lock(&disk.pretended) = None;
    disk.recover().await;
    assert!(reserve.exists() && !store.load().is_full);
    send(&store, 1, 4).await.unwrap();
    store.close().await.unwrap();
}

/// Not even the reserve's space is left.
#[tokio::test]
async fn acknowledgements_wait_in_memory_for_space() {
    for space_comes_back in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let (store, config, _) = with_reserve(&directory).await;
        *lock(&store.backend.disk.pretended) = Some(0);
        store.shared.faults.set(|_| Some(StorageFault::Full));
        acknowledge(&store, 1).await.unwrap();
        acknowledge(&store, 2).await.unwrap();
        assert_eq!(store.load().unwritten_removals, 2);
        assert_eq!((numbers(&store).await, store.counts().messages), (vec![3], 1));
        // The queue leaves memory and is read again from the disk, which has all.
        for number in 10..20 {
            let _ = store.find_queue(crate::store::QueueId::Recipient(&id(number, 0))).await.unwrap();
        }
        assert_eq!(numbers(&store).await, [3]);
        assert_eq!(store.expire_messages(1_002, 10).await.unwrap().removed, 0);
        assert_eq!(store.counts().messages, 1);
        let expected = if space_comes_back {
            store.shared.faults.clear();
            *lock(&store.backend.disk.pretended) = None;
            store.delete_queue(&id(2, 0)).await.unwrap();
            assert_eq!(store.load().unwritten_removals, 0);
            store.abandon().await.unwrap();
            vec![3]
        } else {
            store.abandon().await.unwrap();
            vec![1, 2, 3]
        };
        let store = SqliteStore::open(config).await.unwrap();
        assert_eq!(numbers(&store).await, expected);
        assert_eq!(store.counts().messages, expected.len() as u64);
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn new_queues_leave_some_space_free() {
    let directory = tempfile::tempdir().unwrap();
    let config = SqliteConfig { min_free_bytes: 1 << 20, ..sqlite_config(&directory) };
    let store = SqliteStore::open(config).await.unwrap();
    *lock(&store.backend.disk.pretended) = Some((1 << 20) - 1);
    assert!(is_refused(store.create_queue(new_queue(1)).await));
    store.close().await.unwrap();
    let config = SqliteConfig { min_free_bytes: 1 << 20, ..sqlite_config(&directory) };
    let store = SqliteStore::open(config).await.unwrap();
    *lock(&store.backend.disk.pretended) = Some(1 << 20);
    store.create_queue(new_queue(1)).await.unwrap();
    send(&store, 1, 1).await.unwrap();
    store.close().await.unwrap();
}
