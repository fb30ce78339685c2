//! Removal of what is old, in steps.
#![allow(missing_docs, reason = "the name of a case is what it shows")]

use crate::store::{Appended, Day, QueueChange, QueueId, Store};
use crate::{DAY, QUOTA, id, new_queue, sent};

/// Sweeps in steps of so many messages; returns how many messages went, and in how many steps.
async fn sweep(store: &dyn Store, before: u64, limit: usize) -> (u64, usize) {
    let (mut removed, mut steps) = (0, 0);
    loop {
        let swept = store.expire_messages(before, limit).await.unwrap();
        removed += swept.removed;
        steps += 1;
        if !swept.more {
            return (removed, steps);
        }
    }
}

async fn fill(store: &dyn Store, queue: u32, messages: std::ops::RangeInclusive<u32>) {
    for number in messages {
        if let Appended::Accepted(accepted) = store.append(&id(queue, 0), sent(number), None).await.unwrap() {
            accepted.kept.await.unwrap();
        }
    }
}

async fn sizes(store: &dyn Store) -> Vec<usize> {
    let mut sizes = Vec::new();
    for record in store.queue_page(None, 100).await.unwrap() {
        sizes.push(store.queue_content(&record.recipient_id).await.unwrap().size);
    }
    sizes
}

pub async fn remove_old_messages_everywhere(store: &dyn Store) {
    for number in 1..=3 {
        store.create_queue(new_queue(number)).await.unwrap();
    }
    fill(store, 1, 1..=3).await;
    fill(store, 2, 4..=6).await;
    fill(store, 3, 7..=8).await;
    assert_eq!(sweep(store, 1000, 100).await.0, 0);
    assert_eq!(sweep(store, 1006, 100).await.0, 5);
    assert_eq!(sizes(store).await, [0, 1, 2]);
    assert_eq!(store.counts().messages, 3);
    let first = store.first_message(&id(2, 0)).await.unwrap().unwrap();
    assert_eq!(first.id, id(6, 9));
    assert_eq!(sweep(store, 1006, 100).await.0, 0);
}

pub async fn work_in_steps(store: &dyn Store) {
    for number in 1..=6 {
        store.create_queue(new_queue(number)).await.unwrap();
        fill(store, number, number * 10 + 1..=number * 10 + 3).await;
    }
    let (removed, steps) = sweep(store, 1043, 3).await;
    assert_eq!(removed, 11);
    assert!(steps >= 4, "a step must not look at everything: {steps}");
    assert_eq!(sizes(store).await, [0, 0, 0, 1, 3, 3]);
}

pub async fn leave_quota_markers(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    fill(store, 1, 1..=QUOTA as u32 + 2).await;
    assert_eq!(sweep(store, 9999, 100).await.0, QUOTA as u64);
    let first = store.first_message(&id(1, 0)).await.unwrap().unwrap();
    assert!(first.is_quota_marker());
    assert!(matches!(store.append(&id(1, 0), sent(20), None).await.unwrap(), Appended::QuotaExceeded));
}

pub async fn delete_idle_queues(store: &dyn Store) {
    for number in 1..=5 {
        let mut queue = new_queue(number);
        queue.record.updated = (number != 5).then_some(Day(DAY.0 + number));
        store.create_queue(queue).await.unwrap();
    }
    fill(store, 2, 1..=2).await;
    // Used again before the sweep.
    store.update_queue(&id(1, 0), QueueChange::Used(Day(DAY.0 + 9))).await.unwrap();
    let before = Day(DAY.0 + 4);
    let mut deleted = Vec::new();
    loop {
        let step = store.delete_idle_queues(before, 1).await.unwrap();
        assert!(step.len() <= 1);
        if step.is_empty() {
            break;
        }
        deleted.extend(step.iter().map(|record| record.recipient_id.clone()));
    }
    deleted.sort();
    assert_eq!(deleted, [id(2, 0), id(3, 0)]);
    assert!(store.find_queue(QueueId::Sender(&id(2, 1))).await.unwrap().is_none());
    assert_eq!((store.counts().queues, store.counts().messages), (3, 0));
}
