//! Steps happen wholly or not at all.

mod many;
mod sending;

use super::{Commit, Request, Steps};
use crate::agent::Agent;
use crate::config::AgentConfig;
use crate::connection::{Connection, Effects, Phase, Receipt, ReceiveQueue, SentMessage};
use crate::data_dir::DATABASE;
use crate::error::{AgentError, ConnectionError, SendError, StorageError};
use crate::event::Event;
use crate::id::ConnectionId;
use crate::network::Engine;
use crate::network_settings::SessionMode;
use crate::session_key::SessionKey;
use crate::store::{Loaded, Upkeep};
use crate::{ConnectionStatus, MessageId};
use futures_util::FutureExt as _;
use smp_ratchet::{MessageKey, ReceivingHeaderKey, SkippedChange, SkippedKey, SkippedKeyId};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;
use tokio::time::timeout;

/// More pages than the test needs.
const MANY_PAGES: i64 = 1 << 20;
/// Nothing here takes that long.
const PATIENCE: Duration = Duration::from_secs(20);

async fn open(dir: &Path) -> (Agent, crate::Events) {
    Agent::open(AgentConfig::new(dir, Vec::<crate::RelayEntry>::new())).await.unwrap()
}

/// A side of a connection that is made, with its number.
async fn connected(agent: &Agent) -> (Arc<Engine>, ConnectionId) {
    let engine = agent.engine().clone();
    let (connection, _) = crate::connection::tests::connected_sides();
    let (id, commit) = engine.steps.create(connection).await.unwrap();
    commit.durable().await.unwrap();
    (engine, id)
}

/// The connection as the file has it.
async fn load(steps: &Steps, id: ConnectionId) -> Connection {
    let Loaded { connection, .. } = steps.store.load(id).await.unwrap().unwrap();
    connection
}

async fn change(
    steps: &Steps,
    id: ConnectionId,
    change: impl FnOnce(&mut Connection, &mut Request),
) -> Commit {
    let step = steps.step(id, |connection, request| {
        change(connection, request);
        Ok(())
    });
    step.await.unwrap().1
}

async fn events(steps: &Steps) -> Vec<Event> {
    let stored = steps.store.events_after(0, 100).await.unwrap();
    stored.into_iter().map(|stored| stored.event).collect()
}

#[tokio::test]
async fn connection_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    let read = load(&engine.steps, id).await;
    engine
        .steps
        .look(id, |written| {
            assert_eq!(read.phase, Phase::Connected);
            assert_eq!(read.state_bytes().unwrap(), written.state_bytes().unwrap());
            assert_eq!(read.position_bytes().unwrap(), written.position_bytes().unwrap());
            assert_eq!((&read.sent, &read.received), (&written.sent, &written.received));
            assert_eq!(read.ratchet, written.ratchet);
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn step_that_is_refused_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    let refused = engine.steps.step(id, |connection, request| {
        connection.phase = Phase::Failed;
        request.effects.events.push(Event::Connected { connection: id });
        Err::<(), _>(AgentError::NoRelay)
    });
    assert!(refused.await.is_err());
    assert_eq!(engine.steps.look(id, |connection| connection.phase).await.unwrap(), Phase::Connected);
    assert_eq!(load(&engine.steps, id).await.phase, Phase::Connected);
    assert!(events(&engine.steps).await.is_empty());
}

#[tokio::test]
async fn steps_of_many_connections_go_on_before_they_are_durable() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let mut commits = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(connected(&agent).await.1);
    }
    let engine = agent.engine().clone();
    for round in 0..20_i64 {
        for id in &ids {
            commits.push(change(&engine.steps, *id, |connection, _| connection.sent.number += 1).await);
            let number = engine.steps.look(*id, |connection| connection.sent.number).await.unwrap();
            assert!(number > round);
        }
    }
    for commit in commits {
        commit.durable().await.unwrap();
    }
    for id in ids {
        let number = engine.steps.look(id, |connection| connection.sent.number).await.unwrap();
        assert_eq!(load(&engine.steps, id).await.sent.number, number);
    }
}

