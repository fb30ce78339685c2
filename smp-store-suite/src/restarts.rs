//! A restart forgets nothing.

use smp_crypto::{Ed448PrivateKey, X25519PrivateKey};

use crate::store::{
    Day, LinkData, NewService, QueueChange, QueueId, QueueLink, QueueMode, QueueRecord, QueueStatus,
    ServiceRole, Store,
};
use crate::{DAY, Fixture, MustBeAccepted as _, id, key, new_queue, notifier, sent};

/// Everything in a record, as text; a key shows its DER.
fn describe(record: &QueueRecord) -> String {
    let keys: Vec<_> = record.recipient_keys.iter().map(|key| key.to_text()).collect();
    let notifier = record.notifier.as_ref().map(|notifier| {
        (notifier.id.clone(), notifier.key.to_text(), *notifier.dh.as_bytes(), notifier.service.clone())
    });
    format!(
        "{:?}",
        (
            (&record.recipient_id, keys, record.recipient_dh.as_bytes(), &record.sender_id),
            (record.sender_key.map(|key| key.to_text()), record.mode, &record.link, notifier),
            (&record.status, record.updated, &record.recipient_service),
        )
    )
}

async fn all(store: &dyn Store) -> Vec<String> {
    let mut found = Vec::new();
    for number in 1..=3 {
        let record = store.find_queue(QueueId::Sender(&id(number, 1))).await.unwrap().unwrap();
        found.push(describe(&record));
        found.push(format!("{:?}", store.link_data(&record.recipient_id).await.unwrap()));
        for message in store.messages(&record.recipient_id).await.unwrap() {
            found.push(format!("{:?} {}", message.info(), message.body_len()));
        }
    }
    for (number, role) in [(1, ServiceRole::Messaging), (2, ServiceRole::Notifier)] {
        found.push(format!("{:?}", store.service_queues(&id(number, 4), role).await.unwrap()));
    }
    found.push(format!("{:?}", store.counts()));
    found
}

/// Everything that a store can hold is the same after a restart.
pub async fn everything_is_there(fixture: Fixture) {
    let store = fixture.store.as_ref();
    for (number, role) in [(1, ServiceRole::Messaging), (2, ServiceRole::Notifier)] {
        let service = NewService {
            id: id(number, 4),
            role,
            certificates: vec![1],
            fingerprint: vec![number as u8],
            created: DAY,
        };
        store.service(service).await.unwrap();
    }
    let data = LinkData { fixed: vec![3; 3000], user: vec![4; 13_000] };
    let mut full = new_queue(1);
    full.record.mode = Some(QueueMode::Contact);
    full.record.link = Some(QueueLink::new(id(1, 3), &data));
    full.link_data = Some(data);
    full.record.notifier = Some(notifier(1));
    full.record.recipient_service = Some(id(1, 4));
    full.record.recipient_keys.push(Ed448PrivateKey::generate(&mut rand::rng()).public_key().into());
    store.create_queue(full).await.unwrap();
    let mut bare = new_queue(2);
    bare.record.mode = None;
    bare.record.updated = None;
    store.create_queue(bare).await.unwrap();
    store.create_queue(new_queue(3)).await.unwrap();

    let x25519 = X25519PrivateKey::generate(&mut rand::rng()).public_key().into();
    for (number, change) in [
        (1, QueueChange::NotifierService(Some(id(2, 4)))),
        (1, QueueChange::Secure(x25519)),
        (1, QueueChange::Used(Day(DAY.0 + 1))),
        (2, QueueChange::Status(QueueStatus::Blocked(b"reason=spam".as_slice().into()))),
        (3, QueueChange::Secure(key())),
        (3, QueueChange::RecipientKeys(vec![key(), key()])),
    ] {
        store.update_queue(&id(number, 0), change).await.unwrap();
    }
    for number in 1..=3 {
        // Not waited for: closing writes them.
        store.append(&id(1, 0), sent(number), None).await.unwrap().accepted();
    }
    for number in 4..=9 {
        let _ = store.append(&id(3, 0), sent(number), None).await.unwrap();
    }
    store.update_queue(&id(3, 0), QueueChange::Status(QueueStatus::Suspended)).await.unwrap();

    let before = all(store).await;
    assert!(before.iter().any(|line| line.contains("QuotaMarker")));
    let fixture = fixture.restarted().await;
    assert_eq!(all(fixture.store.as_ref()).await, before);
    fixture.store.close().await.unwrap();
}
