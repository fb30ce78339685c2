//! Clocks that are wrong, and are set right.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use smp_protocol::{command::SubscriptionMode, message::BrokerMessage};
use smp_server::{Relay, RunningRelay, config::Config, init};
use smp_transport::surroundings::{Surroundings, Time, TimeSource};

use crate::support::{Client, Queue, client_of, messaging, send, set_store};

const DAY: u64 = 86_400;

/// A machine's clock, as somebody has set it.
#[derive(Clone)]
struct Set(Arc<AtomicU64>);

impl TimeSource for Set {
    fn wall(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> tokio::time::Instant {
        tokio::time::Instant::now()
    }
}

fn today() -> u64 {
    Time::machine().unix_seconds()
}

async fn start(config: &Config, clock: &Set) -> RunningRelay {
    let surroundings = Surroundings { time: Time::new(clock.clone()), ..Surroundings::machine() };
    Relay::start_with(config.clone(), surroundings).await.unwrap()
}

/// Sends a message, whose queue then has had those before it expire if they were too old.
async fn sent(client: &Client, queue: &Queue) {
    assert_eq!(client.ask(None, queue.sender(), send(b"kept")).await.unwrap(), BrokerMessage::Ok);
}

async fn received(client: &mut Client, queue: &Queue) -> usize {
    client.subscribe(queue).await;
    let mut next = Some(client.message(queue).await.0);
    let mut count = 0;
    while let Some(id) = next {
        count += 1;
        next = client.ack(queue, &id).await.map(|(id, _)| id);
    }
    count
}

async fn config(dir: &tempfile::TempDir) -> Config {
    let mut config = init::local::embedded(dir.path(), &Surroundings::machine()).unwrap();
    set_store(&mut config).await;
    // A sweep comes between any two commands.
    config.queues.expiry_interval = Duration::from_millis(1);
    config.queues.delete_idle = Some(Duration::from_secs(30 * DAY));
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_starts_in_1970_loses_nothing_when_its_clock_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let (config, clock) = (config(&dir).await, Set(Arc::new(AtomicU64::new(30))));
    let relay = start(&config, &clock).await;
    let (mut alice, bob) = (client_of(&relay).await, client_of(&relay).await);
    let queue = alice.queue_with(messaging(), SubscriptionMode::OnlyCreate).await;
    sent(&bob, &queue).await;
    for wall in [today(), today() + 60 * DAY, today()] {
        clock.0.store(wall, Ordering::Relaxed);
        sent(&bob, &queue).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(received(&mut alice, &queue).await, 4);
    relay.shutdown().await.unwrap();
}

/// The clock is ahead for one run of the relay.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_a_clock_that_is_ahead_loses_nothing() {
    if crate::STORE == smp_server::config::StoreKind::Memory {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (config, clock) = (config(&dir).await, Set(Arc::new(AtomicU64::new(today()))));
    let relay = start(&config, &clock).await;
    let queue = client_of(&relay).await.queue_with(messaging(), SubscriptionMode::OnlyCreate).await;
    sent(&client_of(&relay).await, &queue).await;
    relay.shutdown().await.unwrap();
    for wall in [today() + 60 * DAY, 5, today()] {
        clock.0.store(wall, Ordering::Relaxed);
        let relay = start(&config, &clock).await;
        sent(&client_of(&relay).await, &queue).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        relay.shutdown().await.unwrap();
    }
    let relay = start(&config, &clock).await;
    assert_eq!(received(&mut client_of(&relay).await, &queue).await, 4);
    relay.shutdown().await.unwrap();
}
