//! Queues: their IDs, keys and changes.
#![allow(missing_docs, reason = "the name of a case is what it shows")]

use smp_crypto::Ed448PrivateKey;
use smp_protocol::id::{LinkId, NotifierId, RecipientId, SenderId};

use crate::store::{
    Day, LinkData, QueueChange, QueueId, QueueLink, QueueMode, QueueRecord, QueueStatus, Store, StoreError,
};
use crate::{DAY, id, key, new_queue, notifier};

async fn find(store: &dyn Store, id: QueueId<'_>) -> Option<RecipientId> {
    store.find_queue(id).await.unwrap().map(|record| record.recipient_id.clone())
}

async fn change(store: &dyn Store, number: u32, change: QueueChange) -> Result<(), StoreError> {
    store.update_queue(&id(number, 0), change).await.map(|_| ())
}

async fn record(store: &dyn Store, number: u32) -> std::sync::Arc<QueueRecord> {
    store.find_queue(QueueId::Recipient(&id(number, 0))).await.unwrap().unwrap()
}

pub async fn is_found_by_each_of_its_ids(store: &dyn Store) {
    let mut queue = new_queue(1);
    let data = LinkData { fixed: vec![1; 100], user: vec![2; 50] };
    queue.record.notifier = Some(notifier(1));
    queue.record.link = Some(QueueLink::new(id(1, 3), &data));
    queue.record.recipient_keys.push(Ed448PrivateKey::generate(&mut rand::rng()).public_key().into());
    queue.record.mode = Some(QueueMode::Contact);
    queue.link_data = Some(data);
    let created = queue.record.clone();
    store.create_queue(queue).await.unwrap();
    store.create_queue(new_queue(2)).await.unwrap();

    let expected = Some(id(1, 0));
    assert_eq!(find(store, QueueId::Recipient(&id(1, 0))).await, expected);
    assert_eq!(find(store, QueueId::Sender(&id(1, 1))).await, expected);
    assert_eq!(find(store, QueueId::Notifier(&id(1, 2))).await, expected);
    assert_eq!(find(store, QueueId::Link(&id(1, 3))).await, expected);
    assert_eq!(find(store, QueueId::Sender(&id(2, 1))).await, Some(id(2, 0)));

    // Unknown IDs, and IDs of another kind, twice as the second answer may come from memory.
    for _ in 0..2 {
        assert_eq!(find(store, QueueId::Recipient(&id(3, 0))).await, None);
        assert_eq!(find(store, QueueId::Recipient(&id(1, 1))).await, None);
        assert_eq!(find(store, QueueId::Sender(&id(1, 0))).await, None);
        assert_eq!(find(store, QueueId::Notifier(&id(1, 1))).await, None);
        assert_eq!(find(store, QueueId::Link(&id(1, 2))).await, None);
        assert_eq!(find(store, QueueId::Link(&LinkId::empty())).await, None);
    }

    let found = record(store, 1).await;
    assert_eq!(found.recipient_keys, created.recipient_keys);
    assert_eq!(found.recipient_dh.as_bytes(), created.recipient_dh.as_bytes());
    assert_eq!(found.mode, Some(QueueMode::Contact));
    assert_eq!(found.link, created.link);
    assert_eq!(found.updated, Some(DAY));
    let (notifier, expected) = (found.notifier.as_ref().unwrap(), created.notifier.unwrap());
    assert_eq!((&notifier.id, &notifier.key), (&expected.id, &expected.key));
    assert_eq!(notifier.dh.as_bytes(), expected.dh.as_bytes());
}

pub async fn ids_must_be_new(store: &dyn Store) {
    let data = LinkData { fixed: vec![1], user: vec![2] };
    let mut first = new_queue(1);
    first.record.notifier = Some(notifier(1));
    first.record.link = Some(QueueLink::new(id(1, 3), &data));
    first.link_data = Some(data.clone());
    store.create_queue(first.clone()).await.unwrap();

    let mut same_recipient = new_queue(2);
    same_recipient.record.recipient_id = id(1, 0);
    let mut same_sender = new_queue(2);
    same_sender.record.sender_id = id(1, 1);
    let mut same_notifier = new_queue(2);
    same_notifier.record.notifier = Some(notifier(1));
    let mut same_link = new_queue(2);
    same_link.record.link = first.record.link.clone();
    same_link.link_data = Some(data.clone());
    for queue in [same_recipient, same_sender, same_notifier, same_link] {
        assert!(matches!(store.create_queue(queue).await, Err(StoreError::Duplicate)));
    }

    // Nothing is left of the attempts, and the first queue is as it was.
    assert_eq!(find(store, QueueId::Recipient(&id(2, 0))).await, None);
    store.create_queue(new_queue(2)).await.unwrap();
    let taken = change(store, 2, QueueChange::SetNotifier(notifier(1))).await;
    assert!(matches!(taken, Err(StoreError::Duplicate)));
    let taken = change(store, 2, QueueChange::SetLink(id(1, 3), data)).await;
    assert!(matches!(taken, Err(StoreError::Duplicate)));
    assert_eq!(find(store, QueueId::Notifier(&id(1, 2))).await, Some(id(1, 0)));
    assert!(record(store, 2).await.notifier.is_none());
    assert!(record(store, 2).await.link.is_none());
    assert_eq!(store.counts().queues, 2);
    assert_eq!(store.counts().notifiers, 1);
}