#[tokio::test]
async fn step_that_is_undone_undoes_those_after_it_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, wrong) = connected(&agent).await;
    let (_, right) = connected(&agent).await;
    let before = load(&engine.steps, wrong).await.sent.number;
    // A second row with a number that is there already: the database refuses the whole transaction.
    let sent = || SentMessage { number: 7, message: MessageId::new(1), hash: [1; 32] };
    change(&engine.steps, wrong, |_, request| request.effects.sent.push(sent()))
        .await
        .durable()
        .await
        .unwrap();
    let mut undone = Vec::new();
    let mut done = Vec::new();
    undone.push(
        change(&engine.steps, wrong, |connection, request| {
            connection.sent.number += 1;
            request.effects.sent.push(sent());
            request.effects.events.push(Event::Connected { connection: wrong });
        })
        .await,
    );
    for _ in 0..3 {
        done.push(change(&engine.steps, right, |connection, _| connection.sent.number += 1).await);
        undone.push(change(&engine.steps, wrong, |connection, _| connection.sent.number += 1).await);
    }
    let (expected, _) = engine.steps.step(right, |connection, _| Ok(connection.sent.number)).await.unwrap();
    for commit in done {
        commit.durable().await.unwrap();
    }
    for commit in undone {
        assert!(matches!(commit.durable().await, Err(AgentError::Storage(_))));
    }
    assert_eq!(engine.steps.look(wrong, |connection| connection.sent.number).await.unwrap(), before);
    change(&engine.steps, wrong, |connection, _| connection.sent.number += 1).await.durable().await.unwrap();
    assert_eq!(load(&engine.steps, wrong).await.sent.number, before + 1);
    assert_eq!(load(&engine.steps, right).await.sent.number, expected);
    assert!(events(&engine.steps).await.is_empty());
}

#[tokio::test]
async fn full_disk_undoes_the_step_and_the_next_one_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    let steps = &engine.steps;
    let first = load(steps, id).await.sent.number;
    steps.max_pages.store(1, Ordering::Relaxed);
    let mut stored = 0;
    let error = loop {
        match agent.connection(id).send(&[0; 4096]).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AgentError::Storage(StorageError::DiskFull)), "{error}");
    assert!(error.to_string().contains("disk is full"));
    let before = load(steps, id).await;
    assert_eq!(before.sent.number, first + stored);
    assert!(agent.connection(id).send(&[0; 4096]).await.is_err());
    assert_eq!(agent.connections().await.unwrap()[0].status, ConnectionStatus::Connected);
    steps.max_pages.store(MANY_PAGES, Ordering::Relaxed);
    let message = agent.connection(id).send(b"space again").await.unwrap().id();
    assert_eq!(message.number(), stored + 1);
    assert_eq!(load(steps, id).await.sent.number, before.sent.number + 1);
    assert_eq!(waiting_in_file(dir.path()).await, stored + 1);
}

/// Number of bodies to be sent, as the next process finds it if this one is killed now.
async fn waiting_in_file(dir: &Path) -> i64 {
    let options = SqliteConnectOptions::new().filename(dir.join(DATABASE)).read_only(true);
    let mut other = options.connect().await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM outgoing").fetch_one(&mut other).await.unwrap()
}

/// The application has begun to ask for an event, and does something else now.
#[tokio::test]
async fn events_that_nobody_polls_do_not_hold_up_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (_, id) = connected(&agent).await;
    agent.connection(id).send(b"text").await.unwrap();
    agent.connection(id).give_up().await.unwrap();
    agent.shutdown().await;
    drop(agent);
    let (agent, mut events) = open(dir.path()).await;
    assert!(events.next().now_or_never().is_none(), "it is being read from the file");
    tokio::time::timeout(Duration::from_secs(60), agent.shutdown()).await.unwrap();
    assert!(events.next().await.unwrap().is_none());
}

#[tokio::test]
async fn file_of_another_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, events) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    engine.steps.store.execute("UPDATE connections SET state = unhex('00' || hex(state))").await;
    engine.steps.drop_unused();
    let error = agent.connection(id).send(b"x").await.unwrap_err();
    assert!(matches!(error, AgentError::Storage(StorageError::Damaged("state"))), "{error}");
    engine.steps.store.execute("PRAGMA user_version = 99").await;
    agent.shutdown().await;
    drop((agent, events, engine));
    let error =
        Agent::open(AgentConfig::new(dir.path(), Vec::<crate::RelayEntry>::new())).await.err().unwrap();
    assert!(matches!(error, AgentError::Storage(StorageError::OtherVersion)), "{error}");
}

#[tokio::test]
async fn tables_of_the_unreleased_version_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(crate::data_dir::DataDir::open(dir.path()).unwrap());
    let options = SqliteConnectOptions::new().filename(dir.path().join(DATABASE));
    let mut old = options.connect().await.unwrap();
    sqlx::query("CREATE TABLE _sqlx_migrations (version)").execute(&mut old).await.unwrap();
    sqlx::Connection::close(old).await.unwrap();
    let error =
        Agent::open(AgentConfig::new(dir.path(), Vec::<crate::RelayEntry>::new())).await.err().unwrap();
    assert!(matches!(error, AgentError::Storage(StorageError::OtherVersion)), "{error}");
}

