//! The database may not grow any more: a stand-in for a full disk that leaves other tests alone.

use crate::store::conformance::{MustBeAccepted as _, id, new_queue, sent};
use crate::store::{
    AfterAck, MAX_BODY_BYTES, NewMessage, SqliteConfig, SqliteStore, StorageFault, Store, StoreError,
};

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
    let config = SqliteConfig { quota: 1000, ..SqliteConfig::new(directory.path().join("store.db")) };
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
