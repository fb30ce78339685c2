//! Versions of the agent and of the ratchet that become newer during a connection.

use crate::harness::{Peer, TestRelay, connect};
use crate::talk;
use smp_agent::{AgentConfig, Event, Versions};
use smp_protocol::version::{AgentVersion, RatchetVersion};

/// Without receipts and post-quantum keys, as agents and ratchets were once.
fn oldest(config: &mut AgentConfig) {
    config.versions.agent = AgentVersion::SUPPORTED.capped(AgentVersion(3)).unwrap();
    config.versions.ratchet = RatchetVersion::SUPPORTED.capped(RatchetVersion(2)).unwrap();
    config.receipts = true;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_upgraded_when_both_sides_are() {
    let relay = TestRelay::start().await;
    let mut alice = Peer::open_with(&[&relay], oldest).await;
    let mut bob = Peer::open_with(&[&relay], oldest).await;
    let connections = connect(&mut alice, &mut bob).await;
    talk(&mut alice, &mut bob, connections).await;
    // One after the other: in between they understand each other too.
    let upgraded = |(mut config, dir): (AgentConfig, _)| {
        config.versions = Versions::default();
        Peer::reopen((config, dir))
    };
    alice = upgraded(alice.stop().await).await;
    talk(&mut alice, &mut bob, connections).await;
    bob = upgraded(bob.stop().await).await;
    talk(&mut alice, &mut bob, connections).await;
    let mut sent = alice.agent.connection(connections.0).send(b"with a receipt").await.unwrap();
    sent.outcome().await.unwrap();
    let id = sent.id();
    assert_eq!(bob.texts(1).await, ["with a receipt"]);
    alice.until(|event| matches!(event, Event::Receipt { id: delivered, .. } if *delivered == id)).await;
    for (peer, connection) in [(&alice, connections.0), (&bob, connections.1)] {
        peer.agent.connection(connection).set_post_quantum(true).await.unwrap();
    }
    talk(&mut alice, &mut bob, connections).await;
    talk(&mut alice, &mut bob, connections).await;
    for (peer, connection) in [(&alice, connections.0), (&bob, connections.1)] {
        let now = peer.agent.connection(connection).summary().await.unwrap().unwrap().post_quantum;
        assert!(now.wanted && now.sending && now.receiving, "{now:?}");
    }
}
