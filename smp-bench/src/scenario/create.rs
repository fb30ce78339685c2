//! `create`: new queues. Keys and authorized commands are prepared before the clock starts.

use anyhow::{Result, bail};
use clap::Args;
use smp_protocol::command::SubscriptionMode;
use smp_protocol::id::EntityId;
use smp_protocol::message::BrokerMessage;

use super::many::{connect, parts, timed};
use crate::driver::{
    BlockCounts, KeyPool, Link, NewKeys, Preparer, Queue, Ready, Target, delete, exchange, new_queue,
};
use crate::outcome::Outcome;
use crate::process;
use crate::progress::Progress;

/// Options of `create`.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Queues to create
    #[arg(long, default_value_t = 20_000)]
    pub queues: usize,
    /// Connections
    #[arg(long, default_value_t = 4)]
    pub connections: usize,
    /// Unanswered requests on each connection
    #[arg(long, default_value_t = 64)]
    pub window: usize,
}

struct Prepared {
    link: Link,
    keys: Vec<NewKeys>,
    requests: Vec<Ready>,
}

pub(super) async fn run(options: &Options, target: &Target) -> Result<Outcome> {
    let memory = || target.pid.and_then(process::resident_bytes);
    let counts = BlockCounts::default();
    let shares = parts(options.queues, options.connections);
    let links = connect(target, shares.len(), &counts).await?;
    let version = links.first().map_or(0, |link| link.session.parameters.version.0);
    let progress = Progress::new("create: preparing", options.queues as u64);
    let mut prepared = Vec::new();
    for (link, share) in links.into_iter().zip(shares) {
        prepared.push(prepare(target, link, share)?);
        progress.add(share as u64);
    }
    drop(progress);
    let (cpu_before, memory_before) = (target.pid.and_then(process::cpu_time), memory());
    let window = options.window;
    let (created, took) = timed(prepared, move |prepared| send(prepared, window)).await?;
    let (cpu_after, memory_after) = (target.pid.and_then(process::cpu_time), memory());
    if target.clean_up {
        for (mut link, queues) in created {
            delete(&mut link, &queues).await?;
        }
    }

    let queues = options.queues as f64;
    let setting = format!(
        "{} queues over {} connections, window {}, {:?} keys",
        options.queues, options.connections, options.window, target.auth
    );
    let mut outcome = Outcome::new("create", &target.name, version, setting);
    outcome.add("created", queues / took.as_secs_f64(), "queues/s");
    let cpu = || Some(cpu_after?.saturating_sub(cpu_before?).as_secs_f64() * 1e6 / queues);
    outcome.add_some("CPU of the relay", cpu(), "us/queue");
    let grown = || Some(memory_after?.saturating_sub(memory_before?) as f64 / queues);
    outcome.add_some("memory of the relay", grown(), "bytes/queue");
    Ok(outcome)
}

fn prepare(target: &Target, link: Link, share: usize) -> Result<Prepared> {
    let pool = KeyPool::new(target.auth);
    let mut preparer = Preparer::new(&link.session);
    let keys: Vec<NewKeys> = (0..share).map(|_| pool.new_keys()).collect();
    let requests = keys.iter().map(|keys| {
        let key = preparer.ready(&keys.recipient)?;
        let command = new_queue(keys, target, SubscriptionMode::OnlyCreate);
        preparer.transmission(Some(&key), &EntityId::empty(), &command)
    });
    let requests = requests.collect::<Result<_>>()?;
    Ok(Prepared { link, keys, requests })
}

async fn send(prepared: Prepared, window: usize) -> Result<(Link, Vec<Queue>)> {
    let Prepared { mut link, keys, requests } = prepared;
    let mut queues = Vec::with_capacity(keys.len());
    exchange(&mut link, &requests, window, |incoming| match incoming.message {
        BrokerMessage::QueueIds(ids) => {
            let number = incoming.request.and_then(|number| usize::try_from(number).ok());
            if let Some(keys) = number.and_then(|number| keys.get(number)) {
                let (recipient, sender) = (keys.recipient.clone(), keys.sender.clone());
                let (recipient_id, sender_id) = (ids.recipient_id, ids.sender_id);
                queues.push(Queue { recipient_id, sender_id, recipient, sender });
            }
            Ok(())
        }
        BrokerMessage::Error(error) => bail!("the relay answers NEW with {error}"),
        other => bail!("the relay answers NEW with {}", other.tag().name()),
    })
    .await?;
    Ok((link, queues))
}