pub async fn is_secured_once(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    let sender = key();
    let updated = store.update_queue(&id(1, 0), QueueChange::Secure(sender)).await.unwrap();
    assert_eq!((updated.before.sender_key, updated.after.sender_key), (None, Some(sender)));
    change(store, 1, QueueChange::Secure(sender)).await.unwrap();
    assert!(matches!(change(store, 1, QueueChange::Secure(key())).await, Err(StoreError::Refused)));
    assert_eq!(record(store, 1).await.sender_key, Some(sender));
    assert!(matches!(change(store, 2, QueueChange::Secure(key())).await, Err(StoreError::NotFound)));
}

pub async fn takes_new_recipient_keys(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    let keys = vec![key(), key()];
    change(store, 1, QueueChange::RecipientKeys(keys.clone())).await.unwrap();
    assert_eq!(record(store, 1).await.recipient_keys, keys);
    assert!(matches!(
        change(store, 1, QueueChange::RecipientKeys(Vec::new())).await,
        Err(StoreError::Refused)
    ));
    assert_eq!(record(store, 1).await.recipient_keys, keys);
}

pub async fn changes_status(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    for status in [
        QueueStatus::Suspended,
        QueueStatus::Suspended,
        QueueStatus::Blocked(b"reason=spam".as_slice().into()),
        QueueStatus::Active,
    ] {
        change(store, 1, QueueChange::Status(status.clone())).await.unwrap();
        assert_eq!(record(store, 1).await.status, status);
    }
    let blocked = QueueStatus::Blocked(b"reason=spam".as_slice().into());
    for status in [blocked.clone(), QueueStatus::Suspended] {
        change(store, 1, QueueChange::Status(status)).await.unwrap();
        assert_eq!(record(store, 1).await.status, blocked);
    }
}

pub async fn notes_the_day_of_use(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    let day = Day(DAY.0 + 3);
    let updated = store.update_queue(&id(1, 0), QueueChange::Used(day)).await.unwrap();
    assert_eq!((updated.before.updated, updated.after.updated), (Some(DAY), Some(day)));
    assert_eq!(record(store, 1).await.updated, Some(day));
    // The clock is behind.
    let updated = store.update_queue(&id(1, 0), QueueChange::Used(Day(0))).await.unwrap();
    assert_eq!(updated.after.updated, Some(day));
    assert_eq!(record(store, 1).await.updated, Some(day));
}

pub async fn is_deleted(store: &dyn Store) {
    let data = LinkData { fixed: vec![1], user: vec![2] };
    let mut queue = new_queue(1);
    queue.record.notifier = Some(notifier(1));
    queue.record.link = Some(QueueLink::new(id(1, 3), &data));
    queue.link_data = Some(data);
    store.create_queue(queue.clone()).await.unwrap();
    store.append(&id(1, 0), super::sent(1), None).await.unwrap();
    let (deleted, messages) = store.delete_queue(&id(1, 0)).await.unwrap();
    assert_eq!((deleted.sender_id.clone(), messages), (id::<SenderId>(1, 1), 1));

    assert_eq!(find(store, QueueId::Recipient(&id(1, 0))).await, None);
    assert_eq!(find(store, QueueId::Sender(&id(1, 1))).await, None);
    assert_eq!(find(store, QueueId::Notifier(&id::<NotifierId>(1, 2))).await, None);
    assert_eq!(find(store, QueueId::Link(&id(1, 3))).await, None);
    assert!(matches!(store.delete_queue(&id(1, 0)).await, Err(StoreError::NotFound)));
    assert!(matches!(store.first_message(&id(1, 0)).await, Err(StoreError::NotFound)));
    assert!(matches!(store.link_data(&id(1, 0)).await, Err(StoreError::NotFound)));
    assert_eq!(store.counts(), Default::default());

    // All its IDs are free again, and nothing of the old queue is left.
    store.create_queue(queue).await.unwrap();
    assert_eq!(store.queue_content(&id(1, 0)).await.unwrap().size, 0);
    assert_eq!(find(store, QueueId::Sender(&id(1, 1))).await, Some(id(1, 0)));
}

pub async fn malformed_queues_are_refused(store: &dyn Store) {
    let mut without_keys = new_queue(1);
    without_keys.record.recipient_keys.clear();
    let mut without_data = new_queue(1);
    without_data.record.link = Some(QueueLink { id: id(1, 3), fixed_digest: [0; 32] });
    let mut without_link = new_queue(1);
    without_link.link_data = Some(LinkData { fixed: vec![], user: vec![] });
    for queue in [without_keys, without_data, without_link] {
        assert!(matches!(store.create_queue(queue).await, Err(StoreError::Refused)));
    }
    assert_eq!(store.counts().queues, 0);
}

pub async fn pages_hold_every_queue_once(store: &dyn Store) {
    for number in [5, 3, 1, 4, 2] {
        store.create_queue(new_queue(number)).await.unwrap();
    }
    let mut found = Vec::new();
    loop {
        let page = store.queue_page(found.last(), 2).await.unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        found.extend(page.iter().map(|record| record.recipient_id.clone()));
    }
    assert_eq!(found, (1..=5).map(|number| id(number, 0)).collect::<Vec<_>>());
}