#[tokio::test]
async fn database_that_was_there_is_not_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, events) = open(dir.path()).await;
    connected(&agent).await;
    agent.shutdown().await;
    drop((agent, events));
    let database = dir.path().join(DATABASE);
    let kept = std::fs::read(&database).unwrap();
    let config = || AgentConfig::new(dir.path(), Vec::<crate::RelayEntry>::new());
    std::fs::write(&database, b"").unwrap();
    assert!(matches!(Agent::open(config()).await, Err(AgentError::DatabaseMissing { .. })));
    std::fs::remove_file(&database).unwrap();
    let error = Agent::open(config()).await.err().unwrap();
    assert!(matches!(error, AgentError::DatabaseMissing { .. }), "{error}");
    assert!(!database.exists());
    // Half of it is no database either.
    std::fs::write(&database, &kept[..kept.len() / 2]).unwrap();
    assert!(matches!(Agent::open(config()).await, Err(AgentError::Storage(_))));
    std::fs::write(&database, &kept).unwrap();
    let (agent, _events) = Agent::open(config()).await.unwrap();
    assert_eq!(agent.connections().await.unwrap().len(), 1);
}

#[tokio::test]
async fn keys_of_skipped_messages_are_kept_until_they_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    let key = |number| SkippedKey {
        id: SkippedKeyId { header_key: ReceivingHeaderKey::from_bytes([1; 32]), number },
        key: MessageKey::from_bytes(&[2; MessageKey::SIZE]),
    };
    let added = SkippedChange::Added((0..3).map(key).collect());
    for skipped in [added, SkippedChange::Removed(key(1).id)] {
        let step = change(&engine.steps, id, |connection, request| {
            connection.skipped.apply(skipped.clone());
            request.effects.skipped.push(skipped);
        });
        step.await.durable().await.unwrap();
        let expected = engine.steps.look(id, |connection| connection.skipped.clone()).await.unwrap();
        assert_eq!(load(&engine.steps, id).await.skipped, expected);
    }
    assert_eq!(load(&engine.steps, id).await.skipped.as_slice(), [key(0), key(2)]);
}

#[tokio::test]
async fn numbers_are_never_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, events) = open(dir.path()).await;
    let (engine, first) = connected(&agent).await;
    assert_eq!(agent.connection(first).send(b"x").await.unwrap().id(), MessageId::new(1));
    agent.connection(first).delete().await.unwrap();
    assert!(matches!(agent.connection(first).send(b"x").await, Err(AgentError::UnknownConnection(_))));
    agent.shutdown().await;
    drop((agent, events, engine));
    let (agent, _events) = open(dir.path()).await;
    let (_, second) = connected(&agent).await;
    assert!(second > first);
}

#[tokio::test]
async fn idle_connections_take_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    agent.connection(id).send(b"x").await.unwrap();
    let dropped = async {
        while engine.steps.states() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
            engine.steps.drop_unused();
        }
    };
    timeout(PATIENCE, dropped).await.unwrap();
    assert_eq!(agent.connection(id).send(b"y").await.unwrap().id(), MessageId::new(2));
}

#[tokio::test]
async fn short_link_is_kept_until_it_is_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let relay: crate::RelayAddress =
        "smp://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@127.0.0.1:1".parse().unwrap();
    let config = AgentConfig::new(dir.path(), vec![relay]);
    let (agent, events) = Agent::open(config.clone()).await.unwrap();
    let link = format!("https://127.0.0.1/i#{0}/{0}?p=1", "A".repeat(43));
    let id = agent.join(&link, b"bob").await.unwrap();
    let before = load(&agent.engine().clone().steps, id).await;
    assert_eq!(before.phase, Phase::FetchingLink);
    agent.shutdown().await;
    drop((agent, events));
    let (agent, _events) = Agent::open(config).await.unwrap();
    let engine = agent.engine().clone();
    let after = load(&engine.steps, id).await;
    let [before, after] = [before, after].map(|connection| connection.link_fetch.clone().unwrap());
    assert_eq!((&before.link, &before.relay), (&after.link, &after.relay));
    assert_eq!(before.sender_key.to_der(), after.sender_key.to_der());
    assert!(engine.steps.store.busy_connections().await.unwrap().contains(&id));
    let failed = change(&engine.steps, id, |connection, request| {
        connection.fail(ConnectionError::InvitationUsed, &mut request.effects);
    });
    failed.await.durable().await.unwrap();
    assert!(load(&engine.steps, id).await.link_fetch.is_none());
}

/// Polls a future at most this often, then drops it.
async fn poll_some<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left == 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[tokio::test]
async fn worker_learns_of_a_message_whose_sender_gave_up_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    assert!(poll_some(agent.connection(id).send(b"x"), 1).await.is_none(), "it waits for the disk");
    let woken = async {
        while !engine.has_worker(id) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, woken).await.unwrap();
}

