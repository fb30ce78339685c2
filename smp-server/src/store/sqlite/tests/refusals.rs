//! Whether there is a queue cannot be told from how often the disk is asked before a command is refused.

use super::sqlite_config;
use crate::store::engine::cache::Known;
use crate::store::fixture::{id, new_queue};
use crate::store::{Maintenance, Messages, QueueId, Queues, SqliteConfig, SqliteStore};

/// Searches for an ID as a command does that is not authorized. Returns how many times the disk was asked.
async fn refused(store: &SqliteStore, queue: QueueId<'_>) -> usize {
    let before = store.backend.reader.searches();
    let found = store.look_up(queue).await.unwrap();
    store.refuse(queue, found).await.unwrap();
    store.backend.reader.searches() - before
}

#[tokio::test]
async fn existing_queues_cost_the_reads_of_unknown_ones() {
    let directory = tempfile::tempdir().unwrap();
    let config = || {
        let mut config = sqlite_config(&directory);
        config.limits.queue_cache_bytes = 1 << 20;
        config
    };
    let store = SqliteStore::open(config()).await.unwrap();
    store.create_queue(new_queue(1)).await.unwrap();
    store.create_queue(new_queue(2)).await.unwrap();
    let (recipient, sender) = (id(1, 0), id(1, 1));
    let (unknown_recipient, unknown_sender) = (id(7, 0), id(7, 1));
    let recipients = [QueueId::Recipient(&recipient), QueueId::Recipient(&unknown_recipient)];
    let senders = [QueueId::Sender(&sender), QueueId::Sender(&unknown_sender)];
    assert!(matches!(store.shared.cache.look_up(recipients[0]), Known::Queue(_)), "in memory");
    for [existing, unknown] in [recipients, senders] {
        for time in 1..=3 {
            let reads = refused(&store, unknown).await;
            assert_eq!(reads > 0, time == 1);
            assert_eq!(refused(&store, existing).await, reads);
        }
    }
    store.close().await.unwrap();

    let store = SqliteStore::open(config()).await.unwrap();
    let (on_disk, used) = (id(1, 1), id(2, 1));
    // Its owners use it.
    assert!(store.look_up(QueueId::Sender(&used)).await.unwrap().asked_disk);
    assert!(!store.look_up(QueueId::Sender(&used)).await.unwrap().asked_disk);
    for _ in 1..=3 {
        let reads = refused(&store, QueueId::Sender(&unknown_sender)).await;
        assert_eq!(refused(&store, QueueId::Sender(&on_disk)).await, reads);
        assert_eq!(refused(&store, QueueId::Sender(&used)).await, reads);
    }
    store.close().await.unwrap();
}

/// It is read in place of them.
#[tokio::test]
async fn a_damaged_queue_does_not_make_unknown_ones_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let config = sqlite_config(&directory);
    let store = SqliteStore::open(config.clone()).await.unwrap();
    store.create_queue(new_queue(1)).await.unwrap();
    store.close().await.unwrap();
    crate::testing::sql(&config.path, "UPDATE queues SET recipient_keys = x'00'").await;
    let store = SqliteStore::open(config).await.unwrap();
    let unknown = id(7, 1);
    assert!(refused(&store, QueueId::Sender(&unknown)).await > 0);
    let damaged = id(1, 1);
    assert!(store.look_up(QueueId::Sender(&damaged)).await.is_err());
    store.close().await.unwrap();
}

/// Everything that searches by invented IDs may use is in use.
#[tokio::test]
async fn unknown_ids_do_not_keep_others_from_reading() {
    use futures_util::FutureExt as _;
    let directory = tempfile::tempdir().unwrap();
    let config = SqliteConfig { readers: 2, ..sqlite_config(&directory) };
    let store = SqliteStore::open(config.clone()).await.unwrap();
    store.create_queue(new_queue(1)).await.unwrap();
    let message = crate::store::fixture::sent(1);
    store.append(&id(1, 0), message, None).await.unwrap();
    store.close().await.unwrap();
    let store = SqliteStore::open(config).await.unwrap();
    let flood = store.backend.reader.place().await.unwrap();
    let _connection = store.backend.reader.pool.acquire().await.unwrap();
    let unknown = id(7, 1);
    assert!(store.look_up(QueueId::Sender(&unknown)).now_or_never().is_none());
    assert_eq!(store.messages(&id(1, 0)).await.unwrap().len(), 1);
    drop(flood);
    assert!(store.look_up(QueueId::Sender(&unknown)).await.unwrap().queue.is_none());
    drop(_connection);
    store.close().await.unwrap();
}
