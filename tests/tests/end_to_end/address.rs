//! Contact addresses: many people ask, the owner accepts whom it likes.

use crate::harness::{Peer, TestRelay, soon};
use crate::talk;
use smp_agent::{
    AgentError, ConnectionError, ConnectionId, ConnectionStatus, ContactLink, Event, LinkError, LinkKind,
    ShortLinkScheme,
};
use std::time::Duration;

const SHOWN: &[u8] = br#"{"profile":{"displayName":"alice","fullName":""}}"#;

async fn request(alice: &mut Peer) -> (ConnectionId, ConnectionId, Vec<u8>) {
    match alice.until(|event| matches!(event, Event::Request { .. })).await {
        Event::Request { connection, address, info } => (connection, address, info),
        _ => unreachable!(),
    }
}

async fn connected(peer: &mut Peer, connection: ConnectionId) {
    let wanted = |event: &Event| match event {
        Event::ConnectionFailed { error, .. } => panic!("{error}"),
        event => *event == Event::Connected { connection },
    };
    peer.until(wanted).await;
}

/// One asks by a link, is accepted, and both talk.
pub(crate) async fn ask(
    alice: &mut Peer,
    bob: &mut Peer,
    address: ConnectionId,
    link: &str,
) -> (ConnectionId, ConnectionId) {
    let b = bob.agent.join(link, b"bob").await.unwrap();
    let (a, came_to, info) = request(alice).await;
    assert_eq!((came_to, info.as_slice()), (address, b"bob".as_slice()));
    alice.agent.connection(a).accept(b"alice").await.unwrap();
    alice.agent.connection(a).accept(b"alice").await.unwrap();
    let told = |event: &Event| matches!(event, Event::Info { connection, .. } if *connection == b);
    let Event::Info { info, .. } = bob.until(told).await else { unreachable!() };
    assert_eq!(info, b"alice");
    connected(bob, b).await;
    connected(alice, a).await;
    talk(alice, bob, (a, b)).await;
    (a, b)
}

