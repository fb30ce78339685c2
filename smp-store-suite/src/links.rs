//! Data of short links.
#![allow(missing_docs, reason = "the name of a case is what it shows")]

use crate::store::{LinkData, NewQueue, QueueChange, QueueId, QueueLink, Store, StoreError};
use crate::{id, new_queue};

fn data(fixed: u8, user: u8) -> LinkData {
    LinkData { fixed: vec![fixed; 2000], user: vec![user; 13_000] }
}

fn with_link(number: u32) -> NewQueue {
    let mut queue = new_queue(number);
    queue.record.link = Some(QueueLink::new(id(number, 3), &data(1, 1)));
    queue.link_data = Some(data(1, 1));
    queue
}

async fn set(store: &dyn Store, link: u32, data: LinkData) -> Result<(), StoreError> {
    store.update_queue(&id(1, 0), QueueChange::SetLink(id(link, 3), data)).await.map(|_| ())
}

pub async fn are_set_with_the_queue(store: &dyn Store) {
    store.create_queue(with_link(1)).await.unwrap();
    store.create_queue(new_queue(2)).await.unwrap();
    assert_eq!(store.link_data(&id(1, 0)).await.unwrap(), Some(data(1, 1)));
    assert_eq!(store.link_data(&id(2, 0)).await.unwrap(), None);
    assert!(matches!(store.link_data(&id(3, 0)).await, Err(StoreError::NotFound)));
}

pub async fn can_be_set_later_and_updated(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    assert!(store.find_queue(QueueId::Link(&id(1, 3))).await.unwrap().is_none());
    set(store, 1, data(1, 1)).await.unwrap();
    assert_eq!(store.link_data(&id(1, 0)).await.unwrap(), Some(data(1, 1)));
    set(store, 1, data(1, 2)).await.unwrap();
    assert_eq!(store.link_data(&id(1, 0)).await.unwrap(), Some(data(1, 2)));
    assert!(store.find_queue(QueueId::Link(&id(1, 3))).await.unwrap().is_some());
}

pub async fn keep_id_and_fixed_data(store: &dyn Store) {
    store.create_queue(with_link(1)).await.unwrap();
    assert!(matches!(set(store, 2, data(1, 2)).await, Err(StoreError::Refused)));
    assert!(matches!(set(store, 1, data(2, 2)).await, Err(StoreError::Refused)));
    assert_eq!(store.link_data(&id(1, 0)).await.unwrap(), Some(data(1, 1)));
    assert!(store.find_queue(QueueId::Link(&id(2, 3))).await.unwrap().is_none());
}

pub async fn are_removed(store: &dyn Store) {
    store.create_queue(with_link(1)).await.unwrap();
    for _ in 0..2 {
        store.update_queue(&id(1, 0), QueueChange::ClearLink).await.unwrap();
        assert_eq!(store.link_data(&id(1, 0)).await.unwrap(), None);
        assert!(store.find_queue(QueueId::Link(&id(1, 3))).await.unwrap().is_none());
    }
    set(store, 2, data(3, 3)).await.unwrap();
    assert_eq!(store.link_data(&id(1, 0)).await.unwrap(), Some(data(3, 3)));
}
