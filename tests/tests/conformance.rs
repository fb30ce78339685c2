//! Our relay against the conformance suite, over TCP and TLS, with every store and in every version.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]

use smp_server::config::{Config, DatabaseUrl, StoreKind};
use smp_tests::balancer::Balancer;
use smp_tests::conformance::{self, Options, Target};
use smp_tests::test_relay::TestRelay;

async fn conforms(relay: TestRelay, options: Options, store: &str) {
    let report = conformance::run(&relay.target(), &options).await.unwrap();
    println!("{store} store: {}", report.summary());
    assert!(report.is_success(), "{}", report.failures());
    assert!(!report.outcomes.is_empty());
    relay.running.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_memory_store() {
    conforms(TestRelay::start(StoreKind::Memory, None).await.unwrap(), Options::default(), "memory").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_sqlite_store() {
    conforms(TestRelay::start(StoreKind::Sqlite, None).await.unwrap(), Options::default(), "SQLite").await;
}

/// In the newest version, as what differs between versions is not the store's; with `SMP_TEST_CONFORMANCE=all` in every one.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_store_in_postgresql() {
    let Some(url) = smp_store_suite::cluster::database().await else { return };
    let in_database = |config: &mut Config| config.store.url = Some(DatabaseUrl::new(&url).unwrap());
    let relay = TestRelay::start_with(StoreKind::Postgres, None, in_database).await.unwrap();
    conforms(relay, in_versions_asked_for(), "PostgreSQL").await;
}

/// Each connection to one of two processes by chance, in the same versions.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_two_processes_that_share_a_database() {
    let Some(url) = smp_store_suite::cluster::database().await else { return };
    let shared = |config: &mut Config| {
        config.store.url = Some(DatabaseUrl::new(&url).unwrap());
        config.cluster.listen = Some("127.0.0.1:0".parse().unwrap());
    };
    let relay = TestRelay::start_with(StoreKind::Postgres, None, shared).await.unwrap();
    let another = relay.another().await.unwrap();
    let processes = [&relay.running, &another].map(|process| process.local_addrs()[0]);
    let balancer = Balancer::start(processes.to_vec()).await.unwrap();
    let target = Target::new(balancer.address(relay.running.address()));
    let report = conformance::run(&target, &in_versions_asked_for()).await.unwrap();
    println!("PostgreSQL, two processes: {}", report.summary());
    assert!(report.is_success(), "{}", report.failures());
    assert!(!report.outcomes.is_empty());
    another.shutdown().await.unwrap();
    relay.running.shutdown().await.unwrap();
}

/// The newest version only, unless all are asked for.
#[cfg(unix)]
fn in_versions_asked_for() -> Options {
    let mut options = Options::default();
    if std::env::var_os("SMP_TEST_CONFORMANCE").is_none_or(|asked| asked != "all") {
        options.versions = *options.versions.end()..=*options.versions.end();
    }
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_password() {
    let relay = TestRelay::start(StoreKind::Memory, Some("s3cret-password")).await.unwrap();
    let options = Options { filter: Some("a_password_is_compared".to_owned()), ..Options::default() };
    conforms(relay, options, "memory, password,").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_a_proxy_to_another_relay() {
    let destination = TestRelay::start(StoreKind::Memory, None).await.unwrap();
    let relay = TestRelay::start(StoreKind::Memory, None).await.unwrap();
    let target = Target { destination: Some(destination.running.address().clone()), ..relay.target() };
    let options = Options { filter: Some("proxy::".to_owned()), ..Options::default() };
    let report = conformance::run(&target, &options).await.unwrap();
    println!("memory store, two relays: {}", report.summary());
    assert!(report.is_success(), "{}", report.failures());
}

#[test]
fn every_check_has_a_name_of_its_own() {
    let mut names: Vec<_> = conformance::all().into_iter().map(|check| (check.subject, check.name)).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

/// A relay that offers less is asked for no more, whoever runs the checks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_offers_fewer_versions_is_checked_in_those() {
    let relay = TestRelay::start_with(StoreKind::Memory, None, |config| config.server.max_version = 18)
        .await
        .unwrap();
    let options = Options { filter: Some("handshake::".to_owned()), lenient: true, ..Options::default() };
    let report = conformance::run(&relay.target(), &options).await.unwrap();
    assert!(report.is_success(), "{}", report.failures());
    assert_eq!(report.outcomes.iter().map(|outcome| outcome.version).max(), Some(18));
}

#[test]
fn checks_that_are_stricter_than_the_protocol_can_be_left_out() {
    let strict = conformance::all().into_iter().filter(|check| check.stricter.is_some()).count();
    assert!(strict > 0);
}
