//! Writing fails: only what could not be written is refused, and memory agrees with the disk.

use std::sync::atomic::Ordering;

use super::sqlite_config;
use crate::store::engine::seam::Stage;
use crate::store::fixture::{MustBeAccepted as _, id, key, new_queue, sent};
use crate::store::{
    AfterAck, Maintenance, Messages, QueueChange, QueueId, QueueStatus, Queues, SqliteStore, StorageFault,
    StoreError,
};

async fn open(directory: &tempfile::TempDir) -> SqliteStore {
    let store = SqliteStore::open(sqlite_config(directory)).await.unwrap();
    for number in 1..=2 {
        match store.create_queue(new_queue(number)).await {
            Ok(_) | Err(StoreError::Duplicate) => {}
            Err(error) => panic!("{error}"),
        }
    }
    store
}

async fn send(store: &SqliteStore, queue: u32, number: u32) -> Result<(), StoreError> {
    store.append(&id(queue, 0), sent(number), None).await.unwrap().accepted().kept.await
}

/// Numbers of the messages in a queue.
async fn numbers(store: &SqliteStore, queue: u32) -> Vec<u32> {
    let messages = store.messages(&id(queue, 0)).await.unwrap();
    messages
        .iter()
        .map(|message| u32::from_be_bytes(message.id.as_bytes()[..4].try_into().unwrap()))
        .collect()
}

fn is_unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unavailable(StorageFault::Full)))
}

fn fail_all(store: &SqliteStore, at: Stage) {
    store.shared.faults.set(move |stage| (stage == at).then_some(StorageFault::Full));
}

/// The store says the same after a failure and after a restart.
async fn agree(store: SqliteStore, directory: &tempfile::TempDir, expected: &[u32]) {
    assert_eq!(numbers(&store, 1).await, expected);
    assert_eq!(store.counts().messages, expected.len() as u64);
    store.shared.faults.clear();
    store.close().await.unwrap();
    let store = open(directory).await;
    assert_eq!(numbers(&store, 1).await, expected);
    assert_eq!(store.counts().messages, expected.len() as u64);
    send(&store, 1, 99).await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_message_that_cannot_be_written_is_refused() {
    for stage in [Stage::Append, Stage::Commit] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory).await;
        send(&store, 1, 1).await.unwrap();
        fail_all(&store, stage);
        assert!(is_unavailable(send(&store, 1, 2).await));
        assert_eq!(numbers(&store, 1).await, [1]);
        store.shared.faults.clear();
        send(&store, 1, 3).await.unwrap();
        agree(store, &directory, &[1, 3]).await;
    }
}

#[tokio::test]
async fn a_message_whose_removal_fails_is_delivered_again() {
    for stage in [Stage::Remove, Stage::Commit] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory).await;
        send(&store, 1, 1).await.unwrap();
        send(&store, 1, 2).await.unwrap();
        // Without space it would be kept in memory.
        store.shared.faults.set(move |at| (at == stage).then(|| StorageFault::Io("broken".into())));
        let done = store.acknowledge(&id(1, 0), &id(1, 9), AfterAck::Next).await.unwrap();
        assert!(done.removed.is_some());
        assert!(matches!(done.durable.await, Err(StoreError::Unavailable(StorageFault::Io(_)))));
        assert_eq!(numbers(&store, 1).await, [1, 2]);
        store.shared.faults.clear();
        let done = store.acknowledge(&id(1, 0), &id(1, 9), AfterAck::Next).await.unwrap();
        assert!(done.removed.is_some());
        done.durable.await.unwrap();
        agree(store, &directory, &[2]).await;
    }
}

#[tokio::test]
async fn a_change_that_cannot_be_written_is_not_made() {
    for stage in [Stage::Change, Stage::Commit] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory).await;
        send(&store, 1, 1).await.unwrap();
        fail_all(&store, stage);
        assert!(is_unavailable(store.update_queue(&id(1, 0), QueueChange::Secure(key())).await));
        assert!(is_unavailable(
            store.update_queue(&id(1, 0), QueueChange::Status(QueueStatus::Suspended)).await
        ));
        assert!(is_unavailable(store.create_queue(new_queue(3)).await));
        assert!(is_unavailable(store.delete_queue(&id(1, 0)).await));
        assert!(store.find_queue(QueueId::Recipient(&id(3, 0))).await.unwrap().is_none());
        let record = store.find_queue(QueueId::Sender(&id(1, 1))).await.unwrap().unwrap();
        assert_eq!((record.sender_key, &record.status), (None, &QueueStatus::Active));
        store.shared.faults.clear();
        store.create_queue(new_queue(3)).await.unwrap();
        store.update_queue(&id(1, 0), QueueChange::Secure(key())).await.unwrap();
        agree(store, &directory, &[1]).await;
    }
}

