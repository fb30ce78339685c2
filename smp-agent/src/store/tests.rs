//! Steps happen wholly or not at all.

use super::Store;
use crate::agent::Agent;
use crate::config::AgentConfig;
use crate::connection::{Connection, Effects, Phase, Receipt, ReceiveQueue, SentMessage};
use crate::core::now;
use crate::data_dir::DATABASE;
use crate::error::{AgentError, ConnectionError, StorageError};
use crate::event::Event;
use crate::id::ConnectionId;
use crate::{ConnectionStatus, MessageId};
use smp_ratchet::{MessageKey, ReceivingHeaderKey, SkippedChange, SkippedKey, SkippedKeyId};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use std::path::Path;
use std::task::Poll;
use std::time::Duration;
use tokio::time::timeout;

/// More pages than the test needs.
const MANY_PAGES: i64 = 1 << 20;
/// Nothing here takes that long.
const PATIENCE: Duration = Duration::from_secs(20);

async fn open(dir: &Path) -> (Agent, crate::Events) {
    Agent::open(AgentConfig::new(dir, Vec::new())).await.unwrap()
}

/// A side of a connection that is made, and its store.
async fn connected(agent: &Agent) -> (Store, Connection) {
    let store = agent.core().store.clone();
    let (mut connection, _) = crate::connection::tests::connected_sides();
    let mut step = store.step().await.unwrap();
    step.insert(&mut connection, now()).await.unwrap();
    step.commit().await.unwrap();
    (store, connection)
}

async fn load(store: &Store, id: ConnectionId) -> Connection {
    store.step().await.unwrap().find(id).await.unwrap().unwrap()
}

#[tokio::test]
async fn connection_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (store, written) = connected(&agent).await;
    let read = load(&store, written.id).await;
    assert_eq!(read.phase, Phase::Connected);
    assert_eq!((read.agent_version, read.pq_support), (written.agent_version, written.pq_support));
    assert_eq!((&read.sent, &read.received), (&written.sent, &written.received));
    assert_eq!(read.ratchet, written.ratchet);
    assert_eq!(read.link, written.link);
    let (queues, expected) =
        ((read.receive.unwrap(), read.send.unwrap()), (written.receive.unwrap(), written.send.unwrap()));
    assert_eq!(queues.0.recipient_key.to_der(), expected.0.recipient_key.to_der());
    assert_eq!(queues.0.e2e_secret.unwrap().as_bytes(), expected.0.e2e_secret.unwrap().as_bytes());
    assert_eq!(queues.0.created.unwrap().sender_id, expected.0.created.unwrap().sender_id);
    assert_eq!(queues.1.sender_key.to_der(), expected.1.sender_key.to_der());
    assert_eq!((queues.1.relay, queues.1.mode), (expected.1.relay, expected.1.mode));
}

#[tokio::test]
async fn step_that_is_not_committed_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (store, mut connection) = connected(&agent).await;
    let mut step = store.step().await.unwrap();
    connection.phase = Phase::Failed;
    step.save(&connection).await.unwrap();
    step.add_effects(connection.id, &event(connection.id), now()).await.unwrap();
    drop(step);
    assert_eq!(load(&store, connection.id).await.phase, Phase::Connected);
    assert!(store.step().await.unwrap().events_after(0, 10).await.unwrap().is_empty());
}

fn event(connection: ConnectionId) -> Effects {
    Effects { events: vec![Event::Connected { connection }], ..Effects::default() }
}

#[tokio::test]
async fn full_disk_undoes_the_step_and_the_next_one_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (store, connection) = connected(&agent).await;
    let id = connection.id;
    store.limit_pages(1).await;
    let mut stored = 0;
    let error = loop {
        match agent.send(id, &[0; 4096]).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AgentError::Storage(StorageError::DiskFull)), "{error}");
    assert!(error.to_string().contains("disk is full"));
    let before = load(&store, id).await;
    assert_eq!(before.sent.number, connection.sent.number + stored);
    assert!(agent.send(id, &[0; 4096]).await.is_err());
    assert_eq!(agent.connections().await.unwrap()[0].status, ConnectionStatus::Connected);
    store.limit_pages(MANY_PAGES).await;
    let message = agent.send(id, b"space again").await.unwrap();
    assert_eq!(message.number(), stored + 1);
    assert_eq!(load(&store, id).await.sent.number, before.sent.number + 1);
    assert_eq!(waiting_in_file(dir.path()).await, stored + 1);
}

