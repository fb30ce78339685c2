//! Bodies that wait to be sent: their order, how they are given up, and how a message ends.

use super::*;
use crate::network::expire;
use crate::{KeyedMessage, SendOutcome};

#[tokio::test]
async fn messages_that_wait_can_be_given_up_and_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = AgentConfig::new(dir.path(), Vec::<crate::RelayEntry>::new());
    config.limits.waiting = 3;
    let (agent, _events) = Agent::open(config).await.unwrap();
    let (engine, connection) = connected(&agent).await;
    for _ in 0..3 {
        agent.connection(connection).send(b"waits").await.unwrap();
    }
    let refused = agent.connection(connection).send(b"too many").await.unwrap_err();
    assert!(matches!(refused, AgentError::TooManyWaiting { limit: 3, .. }), "{refused}");
    agent.connection(connection).give_up().await.unwrap();
    let failed = |id| Event::SendFailed { connection, id: MessageId::new(id), error: SendError::GivenUp };
    assert_eq!(events(&engine.steps).await, [1, 2, 3].map(failed));
    assert!(engine.steps.next_outgoing(connection).await.unwrap().is_none());
    assert_eq!(waiting_in_file(dir.path()).await, 0);
    agent.connection(connection).send(b"room again").await.unwrap();
}

#[tokio::test]
async fn bodies_come_in_order_from_memory_and_from_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    let steps = &engine.steps;
    let mut expected = 1;
    for count in [3, 100, 40] {
        for _ in 0..count {
            agent.connection(id).send(b"x").await.unwrap();
        }
        if count == 40 {
            steps.drop_unused();
        }
        while let Some(next) = steps.next_outgoing(id).await.unwrap() {
            assert_eq!(next.outgoing.message, Some(MessageId::new(expected)));
            expected += 1;
            let step = change(steps, id, |connection, request| {
                request.sent.push(next.row);
                connection.delivered(&next.outgoing, &mut Effects::default());
            });
            drop(step.await);
        }
    }
    assert_eq!(expected, 144);
}

/// A waiter for a message learns when its connection goes, and when the agent does.
#[tokio::test]
async fn outcome_of_a_message_ends_with_its_connection_and_with_the_agent() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (_, first) = connected(&agent).await;
    let (_, second) = connected(&agent).await;
    let mut deleted = agent.connection(first).send(b"x").await.unwrap();
    let mut ended = agent.connection(second).send(b"x").await.unwrap();
    agent.connection(first).delete().await.unwrap();
    assert!(matches!(deleted.outcome().await, Err(AgentError::UnknownConnection(id)) if id == first));
    agent.shutdown().await;
    assert!(matches!(ended.outcome().await, Err(AgentError::ShutDown)));
}

#[tokio::test]
async fn a_body_that_was_given_up_on_its_way_is_not_counted_when_it_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    let is_given_up =
        async |row| engine.steps.step(id, |_, request| Ok(request.is_given_up(row))).await.unwrap().0;
    let next = async || engine.steps.next_outgoing(id).await.unwrap().unwrap().row;
    agent.connection(id).send(b"first").await.unwrap();
    let first = next().await;
    assert!(!is_given_up(first).await);
    agent.connection(id).give_up().await.unwrap();
    assert!(is_given_up(first).await);
    agent.connection(id).send(b"second").await.unwrap();
    let second = next().await;
    assert!(is_given_up(first).await && !is_given_up(second).await);
}

#[tokio::test]
async fn messages_that_wait_for_too_long_expire_and_younger_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = AgentConfig::new(dir.path(), Vec::<crate::RelayEntry>::new());
    config.timeouts.undeliverable = Some(Duration::from_secs(3 * 24 * 60 * 60));
    let (agent, _events) = Agent::open(config).await.unwrap();
    let (engine, id) = connected(&agent).await;
    // More than are kept in memory.
    let old = 600;
    for _ in 0..old {
        agent.connection(id).send(b"old").await.unwrap();
    }
    let mut now = engine.now();
    for day in 1..=3 {
        assert_eq!(waiting_in_file(dir.path()).await, old, "before day {day}");
        if day == 3 {
            agent.connection(id).send(b"young").await.unwrap();
        }
        now += 24 * 60 * 60;
        engine.steps.begin_day(now).await.unwrap();
        expire(&engine).await.unwrap();
    }
    assert_eq!(waiting_in_file(dir.path()).await, 1);
    let expired = |id| Event::SendFailed { connection: id, id: MessageId::new(1), error: SendError::Expired };
    assert_eq!(events(&engine.steps).await.first(), Some(&expired(id)));
    let next = engine.steps.next_outgoing(id).await.unwrap().unwrap();
    assert_eq!(next.outgoing.message, Some(MessageId::new(old + 1)));
    let summary = agent.connection(id).summary().await.unwrap().unwrap();
    assert_eq!(summary.waiting, 1);
}

