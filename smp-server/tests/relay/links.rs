//! `NEW` with link data, `LSET`, `LDEL`, `LGET`, `LKEY`.

use smp_crypto::{X25519PrivateKey, hash};
use smp_protocol::{
    command::{Command, LinkData, LinkRequest, NewQueue, QueueRequest, SubscriptionMode},
    encoding::LargeString,
    error::{CommandError, ErrorType},
    id::{CorrelationId, EntityId, LinkId, SenderId},
    key::SenderAuthKey,
    message::{BrokerMessage, QueueIds},
};
use smp_transport::client::{ClientError, Request};

use crate::support::{Client, contact, ed25519, messaging, refused, relay, send, x25519};

fn data(fixed: &'static [u8], user: &'static [u8]) -> LinkData<'static> {
    LinkData { fixed: LargeString::new(fixed).unwrap(), user: LargeString::new(user).unwrap() }
}

fn sender_id(corr_id: &CorrelationId) -> SenderId {
    SenderId::new(&hash::sha3_384(corr_id.as_bytes())[..24]).unwrap()
}

fn link_id() -> LinkId {
    LinkId::generate(&mut rand::rng())
}

/// Creates a queue with link data; the sender ID is that of another correlation ID if it is to be wrong.
async fn create(
    client: &Client,
    request: impl FnOnce(LinkRequest<'static>) -> QueueRequest<'static>,
    right: bool,
) -> (smp_crypto::PrivateAuthKey, Result<QueueIds, ClientError>) {
    let (key, corr_id) = (ed25519(), CorrelationId::generate(&mut rand::rng()));
    let sender_id = if right { sender_id(&corr_id) } else { [1; 24].into() };
    let command = Command::New(Box::new(NewQueue {
        auth_key: key.public_key().into(),
        dh_key: X25519PrivateKey::generate(&mut rand::rng()).public_key().into(),
        password: None,
        subscription: SubscriptionMode::OnlyCreate,
        request: Some(request(LinkRequest { sender_id, data: data(b"fixed", b"user") })),
        notifier: None,
    }));
    let mut request = Request::new(Some(&key), EntityId::empty(), command);
    request.correlation_id = Some(corr_id);
    let answer = client.relay.request(request).await.map(|answer| match answer {
        BrokerMessage::QueueIds(ids) => *ids,
        other => panic!("{other:?}"),
    });
    (key.clone(), answer)
}

/// A contact queue with a link.
pub(crate) async fn contact_link(client: &Client) -> (LinkId, QueueIds) {
    let id = link_id();
    let (_, ids) = create(client, |link| QueueRequest::Contact(Some((id.clone(), link))), true).await;
    (id, ids.unwrap())
}

#[tokio::test]
async fn a_contact_link_is_read_by_anybody_and_changed_by_its_owner() {
    let relay = relay().await;
    let (alice, bob) = (relay.client().await, relay.client().await);
    let id = link_id();
    let (key, ids) = create(&alice, |link| QueueRequest::Contact(Some((id.clone(), link))), true).await;
    let ids = ids.unwrap();
    assert_eq!(ids.link_id, Some(id.clone()));
    let expect = |user| BrokerMessage::Link(ids.sender_id.clone(), data(b"fixed", user));
    for _ in 0..2 {
        assert_eq!(bob.ask(None, id.clone(), Command::GetLink).await.unwrap(), expect(b"user"));
    }
    let recipient = || ids.recipient_id.clone();
    alice.ok(Some(&key), recipient(), Command::SetLink(id.clone(), data(b"fixed", b"news"))).await;
    assert_eq!(bob.ask(None, id.clone(), Command::GetLink).await.unwrap(), expect(b"news"));
    for (other, changed) in [(id.clone(), data(b"other", b"news")), (link_id(), data(b"fixed", b"news"))] {
        let answer = alice.ask(Some(&key), recipient(), Command::SetLink(other, changed)).await;
        assert_eq!(refused(answer), ErrorType::Auth);
    }
    for _ in 0..2 {
        alice.ok(Some(&key), recipient(), Command::DeleteLink).await;
    }
    assert_eq!(refused(bob.ask(None, id.clone(), Command::GetLink).await), ErrorType::Auth);
    // The queue itself goes on.
    bob.ok(None, ids.sender_id.clone(), send(b"request")).await;
}

#[tokio::test]
async fn a_one_time_link_is_for_who_secures_the_queue() {
    let relay = relay().await;
    let (alice, bob) = (relay.client().await, relay.client().await);
    let (_, ids) = create(&alice, |link| QueueRequest::Messaging(Some(link)), true).await;
    let ids = ids.unwrap();
    let link = || ids.link_id.clone().unwrap();
    assert_eq!(refused(bob.ask(None, link(), Command::GetLink).await), ErrorType::Auth);
    let (key, other) = (x25519(), x25519());
    let lkey = |key: &smp_crypto::PrivateAuthKey| Command::SecureAndGetLink(SenderAuthKey(key.public_key()));
    for _ in 0..2 {
        let answer = bob.ask(Some(&key), link(), lkey(&key)).await.unwrap();
        assert_eq!(answer, BrokerMessage::Link(ids.sender_id.clone(), data(b"fixed", b"user")));
    }
    assert_eq!(refused(bob.ask(Some(&other), link(), lkey(&other)).await), ErrorType::Auth);
    // Once something was sent, the link has served its purpose.
    bob.ok(Some(&key), ids.sender_id.clone(), send(b"confirmation")).await;
    assert_eq!(refused(bob.ask(Some(&key), link(), lkey(&key)).await), ErrorType::Auth);
}

#[tokio::test]
async fn chosen_ids_cannot_be_used_to_find_out_which_there_are() {
    let relay = relay().await;
    let alice = relay.client().await;
    let (_, answer) = create(&alice, |link| QueueRequest::Messaging(Some(link)), false).await;
    assert_eq!(refused(answer.map(|_| BrokerMessage::Ok)), ErrorType::Command(CommandError::Prohibited));
    let id = link_id();
    let (_, first) = create(&alice, |link| QueueRequest::Contact(Some((id.clone(), link))), true).await;
    first.unwrap();
    let (_, second) = create(&alice, |link| QueueRequest::Contact(Some((id.clone(), link))), true).await;
    assert_eq!(refused(second.map(|_| BrokerMessage::Ok)), ErrorType::Auth);
}

#[tokio::test]
async fn links_are_attached_to_existing_queues_until_they_are_secured() {
    let relay = relay().await;
    let (alice, bob) = (relay.client().await, relay.client().await);
    let queue = alice.queue_with(contact(), SubscriptionMode::OnlyCreate).await;
    let id = link_id();
    alice.ok(Some(&queue.key), queue.recipient(), Command::SetLink(id.clone(), data(b"f", b"u"))).await;
    assert!(bob.ask(None, id.clone(), Command::GetLink).await.is_ok());
    let queue = alice.queue_with(messaging(), SubscriptionMode::OnlyCreate).await;
    let answer = alice.ask(Some(&queue.key), queue.recipient(), Command::SetLink(id, data(b"f", b"u"))).await;
    assert_eq!(refused(answer), ErrorType::Auth, "the ID is another queue's");
    bob.secure(&queue).await;
    let answer =
        alice.ask(Some(&queue.key), queue.recipient(), Command::SetLink(link_id(), data(b"f", b"u"))).await;
    assert_eq!(refused(answer), ErrorType::Auth);
}
