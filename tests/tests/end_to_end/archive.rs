//! An agent is put into an archive, and goes on on another machine.

use super::harness::{Peer, TestRelay, connect};
use smp_agent::{ArchiveError, ConnectionId, Event, RecoveryPhrase, Secret, restore_archive};
use std::path::Path;

/// Both sides write, and read what the other has written.
async fn talk(alice: &mut Peer, a: ConnectionId, bob: &mut Peer, b: ConnectionId) {
    alice.agent.connection(a).send(b"to bob").await.unwrap();
    assert_eq!(bob.texts(1).await, ["to bob"]);
    bob.agent.connection(b).send(b"to alice").await.unwrap();
    assert_eq!(alice.texts(1).await, ["to alice"]);
}

/// Replaces a peer by what is in an archive of it.
async fn restore(peer: Peer, archive: &Path, secret: &Secret) -> Peer {
    let (mut config, _) = peer.stop().await;
    let dir = tempfile::tempdir().unwrap();
    config.data_dir = dir.path().join("restored");
    restore_archive(archive, secret, &config.data_dir).unwrap();
    Peer::reopen((config, dir)).await
}

#[tokio::test]
async fn an_agent_goes_on_from_an_old_archive() {
    let relay = TestRelay::start().await;
    let mut alice = Peer::open(&[&relay]).await;
    let mut bob = Peer::open(&[&relay]).await;
    let (a, b) = connect(&mut alice, &mut bob).await;
    talk(&mut alice, a, &mut bob, b).await;
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("alice.archive");
    let phrase = RecoveryPhrase::generate(&mut rand::rng());
    let secrets = [Secret::passphrase("correct horse"), Secret::Recovery(phrase.clone())];
    alice.agent.export(&archive, &secrets).await.unwrap();
    // She goes on, and loses what comes now.
    for _ in 0..3 {
        talk(&mut alice, a, &mut bob, b).await;
    }
    alice = restore(alice, &archive, &Secret::Recovery(phrase)).await;
    // It waits for new keys.
    alice.agent.connection(a).send(b"back again").await.unwrap();
    let forgotten = alice.until(|event| matches!(event, Event::Forgotten { .. })).await;
    let Event::Forgotten { sent, received, .. } = forgotten else { unreachable!() };
    assert!((sent == 0 || sent == 3) && received == 3, "{sent} {received}");
    assert_eq!(bob.texts(1).await, ["back again"]);
    talk(&mut alice, a, &mut bob, b).await;
    talk(&mut alice, a, &mut bob, b).await;
    // The new keys stay, and no others are asked for.
    alice = alice.crash().await;
    talk(&mut alice, a, &mut bob, b).await;
}

#[tokio::test]
async fn nothing_is_missing_in_a_new_archive() {
    let relay = TestRelay::start().await;
    let mut alice = Peer::open(&[&relay]).await;
    let mut bob = Peer::open(&[&relay]).await;
    let (a, b) = connect(&mut alice, &mut bob).await;
    talk(&mut alice, a, &mut bob, b).await;
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("alice.archive");
    let pass = Secret::passphrase("correct horse");
    alice.agent.export(&archive, std::slice::from_ref(&pass)).await.unwrap();
    let other = Secret::passphrase("correct Horse");
    let error = restore_archive(&archive, &other, &folder.path().join("other")).unwrap_err();
    assert!(matches!(error, ArchiveError::WrongSecret(_)), "{error}");
    // A message that comes while nobody is there waits at the relay; the old keys still read it.
    alice = restore(alice, &archive, &pass).await;
    bob.agent.connection(b).send(b"while you were away").await.unwrap();
    for _ in 0..2 {
        let event =
            alice.until(|event| matches!(event, Event::Message { .. } | Event::Forgotten { .. })).await;
        assert!(matches!(event, Event::Message { .. }), "{event:?}");
        alice.agent.connection(a).send(b"I am back").await.unwrap();
        assert_eq!(bob.texts(1).await, ["I am back"]);
        bob.agent.connection(b).send(b"so am I").await.unwrap();
    }
}

#[tokio::test]
async fn an_encrypted_agent_is_restored_encrypted() {
    let relay = TestRelay::start().await;
    let own = Secret::key([1; 32]);
    let mut alice = Peer::open_with(&[&relay], |config| config.secret = Some(own.clone())).await;
    let mut bob = Peer::open(&[&relay]).await;
    let (a, b) = connect(&mut alice, &mut bob).await;
    talk(&mut alice, a, &mut bob, b).await;
    let folder = tempfile::tempdir().unwrap();
    let (archive, dir) = (folder.path().join("alice.archive"), folder.path().join("restored"));
    let phrase = Secret::Recovery(RecoveryPhrase::generate(&mut rand::rng()));
    alice.agent.export(&archive, std::slice::from_ref(&phrase)).await.unwrap();
    let (mut config, temporary) = alice.stop().await;
    restore_archive(&archive, &phrase, &dir).unwrap();
    assert!(smp_agent::is_encrypted(&dir).unwrap());
    // From now on under another one.
    smp_agent::change_secrets(&dir, &phrase, std::slice::from_ref(&own)).await.unwrap();
    config.data_dir = dir;
    let mut alice = Peer::reopen((config, temporary)).await;
    talk(&mut alice, a, &mut bob, b).await;
}
