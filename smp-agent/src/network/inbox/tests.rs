//! Messages are stored before they are acknowledged, and once.

use super::{OldQueue, Outcome, lost, receive_or_skip};
use crate::agent::Agent;
use crate::config::AgentConfig;
use crate::connection::{Connection, Effects};
use crate::core::{Core, now};
use crate::error::{AgentError, ConnectionError, ReceiveError, SendError, StorageError};
use crate::event::{Event, Integrity};
use crate::network::Relay;
use smp_protocol::body::ReceivedBody;
use smp_protocol::command::MessageFlags;
use smp_protocol::encoding::UnixSeconds;
use smp_protocol::id::{MessageId, RecipientId};
use std::sync::Arc;

/// When the relay got the message.
const RELAY_TIME: i64 = 1_700_000_000;

/// Alice in memory, Bob with an agent, and Bob's queue.
struct Scene {
    alice: Connection,
    bob: Connection,
    agent: Agent,
    core: Arc<Core>,
    relay: Arc<Relay>,
    config: AgentConfig,
    _dir: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = AgentConfig::new(dir.path(), Vec::new());
        let (agent, _) = Agent::open(config.clone()).await.unwrap();
        let (alice, mut bob) = crate::connection::tests::connected_sides();
        let core = agent.core();
        let mut step = core.store.step().await.unwrap();
        step.insert(&mut bob, now()).await.unwrap();
        step.commit().await.unwrap();
        let relay = core.relay(&bob.receive.as_ref().unwrap().relay);
        Self { alice, bob, agent, core, relay, config, _dir: dir }
    }

    fn queue(&self) -> RecipientId {
        self.bob.receive.as_ref().unwrap().created.as_ref().unwrap().recipient_id.clone()
    }

    /// What the relay delivers when it holds this.
    fn sealed(&self, content: &ReceivedBody<'_>) -> (MessageId, Vec<u8>) {
        let id = MessageId::generate(&mut rand::rng());
        let secret = &self.bob.receive.as_ref().unwrap().created.as_ref().unwrap().relay_secret;
        let mut body = Vec::new();
        content.seal_into(&secret.box_key(), &id, &mut body).unwrap();
        (id, body)
    }

    fn alice_sends(&mut self, text: &[u8]) -> (MessageId, Vec<u8>) {
        let mut effects = Effects::default();
        self.alice.send_message(text, &self.config, &mut effects).unwrap();
        let body = effects
            .outgoing
            .remove(0)
            .content
            .body(self.alice.send.as_ref().unwrap(), &mut rand::rng())
            .unwrap()
            .into();
        let flags = MessageFlags { notification: true };
        self.sealed(&ReceivedBody::Message { time: UnixSeconds(RELAY_TIME), flags, body })
    }

    /// Whether the message may be acknowledged.
    async fn receive(&self, (id, body): &(MessageId, Vec<u8>)) -> Result<bool, AgentError> {
        let (queue, unknown) = (self.queue(), OldQueue::Unknown);
        let outcome = receive_or_skip(&self.core, &self.relay, &queue, id, body, unknown).await?;
        Ok(matches!(outcome, Outcome::Taken(_)))
    }

    async fn events(&self) -> Vec<Event> {
        let mut step = self.core.store.step().await.unwrap();
        step.events_after(0, 100).await.unwrap().into_iter().map(|stored| stored.event).collect()
    }
}

#[tokio::test]
async fn repeated_message_is_acknowledged_and_told_once() {
    let mut scene = Scene::new().await;
    let first = scene.alice_sends(b"first");
    let second = scene.alice_sends(b"second");
    for message in [&first, &first, &second, &first, &second] {
        assert!(scene.receive(message).await.unwrap());
    }
    let events = scene.events().await;
    let told: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::Message { body, times, integrity: Integrity::Ok, .. } if times.relay == RELAY_TIME => {
                body.as_slice()
            }
            event => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(told, [&b"first"[..], b"second"]);
}

#[tokio::test]
async fn message_that_does_not_fit_on_the_disk_is_not_acknowledged() {
    let mut scene = Scene::new().await;
    scene.core.store.limit_pages(1).await;
    let mut stored = 0;
    let refused = loop {
        let message = scene.alice_sends(&[7; 8000]);
        match scene.receive(&message).await {
            Ok(acknowledged) => assert!(acknowledged),
            Err(error) => {
                assert!(matches!(error, AgentError::Storage(StorageError::DiskFull)), "{error}");
                break message;
            }
        }
        stored += 1;
    };
    assert_eq!(scene.events().await.len(), stored);
    assert!(scene.receive(&refused).await.is_err());
    scene.core.store.limit_pages(1 << 20).await;
    assert!(scene.receive(&refused).await.unwrap());
    assert_eq!(scene.events().await.len(), stored + 1);
}