/// What is to be sent, as the next process finds it if this one is killed now.
async fn waiting_in_file(dir: &Path) -> i64 {
    let options = SqliteConnectOptions::new().filename(dir.join(DATABASE)).read_only(true);
    let mut other = options.connect().await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM outgoing").fetch_one(&mut other).await.unwrap()
}

#[tokio::test]
async fn file_of_another_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, events) = open(dir.path()).await;
    let (store, connection) = connected(&agent).await;
    store.execute("UPDATE connections SET state = unhex('00' || hex(state))").await;
    let error = agent.send(connection.id, b"x").await.unwrap_err();
    assert!(matches!(error, AgentError::Storage(StorageError::Damaged("state"))), "{error}");
    store.execute("PRAGMA user_version = 99").await;
    agent.shutdown().await;
    drop((agent, events));
    let error = Agent::open(AgentConfig::new(dir.path(), Vec::new())).await.err().unwrap();
    assert!(matches!(error, AgentError::Storage(StorageError::OtherVersion)), "{error}");
}

#[tokio::test]
async fn keys_of_skipped_messages_are_kept_until_they_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (store, mut connection) = connected(&agent).await;
    let key = |number| SkippedKey {
        id: SkippedKeyId { header_key: ReceivingHeaderKey::from_bytes([1; 32]), number },
        key: MessageKey::from_bytes(&[2; MessageKey::SIZE]),
    };
    let added = SkippedChange::Added((0..3).map(key).collect());
    for change in [added, SkippedChange::Removed(key(1).id)] {
        connection.skipped.apply(change.clone());
        let effects = Effects { skipped: vec![change], ..Effects::default() };
        let mut step = store.step().await.unwrap();
        step.save(&connection).await.unwrap();
        step.add_effects(connection.id, &effects, now()).await.unwrap();
        step.commit().await.unwrap();
        assert_eq!(load(&store, connection.id).await.skipped, connection.skipped);
    }
    assert_eq!(connection.skipped.as_slice(), [key(0), key(2)]);
}

#[tokio::test]
async fn numbers_are_never_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (_, first) = connected(&agent).await;
    assert_eq!(agent.send(first.id, b"x").await.unwrap(), MessageId::new(1));
    agent.delete(first.id).await.unwrap();
    assert!(matches!(agent.send(first.id, b"x").await, Err(AgentError::UnknownConnection(_))));
    let (_, second) = connected(&agent).await;
    assert!(second.id > first.id);
}

#[tokio::test]
async fn short_link_is_kept_until_it_is_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let relay = "smp://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@127.0.0.1:1".parse().unwrap();
    let config = AgentConfig::new(dir.path(), vec![relay]);
    let (agent, events) = Agent::open(config.clone()).await.unwrap();
    let link = format!("https://127.0.0.1/i#{0}/{0}?p=1", "A".repeat(43));
    let id = agent.join(&link, b"bob").await.unwrap();
    let before = load(&agent.core().store, id).await;
    assert_eq!(before.phase, Phase::FetchingLink);
    agent.shutdown().await;
    drop((agent, events));
    let (agent, _events) = Agent::open(config).await.unwrap();
    let store = agent.core().store.clone();
    let after = load(&store, id).await;
    let [before, after] = [before, after].map(|connection| connection.link_fetch.unwrap());
    assert_eq!((&before.link, &before.relay), (&after.link, &after.relay));
    assert_eq!(before.sender_key.to_der(), after.sender_key.to_der());
    assert!(store.step().await.unwrap().busy_connections().await.unwrap().contains(&id));
    let mut connection = load(&store, id).await;
    let mut effects = Effects::default();
    connection.fail(ConnectionError::InvitationUsed, &mut effects);
    let mut step = store.step().await.unwrap();
    step.save(&connection).await.unwrap();
    step.commit().await.unwrap();
    assert!(load(&store, id).await.link_fetch.is_none());
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
    // How often it is polled before the commit is not always the same.
    let mut polls = 1;
    for _ in 0..200 {
        let (store, connection) = connected(&agent).await;
        let sent = poll_some(agent.send(connection.id, b"x"), polls).await;
        let waiting = store.step().await.unwrap().outgoing(connection.id, 1).await.unwrap();
        match sent {
            Some(_) => polls -= 1,
            None if waiting.is_empty() => polls += 1,
            None => {
                let woken = async {
                    while !agent.core().has_worker(connection.id) {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                };
                return timeout(PATIENCE, woken).await.unwrap();
            }
        }
    }
    panic!("never given up between the commit and the end of the call");
}

