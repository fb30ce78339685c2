//! Parts that all examples share: opening an agent, sending a text, waiting for an event.

#![allow(dead_code, reason = "no example needs all of it")]

use anyhow::{Context as _, Result, bail};
use smp_agent::{Agent, ConnectionId, Event, Events, RelayAddress, SendOutcome};
use std::path::Path;

pub(crate) async fn open(dir: &Path, relay: &RelayAddress) -> Result<(Agent, Events)> {
    Ok(Agent::builder(dir).relays([relay.clone()]).open().await?)
}

/// Sends a text, and waits until the relay keeps it.
pub(crate) async fn say(agent: &Agent, connection: ConnectionId, text: &str) -> Result<()> {
    let mut sent = agent.connection(connection).send(text.as_bytes()).await?;
    match sent.outcome().await? {
        SendOutcome::Sent => Ok(()),
        outcome => bail!("not sent: {outcome:?}"),
    }
}

pub(crate) async fn confirmation(events: &mut Events) -> Result<String> {
    next(events, |event| match event {
        Event::Confirmation { info, .. } => Some(String::from_utf8_lossy(info).into_owned()),
        _ => None,
    })
    .await
}

pub(crate) async fn connected(events: &mut Events) -> Result<()> {
    next(events, |event| matches!(event, Event::Connected { .. }).then_some(())).await
}

pub(crate) async fn message(events: &mut Events) -> Result<String> {
    next(events, |event| match event {
        Event::Message { body, .. } => Some(String::from_utf8_lossy(body).into_owned()),
        _ => None,
    })
    .await
}

/// Waits for an event, and is done with those before it, too.
pub(crate) async fn next<T>(events: &mut Events, wanted: impl Fn(&Event) -> Option<T>) -> Result<T> {
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
