//! `subscribe`: clients come back all at once and subscribe to queues that exist.

use anyhow::{Result, bail};
use clap::Args;
use smp_protocol::command::Command;
use smp_protocol::message::BrokerMessage;

use super::many::{clean_up, create_queues, timed};
use crate::driver::{BlockCounts, Link, Preparer, Queue, Ready, Target, exchange};
use crate::outcome::Outcome;
use crate::process;

/// Options of `subscribe`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Queues in all
    #[arg(long, default_value_t = 20_000)]
    pub queues: usize,
    /// Connections that come back
    #[arg(long, default_value_t = 200)]
    pub connections: usize,
    /// Unanswered requests on each connection
    #[arg(long, default_value_t = 128)]
    pub window: usize,
}

pub(super) async fn run(options: &Options, target: &Target) -> Result<Outcome> {
    let queues = create_queues(target, options.queues, options.connections).await?;
    let cpu = || target.pid.and_then(process::cpu_time);
    let begin = cpu();
    let each = queues.iter().map(|queues| (target.clone(), queues.clone())).collect();
    let (links, connecting) = timed(each, |(target, queues)| async move {
        Ok((target.connect(&BlockCounts::default()).await?, queues))
    })
    .await?;
    let connected = cpu();
    let version = links.first().map_or(0, |(link, _)| link.session.parameters.version.0);
    let (prepared, _) = timed(links, |(link, queues)| async move {
        let requests = prepare(&link, &queues)?;
        Ok((link, requests))
    })
    .await?;
    let window = options.window;
    let (links, subscribing) = timed(prepared, move |(link, requests)| send(link, requests, window)).await?;
    let subscribed = cpu();
    drop(links);
    clean_up(target, &queues).await?;

    let connections = queues.len() as f64;
    let setting = format!(
        "{} queues over {} connections, window {}, {:?} keys",
        options.queues,
        queues.len(),
        options.window,
        target.auth
    );
    let mut outcome = Outcome::new("subscribe", &target.name, version, setting);
    outcome.add("connected", connections / connecting.as_secs_f64(), "connections/s");
    outcome.add("subscribed", options.queues as f64 / subscribing.as_secs_f64(), "queues/s");
    outcome.add("all together", (connecting + subscribing).as_secs_f64(), "s");
    let per = |later: Option<std::time::Duration>, earlier: Option<std::time::Duration>, number: f64| {
        Some(later?.saturating_sub(earlier?).as_secs_f64() * 1e6 / number)
    };
    outcome.add_some("CPU of the relay", per(connected, begin, connections), "us/connection");
    let per_queue = per(subscribed, connected, options.queues as f64);
    outcome.add_some("CPU of the relay for queues", per_queue, "us/queue");
    Ok(outcome)
}

fn prepare(link: &Link, queues: &[Queue]) -> Result<Vec<Ready>> {
    let mut preparer = Preparer::new(&link.session);
    let subscribe = |queue: &Queue| {
        let key = preparer.ready(&queue.recipient)?;
        preparer.transmission(Some(&key), &(&queue.recipient_id).into(), &Command::Subscribe)
    };
    queues.iter().map(subscribe).collect()
}

async fn send(mut link: Link, requests: Vec<Ready>, window: usize) -> Result<Link> {
    exchange(&mut link, &requests, window, |incoming| match incoming.message {
        BrokerMessage::Ok | BrokerMessage::Subscribed(_) => Ok(()),
        BrokerMessage::Error(error) => bail!("the relay answers SUB with {error}"),
        other => bail!("the relay answers SUB with {}", other.tag().name()),
    })
    .await?;
    Ok(link)
}