#[tokio::test]
async fn receipt_with_another_hash_is_told_once_and_the_right_one_may_follow() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (store, connection) = connected(&agent).await;
    let connection = connection.id;
    let id = MessageId::new(1);
    let sent = SentMessage { number: 7, message: id, hash: [1; 32] };
    let mut step = store.step().await.unwrap();
    step.add_effects(connection, &Effects { sent: vec![sent], ..Effects::default() }, now()).await.unwrap();
    for hash in [2, 2, 3, 1, 1, 2] {
        let receipts = vec![Receipt { number: 7, hash: vec![hash; 32] }];
        step.add_effects(connection, &Effects { receipts, ..Effects::default() }, now()).await.unwrap();
    }
    let events: Vec<_> =
        step.events_after(0, 10).await.unwrap().into_iter().map(|stored| stored.event).collect();
    assert_eq!(events, [false, true].map(|matches| Event::Receipt { connection, id, matches }));
}

#[tokio::test]
async fn queue_that_is_made_elsewhere_has_other_keys() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (store, mut connection) = connected(&agent).await;
    connection.phase = Phase::Creating;
    let keys = |connection: &Connection| {
        let queue = connection.receive.as_ref().unwrap();
        let ReceiveQueue { recipient_key, relay_dh_key, e2e_key, .. } = queue;
        [recipient_key.to_der().to_vec(), relay_dh_key.as_bytes().to_vec(), e2e_key.as_bytes().to_vec()]
    };
    let (before, relay) = (keys(&connection), connection.send.as_ref().unwrap().relay.clone());
    connection.receive_elsewhere(&relay, &mut rand::rng());
    let after = keys(&connection);
    for (before, after) in before.iter().zip(&after) {
        assert_ne!(before, after);
    }
    let mut step = store.step().await.unwrap();
    step.save(&connection).await.unwrap();
    step.commit().await.unwrap();
    let read = load(&store, connection.id).await;
    assert_eq!(keys(&read), after);
    assert_eq!(read.receive.unwrap().relay, relay);
}

#[tokio::test]
async fn hashes_are_kept_for_receipts_and_repetitions_and_not_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let (agent, _events) = open(dir.path()).await;
    let (store, mut connection) = connected(&agent).await;
    let (id, config) = (connection.id, AgentConfig::new("unused", Vec::new()));
    let mut effects = Effects::default();
    connection.send_message(b"x", &config, &mut effects).unwrap();
    assert_eq!(effects.sent.len(), 1);
    let number = effects.sent[0].number;
    let receipt = |hash: [u8; 32]| Receipt { number, hash: hash.to_vec() };
    let receipts = Effects { receipts: vec![receipt(effects.sent[0].hash)], ..Effects::default() };
    let mut step = store.step().await.unwrap();
    step.add_effects(id, &effects, 1000).await.unwrap();
    assert!(!step.is_repeated(id, &[1; 32], 1000).await.unwrap());
    step.forget_hashes(1000).await.unwrap();
    assert!(step.is_repeated(id, &[1; 32], 1000).await.unwrap());
    step.forget_hashes(1001).await.unwrap();
    assert!(!step.is_repeated(id, &[1; 32], 1000).await.unwrap());
    step.add_effects(id, &receipts, 1000).await.unwrap();
    assert!(step.events_after(0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn tables_of_the_unreleased_version_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(crate::data_dir::DataDir::open(dir.path()).unwrap());
    let options = SqliteConnectOptions::new().filename(dir.path().join(DATABASE));
    let mut old = options.connect().await.unwrap();
    sqlx::query("CREATE TABLE _sqlx_migrations (version)").execute(&mut old).await.unwrap();
    sqlx::Connection::close(old).await.unwrap();
    let error = Agent::open(AgentConfig::new(dir.path(), Vec::new())).await.err().unwrap();
    assert!(matches!(error, AgentError::Storage(StorageError::OtherVersion)), "{error}");
}