#[tokio::test]
async fn receipt_with_another_hash_is_told_once_and_the_right_one_may_follow() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, connection) = connected(&agent).await;
    let id = MessageId::new(1);
    let sent = SentMessage { number: 7, message: id, hash: [1; 32] };
    let mut last = change(&engine.steps, connection, |_, request| request.effects.sent.push(sent)).await;
    for hash in [2, 2, 3, 1, 1, 2] {
        let receipt = Receipt { number: 7, hash: vec![hash; 32] };
        last = change(&engine.steps, connection, |_, request| request.effects.receipts.push(receipt)).await;
    }
    last.durable().await.unwrap();
    let told = [false, true].map(|matches| Event::Receipt { connection, id, matches });
    assert_eq!(events(&engine.steps).await, told);
}

#[tokio::test]
async fn receipts_of_one_group_are_each_told() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, connection) = connected(&agent).await;
    let sent = |number| SentMessage { number, message: MessageId::new(number), hash: [1; 32] };
    let sending =
        change(&engine.steps, connection, |_, request| request.effects.sent.extend([1, 2, 3].map(sent)));
    let receipts =
        [(1, 1), (2, 9), (3, 1), (4, 1)].map(|(number, hash)| Receipt { number, hash: vec![hash; 32] });
    let receiving = change(&engine.steps, connection, |_, request| request.effects.receipts.extend(receipts));
    // In one group with what they are for.
    let (_, last) = tokio::join!(sending, receiving);
    last.durable().await.unwrap();
    let told = [(1, true), (2, false), (3, true)];
    let told = told.map(|(id, matches)| Event::Receipt { connection, id: MessageId::new(id), matches });
    assert_eq!(events(&engine.steps).await, told);
}

#[tokio::test]
async fn queue_that_is_made_elsewhere_has_other_keys() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    let keys = |connection: &Connection| {
        let queue = connection.receive.as_ref().unwrap();
        let ReceiveQueue { recipient_key, relay_dh_key, e2e_key, .. } = queue;
        [recipient_key.to_der().to_vec(), relay_dh_key.as_bytes().to_vec(), e2e_key.as_bytes().to_vec()]
    };
    let before = keys(&load(&engine.steps, id).await);
    let mut relay = None;
    let moved = change(&engine.steps, id, |connection, _| {
        connection.phase = Phase::Creating;
        let other = connection.send.as_ref().unwrap().relay.clone();
        connection.receive_elsewhere(&other, &mut rand::rng());
        relay = Some(other);
    });
    moved.await.durable().await.unwrap();
    let read = load(&engine.steps, id).await;
    for (before, after) in before.iter().zip(&keys(&read)) {
        assert_ne!(before, after);
    }
    assert_eq!(Some(read.receive.clone().unwrap().relay), relay);
    // Its queue is not made yet.
    let session = SessionKey::new(&relay.unwrap(), read.owner(), SessionMode::User);
    assert!(!engine.steps.store.uses(&session).await.unwrap());
}

#[tokio::test]
async fn hashes_are_kept_for_receipts_and_repetitions_and_not_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (engine, id) = connected(&agent).await;
    let steps = &engine.steps;
    let sent = SentMessage { number: 7, message: MessageId::new(1), hash: [1; 32] };
    let step = change(steps, id, |_, request| {
        request.effects.sent.push(sent);
        request.received = Some([1; 32]);
    });
    step.await.durable().await.unwrap();
    let day = steps.day();
    for (before, known) in [(day, true), (day + 1, false)] {
        let forget = Upkeep::Forget { hashes: before, deleted: before };
        steps.upkeep(forget).unwrap().durable().await.unwrap();
        assert_eq!(steps.store.has_received(id, &[1; 32]).await.unwrap(), known);
        assert!(!steps.store.has_received(id, &[2; 32]).await.unwrap());
    }
    let receipt = Receipt { number: 7, hash: vec![1; 32] };
    let step = change(steps, id, |_, request| request.effects.receipts.push(receipt));
    step.await.durable().await.unwrap();
    assert!(events(steps).await.is_empty());
}

#[tokio::test]
async fn clock_that_jumps_is_one_day() {
    const DAY: i64 = 24 * 60 * 60;
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let engine = agent.engine().clone();
    let steps = &engine.steps;
    let begun = async {
        while steps.day() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, begun).await.unwrap();
    let (day, now) = (steps.day(), engine.now());
    for (now, expected) in [
        (now + DAY / 2, day),
        (now + 400 * DAY, day + 1),
        (now + 400 * DAY + DAY / 2, day + 1),
        // Set right again, and a day later.
        (now + DAY, day + 1),
        (now + 3 * DAY, day + 2),
    ] {
        steps.begin_day(now).await.unwrap();
        assert_eq!(steps.day(), expected);
    }
}
