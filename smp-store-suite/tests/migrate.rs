//! Copies of a store into another database, and back.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]

use std::path::Path;
use std::sync::Arc;

use smp_crypto::Ed448PrivateKey;
use smp_server::config::{Config, DatabaseUrl, StoreKind};
use smp_server::migrate::{MigrateError, Target, migrate};
use smp_server::store::{
    Day, LinkData, Maintenance as _, Message, MessageContent, Messages as _, NewService, PostgresConfig,
    PostgresStore, QueueChange, QueueId, QueueLink, QueueStatus, Queues as _, ServiceRole, Services as _,
    SqliteConfig, SqliteStore, Store,
};
use smp_server::{Relay, init};
use smp_store_suite::{DAY, cluster, id, key, new_queue, notifier};
use smp_transport::surroundings::Surroundings;

const QUEUES: u32 = 700;

/// A bit of everything.
async fn fill(store: &dyn Store) {
    for (number, role) in [(1, ServiceRole::Messaging), (2, ServiceRole::Notifier)] {
        let fingerprint = vec![number as u8; 32];
        let service =
            NewService { id: id(number, 4), role, certificates: vec![1; 50], fingerprint, created: DAY };
        store.service(service).await.unwrap();
    }
    for number in 1..=QUEUES {
        let mut queue = new_queue(number);
        if number.is_multiple_of(3) {
            let data = LinkData { fixed: vec![3; 300], user: vec![number as u8; 1_300] };
            queue.record.link = Some(QueueLink::new(id(number, 3), &data));
            queue.link_data = Some(data);
        }
        if number.is_multiple_of(5) {
            queue.record.notifier = Some(notifier(number));
            queue.record.recipient_service = Some(id(1, 4));
            queue.record.recipient_keys.push(Ed448PrivateKey::generate(&mut rand::rng()).public_key().into());
        }
        queue.record.updated = (!number.is_multiple_of(7)).then_some(Day(DAY.0 + number));
        store.create_queue(queue).await.unwrap();
        let message = |place: u32| Message {
            id: id(number * 100 + place, 9),
            timestamp: u64::from(place),
            content: MessageContent::Sent {
                notification: place.is_multiple_of(2),
                body: vec![place as u8; 900],
            },
        };
        let mut messages: Vec<_> = (0..number % 4).map(message).collect();
        if number.is_multiple_of(11) {
            messages.push(Message { content: MessageContent::QuotaMarker, ..message(9) });
        }
        store.restore_messages(&id(number, 0), messages).await.unwrap();
    }
    for (number, change) in [
        (5, QueueChange::NotifierService(Some(id(2, 4)))),
        (6, QueueChange::Secure(key())),
        (7, QueueChange::Status(QueueStatus::Blocked(b"reason=spam".as_slice().into()))),
        (8, QueueChange::Status(QueueStatus::Suspended)),
    ] {
        store.update_queue(&id(number, 0), change).await.unwrap();
    }
    store.save_clock("a clock".to_owned()).await.unwrap();
}

/// A relay that has served from SQLite, and is stopped.
async fn relay(directory: &Path) -> Config {
    let config = init::local::embedded(directory, &Surroundings::machine()).unwrap();
    Relay::start(config.clone()).await.unwrap().shutdown().await.unwrap();
    let store = SqliteStore::open(SqliteConfig::new(database(&config))).await.unwrap();
    fill(&store).await;
    store.close().await.unwrap();
    config
}

fn database(config: &Config) -> std::path::PathBuf {
    config.store.path.join("smp-server.sqlite")
}

fn in_postgres(config: &Config, url: &str) -> Config {
    let mut config = config.clone();
    config.store.kind = StoreKind::Postgres;
    config.store.url = Some(DatabaseUrl::new(url).unwrap());
    config
}

fn to_postgres(url: &str) -> Target {
    url.parse().unwrap()
}

