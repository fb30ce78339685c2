//! Records of what an agent does have words and counts, and nothing else.

use crate::harness::{Peer, TestRelay, connect};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// All fields of the agents' records, of all tests that run at the same time.
type Seen = Arc<Mutex<BTreeSet<(&'static str, String)>>>;

struct Collector(Seen);

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("smp_agent")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        panic!("there are no spans");
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Fields(&self.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Fields<'s>(&'s Seen);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((field.name(), format!("{value:?}")));
    }
}

/// Fields that are counts. All others are words.
const COUNTS: [&str; 4] = ["again", "items", "queues", "sessions"];
const WORDS: [&str; 6] = ["command", "error", "event", "kind", "message", "outcome"];

fn is_word(value: &str) -> bool {
    let value = value.trim_matches('"');
    (1..40).contains(&value.len())
        && value.chars().all(|letter| letter.is_ascii_alphabetic() || letter == ' ')
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_have_no_identifiers() {
    let seen = Seen::default();
    tracing::subscriber::set_global_default(Collector(seen.clone())).unwrap();
    let mut relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, b) = connect(&mut alice, &mut bob).await;
    let secret = b"a body that nobody else may see";
    alice.agent.connection(a).send(secret).await.unwrap();
    assert_eq!(bob.message().await.1, secret);
    relay.kill().await;
    bob.until(|event| matches!(event, smp_agent::Event::RelayDown { .. })).await;
    relay.restart().await;
    bob.agent.connection(b).send(b"back").await.unwrap();
    alice.texts(1).await;
    alice.agent.connection(a).delete().await.unwrap();
    // Until her relay has deleted the queue it takes messages.
    loop {
        bob.agent.connection(b).send(b"too late?").await.unwrap();
        let told = |event: &smp_agent::Event| {
            matches!(event, smp_agent::Event::Sent { .. } | smp_agent::Event::QueueRefused { .. })
        };
        if let smp_agent::Event::QueueRefused { .. } = bob.until(told).await {
            break;
        }
    }
    alice.agent.shutdown().await;

    let seen = seen.lock().unwrap();
    for (field, value) in seen.iter() {
        assert!(COUNTS.contains(field) || WORDS.contains(field), "{field} = {value}");
        let allowed = if COUNTS.contains(field) { value.parse::<usize>().is_ok() } else { is_word(value) };
        assert!(allowed, "{field} = {value}");
    }
    // And those that were to be expected are there.
    for expected in [
        ("message", "agent opened"),
        ("message", "session with a relay"),
        ("message", "no session with a relay"),
        ("message", "agent closed"),
        ("command", "\"CreateQueue\""),
        ("kind", "\"Message\""),
        ("error", "\"Auth\""),
        ("event", "\"Connected\""),
        ("event", "\"RelayDown\""),
        ("outcome", "\"Received\""),
    ] {
        assert!(seen.iter().any(|(field, value)| (*field, value.as_str()) == expected), "{expected:?}");
    }
}