/// Two queues in one transaction; what one of them wants cannot be done.
#[tokio::test]
async fn others_in_the_same_transaction_do_not_fail() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    // The first transaction with several messages fails, then the first of them alone.
    let failures = std::sync::atomic::AtomicU32::new(0);
    store.shared.faults.set(move |stage| {
        let fails = stage == Stage::Append && failures.fetch_add(1, Ordering::Relaxed) < 2;
        fails.then_some(StorageFault::Full)
    });
    let append =
        async |queue, number| store.append(&id(queue, 0), sent(number), None).await.unwrap().accepted().kept;
    // On one thread the writer starts when this task waits: all three are in its first transaction.
    let (failed, followed, other) = (append(1, 1).await, append(1, 2).await, append(2, 3).await);
    other.await.unwrap();
    assert!(is_unavailable(failed.await));
    // Not written either, although it could have been: nothing may overtake a message that its sender will send again.
    assert!(is_unavailable(followed.await));
    assert_eq!((numbers(&store, 1).await, numbers(&store, 2).await), (vec![], vec![3]));
    store.delete_queue(&id(2, 0)).await.unwrap();
    agree(store, &directory, &[]).await;
}

/// A message cannot be written, and the queue is deleted in the same transaction.
#[tokio::test]
async fn a_queue_that_is_deleted_after_a_failure_leaves_no_messages_in_the_count() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    send(&store, 1, 1).await.unwrap();
    let failures = std::sync::atomic::AtomicU32::new(0);
    store.shared.faults.set(move |stage| {
        let fails = stage == Stage::Append && failures.fetch_add(1, Ordering::Relaxed) < 2;
        fails.then_some(StorageFault::Full)
    });
    let failed = store.append(&id(1, 0), sent(2), None).await.unwrap().accepted().kept;
    store.delete_queue(&id(1, 0)).await.unwrap();
    assert!(is_unavailable(failed.await));
    assert_eq!(store.counts().messages, 0);
    store.close().await.unwrap();
}

/// A command whose connection is gone is finished by the writer, in memory too.
#[tokio::test]
async fn an_abandoned_command_leaves_no_contradiction() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    let secured = key();
    let recipient = id(1, 0);
    {
        let mut change = store.update_queue(&recipient, QueueChange::Secure(secured));
        let polled =
            std::future::poll_fn(|cx| std::task::Poll::Ready(change.as_mut().poll(cx).is_ready())).await;
        // Loading may have needed a poll more; then nothing was asked for yet.
        let _ = polled;
    }
    let result = store.update_queue(&recipient, QueueChange::Secure(key())).await;
    let record = store.find_queue(QueueId::Recipient(&recipient)).await.unwrap().unwrap();
    match result {
        // The abandoned change was made.
        Err(StoreError::Refused) => assert_eq!(record.sender_key, Some(secured)),
        Ok(updated) => assert_eq!(record.sender_key, updated.after.sender_key),
        Err(error) => panic!("{error}"),
    }
    store.close().await.unwrap();
    let again = open(&directory).await;
    let found = again.find_queue(QueueId::Recipient(&recipient)).await.unwrap().unwrap();
    assert_eq!(found.sender_key, record.sender_key);
    again.close().await.unwrap();
}

/// A mistake in the program: what waits for the disk waits for ever, so the relay must hear of it.
#[tokio::test]
async fn a_writer_that_dies_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    store.shared.faults.set(|_| panic!("on purpose"));
    let _waits = store.append(&id(1, 0), sent(1), None).await.unwrap().accepted().kept;
    store.failed().await.unwrap();
}

#[tokio::test]
async fn a_store_that_is_closed_has_not_died() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory).await;
    store.close().await.unwrap();
    assert!(futures_util::FutureExt::now_or_never(store.failed()).is_none());
}
