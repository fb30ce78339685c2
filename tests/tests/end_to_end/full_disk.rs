//! An agent whose own disk is full, and has space again later.

use super::harness::{Peer, TestRelay, connect, soon};
use super::numbers;
use small_disk::SmallDisk;
use smp_agent::{AgentConfig, AgentError, ConnectionId, Event, StorageError};
use std::time::Duration;

#[path = "../../support/small_disk.rs"]
mod small_disk;

/// Large enough for an agent, its reserve (an eighth) and some messages.
const SIZE_MIB: u32 = 8;

/// Sends texts of some length, which begin with these numbers.
async fn send(from: &Peer, to: ConnectionId, range: std::ops::Range<usize>) {
    for number in range {
        let text = format!("{number:<8000}");
        from.agent.connection(to).send(text.as_bytes()).await.unwrap();
    }
}

/// The next texts, and whether word of a full disk came among them.
async fn receive(peer: &mut Peer, count: usize) -> (Vec<String>, bool) {
    let (mut texts, mut is_told) = (Vec::new(), false);
    while texts.len() < count {
        match peer.next_any(true).await {
            Event::Message { body, .. } => texts.push(String::from_utf8_lossy(&body).trim_end().to_owned()),
            Event::StorageFailed { reason } => is_told = reason.contains("free at least"),
            _ => {}
        }
    }
    (texts, is_told)
}

async fn received(peer: &mut Peer, count: usize) -> Vec<String> {
    receive(peer, count).await.0
}

/// Sends texts until the recipient's disk is full, and that was told. Returns the number of the next one.
async fn fill_by_texts(bob: &Peer, b: ConnectionId, alice: &mut Peer) -> usize {
    let (mut next, mut is_told) = (0, false);
    while !is_told || alice.agent.no_space().is_none() {
        assert!(next < 2000, "the reserve is not given up");
        send(bob, b, next..next + 10).await;
        let (texts, told) = receive(alice, 10).await;
        assert_eq!(texts, numbers(next..next + 10));
        is_told |= told;
        next += 10;
    }
    next
}

async fn recovered(peer: &Peer) {
    let recovered = async {
        while peer.agent.no_space().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("end of the full disk", recovered).await;
}

#[track_caller]
fn is_no_space(error: &AgentError, disk: &SmallDisk) {
    let AgentError::Storage(StorageError::NoSpace { needed, directory }) = error else { panic!("{error}") };
    assert!(*needed > 0 && directory.starts_with(&disk.0));
    let said = error.to_string();
    assert!(said.contains("free at least") && said.contains(&*disk.0.to_string_lossy()), "{said}");
}

/// An agent that has its data there.
async fn open_on(disk: &SmallDisk, relay: &TestRelay) -> Peer {
    let small = |config: &mut AgentConfig| {
        config.data_dir = disk.0.join("alice");
        config.timeouts.disk = Duration::from_millis(20);
    };
    Peer::open_with(&[relay], small).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_keeps_nobody_from_receiving_and_deleting() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("small"), SIZE_MIB) else {
        return println!("skipped: a small file system can be mounted by root only");
    };
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (open_on(&disk, &relay).await, Peer::open(&[&relay]).await);
    let mut carol = Peer::open(&[&relay]).await;
    let (a, b) = connect(&mut alice, &mut bob).await;
    let (with_carol, _) = connect(&mut alice, &mut carol).await;
    assert!(alice.agent.no_space().is_none());

    disk.fill();
    let mut next = fill_by_texts(&bob, b, &mut alice).await;
    // A step that begins something new does not take the reserve.
    is_no_space(&alice.agent.connection(a).send(b"x").await.unwrap_err(), &disk);
    is_no_space(&alice.agent.create_invitation().await.unwrap_err(), &disk);
    let (_, link) = bob.agent.create_invitation().await.unwrap();
    is_no_space(&alice.agent.join(&link.to_string(), b"alice").await.unwrap_err(), &disk);
    disk.free().unwrap();
    soon("end of it", alice.until(|event| matches!(event, Event::StorageRecovered))).await;
    assert!(alice.agent.no_space().is_none());
    disk.fill();
    // Receiving goes on for as long as it takes, over crashes, and so does deleting.
    for _ in 0..3 {
        send(&bob, b, next..next + 100).await;
        assert_eq!(received(&mut alice, 100).await, numbers(next..next + 100));
        next += 100;
        alice = alice.crash().await;
    }
    alice.agent.connection(with_carol).delete().await.unwrap();
    assert_eq!(alice.agent.connections().await.unwrap().len(), 1);

    disk.free().unwrap();
    recovered(&alice).await;
    let id = alice.agent.connection(a).send(b"space again").await.unwrap().id();
    alice.sent(id).await;
    assert_eq!(bob.texts(1).await, ["space again"]);
    alice.agent.create_invitation().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_comes_twice_if_others_take_even_the_reserve() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("small"), SIZE_MIB) else {
        return println!("skipped: a small file system can be mounted by root only");
    };
    let relay = TestRelay::start().await;
    let (mut alice, mut bob) = (open_on(&disk, &relay).await, Peer::open(&[&relay]).await);
    let (_, b) = connect(&mut alice, &mut bob).await;
    disk.fill();
    let mut next = fill_by_texts(&bob, b, &mut alice).await;

    disk.fill();
    let mut is_freed = false;
    while !is_freed {
        assert!(next < 4000, "nothing fails");
        send(&bob, b, next..next + 10).await;
        let mut texts = Vec::new();
        while texts.len() < 10 {
            let delivery = alice.next_delivery().await;
            if let Event::Message { body, .. } = &delivery.event {
                texts.push(String::from_utf8_lossy(body).trim_end().to_owned());
            }
            let mut failed = matches!(delivery.event, Event::StorageFailed { .. });
            while let Err(error) = delivery.done().await {
                assert!(matches!(error, AgentError::Storage(_)), "{error}");
                failed = true;
                let _ = disk.free();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if failed {
                // It may be free already.
                let _ = disk.free();
                is_freed = true;
            }
        }
        assert_eq!(texts, numbers(next..next + 10));
        next += 10;
    }
    recovered(&alice).await;
    send(&bob, b, next..next + 10).await;
    assert_eq!(received(&mut alice, 10).await, numbers(next..next + 10));
}
