//! One process at a time has the store.

use std::time::Duration;

use smp_server::store::{
    Maintenance as _, Messages as _, OpenError, PostgresConfig, PostgresStore, Presence, Queues as _,
};
use smp_store_suite::{MustBeAccepted as _, cluster, id, new_queue, sent};

use super::config;

const SHORT: Duration = Duration::from_secs(1);
/// Nobody waits for so long.
const LONG: Duration = Duration::from_secs(600);

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_has_ended() {
    let Some(url) = cluster::database().await else { return };
    let first = PostgresStore::open(PostgresConfig { lease: LONG, ..config(&url) }).await.unwrap();
    first.create_queue(new_queue(1)).await.unwrap();
    let second = PostgresStore::open(PostgresConfig { lease: SHORT, ..config(&url) }).await;
    assert!(matches!(second, Err(OpenError::Held { .. })), "{second:?}");
    first.append(&id(1, 0), sent(1), None).await.unwrap().accepted().kept.await.unwrap();
    first.close().await.unwrap();
    let third = PostgresStore::open(PostgresConfig { lease: LONG, ..config(&url) }).await.unwrap();
    assert_eq!(third.counts().messages, 1);
    third.close().await.unwrap();
}

/// Without waiting for the lease: the server knows that the session has ended.
#[tokio::test]
async fn a_process_that_dies_is_followed_at_once() {
    let Some(url) = cluster::database().await else { return };
    let open = || PostgresStore::open(PostgresConfig { lease: LONG, ..config(&url) });
    let first = open().await.unwrap();
    first.create_queue(new_queue(1)).await.unwrap();
    first.append(&id(1, 0), sent(1), None).await.unwrap().accepted().kept.await.unwrap();
    first.abandon().await.unwrap();
    let second = open().await.unwrap();
    assert_eq!(second.messages(&id(1, 0)).await.unwrap().len(), 1);
    second.close().await.unwrap();
}

#[tokio::test]
async fn a_store_that_was_there_is_not_made_anew() {
    let Some(url) = cluster::database().await else { return };
    let required = || PostgresConfig { presence: Presence::Required, ..config(&url) };
    let missing = PostgresStore::open(required()).await;
    assert!(matches!(missing, Err(OpenError::NoTables { .. })), "{missing:?}");
    let store = PostgresStore::open(config(&url)).await.unwrap();
    let store_id = store.id().to_owned();
    assert_eq!(store_id.len(), 32);
    store.close().await.unwrap();
    let store = PostgresStore::open(required()).await.unwrap();
    assert_eq!(store.id(), store_id);
    store.close().await.unwrap();
}

/// Nothing of an address that may hold a password is in what is said about it.
#[tokio::test]
async fn errors_say_what_to_do_and_no_password() {
    let Some(url) = cluster::database().await else { return };
    let (_, socket) = url.split_once('?').unwrap();
    for (url, advice) in [
        ("postgres://me:geheim@127.0.0.1:1/x".to_owned(), "check that PostgreSQL runs there"),
        (format!("postgres://smp:geheim@localhost/nothing?{socket}"), "createdb"),
        ("mysql://me:geheim@x/y".to_owned(), "postgres://USER@HOST"),
    ] {
        let error = PostgresStore::open(PostgresConfig::new(url.clone())).await.unwrap_err().to_string();
        assert!(error.contains(advice), "{error}");
        assert!(!error.contains("geheim") && !format!("{:?}", config(&url)).contains("geheim"), "{error}");
    }
}
