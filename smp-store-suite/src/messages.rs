//! Messages: order, acknowledgement, quota, expiry.
#![allow(missing_docs, reason = "the name of a case is what it shows")]

use crate::store::{
    AfterAck, Appended, MAX_BODY_BYTES, Message, MessageContent, MessageKind, QueueChange, QueueStatus,
    Store, StoreError,
};
use crate::{MustBeAccepted as _, QUOTA, id, new_queue, sent};

/// The number of the first message, 0 if there is none; a quota marker is 1000 and its number.
async fn first(store: &dyn Store) -> u32 {
    store.first_message(&id(1, 0)).await.unwrap().map_or(0, |message| number(&message))
}

fn number(message: &Message) -> u32 {
    let number = u32::from_be_bytes(message.id.as_bytes()[..4].try_into().unwrap());
    assert_eq!(message.timestamp, 1000 + u64::from(number));
    match &message.content {
        MessageContent::Sent { notification, body } => {
            assert_eq!((*notification, body), (number % 2 == 0, &sent(number).body));
            number
        }
        MessageContent::QuotaMarker => 1000 + number,
    }
}

/// Sends a message and waits until it is kept.
async fn send(store: &dyn Store, number: u32) -> Appended {
    let mut appended = store.append(&id(1, 0), sent(number), None).await.unwrap();
    if let Appended::Accepted(accepted) = &mut appended {
        (&mut accepted.kept).await.unwrap();
    }
    appended
}

/// Acknowledges and waits; the number of the next message, 0 if there is none.
async fn acknowledge(store: &dyn Store, number: u32) -> (bool, u32) {
    let done = store.acknowledge(&id(1, 0), &id(number, 9), AfterAck::Next).await.unwrap();
    done.durable.await.unwrap();
    (done.removed.is_some(), done.next.map_or(0, |message| self::number(&message)))
}

pub async fn come_out_in_order(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    let accepted = store.append(&id(1, 0), sent(1), None).await.unwrap().accepted();
    assert_eq!(number(&accepted.message), 1);
    accepted.kept.await.unwrap();
    store.append(&id(1, 0), sent(2), None).await.unwrap().accepted();
    send(store, 3).await.accepted();

    assert_eq!(acknowledge(store, 1).await, (true, 2));
    assert_eq!(acknowledge(store, 2).await, (true, 3));
    assert_eq!(acknowledge(store, 3).await, (true, 0));
    send(store, 4).await.accepted();
    assert_eq!(first(store).await, 4);
}

pub async fn first_is_delivered_again_until_acknowledged(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    assert_eq!(first(store).await, 0);
    send(store, 1).await.accepted();
    send(store, 2).await.accepted();
    assert_eq!((first(store).await, first(store).await), (1, 1));
    let done = store.acknowledge(&id(1, 0), &id(1, 9), AfterAck::Nothing).await.unwrap();
    assert!(done.next.is_none());
    assert_eq!(done.removed.unwrap().kind, MessageKind::Sent { notification: false });
    assert_eq!(first(store).await, 2);
}

pub async fn are_acknowledged_by_the_id_of_the_first(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    assert_eq!(acknowledge(store, 1).await, (false, 0));
    send(store, 1).await.accepted();
    send(store, 2).await.accepted();
    assert_eq!(acknowledge(store, 2).await, (false, 1));
    assert_eq!(acknowledge(store, 1).await, (true, 2));
    assert_eq!(acknowledge(store, 1).await, (false, 2));
    assert_eq!(store.counts().messages, 1);
}

pub async fn fill_a_queue_until_it_is_drained(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    for number in 1..=QUOTA as u32 {
        send(store, number).await.accepted();
    }
    // The first refusal leaves the marker, with the ID and the time of what was refused.
    for number in 5..=7 {
        assert!(matches!(send(store, number).await, Appended::QuotaExceeded));
    }
    assert_eq!(store.queue_content(&id(1, 0)).await.unwrap().size, QUOTA + 1);
    // Refused until drained, not only until there is space.
    for number in 1..=4 {
        assert_eq!(first(store).await, number);
        assert!(acknowledge(store, number).await.0);
        assert!(matches!(send(store, 8).await, Appended::QuotaExceeded));
    }
    assert_eq!(first(store).await, 1005);
    assert_eq!(acknowledge(store, 5).await, (true, 0));
    send(store, 9).await.accepted();
    assert_eq!(first(store).await, 9);
}

