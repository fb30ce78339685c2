//! Troubles of a connection: they are its state, from when they begin until they end.

use crate::harness::{Peer, TestRelay, connect, soon};
use smp_agent::{ConnectionId, Event, RotationSide, RotationStage, SyncState, Trouble};
use std::time::Duration;

async fn troubles(peer: &Peer, id: ConnectionId) -> Vec<Trouble> {
    let connections = peer.agent.connections().await.unwrap();
    connections.into_iter().find(|connection| connection.id == id).unwrap().troubles
}

/// Waits until the troubles of a connection are like this.
async fn until_troubles(peer: &Peer, id: ConnectionId, wanted: impl Fn(&[Trouble]) -> bool) -> Vec<Trouble> {
    soon("a change of the troubles", async {
        loop {
            let troubles = troubles(peer, id).await;
            if wanted(&troubles) {
                return troubles;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_is_down_is_a_trouble_until_it_is_back() {
    let (mut hers, mut his) = (TestRelay::start().await, TestRelay::start().await);
    let no_grace = |config: &mut smp_agent::AgentConfig| config.timeouts.relay_down = Duration::ZERO;
    let mut alice = Peer::open_with(&[&hers], no_grace).await;
    let mut bob = Peer::open(&[&his]).await;
    let (a, _) = connect(&mut alice, &mut bob).await;
    his.kill().await;
    let waiting = alice.agent.connection(a).send(b"kept").await.unwrap().id();
    let found = until_troubles(&alice, a, |troubles| !troubles.is_empty()).await;
    let [Trouble::RelayDown { relay, receiving: false, since, .. }] = &found[..] else { panic!("{found:?}") };
    assert_eq!(*relay, his.address().to_string());

    // It outlives the process, from its first moment on.
    let mut alice = alice.crash().await;
    let after = troubles(&alice, a).await;
    let Some(Trouble::RelayDown { since: after, .. }) = after.first() else { panic!("{after:?}") };
    assert_eq!(after, since);
    hers.kill().await;
    let both = until_troubles(&alice, a, |troubles| troubles.len() == 2).await;
    assert!(
        matches!(
            both[..],
            [Trouble::RelayDown { receiving: true, .. }, Trouble::RelayDown { receiving: false, .. }]
        ),
        "{both:?}"
    );
    his.restart().await;
    alice.sent(waiting).await;
    let left = until_troubles(&alice, a, |troubles| troubles.len() < 2).await;
    assert!(matches!(left[..], [Trouble::RelayDown { receiving: true, .. }]), "{left:?}");
    hers.restart().await;
    until_troubles(&alice, a, <[_]>::is_empty).await;
    assert_eq!(bob.texts(1).await, ["kept"]);
    // Also for the next process.
    let alice = alice.crash().await;
    assert!(troubles(&alice, a).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receiving_that_has_stopped_outlives_the_process() {
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let (a, b) = connect(&mut alice, &mut bob).await;
    let stopped = |troubles: &[Trouble]| matches!(troubles, [Trouble::ReceivingStopped(_)]);
    // Somebody with a copy of her directory takes her queue.
    let (config, dir) = alice.stop().await;
    let copy = tempfile::tempdir().unwrap();
    let status =
        std::process::Command::new("cp").arg("-a").arg(dir.path().join(".")).arg(copy.path()).status();
    assert!(status.unwrap().success());
    let mut copied = config.clone();
    copied.data_dir = copy.path().to_path_buf();
    let alice = Peer::reopen((config, dir)).await;
    let mut thief = Peer::reopen((copied, copy)).await;
    thief.until(|event| matches!(event, Event::RelayUp { .. })).await;
    until_troubles(&alice, a, stopped).await;
    drop(thief.stop().await);
    let (config, dir) = alice.stop().await;
    let mut alice = Peer::reopen((config, dir)).await;
    // It gets the queue back, and then it is over.
    alice.until(|event| matches!(event, Event::RelayUp { .. })).await;
    bob.agent.connection(b).send(b"back").await.unwrap();
    assert_eq!(alice.texts(1).await, ["back"]);
    until_troubles(&alice, a, <[_]>::is_empty).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_and_a_renewal_are_shown() {
    let (mut first, second) = (TestRelay::start().await, TestRelay::start().await);
    let (mut alice, mut bob) = (Peer::open(&[&first]).await, Peer::open(&[&second]).await);
    let (a, _) = connect(&mut alice, &mut bob).await;
    let summary = async |peer: &Peer| peer.agent.connections().await.unwrap().remove(0);
    let shown = summary(&alice).await;
    assert!(shown.sync == SyncState::Ok && shown.rotations.is_empty());
    // Bob does not answer.
    let bob = bob.stop().await;
    alice.agent.connection(a).rotate(Some(&second.address())).await.unwrap();
    assert_eq!(summary(&alice).await.rotations, [(RotationSide::Receiving, RotationStage::Started)]);
    alice.agent.connection(a).abort_rotation().await.unwrap();
    assert!(summary(&alice).await.rotations.is_empty());
    alice.agent.connection(a).resynchronize(true).await.unwrap();
    assert_eq!(summary(&alice).await.sync, SyncState::Started);
    let _bob = Peer::reopen(bob).await;
    alice.until(|event| matches!(event, Event::RatchetSync { state: SyncState::Ok, .. })).await;
    assert_eq!(summary(&alice).await.sync, SyncState::Ok);
    first.kill().await;
}
