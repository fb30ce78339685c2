//! All ways in which two people come together and talk: {invitation, address} x {full, short link} x {post-quantum, not} x
//! {direct, proxied} x {fast, legacy procedure}, on relays of SMP 8, 9, 14 and 19.
//!
//! Three of them cannot be: short links need SMP 15, and the fast procedure SMP 9 (the sender secures the queue itself, by SKEY).

use crate::address::ask;
use crate::harness::{Peer, TestRelay, finish};
use crate::talk;
use smp_agent::{AgentConfig, ConnectionId, MessageRouting, RoutingFallback};
use smp_protocol::version::{SmpVersion, VersionRange};

/// The first version with short links.
const SHORT_LINKS: u16 = 15;
/// The last version in which only recipients secure queues.
const LEGACY: u16 = 8;
/// Turns of a conversation until post-quantum keys have to be agreed on.
const ROUNDS: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Way {
    pq: bool,
    proxied: bool,
    legacy: bool,
}

impl Way {
    fn all(relays: u16) -> impl Iterator<Item = Self> {
        (0..8)
            .map(|bits| Self { pq: bits & 1 != 0, proxied: bits & 2 != 0, legacy: bits & 4 != 0 })
            .filter(move |way| way.legacy || relays > LEGACY)
    }

    fn set(self, config: &mut AgentConfig) {
        config.pq = self.pq;
        if self.proxied {
            config.network.routing = MessageRouting::Always;
            config.network.fallback = RoutingFallback::Wait;
        }
        if self.legacy {
            // 8: the last one without SKEY.
            let (oldest, newest) = (SmpVersion::MIN, SmpVersion::SENDING_PROXY);
            config.versions.smp = VersionRange::new(oldest, newest).unwrap();
        }
    }
}

/// A way in to somebody.
enum Link {
    /// The invitation of this connection.
    Invitation(ConnectionId, String),
    /// This contact address.
    Address(ConnectionId, String),
}

async fn links(alice: &Peer) -> Vec<Link> {
    let (a, invitation) = alice.agent.create_short_invitation(b"").await.unwrap();
    let (address, contact) = alice.agent.create_address(b"alice", None).await.unwrap();
    let mut links = Vec::new();
    match invitation.short {
        Some(short) => {
            links.push(Link::Invitation(a, short.to_string()));
            // Each invitation is for one.
            let (a, full) = alice.agent.create_invitation().await.unwrap();
            links.push(Link::Invitation(a, full.to_string()));
        }
        None => links.push(Link::Invitation(a, invitation.full.to_string())),
    }
    links.push(Link::Address(address, contact.full.to_string()));
    links.extend(contact.short.map(|short| Link::Address(address, short.to_string())));
    links
}

async fn connect(alice: &mut Peer, bob: &mut Peer, link: &Link) -> (ConnectionId, ConnectionId) {
    match link {
        Link::Invitation(a, link) => {
            let b = bob.agent.join(link, b"bob").await.unwrap();
            finish(alice, bob).await;
            (*a, b)
        }
        Link::Address(address, link) => {
            let ends = ask(alice, bob, *address, link).await;
            assert_ne!(*address, ends.0, "each who asks at an address has a connection");
            ends
        }
    }
}

/// Talks until post-quantum keys protect both directions, or neither if they are not wanted.
async fn until_protected(alice: &mut Peer, bob: &mut Peer, (a, b): (ConnectionId, ConnectionId), pq: bool) {
    for _ in 0..ROUNDS {
        talk(alice, bob, (a, b)).await;
        let mut protected = Vec::new();
        for (peer, connection) in [(&*alice, a), (&*bob, b)] {
            let summary = peer.agent.connection(connection).summary().await.unwrap().unwrap();
            protected.extend([summary.post_quantum.sending, summary.post_quantum.receiving]);
        }
        if protected == [pq; 4] {
            return;
        }
        assert!(pq, "post-quantum keys that nobody wanted: {protected:?}");
    }
    panic!("no post-quantum keys after {ROUNDS} rounds");
}

async fn all_ways(version: u16) {
    let of_version = |config: &mut smp_server::config::Config| config.server.max_version = version;
    let (one, other) = (TestRelay::start_with(of_version).await, TestRelay::start_with(of_version).await);
    let mut connections = 0;
    for way in Way::all(version) {
        let mut alice = Peer::open_with(&[&one], |config| way.set(config)).await;
        let mut bob = Peer::open_with(&[&other], |config| way.set(config)).await;
        let links = links(&alice).await;
        let is_short = version >= SHORT_LINKS && !way.legacy;
        assert_eq!(links.len(), if is_short { 4 } else { 2 }, "{way:?}");
        for link in &links {
            let ends = connect(&mut alice, &mut bob, link).await;
            until_protected(&mut alice, &mut bob, ends, way.pq).await;
            connections += 1;
        }
        for (peer, relay) in [(&alice, &one), (&bob, &other)] {
            let relays = peer.agent.relays();
            let known: Vec<_> = relays.borrow().keys().cloned().collect();
            let own = relay.address().without_password().to_string();
            assert_eq!(known.iter().all(|name| *name == own), way.proxied, "{way:?}: {known:?}");
        }
    }
    println!("SMP {version}: {connections} connections");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_relays_of_smp_8() {
    all_ways(8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_relays_of_smp_9() {
    all_ways(9).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_relays_of_smp_14() {
    all_ways(14).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_relays_of_smp_19() {
    all_ways(19).await;
}