/// Both steps are written as one group.
#[tokio::test]
async fn a_message_that_is_sent_just_after_others_were_given_up_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    agent.connection(id).send(b"given up").await.unwrap();
    let connection = agent.connection(id);
    let (given_up, sent) = tokio::join!(connection.give_up(), connection.send(b"stays"));
    given_up.unwrap();
    assert_eq!(sent.unwrap().id(), MessageId::new(2));
    let failed = Event::SendFailed { connection: id, id: MessageId::new(1), error: SendError::GivenUp };
    assert_eq!(events(&engine.steps).await, [failed]);
    assert_eq!(waiting_in_file(dir.path()).await, 1);
}

/// Says of the first message that waits that its relay has it.
async fn deliver(engine: &Engine, id: ConnectionId) {
    let next = engine.steps.next_outgoing(id).await.unwrap().unwrap();
    let step = change(&engine.steps, id, |connection, request| {
        request.sent.push(next.row);
        connection.delivered(&next.outgoing, &mut request.effects);
    });
    step.await.durable().await.unwrap();
}

#[tokio::test]
async fn a_message_is_sent_once_for_each_key() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, events_) = open(dir.path()).await;
    let (_, id) = connected(&agent).await;
    let connection = agent.connection(id);
    // At once, and one after the other.
    let (first, again) = tokio::join!(connection.send_once(b"one", b"x"), connection.send_once(b"one", b"x"));
    assert_eq!((first.unwrap().id(), again.unwrap().id()), (MessageId::new(1), MessageId::new(1)));
    assert_eq!(connection.send_once(b"one", b"another body").await.unwrap().id(), MessageId::new(1));
    assert_eq!(connection.send_once(b"two", b"x").await.unwrap().id(), MessageId::new(2));
    assert_eq!(connection.send(b"x").await.unwrap().id(), MessageId::new(3));
    assert_eq!(waiting_in_file(dir.path()).await, 3);
    // Keys are of their connection.
    let (_, other) = connected(&agent).await;
    assert_eq!(agent.connection(other).send_once(b"one", b"x").await.unwrap().id(), MessageId::new(1));
    drop(connection);
    agent.shutdown().await;
    drop((agent, events_));

    let (agent, _events) = open(dir.path()).await;
    let connection = agent.connection(id);
    assert_eq!(connection.send_once(b"two", b"x").await.unwrap().id(), MessageId::new(2));
    assert_eq!(waiting_in_file(dir.path()).await, 4);
}

#[tokio::test]
async fn all_who_send_with_a_key_learn_the_same_outcome() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, events_) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    let connection = agent.connection(id);
    let mut first = connection.send_once(b"one", b"x").await.unwrap();
    let mut second = connection.send_once(b"one", b"x").await.unwrap();
    connection.send_once(b"two", b"x").await.unwrap();
    deliver(&engine, id).await;
    let mut third = connection.send_once(b"one", b"x").await.unwrap();
    for handle in [&mut first, &mut second, &mut third] {
        assert_eq!(handle.outcome().await.unwrap(), SendOutcome::Sent);
    }
    drop((connection, engine, first, second, third));
    agent.shutdown().await;
    drop((agent, events_));

    let (agent, _events) = open(dir.path()).await;
    let connection = agent.connection(id);
    let mut again = connection.send_once(b"one", b"x").await.unwrap();
    assert_eq!(again.outcome().await.unwrap(), SendOutcome::Sent);
    // The outcome of one that waited over the restart.
    let mut two = connection.send_once(b"two", b"x").await.unwrap();
    connection.give_up().await.unwrap();
    let given_up = SendOutcome::Failed(SendError::GivenUp);
    assert_eq!(two.outcome().await.unwrap(), given_up);
    let mut two = connection.send_once(b"two", b"x").await.unwrap();
    assert_eq!((two.outcome().await.unwrap(), two.id()), (given_up, MessageId::new(2)));
    assert_eq!(waiting_in_file(dir.path()).await, 0);
}

/// A key is stored with its message, or not at all.
#[tokio::test]
async fn the_key_of_a_message_that_was_not_stored_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    let connection = agent.connection(id);
    connection.send(b"x").await.unwrap();
    engine.steps.max_pages.store(1, Ordering::Relaxed);
    let body = vec![b'x'; 10_000];
    let sent = tokio::join!(connection.send_once(b"key", &body), connection.send_once(b"key", &body));
    assert!(sent.0.is_err() && sent.1.is_err());
    engine.steps.max_pages.store(MANY_PAGES, Ordering::Relaxed);
    let message = connection.send_once(b"key", &body).await.unwrap().id();
    assert_eq!(connection.send_once(b"key", &body).await.unwrap().id(), message);
    assert_eq!(waiting_in_file(dir.path()).await, 2);
}

