//! Services, and which queues are theirs.
#![allow(missing_docs, reason = "the name of a case is what it shows")]

use md5::{Digest as _, Md5};
use smp_protocol::id::ServiceId;

use crate::store::{NewService, QueueChange, QueueId, ServiceQueues, ServiceRole, Store, StoreError};
use crate::{DAY, id, new_queue, notifier};

fn service(number: u32, role: ServiceRole) -> NewService {
    NewService {
        id: id(number, 4),
        role,
        certificates: vec![number as u8; 1000],
        fingerprint: vec![number as u8; 64],
        created: DAY,
    }
}

/// The count and hash that a service must say of these queues.
fn summary(ids: &[Vec<u8>]) -> ServiceQueues {
    let mut ids_hash = [0; 16];
    for id in ids {
        let hash: [u8; 16] = Md5::digest(id).into();
        ids_hash.iter_mut().zip(hash).for_each(|(sum, byte)| *sum ^= byte);
    }
    ServiceQueues { count: ids.len() as u64, ids_hash }
}

fn recipients(numbers: &[u32]) -> ServiceQueues {
    summary(&numbers.iter().map(|number| id::<ServiceId>(*number, 0).as_bytes().to_vec()).collect::<Vec<_>>())
}

fn notifiers(numbers: &[u32]) -> ServiceQueues {
    summary(&numbers.iter().map(|number| id::<ServiceId>(*number, 2).as_bytes().to_vec()).collect::<Vec<_>>())
}

pub async fn are_known_by_their_certificate(store: &dyn Store) {
    let found = async |number: u8, role| store.find_service(&[number; 64], role).await;
    assert_eq!(found(1, ServiceRole::Messaging).await.unwrap(), None);
    let first = store.service(service(1, ServiceRole::Messaging)).await.unwrap();
    assert_eq!(first, id(1, 4));
    assert_eq!(found(1, ServiceRole::Messaging).await.unwrap().as_ref(), Some(&first));
    assert!(matches!(found(1, ServiceRole::Notifier).await, Err(StoreError::ServiceRole)));
    let again = NewService { id: id(9, 4), ..service(1, ServiceRole::Messaging) };
    assert_eq!(store.service(again).await.unwrap(), first);
    let other_role = NewService { id: id(9, 4), ..service(1, ServiceRole::Notifier) };
    assert!(matches!(store.service(other_role).await, Err(StoreError::ServiceRole)));
    let same_id = NewService { id: id(1, 4), ..service(2, ServiceRole::Messaging) };
    assert!(matches!(store.service(same_id).await, Err(StoreError::Duplicate)));
    assert_eq!(store.service(service(3, ServiceRole::Notifier)).await.unwrap(), id(3, 4));
    assert_eq!((store.counts().messaging_services, store.counts().notifier_services), (1, 1));

    let none = ServiceQueues::default();
    assert_eq!(store.service_queues(&first, ServiceRole::Messaging).await.unwrap(), none);
    assert!(matches!(store.service_queues(&first, ServiceRole::Notifier).await, Err(StoreError::NotFound)));
    assert!(matches!(
        store.service_queues(&id(9, 4), ServiceRole::Messaging).await,
        Err(StoreError::NotFound)
    ));
}

pub async fn are_listed(store: &dyn Store) {
    for number in [3, 1, 2] {
        let role = if number == 2 { ServiceRole::Notifier } else { ServiceRole::Messaging };
        store.service(service(number, role)).await.unwrap();
    }
    let listed = store.services().await.unwrap();
    assert_eq!(
        listed.iter().map(|service| service.id.clone()).collect::<Vec<_>>(),
        [1, 2, 3].map(|n| id(n, 4))
    );
    assert_eq!(listed[1], service(2, ServiceRole::Notifier));
}

