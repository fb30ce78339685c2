//! Senders and recipients that are online: what throughput and latency have in common.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use smp_protocol::command::SubscriptionMode;
use smp_protocol::error::ErrorType;
use smp_protocol::id::EntityId;
use smp_protocol::message::BrokerMessage;
use smp_protocol::session::Session;
use smp_protocol::transmission::{BlockContent, read_messages};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use super::recipient::{Lane, Numbering, Observer, Subscribe, attend};
use super::sending::{body, sends};
use crate::driver::{
    BlockCounts, KeyPool, Link, LinkReader, LinkWriter, Preparer, Queue, Target, create, delete,
};

/// Blocks that a sender writes before it flushes them together.
const BLOCKS_PER_FLUSH: usize = 4;

/// How much there is of everything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Queues, each with its sender and its recipient.
    pub(super) pairs: usize,
    /// Connections of senders, and as many of recipients.
    pub(super) connections: usize,
    /// Transmissions that are prepared for each queue, to be sent again and again.
    pub(super) prepared: usize,
}

/// Where to order messages; clones go to the same senders.
#[derive(Debug, Clone)]
pub(super) struct Orders(Arc<Vec<UnboundedSender<Lane>>>);

impl Orders {
    /// Lets a message be sent in this lane. Returns whether there is anybody left to send it.
    pub(super) fn send(&self, lane: Lane) -> bool {
        let senders = &self.0;
        senders.get(lane as usize % senders.len().max(1)).is_some_and(|sender| sender.send(lane).is_ok())
    }
}

/// Connected pairs, not sending yet.
pub(super) struct Traffic {
    pub(super) version: u16,
    pub(super) counts: BlockCounts,
    pub(super) orders: Orders,
    sides: Vec<Sides>,
}

struct Sides {
    numbering: Numbering,
    queues: Vec<Queue>,
    recipient: Link,
    sender: Link,
    ring: Vec<Vec<Vec<u8>>>,
    orders: UnboundedReceiver<Lane>,
}

impl Traffic {
    /// Connects, creates the queues, subscribes their recipients, and prepares all that can be prepared.
    pub(super) async fn connect(target: &Target, shape: Shape) -> Result<Self> {
        let counts = BlockCounts::default();
        let connections = shape.connections.clamp(1, shape.pairs.max(1));
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..connections).map(|_| mpsc::unbounded_channel()).unzip();
        let body = Arc::new(body()?);
        let mut tasks = JoinSet::new();
        for (first_lane, orders) in receivers.into_iter().enumerate() {
            let (target, counts, body) = (target.clone(), counts.clone(), body.clone());
            let pairs = (first_lane..shape.pairs).step_by(connections).len();
            tasks.spawn(async move {
                let mut recipient = target.connect(&counts).await?;
                let pool = KeyPool::new(target.auth);
                let keys = (0..pairs).map(|_| pool.new_keys()).collect();
                let queues = create(&mut recipient, &target, keys, SubscriptionMode::Subscribe).await?;
                let sender = target.connect(&counts).await?;
                let mut preparer = Preparer::new(&sender.session);
                let ring = queues
                    .iter()
                    .map(|queue| sends(&mut preparer, queue, &body, shape.prepared))
                    .collect::<Result<_>>()?;
                let numbering = Numbering { first: first_lane, stride: connections };
                Ok(Sides { numbering, queues, recipient, sender, ring, orders })
            });
        }
        let sides = tasks.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
        let version = sides.first().map_or(0, |side| side.sender.session.parameters.version.0);
        Ok(Self { version, counts, orders: Orders(Arc::new(senders)), sides })
    }

    /// Starts sending what is ordered.
    pub(super) fn start(self, observer: Arc<impl Observer>) -> Running {
        let mut tasks = JoinSet::new();
        let mut queues = Vec::new();
        for side in self.sides {
            queues.extend(side.queues.iter().cloned());
            side.start(&observer, &mut tasks);
        }
        Running { tasks, queues, _orders: self.orders }
    }
}

/// Pairs that are at it. They stop when this is dropped.
pub(super) struct Running {
    tasks: JoinSet<Result<()>>,
    queues: Vec<Queue>,
    /// Senders end when nobody can order any more.
    _orders: Orders,
}

impl Running {
    /// Waits for `until`, or for the first failure.
    pub(super) async fn unless_failed<T>(&mut self, until: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            done = until => Ok(done),
            ended = self.tasks.join_next() => match ended {
                Some(ended) => {
                    ended??;
                    bail!("a connection has ended")
                }
                None => bail!("there is no connection"),
            },
        }
    }

    /// Stops, and deletes the queues if the relay goes on without us.
    pub(super) async fn end(mut self, target: &Target) -> Result<()> {
        self.tasks.shutdown().await;
        if target.clean_up {
            let mut link = target.connect(&BlockCounts::default()).await?;
            delete(&mut link, &self.queues).await?;
        }
        Ok(())
    }
}

impl Sides {
    fn start<O: Observer>(self, observer: &Arc<O>, tasks: &mut JoinSet<Result<()>>) {
        let Sides { numbering, queues, recipient, sender, ring, orders } = self;
        let Link { session, reader, writer } = sender;
        let lanes = numbering.lanes(queues.iter().map(|queue| (&queue.sender_id).into()));
        tasks.spawn(write_messages(writer, ring, numbering, orders, observer.clone()));
        tasks.spawn(read_confirmations(reader, session, lanes, observer.clone()));
        attend(tasks, recipient, &queues, numbering, Subscribe::Already, observer);
    }
}

/// Writes a block for each order. Each full-size message takes one.
async fn write_messages(
    mut writer: LinkWriter,
    ring: Vec<Vec<Vec<u8>>>,
    numbering: Numbering,
    mut orders: UnboundedReceiver<Lane>,
    observer: Arc<impl Observer>,
) -> Result<()> {
    let mut turns: Vec<_> = ring.iter().map(|transmissions| transmissions.iter().cycle()).collect();
    let mut content = BlockContent::new();
    let mut written = Vec::new();
    while let Some(first) = orders.recv().await {
        let mut next = Some(first);
        written.clear();
        while let Some(lane) = next {
            let turn = turns.get_mut(numbering.position(lane)).and_then(Iterator::next);
            let transmission = turn.context("nothing was prepared for this lane")?;
            content.push(|out| out.extend_from_slice(transmission))?;
            writer.block(content.as_bytes()).await?;
            content.clear();
            written.push(lane);
            next = if written.len() < BLOCKS_PER_FLUSH { orders.try_recv().ok() } else { None };
        }
        writer.flush().await?;
        written.iter().for_each(|lane| observer.sent(*lane));
    }
    Ok(())
}

async fn read_confirmations(
    mut reader: LinkReader,
    session: Session,
    lanes: HashMap<EntityId, Lane>,
    observer: Arc<impl Observer>,
) -> Result<()> {
    loop {
        let block = reader.block().await?;
        for received in read_messages(&block, &session.parameters) {
            match (lanes.get(&received.entity_id), received.message) {
                (Some(lane), Ok(BrokerMessage::Ok)) => observer.confirmed(*lane),
                (_, Ok(BrokerMessage::Error(ErrorType::Quota))) => {
                    bail!("the relay does not keep up with this rate: a queue is full (QUOTA)")
                }
                (_, Ok(BrokerMessage::Error(error))) => bail!("the relay answers SEND with {error}"),
                (_, other) => bail!("the relay answers SEND with {other:?}"),
            }
        }
    }
}