#[tokio::test]
async fn a_relay_goes_to_postgresql_and_back() {
    let Some(url) = cluster::database().await else { return };
    let directory = tempfile::tempdir().unwrap();
    let sqlite = relay(directory.path()).await;
    let done = migrate(&sqlite, &to_postgres(&url)).await.unwrap();
    assert_eq!((done.counts.queues, done.already_there), (u64::from(QUEUES), 0));

    // It starts from the copy, and from nothing else.
    assert!(
        Relay::start(sqlite.clone()).await.unwrap_err().to_string().contains("another one than this relay")
    );
    let postgres = in_postgres(&sqlite, &url);
    Relay::start(postgres.clone()).await.unwrap().shutdown().await.unwrap();

    let back = directory.path().join("back");
    let done = migrate(&postgres, &Target::Sqlite(back.clone())).await.unwrap();
    assert_eq!(done.counts.queues, u64::from(QUEUES));
    let mut again = sqlite.clone();
    again.store.path = back;
    Relay::start(again.clone()).await.unwrap().shutdown().await.unwrap();
    let (one, other) = (SqliteConfig::new(database(&sqlite)), SqliteConfig::new(database(&again)));
    let (one, other) = (SqliteStore::open(one).await.unwrap(), SqliteStore::open(other).await.unwrap());
    assert_eq!(one.counts(), other.counts());
    assert_eq!(one.services().await.unwrap(), other.services().await.unwrap());
    for number in 1..=QUEUES {
        let id = id(number, 0);
        assert_eq!(one.messages(&id).await.unwrap(), other.messages(&id).await.unwrap());
        assert_eq!(one.link_data(&id).await.unwrap(), other.link_data(&id).await.unwrap());
    }
    one.close().await.unwrap();
    other.close().await.unwrap();
}

#[tokio::test]
async fn a_copy_that_was_cut_off_goes_on() {
    let Some(url) = cluster::database().await else { return };
    let directory = tempfile::tempdir().unwrap();
    let sqlite = relay(directory.path()).await;
    // Cut off when some are there.
    let target = to_postgres(&url);
    let copying = migrate(&sqlite, &target);
    let some_are_there = async {
        let watching = async |sql: &'static str| -> i64 {
            let mut connection = sqlx::postgres::PgConnection::connect(&url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap_or(0)
        };
        use sqlx::Connection as _;
        while watching("SELECT count(*) FROM messages").await < 100 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        done = copying => panic!("it was quicker: {done:?}"),
        () = some_are_there => {}
    }
    // A queue that is half there, and one that was changed in the source.
    let store = Arc::new(PostgresStore::open(PostgresConfig::new(&url)).await.unwrap());
    let first = store.first_message(&id(3, 0)).await;
    if let Ok(Some(first)) = first {
        store.acknowledge(&id(3, 0), &first.id, smp_server::store::AfterAck::Nothing).await.unwrap();
    }
    store.close().await.unwrap();
    let source = SqliteStore::open(SqliteConfig::new(database(&sqlite))).await.unwrap();
    source.update_queue(&id(1, 0), QueueChange::Secure(key())).await.unwrap();
    source.close().await.unwrap();

    let done = migrate(&sqlite, &target).await.unwrap();
    assert_eq!(done.counts.queues, u64::from(QUEUES));
    let store = PostgresStore::open(PostgresConfig::new(&url)).await.unwrap();
    let secured = store.find_queue(QueueId::Recipient(&id(1, 0))).await.unwrap().unwrap();
    assert!(secured.sender_key.is_some());
    store.close().await.unwrap();
}

#[tokio::test]
async fn the_store_of_another_relay_is_left_alone() {
    let Some(url) = cluster::database().await else { return };
    let directory = tempfile::tempdir().unwrap();
    let sqlite = relay(directory.path()).await;
    let store = PostgresStore::open(PostgresConfig::new(&url)).await.unwrap();
    store.create_queue(new_queue(QUEUES + 1)).await.unwrap();
    store.close().await.unwrap();
    let refused = migrate(&sqlite, &to_postgres(&url)).await;
    assert!(matches!(refused, Err(MigrateError::NotEmpty(_))), "{refused:?}");
    // It starts from the source as before.
    Relay::start(sqlite).await.unwrap().shutdown().await.unwrap();
}
