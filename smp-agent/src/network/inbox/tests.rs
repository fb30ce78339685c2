//! Messages are stored before they are acknowledged, and once.

use super::super::engine::Engine;
use super::super::relays::Relay;
use super::{OldQueue, Outcome, lost, receive_or_skip};
use crate::agent::Agent;
use crate::config::AgentConfig;
use crate::connection::{Connection, Effects, ReceiveQueue};
use crate::error::{AgentError, ConnectionError, ReceiveError, SendError, StorageError};
use crate::event::{Event, Integrity};
use crate::events::Events;
use crate::id::{ConnectionId, UserId};
use crate::send_handle::SendOutcome;
use crate::session_key::Owner;
use crate::summary::Trouble;
use smp_protocol::body::ReceivedBody;
use smp_protocol::command::MessageFlags;
use smp_protocol::encoding::UnixSeconds;
use smp_protocol::id::{MessageId, RecipientId};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// When the relay got the message.
const RELAY_TIME: i64 = 1_700_000_000;

/// Alice in memory, Bob with an agent, and Bob's queue.
struct Scene {
    alice: Connection,
    bob: ConnectionId,
    keys: ReceiveQueue,
    agent: Agent,
    agent_events: Option<Events>,
    engine: Arc<Engine>,
    relay: Arc<Relay>,
    config: AgentConfig,
    _dir: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut AgentConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = AgentConfig::new(dir.path(), Vec::<crate::RelayEntry>::new());
        change(&mut config);
        let (agent, events) = Agent::open(config.clone()).await.unwrap();
        let (alice, bob) = crate::connection::tests::connected_sides();
        let engine = agent.engine().clone();
        let keys = bob.receive.clone().unwrap();
        let (id, commit) = engine.steps.create(bob).await.unwrap();
        commit.durable().await.unwrap();
        let relay = engine.relay(Owner { user: UserId::DEFAULT, connection: id }, &keys.relay);
        Self { alice, bob: id, keys, agent, agent_events: Some(events), engine, relay, config, _dir: dir }
    }

    fn queue(&self) -> RecipientId {
        self.keys.created.as_ref().unwrap().recipient_id.clone()
    }

    /// The delivery of this content by the relay.
    fn sealed(&self, content: &ReceivedBody<'_>) -> (MessageId, Vec<u8>) {
        let id = MessageId::generate(&mut rand::rng());
        let secret = &self.keys.created.as_ref().unwrap().relay_secret;
        let mut body = Vec::new();
        content.seal_into(&secret.box_key(), &id, &mut body).unwrap();
        (id, body)
    }

    fn alice_sends(&mut self, text: &[u8]) -> (MessageId, Vec<u8>) {
        let mut effects = Effects::default();
        self.alice.send_message(text, None, &self.config, &mut effects).unwrap();
        let body = effects
            .outgoing
            .remove(0)
            .content
            .body(&[], self.alice.send.as_ref().unwrap(), &mut rand::rng())
            .unwrap()
            .into();
        let flags = MessageFlags { notification: true };
        self.sealed(&ReceivedBody::Message { time: UnixSeconds(RELAY_TIME), flags, body })
    }

    /// Whether the message may be acknowledged.
    async fn receive(&self, (id, body): &(MessageId, Vec<u8>)) -> Result<bool, AgentError> {
        let (queue, unknown) = (self.queue(), OldQueue::Unknown);
        let outcome = receive_or_skip(&self.engine, &self.relay, &queue, id, body, unknown).await?;
        Ok(matches!(outcome, Outcome::Received(_)))
    }

    async fn events(&self) -> Vec<Event> {
        self.engine
            .steps
            .store
            .events_after(0, 100)
            .await
            .unwrap()
            .into_iter()
            .map(|stored| stored.event)
            .collect()
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
    scene.engine.steps.max_pages.store(1, Ordering::Relaxed);
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
    scene.engine.steps.max_pages.store(1 << 20, Ordering::Relaxed);
    assert!(scene.receive(&refused).await.unwrap());
    assert_eq!(scene.events().await.len(), stored + 1);
}

#[tokio::test]
async fn unreadable_message_is_acknowledged_and_told() {
    let mut scene = Scene::new().await;
    let (id, mut body) = scene.alice_sends(b"damaged");
    body[20] ^= 1;
    assert!(scene.receive(&(id, body)).await.unwrap());
    let connection = scene.bob;
    let expected = Event::ReceiveFailed { connection, error: ReceiveError::Decryption };
    assert_eq!(scene.events().await, [expected]);
}

#[tokio::test]
async fn many_unreadable_messages_are_told_once_until_one_can_be_read() {
    let mut scene = Scene::new().await;
    let connection = scene.bob;
    let mut expected = Vec::new();
    for _ in 0..2 {
        for _ in 0..5 {
            let body = (0..100).map(|_| rand::random()).collect();
            assert!(scene.receive(&(MessageId::generate(&mut rand::rng()), body)).await.unwrap());
        }
        expected.push(Event::ReceiveFailed { connection, error: ReceiveError::Decryption });
        let summary = scene.agent.connections().await.unwrap().remove(0);
        assert_eq!(summary.troubles[0], Trouble::Unreadable(ReceiveError::Decryption));
        let readable = scene.alice_sends(b"still here");
        assert!(scene.receive(&readable).await.unwrap());
        let summary = scene.agent.connections().await.unwrap().remove(0);
        assert!(!summary.troubles.iter().any(|trouble| matches!(trouble, Trouble::Unreadable(_))));
        let events = scene.events().await;
        let failures: Vec<_> =
            events.iter().filter(|event| !matches!(event, Event::Message { .. })).cloned().collect();
        assert_eq!(failures, expected);
    }
}

