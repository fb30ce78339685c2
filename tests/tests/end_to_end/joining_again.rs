//! An invitation that is joined once more by the same agent, as a program does that was killed before it knew of its connection.

use crate::harness::{Peer, TestRelay, finish};
use crate::talk;
use smp_agent::{ConnectionError, ConnectionId, Event, Invitation};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_gives_the_connection_that_is_there() {
    let relay = TestRelay::start().await;
    let mut bob = Peer::open(&[&relay]).await;
    for is_short in [false, true] {
        let mut alice = Peer::open(&[&relay]).await;
        let (a, Invitation { full, short }) = alice.agent.create_short_invitation(b"").await.unwrap();
        let link = if is_short { short.unwrap().to_string() } else { full.to_string() };
        let b = bob.agent.join(&link, b"bob").await.unwrap();
        bob = bob.crash().await;
        assert_eq!(bob.agent.join(&link, b"bob").await.unwrap(), b, "before it is made");
        finish(&mut alice, &mut bob).await;
        assert_eq!(bob.agent.ask(&link, b"bob", b"please").await.unwrap(), b, "when it is");
        talk(&mut alice, &mut bob, (a, b)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_failed_or_was_deleted_is_tried_anew() {
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let mut mallory = Peer::open(&[&relay]).await;
    let (_, link) = alice.agent.create_invitation().await.unwrap();
    let link = link.to_string();
    let b = bob.agent.join(&link, b"bob").await.unwrap();
    finish(&mut alice, &mut bob).await;
    bob.agent.connection(b).delete().await.unwrap();
    assert_ne!(in_vain(&mut bob, &link).await, b);
    assert_ne!(in_vain(&mut mallory, &link).await, in_vain(&mut mallory, &link).await);
}

/// Joins an invitation that was used. Returns the connection that came of it.
async fn in_vain(peer: &mut Peer, link: &str) -> ConnectionId {
    let connection = peer.agent.join(link, b"once more").await.unwrap();
    let failed = Event::ConnectionFailed { connection, error: ConnectionError::InvitationUsed };
    peer.until(|event| *event == failed).await;
    connection
}
