//! Messages between memory and disk.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use super::sqlite_config;
use crate::store::engine::seam::Stage;
use crate::store::engine::write_queue::OPERATION_BYTES;
use crate::store::fixture::{MustBeAccepted as _, id, new_queue, sent};
use crate::store::{
    AfterAck, Completion, EngineLimits, LinkData, Maintenance, Messages, QueueLink, QueueMode, Queues,
    SqliteStore,
};

/// A store whose writer stands still at a commit until it is let go, and counts the messages it writes.
struct Paused {
    store: SqliteStore,
    let_go: mpsc::Sender<()>,
    reached: tokio::sync::mpsc::UnboundedReceiver<()>,
    written: Arc<AtomicUsize>,
}

async fn paused(directory: &tempfile::TempDir) -> Paused {
    let store = SqliteStore::open(sqlite_config(directory)).await.unwrap();
    for number in 1..=2 {
        store.create_queue(new_queue(number)).await.unwrap();
    }
    let (let_go, wait) = mpsc::channel();
    let (reach, reached) = tokio::sync::mpsc::unbounded_channel();
    let written = Arc::new(AtomicUsize::new(0));
    let (wait, count) = (Mutex::new(wait), written.clone());
    store.shared.faults.set(move |stage| {
        match stage {
            Stage::Append => {
                count.fetch_add(1, Ordering::Relaxed);
            }
            Stage::Commit => {
                let _ = reach.send(());
                let _ = wait.lock().unwrap().recv();
            }
            Stage::Remove | Stage::Change => {}
        }
        None
    });
    Paused { store, let_go, reached, written }
}

impl Paused {
    async fn append(&self, queue: u32, number: u32) -> Completion {
        self.store.append(&id(queue, 0), sent(number), None).await.unwrap().accepted().kept
    }

    async fn acknowledge(&self, queue: u32, number: u32) -> Completion {
        let done = self.store.acknowledge(&id(queue, 0), &id(number, 9), AfterAck::Next).await.unwrap();
        assert!(done.removed.is_some());
        done.durable
    }

