//! Two agents and a relay in one process: an invitation, a message each way, and an end in good order.
//!
//! `cargo run -p smp-tests --example two_agents`

mod common;

use anyhow::Result;
use common::{confirmation, connected, message, open, say};
use smp_server::config::StoreKind;
use smp_tests::test_relay::TestRelay;

#[tokio::main]
async fn main() -> Result<()> {
    let relay = TestRelay::start(StoreKind::Memory, None).await?;
    let (alices, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let (alice, mut alices_events) = open(alices.path(), relay.running.address()).await?;
    let (bob, mut bobs_events) = open(bobs.path(), relay.running.address()).await?;

    let (to_bob, link) = alice.create_invitation().await?;
    println!("Alice invites: {link}");
    let to_alice = bob.join(&link.to_string(), b"Bob").await?;

    let info = confirmation(&mut alices_events).await?;
    println!("{info} wants to connect, and Alice agrees");
    alice.connection(to_bob).accept(b"Alice").await?;
    connected(&mut alices_events).await?;
    connected(&mut bobs_events).await?;

    say(&alice, to_bob, "hello").await?;
    println!("Bob reads: {}", message(&mut bobs_events).await?);
    say(&bob, to_alice, "hello yourself").await?;
    println!("Alice reads: {}", message(&mut alices_events).await?);

    alice.shutdown().await;
    bob.shutdown().await;
    Ok(())
}