pub async fn count_their_queues(store: &dyn Store) {
    let service_id = store.service(service(1, ServiceRole::Messaging)).await.unwrap();
    let notifier_service = store.service(service(2, ServiceRole::Notifier)).await.unwrap();
    let count = async || store.service_queues(&service_id, ServiceRole::Messaging).await.unwrap();
    let associate = async |number, service| {
        store.update_queue(&id(number, 0), QueueChange::RecipientService(service)).await.map(|_| ())
    };

    let mut created_with = new_queue(1);
    created_with.record.recipient_service = Some(service_id.clone());
    store.create_queue(created_with).await.unwrap();
    assert_eq!(count().await, recipients(&[1]));
    store.create_queue(new_queue(2)).await.unwrap();
    store.create_queue(new_queue(3)).await.unwrap();
    for _ in 0..2 {
        associate(2, Some(service_id.clone())).await.unwrap();
        associate(3, Some(service_id.clone())).await.unwrap();
        assert_eq!(count().await, recipients(&[1, 2, 3]));
    }
    let found = store.find_queue(QueueId::Sender(&id(2, 1))).await.unwrap().unwrap();
    assert_eq!(found.recipient_service, Some(service_id.clone()));

    associate(2, None).await.unwrap();
    assert_eq!(count().await, recipients(&[1, 3]));
    store.delete_queue(&id(1, 0)).await.unwrap();
    assert_eq!(count().await, recipients(&[3]));

    // A service that is not there, or is for something else.
    assert!(matches!(associate(2, Some(id(9, 4))).await, Err(StoreError::NotFound)));
    assert!(matches!(associate(2, Some(notifier_service)).await, Err(StoreError::NotFound)));
    let mut created_with = new_queue(4);
    created_with.record.recipient_service = Some(id(9, 4));
    assert!(matches!(store.create_queue(created_with).await, Err(StoreError::NotFound)));
    assert_eq!(store.counts().queues, 2);
    assert_eq!(count().await, recipients(&[3]));
}

pub async fn count_their_notifiers(store: &dyn Store) {
    let service_id = store.service(service(1, ServiceRole::Notifier)).await.unwrap();
    let count = async || store.service_queues(&service_id, ServiceRole::Notifier).await.unwrap();
    let change = async |number, change| store.update_queue(&id(number, 0), change).await.map(|_| ());
    let joined = || QueueChange::NotifierService(Some(service_id.clone()));

    for number in 1..=3 {
        store.create_queue(new_queue(number)).await.unwrap();
    }
    assert!(matches!(change(1, joined()).await, Err(StoreError::Refused)));
    change(1, QueueChange::SetNotifier(notifier(1))).await.unwrap();
    change(2, QueueChange::SetNotifier(notifier(2))).await.unwrap();
    change(1, joined()).await.unwrap();
    change(2, joined()).await.unwrap();
    assert_eq!(count().await, notifiers(&[1, 2]));

    // A new notifier has no service yet, and replaces the old one.
    change(1, QueueChange::SetNotifier(notifier(5))).await.unwrap();
    assert_eq!(count().await, notifiers(&[2]));
    assert!(store.find_queue(QueueId::Notifier(&id(1, 2))).await.unwrap().is_none());
    assert!(store.find_queue(QueueId::Notifier(&id(5, 2))).await.unwrap().is_some());
    assert_eq!(store.counts().notifiers, 2);

    for _ in 0..2 {
        change(2, QueueChange::ClearNotifier).await.unwrap();
        assert_eq!(count().await, ServiceQueues::default());
        assert_eq!(store.counts().notifiers, 1);
    }
    assert!(store.find_queue(QueueId::Notifier(&id(2, 2))).await.unwrap().is_none());
}

pub async fn list_their_queues(store: &dyn Store) {
    let messaging = store.service(service(1, ServiceRole::Messaging)).await.unwrap();
    let notifying = store.service(service(2, ServiceRole::Notifier)).await.unwrap();
    for number in 1..=5 {
        let mut queue = new_queue(number);
        queue.record.recipient_service = (number != 3).then(|| messaging.clone());
        queue.record.notifier = Some(notifier(number));
        store.create_queue(queue).await.unwrap();
        if number > 3 {
            let change = QueueChange::NotifierService(Some(notifying.clone()));
            store.update_queue(&id(number, 0), change).await.unwrap();
        }
    }
    let list = async |service: &ServiceId, role| {
        let mut found = Vec::new();
        loop {
            let page = store.service_queue_page(service, role, found.last(), 2).await.unwrap();
            if page.is_empty() {
                return found;
            }
            found.extend(page.iter().map(|record| record.recipient_id.clone()));
        }
    };
    assert_eq!(list(&messaging, ServiceRole::Messaging).await, [1, 2, 4, 5].map(|number| id(number, 0)));
    assert_eq!(list(&notifying, ServiceRole::Notifier).await, [4, 5].map(|number| id(number, 0)));
    assert!(list(&messaging, ServiceRole::Notifier).await.is_empty());
}
