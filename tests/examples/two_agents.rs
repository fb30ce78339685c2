//! Two agents and a relay in one process: an invitation, a message each way, and an end in good order.
//!
//! `cargo run -p smp-tests --example two_agents`

use anyhow::{Context as _, Result, bail};
use smp_agent::{Agent, ConnectionId, Event, Events, RelayAddress, SendOutcome};
use smp_server::config::StoreKind;
use smp_tests::test_relay::TestRelay;
use std::path::Path;

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

async fn open(dir: &Path, relay: &RelayAddress) -> Result<(Agent, Events)> {
    Ok(Agent::builder(dir).relays([relay.clone()]).open().await?)
}

/// Sends a text, and waits until the relay keeps it.
async fn say(agent: &Agent, connection: ConnectionId, text: &str) -> Result<()> {
    let mut sent = agent.connection(connection).send(text.as_bytes()).await?;
    match sent.outcome().await? {
        SendOutcome::Sent => Ok(()),
        outcome => bail!("not sent: {outcome:?}"),
    }
}

async fn confirmation(events: &mut Events) -> Result<String> {
    next(events, |event| match event {
        Event::Confirmation { info, .. } => Some(String::from_utf8_lossy(info).into_owned()),
        _ => None,
    })
    .await
}

async fn connected(events: &mut Events) -> Result<()> {
    next(events, |event| matches!(event, Event::Connected { .. }).then_some(())).await
}

async fn message(events: &mut Events) -> Result<String> {
    next(events, |event| match event {
        Event::Message { body, .. } => Some(String::from_utf8_lossy(body).into_owned()),
        _ => None,
    })
    .await
}

/// Waits for an event, and is done with those before it, too.
async fn next<T>(events: &mut Events, wanted: impl Fn(&Event) -> Option<T>) -> Result<T> {
    loop {
        let delivery = events.next().await?.context("the agent has ended")?;
        let found = wanted(&delivery.event);
        delivery.done().await?;
        if let Event::ConnectionFailed { error, .. } = &delivery.event {
            bail!("{error}");
        }
        if let Some(found) = found {
            return Ok(found);
        }
    }
}