#[tokio::test]
async fn message_is_not_acknowledged_while_the_application_has_enough() {
    let mut scene = Scene::with(|config| config.limits.undelivered = 2).await;
    let mut events = scene.agent_events.take().unwrap();
    for (number, room) in [true, false, false].into_iter().enumerate() {
        let (id, body) = scene.alice_sends(&[number as u8]);
        let queue = scene.queue();
        let unknown = OldQueue::Unknown;
        let outcome = receive_or_skip(&scene.engine, &scene.relay, &queue, &id, &body, unknown).await;
        let Outcome::Received(received) = outcome.unwrap() else { panic!("not received") };
        assert_eq!(received.room, room);
    }
    let first = events.next().await.unwrap().unwrap();
    first.done().await.unwrap();
    first.done().await.unwrap();
    let count = |engine: Arc<Engine>, id| async move {
        engine.steps.look(id, |connection| connection.undelivered).await.unwrap()
    };
    assert_eq!(count(scene.engine.clone(), scene.bob).await, 2);
    events.next().await.unwrap().unwrap().done().await.unwrap();
    assert_eq!(count(scene.engine.clone(), scene.bob).await, 1);
}

#[tokio::test]
async fn drained_queue_is_told_to_its_sender() {
    let scene = Scene::new().await;
    let quota = scene.sealed(&ReceivedBody::Quota { time: UnixSeconds(RELAY_TIME) });
    assert!(scene.receive(&quota).await.unwrap());
    let outgoing = scene.engine.steps.store.outgoing(scene.bob, 0, 1).await.unwrap().remove(0).outgoing;
    assert!(!outgoing.notify && outgoing.authorized);
}

#[tokio::test]
async fn message_for_an_unreadable_connection_stays_on_the_relay() {
    let mut scene = Scene::new().await;
    let message = scene.alice_sends(b"later");
    scene.engine.steps.store.execute("UPDATE connections SET state = unhex('00' || hex(state))").await;
    scene.engine.steps.drop_unused();
    assert!(!scene.receive(&message).await.unwrap());
    scene.engine.steps.store.execute("UPDATE connections SET state = unhex(substr(hex(state), 3))").await;
    assert!(scene.receive(&message).await.unwrap());
    scene.agent.connection(scene.bob).delete().await.unwrap();
    assert!(!scene.receive(&message).await.unwrap());
}

#[tokio::test]
async fn messages_that_wait_when_the_connection_fails_are_given_up() {
    let scene = Scene::new().await;
    let connection = scene.bob;
    let mut messages = Vec::new();
    for _ in 0..3 {
        messages.push(scene.agent.connection(connection).send(b"too late").await.unwrap());
    }
    let quota = scene.sealed(&ReceivedBody::Quota { time: UnixSeconds(RELAY_TIME) });
    assert!(scene.receive(&quota).await.unwrap());
    for _ in 0..2 {
        lost(&scene.engine, &scene.relay, &scene.queue()).await.unwrap();
    }
    let failed = Event::ConnectionFailed { connection, error: ConnectionError::QueueGone };
    let given_up = messages.iter().map(|message| Event::SendFailed {
        connection,
        id: message.id(),
        error: SendError::ConnectionFailed,
    });
    assert_eq!(scene.events().await, std::iter::once(failed).chain(given_up).collect::<Vec<_>>());
    assert!(scene.engine.steps.store.outgoing(connection, 0, 10).await.unwrap().is_empty());
    for mut message in messages {
        for _ in 0..2 {
            let outcome = message.outcome().await.unwrap();
            assert_eq!(outcome, SendOutcome::Failed(SendError::ConnectionFailed));
        }
    }
}

#[tokio::test]
async fn lost_queue_fails_the_connection_once() {
    let scene = Scene::new().await;
    for _ in 0..2 {
        lost(&scene.engine, &scene.relay, &scene.queue()).await.unwrap();
    }
    let connection = scene.bob;
    let expected = Event::ConnectionFailed { connection, error: ConnectionError::QueueGone };
    assert_eq!(scene.events().await, [expected]);
}

#[tokio::test]
async fn a_message_in_the_session_of_another_user_is_neither_read_nor_acknowledged() {
    let mut scene = Scene::new().await;
    let message = scene.alice_sends(b"whose is this?");
    let others = Owner { user: UserId::new(2), connection: scene.bob };
    let relay = std::mem::replace(&mut scene.relay, scene.engine.relay(others, &scene.keys.relay));
    assert!(!scene.receive(&message).await.unwrap());
    assert!(scene.events().await.is_empty());
    scene.relay = relay;
    assert!(scene.receive(&message).await.unwrap());
    assert_eq!(scene.events().await.len(), 1);
}