    fn let_all_go(&self) {
        for _ in 0..100 {
            self.let_go.send(()).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_is_acknowledged_while_waiting_is_never_written() {
    let directory = tempfile::tempdir().unwrap();
    let mut paused = paused(&directory).await;
    // The writer is busy with this one.
    let busy = paused.append(1, 1).await;
    paused.reached.recv().await.unwrap();

    let (second, third) = (paused.append(2, 2).await, paused.append(2, 3).await);
    assert!(!second.is_done());
    let durable = paused.acknowledge(2, 2).await;
    assert!(durable.is_done(), "there is nothing to remove from the disk");
    // Its sender gets OK while the disk has not moved.
    second.await.unwrap();
    durable.await.unwrap();
    assert!(!third.is_done() && !busy.is_done());

    paused.let_all_go();
    third.await.unwrap();
    busy.await.unwrap();
    assert_eq!(paused.written.load(Ordering::Relaxed), 2);
    paused.store.close().await.unwrap();

    let store = SqliteStore::open(sqlite_config(&directory)).await.unwrap();
    assert_eq!(store.queue_content(&id(1, 0)).await.unwrap().size, 1);
    assert_eq!(store.queue_content(&id(2, 0)).await.unwrap().first.unwrap().id, id(3, 9));
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_is_acknowledged_while_being_written_is_removed_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut paused = paused(&directory).await;
    let kept = paused.append(1, 1).await;
    paused.reached.recv().await.unwrap();
    let durable = paused.acknowledge(1, 1).await;
    kept.await.unwrap();
    assert!(!durable.is_done(), "the message is about to be on disk");
    paused.let_all_go();
    durable.await.unwrap();
    paused.store.close().await.unwrap();

    let store = SqliteStore::open(sqlite_config(&directory)).await.unwrap();
    assert_eq!(store.queue_content(&id(1, 0)).await.unwrap().size, 0);
    assert_eq!(store.counts().messages, 0);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_arrives_during_a_transaction_shares_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let mut paused = paused(&directory).await;
    let mut waiting = vec![paused.append(1, 1).await];
    paused.reached.recv().await.unwrap();
    for number in 2..=4 {
        waiting.push(paused.append(1, number).await);
        waiting.push(paused.append(2, number + 10).await);
    }
    paused.let_all_go();
    for kept in waiting {
        kept.await.unwrap();
    }
    // One commit, the second, for all six.
    paused.reached.recv().await.unwrap();
    assert!(paused.reached.try_recv().is_err());
    paused.store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn senders_wait_when_too_much_waits_for_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut paused = paused(&directory).await;
    // The same store, with little room.
    let script = paused.store.shared.faults.take();
    paused.store.close().await.unwrap();
    let mut config = sqlite_config(&directory);
    config.limits.pending_bytes = 2 * (sent(1).body.len() + OPERATION_BYTES);
    paused.store = SqliteStore::open(config).await.unwrap();
    paused.store.shared.faults.put(script);

    let first = paused.append(1, 1).await;
    paused.reached.recv().await.unwrap();
    let second = paused.append(1, 2).await;
    let (recipient, third) = (id(1, 0), sent(3));
    let mut third = paused.store.append(&recipient, third, None);
    let is_ready =
        std::future::poll_fn(|cx| std::task::Poll::Ready(third.as_mut().poll(cx).is_ready())).await;
    assert!(!is_ready);
    // An acknowledgement makes room as well as the disk does.
    paused.acknowledge(1, 1).await;
    drop(first);
    paused.let_all_go();
    third.await.unwrap().accepted().kept.await.unwrap();
    second.await.unwrap();
    paused.store.close().await.unwrap();
}

/// Data that clients give with a new queue waits as messages do.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn new_queues_wait_when_too_much_waits_for_the_disk() {
    const DATA: usize = 16_000;
    let directory = tempfile::tempdir().unwrap();
    let mut paused = paused(&directory).await;
    let script = paused.store.shared.faults.take();
    paused.store.close().await.unwrap();
    let mut config = sqlite_config(&directory);
    config.limits.pending_bytes = 2 * (DATA + OPERATION_BYTES);
    paused.store = SqliteStore::open(config).await.unwrap();
    paused.store.shared.faults.put(script);

    let mut creations: Vec<_> = (10..15)
        .map(|number| {
            let mut queue = new_queue(number);
            let data = LinkData { fixed: Vec::new(), user: vec![1; DATA] };
            queue.record.mode = Some(QueueMode::Contact);
            queue.record.link = Some(QueueLink::new(id(number, 7), &data));
            queue.link_data = Some(data);
            paused.store.create_queue(queue)
        })
        .collect();
    for creation in &mut creations {
        let poll = std::future::poll_fn(|cx| std::task::Poll::Ready(creation.as_mut().poll(cx).is_ready()));
        assert!(!poll.await);
    }
    paused.reached.recv().await.unwrap();
    let room = 2 * (DATA + OPERATION_BYTES) as u64;
    assert_eq!(paused.store.load().waiting_bytes, room, "two of five, and no more");
    // A deletion frees the disk and does not wait for room.
    let deletion = id(1, 0);
    let mut deletion = paused.store.delete_queue(&deletion);
    let before = paused.store.load().waiting_operations;
    while paused.store.load().waiting_operations == before {
        let poll = std::future::poll_fn(|cx| std::task::Poll::Ready(deletion.as_mut().poll(cx).is_ready()));
        assert!(!poll.await);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    paused.let_all_go();
    for creation in creations {
        creation.await.unwrap();
    }
    deletion.await.unwrap();
    assert_eq!(paused.store.load().waiting_bytes, 0);
    paused.store.close().await.unwrap();
}

/// As [`paused`], for a store that waits very long for acknowledgements, and whose recipient of queue 1 was prompt.
async fn patient(directory: &tempfile::TempDir, pending_bytes: usize) -> (SqliteStore, Arc<AtomicUsize>) {
    let mut config = sqlite_config(directory);
    config.limits = EngineLimits { ack_wait: Duration::from_secs(3600), pending_bytes, ..config.limits };
    let store = SqliteStore::open(config).await.unwrap();
    for number in 1..=2 {
        store.create_queue(new_queue(number)).await.unwrap();
    }
    send(&store, 1, 1).await.await.unwrap();
    acknowledge(&store, 1, 1).await.await.unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let count = written.clone();
    store.shared.faults.set(move |stage| {
        count.fetch_add(usize::from(stage == Stage::Append), Ordering::Relaxed);
        None
    });
    (store, written)
}

async fn send(store: &SqliteStore, queue: u32, number: u32) -> Completion {
    store.append(&id(queue, 0), sent(number), None).await.unwrap().accepted().kept
}

async fn acknowledge(store: &SqliteStore, queue: u32, number: u32) -> Completion {
    let done = store.acknowledge(&id(queue, 0), &id(number, 9), AfterAck::Next).await.unwrap();
    assert!(done.removed.is_some());
    done.durable
}

#[tokio::test]
async fn prompt_recipients_save_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let (store, written) = patient(&directory, 1 << 20).await;
    for number in 2..=50 {
        let kept = send(&store, 1, number).await;
        // Meanwhile others use the disk.
        if number % 10 == 0 {
            send(&store, 2, number).await.await.unwrap();
            acknowledge(&store, 2, number).await.await.unwrap();
            store.delete_queue(&id(2, 0)).await.unwrap();
            store.create_queue(new_queue(2)).await.unwrap();
        }
        assert!(!kept.is_done());
        let durable = acknowledge(&store, 1, number).await;
        assert!(durable.is_done() && kept.is_done());
    }
    assert_eq!(written.load(Ordering::Relaxed), 5, "those of queue 2, which is new each time");
    assert_eq!(store.counts().messages, 0);
    store.close().await.unwrap();
}

#[tokio::test]
async fn nothing_overtakes_a_message_that_waits_for_its_recipient() {
    let directory = tempfile::tempdir().unwrap();
    let (store, written) = patient(&directory, 1 << 20).await;
    let waiting = [send(&store, 1, 2).await, send(&store, 1, 3).await];
    assert!(waiting.iter().all(|kept| !kept.is_done()));
    // The recipient turns out not to be prompt.
    store.shared.cache.queue(&id(1, 0)).with_loaded(|queue| queue.doubt()).unwrap();
    send(&store, 1, 4).await.await.unwrap();
    for kept in waiting {
        assert!(kept.is_done());
        kept.await.unwrap();
    }
    assert_eq!(written.load(Ordering::Relaxed), 3);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_message_waits_longer_while_those_before_it_are_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let (store, written) = patient(&directory, 1 << 20).await;
    let waited = |doubt: bool| {
        let queue = store.shared.cache.queue(&id(1, 0));
        queue.with_loaded(|queue| {
            if doubt {
                queue.doubt();
            }
            queue.first_waited(&store.shared);
        });
    };
    let [first, second, third] =
        [send(&store, 1, 2).await, send(&store, 1, 3).await, send(&store, 1, 4).await];
    waited(false);
    acknowledge(&store, 1, 2).await.await.unwrap();
    waited(false);
    assert!(first.is_done() && !second.is_done());
    assert_eq!(written.load(Ordering::Relaxed), 0);
    waited(true);
    second.await.unwrap();
    third.await.unwrap();
    assert_eq!(written.load(Ordering::Relaxed), 2);
    store.close().await.unwrap();
}

#[tokio::test]
async fn the_wait_ends_when_room_does() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = patient(&directory, 2 * (sent(1).body.len() + OPERATION_BYTES)).await;
    let waiting = [send(&store, 1, 2).await, send(&store, 1, 3).await];
    // There is room again when those two are on disk.
    let third = send(&store, 1, 4).await;
    for kept in waiting {
        kept.await.unwrap();
    }
    drop(third);
    // Closing does not wait for recipients either.
    store.close().await.unwrap();
    let store = SqliteStore::open(sqlite_config(&directory)).await.unwrap();
    assert_eq!(store.queue_content(&id(1, 0)).await.unwrap().size, 3);
    store.close().await.unwrap();
}

#[tokio::test]
async fn the_wait_ends_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = sqlite_config(&directory);
    config.limits.ack_wait = Duration::from_millis(1);
    let store = SqliteStore::open(config).await.unwrap();
    store.create_queue(new_queue(1)).await.unwrap();
    for number in (1..40).step_by(2) {
        send(&store, 1, number).await.await.unwrap();
        acknowledge(&store, 1, number).await.await.unwrap();
        // Whether the recipient was prompt or not, and although it is not now.
        send(&store, 1, number + 1).await.await.unwrap();
        acknowledge(&store, 1, number + 1).await.await.unwrap();
    }
    store.close().await.unwrap();
}
