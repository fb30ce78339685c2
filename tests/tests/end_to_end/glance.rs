//! The connections of an agent, listed without it.

use super::harness::{Peer, TestRelay, connect, exchange};
use smp_agent::{
    Agent, AgentError, ConnectionId, ConnectionStatus, Event, Glance, Secret, SuspensionState, Trouble,
    encrypt_data_dir,
};
use std::collections::HashMap;

/// As the agent lists them.
async fn listed(agent: &Agent) -> Vec<(ConnectionId, ConnectionStatus)> {
    agent.connections().await.unwrap().iter().map(|connection| (connection.id, connection.status)).collect()
}

#[tokio::test]
async fn a_glance_shows_what_the_agent_would() {
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, b) = connect(&mut alice, &mut bob).await;
    exchange(&mut alice, &mut bob, (a, b)).await;
    let (invited, _) = alice.agent.create_invitation().await.unwrap();
    // So that one connection has more to tell than its status.
    alice.agent.connection(a).suspend().await.unwrap();
    let suspended = Event::Suspension { connection: a, state: SuspensionState::Suspended };
    alice.until(|event| *event == suspended).await;
    let expected = listed(&alice.agent).await;
    let summary = format!("{:?}", alice.agent.connection(a).summary().await.unwrap());
    let data_dir = alice.data_dir();
    let taken = Glance::at(&data_dir).await;
    assert!(matches!(taken, Err(AgentError::InUse { .. })), "while an agent has it: {taken:?}");
    let _stopped = alice.stop().await;
    let glance = Glance::at(&data_dir).await.unwrap().unwrap();
    let seen: HashMap<_, _> = glance.connections().iter().map(|seen| (seen.id, seen)).collect();
    assert_eq!(seen.len(), expected.len());
    for (id, status) in expected {
        assert_eq!(seen[&id].status, status);
    }
    assert!(seen[&invited].summary.is_none());
    assert_eq!(format!("{:?}", seen[&a].summary.as_deref().cloned()), summary);
    assert!(matches!(Glance::at(&data_dir).await, Err(AgentError::InUse { .. })), "it is held");
    drop(glance);
    encrypt_data_dir(&data_dir, &[Secret::key([7; 32])]).await.unwrap();
    assert!(Glance::at(&data_dir).await.unwrap().is_none(), "only a secret tells what is in it");
}

#[tokio::test]
async fn a_trouble_that_may_be_over_is_left_to_the_agent() {
    let mut relay = TestRelay::start().await;
    let mut alice =
        Peer::open_with(&[&relay], |config| config.timeouts.relay_down = std::time::Duration::ZERO).await;
    alice.agent.create_invitation().await.unwrap();
    relay.kill().await;
    loop {
        let troubles: Vec<_> =
            alice.agent.connections().await.unwrap().into_iter().flat_map(|it| it.troubles).collect();
        if troubles.iter().any(|trouble| matches!(trouble, Trouble::RelayDown { .. })) {
            break;
        }
        alice.next_any(true).await;
    }
    let (config, _dir) = alice.stop().await;
    assert!(Glance::at(&config.data_dir).await.unwrap().is_none());
}

#[tokio::test]
async fn nothing_is_made_by_a_glance() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("nobody");
    assert!(Glance::at(&data_dir).await.unwrap().is_none());
    assert!(!data_dir.exists());
}