pub async fn expire_before_the_next_is_added(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    for number in 1..=4 {
        send(store, number).await.accepted();
    }
    // Messages 1 and 2 are older than 1003 seconds.
    let accepted = store.append(&id(1, 0), sent(5), Some(1003)).await.unwrap().accepted();
    assert_eq!(accepted.expired, 2);
    accepted.kept.await.unwrap();
    assert_eq!(first(store).await, 3);
    let accepted = store.append(&id(1, 0), sent(6), Some(2000)).await.unwrap().accepted();
    assert_eq!(accepted.expired, 3);
    assert_eq!(first(store).await, 6);
    assert_eq!(store.counts().messages, 1);
}

pub async fn are_refused_by_inactive_queues(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    send(store, 1).await.accepted();
    for status in [QueueStatus::Suspended, QueueStatus::Blocked(b"reason=content".as_slice().into())] {
        store.update_queue(&id(1, 0), QueueChange::Status(status.clone())).await.unwrap();
        assert!(matches!(send(store, 2).await, Appended::NotActive(found) if found == status));
    }
    // A message that was sent before can still be received.
    assert_eq!(first(store).await, 1);
    store.update_queue(&id(1, 0), QueueChange::Status(QueueStatus::Active)).await.unwrap();
    send(store, 3).await.accepted();
}

pub async fn are_counted_and_shown(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    let content = store.queue_content(&id(1, 0)).await.unwrap();
    assert_eq!((content.size, content.first), (0, None));
    send(store, 2).await.accepted();
    send(store, 3).await.accepted();
    let content = store.queue_content(&id(1, 0)).await.unwrap();
    let info = content.first.unwrap();
    assert_eq!((content.size, info.id, info.timestamp), (2, id(2, 9), 1002));
    assert_eq!(info.kind, MessageKind::Sent { notification: true });
    assert_eq!(store.counts().messages, 2);
}

pub async fn need_a_queue(store: &dyn Store) {
    let unknown = id(1, 0);
    assert!(matches!(store.append(&unknown, sent(1), None).await, Err(StoreError::NotFound)));
    assert!(matches!(store.first_message(&unknown).await, Err(StoreError::NotFound)));
    let acknowledged = store.acknowledge(&unknown, &id(1, 9), AfterAck::Next).await;
    assert!(matches!(acknowledged, Err(StoreError::NotFound)));
    assert!(matches!(store.queue_content(&unknown).await, Err(StoreError::NotFound)));
    assert!(matches!(store.messages(&unknown).await, Err(StoreError::NotFound)));
    // The refusals are forgotten when the queue appears.
    store.create_queue(new_queue(1)).await.unwrap();
    send(store, 1).await.accepted();
}

pub async fn can_be_restored(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    send(store, 1).await.accepted();
    // More than the quota, and a marker.
    let message = |number: u32| {
        let new = sent(number);
        let content = MessageContent::Sent { notification: new.notification, body: new.body };
        Message { id: new.id, timestamp: new.timestamp, content }
    };
    let mut messages: Vec<_> = (2..=6).map(message).collect();
    messages.push(Message { id: id(7, 9), timestamp: 1007, content: MessageContent::QuotaMarker });
    store.restore_messages(&id(1, 0), messages).await.unwrap();

    let all = store.messages(&id(1, 0)).await.unwrap();
    let numbers: Vec<_> = all.iter().map(|message| number(message)).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 1007]);
    assert!(matches!(send(store, 8).await, Appended::QuotaExceeded));
    for number in 1..=7 {
        assert!(acknowledge(store, number).await.0);
    }
    send(store, 8).await.accepted();
}

pub async fn waiting_for_the_disk_outlive_their_queue(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    let waiting = [
        store.append(&id(1, 0), sent(1), None).await.unwrap().accepted(),
        store.append(&id(1, 0), sent(2), None).await.unwrap().accepted(),
    ];
    assert_eq!(store.delete_queue(&id(1, 0)).await.unwrap().1, 2);
    for accepted in waiting {
        accepted.kept.await.unwrap();
    }
    assert_eq!(store.counts().messages, 0);
}

pub async fn of_full_size_are_kept(store: &dyn Store) {
    store.create_queue(new_queue(1)).await.unwrap();
    let body: Vec<_> = (0..MAX_BODY_BYTES).map(|place| (place % 251) as u8).collect();
    for number in 1..=3 {
        let message = crate::store::NewMessage { body: body.clone(), ..sent(number) };
        store.append(&id(1, 0), message, None).await.unwrap().accepted().kept.await.unwrap();
    }
    for message in store.messages(&id(1, 0)).await.unwrap() {
        assert!(matches!(&message.content, MessageContent::Sent { body: found, .. } if *found == body));
    }
}