/// {full, short} x {post-quantum keys of one side} on relays of different versions; those that are alike are in matrix.rs.
async fn mixed(of_address: u16, of_others: u16) {
    let one = TestRelay::start_with(|config| config.server.max_version = of_address).await;
    let other = TestRelay::start_with(|config| config.server.max_version = of_others).await;
    for pq in [[true, false], [false, true]] {
        let mut alice = Peer::open_with(&[&one], |config| config.pq = pq[0]).await;
        let (address, links) = alice.agent.create_address(SHOWN, None).await.unwrap();
        assert_eq!(links.short.is_some(), of_address >= 15);
        let short = links.short.map(|short| short.to_string());
        for link in [Some(links.full.to_string()), short].into_iter().flatten() {
            let mut bob = Peer::open_with(&[&other], |config| config.pq = pq[1]).await;
            ask(&mut alice, &mut bob, address, &link).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_connect_by_addresses_of_new_relays() {
    mixed(19, 19).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_connect_by_addresses_where_senders_cannot_secure_queues() {
    mixed(19, 8).await;
    mixed(8, 19).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_connect_by_addresses_of_relays_without_short_links() {
    mixed(9, 14).await;
    mixed(14, 9).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_people_ask_at_once_and_some_are_rejected() {
    let (one, other) = (TestRelay::start().await, TestRelay::start().await);
    let mut alice = Peer::open(&[&one, &other]).await;
    let (address, links) = alice.agent.create_address(b"", None).await.unwrap();
    let mut people = Vec::new();
    for number in 0..6_u8 {
        let bob = Peer::open(&[&other]).await;
        let link = links.short.as_ref().unwrap().to_uri(ShortLinkScheme::Simplex);
        let b = bob.agent.join(&link, &[number]).await.unwrap();
        people.push((bob, b));
    }
    let mut accepted = Vec::new();
    for _ in 0..6 {
        let (a, _, info) = request(&mut alice).await;
        if info[0] % 2 == 0 {
            alice.agent.connection(a).accept(b"alice").await.unwrap();
            accepted.push((a, usize::from(info[0])));
        } else {
            alice.agent.connection(a).reject().await.unwrap();
            assert!(matches!(
                alice.agent.connection(a).reject().await,
                Err(AgentError::UnknownConnection(_))
            ));
        }
    }
    assert_eq!(accepted.len(), 3);
    for (a, number) in accepted {
        let (bob, b) = &mut people[number];
        connected(bob, *b).await;
        alice.agent.connection(a).send(&[b'0' + number as u8]).await.unwrap();
        assert_eq!(bob.texts(1).await, [number.to_string()]);
        assert!(matches!(alice.agent.connection(a).reject().await, Err(AgentError::NotNow { .. })));
    }
    let summaries = alice.agent.connections().await.unwrap();
    assert_eq!(summaries.len(), 4);
    assert_eq!((summaries[0].id, summaries[0].status), (address, ConnectionStatus::Address));
    assert_eq!(summaries[0].short_invitation, links.short);
    let rejected = people[1].0.agent.connections().await.unwrap().remove(0);
    assert_eq!(rejected.status, ConnectionStatus::Connecting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_survive_crashes_of_everybody_and_come_once() {
    let (mut one, other) = (TestRelay::start().await, TestRelay::start().await);
    let mut alice = Peer::open(&[&one]).await;
    let (address, links) = alice.agent.create_address(SHOWN, None).await.unwrap();
    let bob = Peer::open(&[&other]).await;
    one.kill().await;
    let b = bob.agent.join(&links.short.unwrap().to_string(), b"bob").await.unwrap();
    let mut bob = bob.crash().await;
    one.restart().await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(3)).await;
        bob = bob.crash().await;
        alice = alice.crash().await;
    }
    // Not done: it comes again.
    let a = loop {
        if let Event::Request { connection, .. } = alice.next_any(false).await {
            break connection;
        }
    };
    let mut alice = alice.crash().await;
    let (again, came_to, info) = request(&mut alice).await;
    assert_eq!((again, came_to, info.as_slice()), (a, address, b"bob".as_slice()));
    let mut alice = alice.crash().await;
    one.restart().await;
    assert_eq!(alice.agent.connections().await.unwrap()[1].status, ConnectionStatus::Requested);
    alice.agent.connection(a).accept(b"alice").await.unwrap();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(3)).await;
        bob = bob.crash().await;
        alice = alice.crash().await;
    }
    let both = |summary: &smp_agent::ConnectionSummary| summary.status == ConnectionStatus::Connected;
    soon("connection", async {
        while !(alice.agent.connections().await.unwrap()[1..].iter().all(both)
            && bob.agent.connections().await.unwrap().iter().all(both))
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(alice.agent.connections().await.unwrap().len(), 2);
    talk(&mut alice, &mut bob, (a, b)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn address_accepts_by_itself_once_the_application_knows() {
    let relay = TestRelay::start().await;
    let mut alice = Peer::open(&[&relay]).await;
    let (address, links) = alice.agent.create_address(SHOWN, Some(b"alice")).await.unwrap();
    let mut bob = Peer::open(&[&relay]).await;
    let b = bob.agent.join(&links.full.to_string(), b"bob").await.unwrap();
    let (a, ..) = request(&mut alice).await;
    connected(&mut bob, b).await;
    connected(&mut alice, a).await;
    talk(&mut alice, &mut bob, (a, b)).await;
    alice.agent.connection(address).set_auto_accept(None).await.unwrap();
    assert!(matches!(alice.agent.connection(a).set_auto_accept(None).await, Err(AgentError::NotNow { .. })));
    bob.agent.join(&links.full.to_string(), b"bob again").await.unwrap();
    let (second, ..) = request(&mut alice).await;
    let summaries = alice.agent.connections().await.unwrap();
    let status = summaries.iter().find(|summary| summary.id == second).unwrap().status;
    assert_eq!(status, ConnectionStatus::Requested);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_address_hurts_no_connection_and_no_request() {
    let relay = TestRelay::start().await;
    let mut alice = Peer::open(&[&relay]).await;
    let (address, ContactLink { full, short }) = alice.agent.create_address(SHOWN, None).await.unwrap();
    let mut bob = Peer::open(&[&relay]).await;
    let b = bob.agent.join(&full.to_string(), b"bob").await.unwrap();
    let (a, ..) = request(&mut alice).await;
    alice.agent.connection(address).delete().await.unwrap();
    for link in [full.to_string(), short.unwrap().to_string()] {
        // As soon as the relay knows it.
        let error = loop {
            let mut carol = Peer::open(&[&relay]).await;
            let c = carol.agent.join(&link, b"carol").await.unwrap();
            match carol.next_of(c).await {
                Some(Event::ConnectionFailed { error, .. }) => break error,
                _ => carol.agent.connection(c).delete().await.unwrap(),
            }
        };
        assert_eq!(error, ConnectionError::AddressGone);
    }
    alice.agent.connection(a).accept(b"alice").await.unwrap();
    connected(&mut bob, b).await;
    connected(&mut alice, a).await;
    talk(&mut alice, &mut bob, (a, b)).await;
}

/// Requests that nobody answers are bounded; the rest waits at the relay, and whoever asks beyond that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_cannot_fill_the_disk() {
    let relay = TestRelay::start_with(|config| config.queues.quota = 2).await;
    let mut alice = Peer::open_with(&[&relay], |config| config.limits.requests = 3).await;
    let (_, links) = alice.agent.create_address(SHOWN, None).await.unwrap();
    let mut crowd = Peer::open_with(&[&relay], |config| {
        config.timeouts.quota_first = Duration::from_millis(100);
        config.timeouts.quota_longest = Duration::from_millis(500);
    })
    .await;
    for number in 0..8_u8 {
        crowd.agent.join(&links.full.to_string(), &[number]).await.unwrap();
    }
    crowd.until(|event| matches!(event, Event::QuotaExceeded { .. })).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (a, _, info) = request(&mut alice).await;
        seen.push((a, info[0]));
    }
    let mut alice = alice.crash().await;
    while seen.len() < 8 {
        let summaries = alice.agent.connections().await.unwrap();
        let waiting = summaries.iter().filter(|summary| summary.status == ConnectionStatus::Requested);
        assert_eq!(waiting.count(), 3);
        let (a, _) = seen[seen.len() - 3];
        if seen.len() % 2 == 0 {
            alice.agent.connection(a).reject().await.unwrap();
        } else {
            alice.agent.connection(a).accept(b"alice").await.unwrap();
        }
        let (a, _, info) = request(&mut alice).await;
        seen.push((a, info[0]));
    }
    let mut numbers: Vec<_> = seen.into_iter().map(|(_, number)| number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..8).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_address_shows_is_read_changed_and_deleted() {
    let relay = TestRelay::start().await;
    let alice = Peer::open(&[&relay]).await;
    let mut bob = Peer::open(&[&relay]).await;
    let (address, links) = alice.agent.create_address(SHOWN, None).await.unwrap();
    let short = links.short.unwrap().to_string();
    let looked = bob.agent.look_at_link(&short).await.unwrap();
    assert_eq!((looked.kind, looked.shown.as_deref()), (LinkKind::Address, Some(SHOWN)));
    let looked = bob.agent.look_at_link(&links.full.to_string()).await.unwrap();
    assert_eq!((looked.kind, looked.shown), (LinkKind::Address, None));
    let limit = match alice.agent.connection(address).set_shown(&[b' '; 20_000]).await.unwrap_err() {
        AgentError::TooLarge { limit, .. } => limit,
        error => panic!("{error}"),
    };
    alice.agent.connection(address).set_shown(&vec![b' '; limit]).await.unwrap();
    assert_eq!(bob.agent.look_at_link(&short).await.unwrap().shown, Some(vec![b' '; limit]));
    let alice = alice.crash().await;
    alice.agent.connection(address).set_shown(b"other").await.unwrap();
    let owner = smp_crypto::Ed25519PrivateKey::generate(&mut rand::rng()).public_key();
    alice.agent.connection(address).add_link_owner(b"second", owner).await.unwrap();
    assert!(alice.agent.connection(address).add_link_owner(&[0; 200], owner).await.is_err());
    let b = bob.agent.join(&short, b"bob").await.unwrap();
    let shown = bob.until(|event| matches!(event, Event::LinkShown { .. })).await;
    assert_eq!(shown, Event::LinkShown { connection: b, shown: b"other".to_vec() });
    let own = alice.agent.join(&short, b"alice").await.unwrap_err();
    assert!(matches!(own, AgentError::Link(LinkError::Own)), "{own}");
    alice.agent.connection(address).delete_short_link().await.unwrap();
    assert!(matches!(
        alice.agent.connection(address).delete_short_link().await,
        Err(AgentError::NotNow { .. })
    ));
    match bob.agent.look_at_link(&short).await {
        Err(AgentError::LinkTarget(error)) => assert_eq!(error, ConnectionError::AddressGone),
        other => panic!("{other:?}"),
    }
    let mut alice = alice.crash().await;
    assert_eq!(alice.agent.connections().await.unwrap()[0].short_invitation, None);
    // The full link works all the same.
    let mut carol = Peer::open(&[&relay]).await;
    let (_, _, info) = request(&mut alice).await;
    assert_eq!(info, b"bob");
    ask(&mut alice, &mut carol, address, &links.full.to_string()).await;
}
