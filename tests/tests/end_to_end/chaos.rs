//! Agents and relays that die at random moments while messages flow in both directions.

use crate::harness::{Peer, TestRelay, connect, numbers};
use rand::RngExt as _;
use smp_agent::{ConnectionId, Event, Integrity, MessageId};
use std::collections::HashSet;
use std::time::Duration;

/// Messages in each direction, if the environment variable of the same name does not say otherwise.
const SMP_CHAOS_MESSAGES: usize = 150;

fn messages() -> usize {
    std::env::var("SMP_CHAOS_MESSAGES")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(SMP_CHAOS_MESSAGES)
}

/// An application that stores what it has done with a message together with its number, as it should.
struct Application {
    peer: Option<Peer>,
    connection: ConnectionId,
    /// Messages in each direction.
    target: usize,
    sent: usize,
    done: HashSet<MessageId>,
    received: Vec<String>,
    crashes: usize,
    repeated: usize,
}

impl Application {
    fn new(peer: Peer, connection: ConnectionId) -> Self {
        let (done, received) = (HashSet::new(), Vec::new());
        Self {
            peer: Some(peer),
            connection,
            target: messages(),
            sent: 0,
            done,
            received,
            crashes: 0,
            repeated: 0,
        }
    }

    fn finished(&self) -> bool {
        self.sent == self.target && self.received.len() == self.target
    }

    /// Sends and receives for a while, then crashes.
    async fn live(&mut self) {
        let wait = Duration::from_millis(rand::rng().random_range(1..150));
        let _ = tokio::time::timeout(wait, self.work()).await;
        let peer = self.peer.take().expect("an agent");
        self.peer = Some(peer.crash().await);
        self.crashes += 1;
    }

    async fn work(&mut self) {
        let peer = self.peer.as_mut().expect("an agent");
        while self.sent < self.target || self.received.len() < self.target {
            if self.sent < self.target && rand::rng().random_bool(0.5) {
                // Counted before: a call that is dropped may have stored the message or not, so it is not dropped.
                let (agent, text) = (peer.agent.clone(), self.sent.to_string());
                let connection = self.connection;
                self.sent += 1;
                let sent =
                    tokio::spawn(async move { agent.connection(connection).send(text.as_bytes()).await });
                sent.await.expect("no panic").expect("stored");
                continue;
            }
            let delivery = peer.next_delivery().await;
            let Event::Message { id, body, integrity, .. } = &delivery.event else { continue };
            assert_eq!(*integrity, Integrity::Ok, "{}", String::from_utf8_lossy(body));
            if self.done.insert(*id) {
                self.received.push(String::from_utf8(body.clone()).expect("text"));
            } else {
                self.repeated += 1;
            }
            // A message may be acknowledged late, or twice after a crash.
            if rand::rng().random_bool(0.8) {
                let _ = delivery.done().await;
            }
        }
    }
}

async fn survive(modes: fn(bool) -> u16) {
    let mut relays = Vec::new();
    for first in [true, false] {
        relays.push(TestRelay::start_with(|config| config.server.max_version = modes(first)).await);
    }
    let mut alice = Peer::open(&[&relays[0]]).await;
    let mut bob = Peer::open(&[&relays[1]]).await;
    let (a, b) = connect(&mut alice, &mut bob).await;
    let (mut alice, mut bob) = (Application::new(alice, a), Application::new(bob, b));
    let mut relay_crashes = 0;
    while !(alice.finished() && bob.finished()) {
        let number = rand::rng().random_range(0..2);
        let relay = relays.get_mut(number).expect("a relay");
        let crash = async {
            tokio::time::sleep(Duration::from_millis(rand::rng().random_range(1..100))).await;
            relay.restart().await;
        };
        tokio::join!(alice.live(), bob.live(), crash);
        relay_crashes += 1;
    }
    for application in [&alice, &bob] {
        assert_eq!(application.received, numbers(0..application.target));
        println!(
            "{} messages in order, none lost, none twice; {} crashes of the agent, {relay_crashes} of a relay, \
             {} repeated to the application",
            application.target, application.crashes, application.repeated
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_dies_at_random() {
    survive(|_| 19).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_dies_at_random_on_oldest_relays() {
    survive(|_| 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_made_though_everything_dies() {
    let mut relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    for round in 0..8 {
        let (a, invitation) = alice.agent.create_short_invitation(b"").await.expect("an invitation");
        let short = invitation.short.expect("a short link").to_string();
        let link = if round % 2 == 0 { invitation.full.to_string() } else { short };
        let b = bob.agent.join(&link, b"bob").await.expect("joined");
        let mut connected = [false; 2];
        while connected != [true; 2] {
            let crash = async {
                tokio::time::sleep(Duration::from_millis(rand::rng().random_range(1..40))).await;
                relay.restart().await;
            };
            let (alice_, bob_, ()) =
                tokio::join!(establish(alice, a, &mut connected[0]), async { bob }, crash);
            alice = alice_;
            bob = establish(bob_, b, &mut connected[1]).await;
        }
        let id = alice.agent.connection(a).send(format!("{round}").as_bytes()).await.expect("stored");
        alice.sent(id.id()).await;
        assert_eq!(bob.texts(1).await, [round.to_string()]);
    }
}

/// Lives for a moment, then crashes.
async fn establish(mut peer: Peer, connection: ConnectionId, connected: &mut bool) -> Peer {
    let wait = Duration::from_millis(rand::rng().random_range(1..60));
    let _ = tokio::time::timeout(wait, async {
        loop {
            match peer.next_any(false).await {
                Event::Confirmation { connection: confirmed, .. } if confirmed == connection => {
                    peer.agent.connection(connection).accept(b"alice").await.expect("accepted");
                }
                Event::Connected { connection: made } if made == connection => *connected = true,
                Event::ConnectionFailed { connection, error } => panic!("{connection}: {error}"),
                _ => {}
            }
        }
    })
    .await;
    peer.crash().await
}
