//! The time until `ERR AUTH` must not tell whether a queue exists.
//!
//! Which statistical tests are done is told in `smp_tests::conformance::timing`. This is a short run that tolerates a
//! little, as it is not optimised and other tests run next to it. A long and stricter one, with an optimised relay (what it finds is in `BENCHMARKS.md`):
//!
//! `SMP_TEST_TIMING_SAMPLES=1500 SMP_TEST_TIMING_TOLERANCE=2 cargo test --release -p smp-tests --test auth_timing -- --nocapture`
//!
//! or, for any relay, `smp-conformance ADDRESS --timing 5000`.
//!
//! A relay of ours is measured without network and encryption too, where differences of a hundred nanoseconds are seen:
//! `smp-server/src/commands/timing.rs`.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]

use smp_protocol::version::SmpVersion;
use smp_server::config::StoreKind;
use smp_tests::conformance::KeyKind;
use smp_tests::conformance::timing::{Probe, Settings, Timed, measure_prepared, prepare};
use smp_tests::test_relay::TestRelay;

/// How often a difference must be found one after the other. With the significance below an equal relay fails once in
/// a thousand million runs; a difference that is there is found every time.
const ATTEMPTS: usize = 3;
const SIGNIFICANCE: f64 = 1e-3;

/// Samples of each case, and the shift in microseconds that does not count: a twentieth of the median here.
const SAMPLES: usize = 200;
const TOLERANCE: f64 = 20.0;

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// For what does not depend on the kind of key.
const FAST: &[KeyKind] = &[KeyKind::Ed25519];

/// The time between the creation of the queues and the first command that is timed.
#[derive(Clone, Copy, PartialEq)]
enum Between {
    Nothing,
    /// A restart: then no queue is in memory.
    Restart,
}

async fn cannot_be_told_apart(store: StoreKind, kinds: &[KeyKind], probe: Probe, between: Between) {
    let mut relay = TestRelay::start(store, None).await.unwrap();
    for &kind in kinds {
        for command in Timed::ALL {
            let settings = Settings {
                version: SmpVersion::MAX,
                kind,
                command,
                probe,
                samples: setting("SMP_TEST_TIMING_SAMPLES", SAMPLES),
                tolerance: setting("SMP_TEST_TIMING_TOLERANCE", TOLERANCE),
                significance: SIGNIFICANCE,
            };
            let mut found = Vec::new();
            while found.len() < ATTEMPTS {
                let prepared = prepare(&relay.target(), &settings).await.unwrap();
                if between == Between::Restart {
                    relay = relay.again().await.unwrap();
                }
                let timing = measure_prepared(&relay.target(), settings, prepared).await.unwrap();
                println!("{store:?} store: {timing}");
                if timing.is_equal() {
                    break;
                }
                found.push(timing.to_string());
            }
            assert!(found.len() < ATTEMPTS, "{store:?} store: {}", found.concat());
        }
    }
}

#[tokio::test]
async fn the_memory_store_takes_the_same_time_for_all() {
    cannot_be_told_apart(StoreKind::Memory, KeyKind::all(SmpVersion::MAX), Probe::First, Between::Nothing)
        .await;
}

#[tokio::test]
async fn the_sqlite_store_takes_the_same_time_for_queues_on_disk() {
    cannot_be_told_apart(StoreKind::Sqlite, FAST, Probe::First, Between::Restart).await;
}

#[tokio::test]
async fn the_sqlite_store_takes_the_same_time_for_queues_in_use() {
    cannot_be_told_apart(StoreKind::Sqlite, FAST, Probe::First, Between::Nothing).await;
}

#[tokio::test]
async fn the_sqlite_store_takes_the_same_time_for_ids_it_has_seen() {
    cannot_be_told_apart(StoreKind::Sqlite, FAST, Probe::Second, Between::Nothing).await;
}
