//! Encryption is renewed: because a side asks for it, or because one of them was replaced by an old copy.

use super::harness::{Peer, TestRelay, connect};
use smp_agent::{AgentConfig, ConnectionId, Event, SyncState};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Waits until encryption is in order again.
async fn in_sync(peer: &mut Peer, id: ConnectionId) {
    let ok = |event: &Event| matches!(event, Event::RatchetSync { connection, state: SyncState::Ok } if *connection == id);
    peer.until(ok).await;
}

/// Both sides write, and read what the other has written.
async fn talk(alice: &mut Peer, a: ConnectionId, bob: &mut Peer, b: ConnectionId) {
    for round in 0..2 {
        let (to_bob, to_alice) = (format!("to bob {round}"), format!("to alice {round}"));
        alice.agent.connection(a).send(to_bob.as_bytes()).await.unwrap();
        assert_eq!(bob.texts(1).await, [to_bob]);
        bob.agent.connection(b).send(to_alice.as_bytes()).await.unwrap();
        assert_eq!(alice.texts(1).await, [to_alice]);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Stops a peer, and copies its data directory.
async fn back_up(peer: Peer, backup: &TempDir) -> Peer {
    let stopped = peer.stop().await;
    copy(data_dir(&stopped), backup.path());
    Peer::reopen(stopped).await
}

/// Replaces a peer by its copy.
async fn restore(peer: Peer, backup: &TempDir) -> Peer {
    let stopped = peer.stop().await;
    let dir: PathBuf = data_dir(&stopped).to_owned();
    for entry in std::fs::read_dir(&dir).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    copy(backup.path(), &dir);
    Peer::reopen(stopped).await
}

fn data_dir((config, _): &(AgentConfig, TempDir)) -> &Path {
    &config.data_dir
}

#[tokio::test]
async fn either_side_asks_for_new_keys() {
    let relay = TestRelay::start().await;
    let mut alice = Peer::open(&[&relay]).await;
    let mut bob = Peer::open(&[&relay]).await;
    let (a, b) = connect(&mut alice, &mut bob).await;
    let code = alice.agent.connection(a).security_code().await.unwrap().unwrap().to_string();
    talk(&mut alice, a, &mut bob, b).await;
    assert!(alice.agent.connection(a).resynchronize(false).await.is_err(), "nothing is wrong");
    alice.agent.connection(a).resynchronize(true).await.unwrap();
    in_sync(&mut alice, a).await;
    in_sync(&mut bob, b).await;
    talk(&mut alice, a, &mut bob, b).await;
    // Both at once.
    let (alices, bobs) = (alice.agent.connection(a), bob.agent.connection(b));
    let (one, other) = tokio::join!(alices.resynchronize(true), bobs.resynchronize(true));
    one.unwrap();
    other.unwrap();
    in_sync(&mut alice, a).await;
    in_sync(&mut bob, b).await;
    talk(&mut alice, a, &mut bob, b).await;
    let codes =
        [alice.agent.connection(a).security_code().await, bob.agent.connection(b).security_code().await]
            .map(|code| code.unwrap().unwrap());
    assert_eq!(codes[0].to_string(), codes[1].to_string());
    assert_ne!(codes[0].to_string(), code, "people compare it again");
}

#[tokio::test]
async fn what_is_sent_while_the_encryption_is_renewed_waits_and_arrives_in_order() {
    let relay = TestRelay::start().await;
    let mut alice = Peer::open(&[&relay]).await;
    let mut bob = Peer::open(&[&relay]).await;
    let (a, b) = connect(&mut alice, &mut bob).await;
    talk(&mut alice, a, &mut bob, b).await;
    let bob_off = bob.stop().await;
    alice.agent.connection(a).resynchronize(true).await.unwrap();
    // More than is encrypted in one step, and over a restart.
    for number in 0..100 {
        alice.agent.connection(a).send(number.to_string().as_bytes()).await.unwrap();
        if number == 50 {
            alice = alice.crash().await;
        }
    }
    let summary = alice.agent.connection(a).summary().await.unwrap().unwrap();
    assert_eq!((summary.sync, summary.waiting), (SyncState::Started, 100));
    let mut bob = Peer::reopen(bob_off).await;
    let sending = alice.agent.connection(a);
    // While those go out.
    let last = sending.send(b"100").await.unwrap().id();
    assert_eq!(bob.texts(101).await, super::numbers(0..101));
    alice.sent(last).await;
    talk(&mut alice, a, &mut bob, b).await;
    assert_eq!(alice.agent.connection(a).summary().await.unwrap().unwrap().waiting, 0);

    // A message that is given up is not sent later.
    let bob_off = bob.stop().await;
    alice.agent.connection(a).resynchronize(true).await.unwrap();
    let lost = alice.agent.connection(a).send(b"given up").await.unwrap().id();
    alice.agent.connection(a).give_up().await.unwrap();
    alice.until(|event| matches!(event, Event::SendFailed { id, .. } if *id == lost)).await;
    alice.agent.connection(a).resynchronize(true).await.unwrap();
    alice.agent.connection(a).send(b"kept").await.unwrap();
    let mut bob = Peer::reopen(bob_off).await;
    assert_eq!(bob.texts(1).await, ["kept"]);
}

/// `talks` is how often both sides have written since the copy was made.
async fn restored(talks: usize, first_to_write: usize) {
    let relay = TestRelay::start().await;
    let mut alice = Peer::open(&[&relay]).await;
    let mut bob = Peer::open(&[&relay]).await;
    let (a, b) = connect(&mut alice, &mut bob).await;
    talk(&mut alice, a, &mut bob, b).await;
    let backup = tempfile::tempdir().unwrap();
    alice = back_up(alice, &backup).await;
    for _ in 0..talks {
        talk(&mut alice, a, &mut bob, b).await;
    }
    alice = restore(alice, &backup).await;
    if first_to_write == 0 {
        alice.agent.connection(a).send(b"from the past").await.unwrap();
    } else {
        bob.agent.connection(b).send(b"to the past").await.unwrap();
    }
    in_sync(&mut alice, a).await;
    in_sync(&mut bob, b).await;
    talk(&mut alice, a, &mut bob, b).await;
}

#[tokio::test]
async fn restored_side_writes_first() {
    restored(2, 0).await;
}

#[tokio::test]
async fn restored_side_is_written_to() {
    restored(2, 1).await;
}
