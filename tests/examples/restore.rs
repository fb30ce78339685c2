//! An archive of an agent, and the agent that goes on from it after the machine was lost.
//!
//! `cargo run -p smp-tests --example restore`

#![allow(clippy::disallowed_methods, reason = "a program has the chance of this machine")]

mod common;

use anyhow::Result;
use common::{confirmation, connected, message, next, open, say};
use smp_agent::{Event, RecoveryPhrase, Secret, SyncState, restore_archive};
use smp_server::config::StoreKind;
use smp_tests::test_relay::TestRelay;

#[tokio::main]
async fn main() -> Result<()> {
    let relay = TestRelay::start(StoreKind::Memory, None).await?;
    let (phone, new_phone, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?);
    let (alice, mut alices_events) = open(phone.path(), relay.running.address()).await?;
    let (bob, mut bobs_events) = open(bobs.path(), relay.running.address()).await?;
    let (to_bob, link) = alice.create_invitation().await?;
    let to_alice = bob.join(&link.to_string(), b"Bob").await?;
    confirmation(&mut alices_events).await?;
    alice.connection(to_bob).accept(b"Alice").await?;
    connected(&mut alices_events).await?;
    connected(&mut bobs_events).await?;

    let phrase = RecoveryPhrase::generate(&mut rand::rng());
    println!(
        "Alice writes down 24 words, from \"{}\" on",
        phrase.to_words().split(' ').next().unwrap_or_default()
    );
    let archive = bobs.path().join("alice.archive");
    alice.export(&archive, &[Secret::Recovery(phrase.clone())]).await?;
    say(&alice, to_bob, "sent after the archive was made").await?;
    println!("Bob reads: {}", message(&mut bobs_events).await?);
    alice.shutdown().await;
    phone.close()?;
    println!("Alice loses her phone");

    let dir = new_phone.path().join("agent");
    restore_archive(&archive, &Secret::Recovery(phrase), &dir)?;
    let (alice, mut alices_events) = open(&dir, relay.running.address()).await?;
    next(&mut alices_events, |event| {
        matches!(event, Event::RatchetSync { state: SyncState::Ok, .. }).then_some(())
    })
    .await?;
    println!("Alice goes on, with new keys");
    say(&bob, to_alice, "are you still there?").await?;
    println!("Alice reads: {}", message(&mut alices_events).await?);
    say(&alice, to_bob, "I am").await?;
    println!("Bob reads: {}", message(&mut bobs_events).await?);
    alice.shutdown().await;
    bob.shutdown().await;
    Ok(())
}