#[tokio::test]
async fn unreadable_message_is_acknowledged_and_told() {
    let mut scene = Scene::new().await;
    let (id, mut body) = scene.alice_sends(b"damaged");
    body[20] ^= 1;
    assert!(scene.receive(&(id, body)).await.unwrap());
    let connection = scene.bob.id;
    let expected = Event::ReceiveFailed { connection, error: ReceiveError::Decryption };
    assert_eq!(scene.events().await, [expected]);
}

#[tokio::test]
async fn many_unreadable_messages_are_told_once_until_that_is_done() {
    let mut scene = Scene::new().await;
    let connection = scene.bob.id;
    for round in 1..3 {
        for _ in 0..5 {
            let body = (0..100).map(|_| rand::random()).collect();
            assert!(scene.receive(&(MessageId::generate(&mut rand::rng()), body)).await.unwrap());
        }
        let mut step = scene.core.store.step().await.unwrap();
        let stored = step.events_after(0, 10).await.unwrap();
        let expected = Event::ReceiveFailed { connection, error: ReceiveError::Decryption };
        assert!(matches!(&stored[..], [one] if one.event == expected), "round {round}: {stored:?}");
        step.remove_event(stored[0].sequence).await.unwrap();
        step.commit().await.unwrap();
    }
    let readable = scene.alice_sends(b"still here");
    assert!(scene.receive(&readable).await.unwrap());
    assert!(matches!(&scene.events().await[..], [Event::Message { .. }]));
}

#[tokio::test]
async fn drained_queue_is_told_to_its_sender() {
    let scene = Scene::new().await;
    let quota = scene.sealed(&ReceivedBody::Quota { time: UnixSeconds(RELAY_TIME) });
    assert!(scene.receive(&quota).await.unwrap());
    let mut step = scene.core.store.step().await.unwrap();
    let outgoing = step.outgoing(scene.bob.id, 1).await.unwrap().remove(0).outgoing;
    assert!(!outgoing.notify && outgoing.authorized);
}

#[tokio::test]
async fn message_for_an_unreadable_connection_stays_on_the_relay() {
    let mut scene = Scene::new().await;
    let message = scene.alice_sends(b"later");
    scene.core.store.execute("UPDATE connections SET state = unhex('00' || hex(state))").await;
    assert!(!scene.receive(&message).await.unwrap());
    scene.core.store.execute("UPDATE connections SET state = unhex(substr(hex(state), 3))").await;
    assert!(scene.receive(&message).await.unwrap());
    scene.agent.delete(scene.bob.id).await.unwrap();
    assert!(!scene.receive(&message).await.unwrap());
}

#[tokio::test]
async fn messages_that_wait_when_the_connection_fails_are_given_up() {
    let scene = Scene::new().await;
    let connection = scene.bob.id;
    let mut messages = Vec::new();
    for _ in 0..3 {
        messages.push(scene.agent.send(connection, b"too late").await.unwrap());
    }
    let quota = scene.sealed(&ReceivedBody::Quota { time: UnixSeconds(RELAY_TIME) });
    assert!(scene.receive(&quota).await.unwrap());
    for _ in 0..2 {
        lost(&scene.core, &scene.relay, &scene.queue(), &ConnectionError::QueueGone).await.unwrap();
    }
    let failed = Event::ConnectionFailed { connection, error: ConnectionError::QueueGone };
    let given_up = messages.into_iter().map(|id| Event::SendFailed {
        connection,
        id,
        error: SendError::ConnectionFailed,
    });
    assert_eq!(scene.events().await, std::iter::once(failed).chain(given_up).collect::<Vec<_>>());
    let mut step = scene.core.store.step().await.unwrap();
    assert!(step.outgoing(connection, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn lost_queue_fails_the_connection_once() {
    let scene = Scene::new().await;
    for _ in 0..2 {
        lost(&scene.core, &scene.relay, &scene.queue(), &ConnectionError::QueueGone).await.unwrap();
    }
    let connection = scene.bob.id;
    let expected = Event::ConnectionFailed { connection, error: ConnectionError::QueueGone };
    assert_eq!(scene.events().await, [expected]);
}