#[tokio::test]
async fn keys_are_forgotten_after_their_time() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    let connection = agent.connection(id);
    connection.send_once(b"one", b"x").await.unwrap();
    connection.send_once(b"two", b"x").await.unwrap();
    deliver(&engine, id).await;
    let upkeep = Upkeep::Forget { hashes: engine.steps.day() + 1, deleted: 0 };
    engine.steps.upkeep(upkeep).unwrap().durable().await.unwrap();
    // One that waits is not.
    assert_eq!(connection.send_once(b"two", b"x").await.unwrap().id(), MessageId::new(2));
    assert_eq!(connection.send_once(b"one", b"x").await.unwrap().id(), MessageId::new(3));
}

#[tokio::test]
async fn messages_that_are_sent_together_are_each_sent_once() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, events_) = open(dir.path()).await;
    let (_, first) = connected(&agent).await;
    let (_, second) = connected(&agent).await;
    agent.connection(first).send_once(b"known", b"x").await.unwrap();
    let gone = ConnectionId::new(99);
    let messages = [
        (first, "known"),
        (first, "a"),
        (second, "a"),
        (gone, "a"),
        (first, "a"),
        (second, "b"),
        (first, "b"),
    ];
    let keyed =
        messages.map(|(connection, key)| KeyedMessage { connection, key: key.as_bytes(), body: b"x" });
    let expected = [Some(1), Some(2), Some(1), None, Some(2), Some(2), Some(3)];
    for _ in 0..2 {
        let sent = agent.send_each_once(&keyed).await;
        let numbers = sent.iter().map(|sent| sent.as_ref().ok().map(|sent| sent.id().number()));
        assert_eq!(numbers.collect::<Vec<_>>(), expected);
    }
    assert_eq!(waiting_in_file(dir.path()).await, 5);
    agent.shutdown().await;
    drop((agent, events_));

    // Nothing of it is in memory.
    let (agent, _events) = open(dir.path()).await;
    let (again, beside) = tokio::join!(agent.send_each_once(&keyed), agent.send_each_once(&keyed));
    for sent in [again, beside] {
        let numbers = sent.iter().map(|sent| sent.as_ref().ok().map(|sent| sent.id().number()));
        assert_eq!(numbers.collect::<Vec<_>>(), expected);
    }
    assert_eq!(waiting_in_file(dir.path()).await, 5);
    // A key that two give to a message at the same time is given once.
    let new = [KeyedMessage { connection: first, key: b"new", body: b"x" }];
    let handle = agent.connection(first);
    let (one, two) = tokio::join!(handle.send_once(b"new", b"x"), agent.send_each_once(&new));
    assert_eq!(one.unwrap().id(), two[0].as_ref().unwrap().id());
}

#[tokio::test]
async fn events_are_taken_together_and_done_together() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, mut stream) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    for _ in 0..5 {
        agent.connection(id).send(b"x").await.unwrap();
    }
    for _ in 0..5 {
        deliver(&engine, id).await;
    }
    let first = stream.next_many(2).await.unwrap();
    let rest = stream.next_many(100).await.unwrap();
    let sent = |number| Event::Sent { connection: id, id: MessageId::new(number) };
    let told = first.iter().chain(&rest).map(|delivery| delivery.event.clone());
    assert_eq!(told.collect::<Vec<_>>(), [1, 2, 3, 4, 5].map(sent));
    crate::Delivery::done_with(&rest).await.unwrap();
    crate::Delivery::done_with(&rest).await.unwrap();
    assert_eq!(events(&engine.steps).await, [1, 2].map(sent));
    crate::Delivery::done_with(&first).await.unwrap();
    assert_eq!(events(&engine.steps).await, []);
    agent.shutdown().await;
    // Something may have been told of the relay before.
    while !stream.next_many(10).await.unwrap().is_empty() {}
}

/// One receipt message for many, however often they are said to be done.
#[tokio::test]
async fn messages_that_are_done_together_have_their_receipts_in_one_message() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = AgentConfig::new(dir.path(), Vec::<crate::RelayEntry>::new());
    config.receipts = true;
    let (agent, mut stream) = Agent::open(config).await.unwrap();
    let (engine, id) = connected(&agent).await;
    let message = |number| Event::Message {
        connection: id,
        id: MessageId::new(number),
        body: b"x".to_vec(),
        times: crate::MessageTimes { relay: 0, received: 0 },
        integrity: crate::Integrity::Ok,
        origin: crate::MessageOrigin { number, hash: [1; 32] },
    };
    let came = change(&engine.steps, id, |connection, request| {
        connection.undelivered = 4;
        request.effects.events.extend((1..=4).map(message));
    });
    came.await.durable().await.unwrap();
    let deliveries = stream.next_many(10).await.unwrap();
    assert_eq!(deliveries.len(), 4);
    deliveries[3].done().await.unwrap();
    crate::Delivery::done_with(&deliveries).await.unwrap();
    crate::Delivery::done_with(&deliveries).await.unwrap();
    assert_eq!(events(&engine.steps).await, []);
    let waits = engine.steps.look(id, |connection| (connection.undelivered, connection.waiting.receipts));
    assert_eq!(waits.await.unwrap(), (0, 2));
    assert_eq!(waiting_in_file(dir.path()).await, 2);
}
