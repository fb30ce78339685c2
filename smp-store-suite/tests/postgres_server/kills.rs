//! The server is killed under load: what was answered is so, and everything is done once.
//!
//! `SMP_KILLS` in the environment is the number of kills; 3 otherwise.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smp_server::store::{
    AfterAck, Appended, EngineLimits, Maintenance as _, Messages as _, NewMessage, PostgresConfig,
    PostgresStore, Queues as _,
};
use smp_store_suite::cluster::Cluster;
use smp_store_suite::{id, new_queue, sent};
use tokio_util::sync::CancellationToken;

const QUEUES: u32 = 8;
const ROOM: usize = 100_000;

/// Numbers of the messages that must be in a queue, in order.
type Expected = Arc<Mutex<BTreeMap<u32, Vec<u32>>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_is_written_once_whenever_the_server_dies() {
    let Some(mut cluster) = Cluster::start(&[]) else { return };
    let kills: u32 = std::env::var("SMP_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(3);
    let url = cluster.database().await;
    let open = || {
        PostgresStore::open(PostgresConfig {
            lease: Duration::from_secs(120),
            limits: EngineLimits { quota: ROOM, ack_wait: Duration::ZERO, ..EngineLimits::default() },
            ..PostgresConfig::new(&url)
        })
    };
    let store = Arc::new(open().await.unwrap());
    for queue in 1..=QUEUES {
        store.create_queue(new_queue(queue)).await.unwrap();
    }
    let expected = Expected::default();
    let stop = CancellationToken::new();
    let people: Vec<_> = (1..=QUEUES)
        .map(|queue| tokio::spawn(talk(store.clone(), queue, expected.clone(), stop.clone())))
        .collect();
    for _ in 0..kills {
        let before = total(&expected);
        while total(&expected) < before + 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cluster = tokio::task::spawn_blocking(move || {
            cluster.kill();
            cluster.run();
            cluster
        })
        .await
        .unwrap();
    }
    stop.cancel();
    for person in people {
        person.await.unwrap();
    }
    compare(&store, &expected).await;
    store.close().await.unwrap();
    let store = open().await.unwrap();
    compare(&store, &expected).await;
    store.close().await.unwrap();
}

fn total(expected: &Expected) -> usize {
    expected.lock().unwrap().values().map(Vec::len).sum()
}

/// Sends, and acknowledges every other time; what is answered is noted.
async fn talk(store: Arc<PostgresStore>, queue: u32, expected: Expected, stop: CancellationToken) {
    let mut number = queue * 1_000_000;
    while !stop.is_cancelled() {
        number += 1;
        let message = NewMessage { body: vec![queue as u8; 2_000], ..sent(number) };
        // Nothing is refused while the server is away: it waits.
        let appended = loop {
            match store.append(&id(queue, 0), message.clone(), None).await {
                Ok(appended) => break appended,
                // Its queue had to be loaded.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        let Appended::Accepted(accepted) = appended else { panic!("{appended:?}") };
        accepted.kept.await.unwrap();
        expected.lock().unwrap().entry(queue).or_default().push(number);
        if number.is_multiple_of(2) {
            let first = expected.lock().unwrap()[&queue][0];
            let removed = store.acknowledge(&id(queue, 0), &id(first, 9), AfterAck::Nothing).await.unwrap();
            assert!(removed.removed.is_some());
            removed.durable.await.unwrap();
            expected.lock().unwrap().get_mut(&queue).unwrap().remove(0);
        }
    }
}

async fn compare(store: &PostgresStore, expected: &Expected) {
    for queue in 1..=QUEUES {
        let found = store.messages(&id(queue, 0)).await.unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|message| u32::from_be_bytes(message.id.as_bytes()[..4].try_into().unwrap()))
            .collect();
        assert_eq!(found, expected.lock().unwrap()[&queue], "queue {queue}");
    }
}
