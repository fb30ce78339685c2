//! Senders and recipients that are online, for throughput and latency.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use smp_protocol::command::SubscriptionMode;
use smp_protocol::error::ErrorType;
use smp_protocol::id::EntityId;
use smp_protocol::message::BrokerMessage;
use smp_protocol::session::AgreedSession;
use smp_protocol::transmission::{BlockContent, read_messages};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use super::recipient::{Numbering, Observer, QueueNumber, Subscribe, attend};
use super::sending::{body, sends};
use crate::driver::{
    BlockCounts, KeyPool, Link, LinkReader, LinkWriter, Preparer, Queue, Ready, Target, create, delete,
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
pub(super) struct Orders(Arc<Vec<UnboundedSender<QueueNumber>>>);

/// Where the senders take orders, one for each.
pub(super) struct Ordered(Vec<UnboundedReceiver<QueueNumber>>);

impl Orders {
    /// For so many senders.
    pub(super) fn new(shape: Shape) -> (Self, Ordered) {
        let (senders, receivers) = (0..shape.connections()).map(|_| mpsc::unbounded_channel()).unzip();
        (Self(Arc::new(senders)), Ordered(receivers))
    }

    /// Lets a message be sent to the queue with this number.
    pub(super) fn send(&self, number: QueueNumber) {
        let senders = &self.0;
        if let Some(sender) = senders.get(number as usize % senders.len().max(1)) {
            // The task that was to send it has failed, and said so.
            let _ = sender.send(number);
        }
    }
}

impl Shape {
    fn connections(self) -> usize {
        self.connections.clamp(1, self.pairs.max(1))
    }
}

/// Connected pairs, not sending yet.
pub(super) struct Traffic {
    pub(super) version: u16,
    pub(super) counts: BlockCounts,
    sides: Vec<Sides>,
}

struct Sides {
    numbering: Numbering,
    queues: Vec<Queue>,
    recipient: Link,
    sender: Link,
    ring: Vec<Vec<Ready>>,
}

impl Traffic {
    /// Connects, creates the queues, subscribes their recipients, and prepares all that can be prepared.
    pub(super) async fn connect(target: &Target, shape: Shape) -> Result<Self> {
        let counts = BlockCounts::default();
        let connections = shape.connections();
        let body = Arc::new(body()?);
        let mut tasks = JoinSet::new();
        for first in 0..connections {
            let (target, counts, body) = (target.clone(), counts.clone(), body.clone());
            let pairs = (first..shape.pairs).step_by(connections).len();
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
                let numbering = Numbering { first, stride: connections };
                Ok(Sides { numbering, queues, recipient, sender, ring })
            });
        }
        let mut sides = tasks.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
        sides.sort_by_key(|side| side.numbering.first);
        let version = sides.first().map_or(0, |side| side.sender.session.parameters.version.0);
        Ok(Self { version, counts, sides })
    }

    /// Starts receiving. Nothing is sent before the senders are told to.
    pub(super) fn start(self, observer: &Arc<impl Observer>) -> (Running, Senders) {
        let mut running = Running { tasks: JoinSet::new(), queues: Vec::new() };
        let start = |side: Sides| {
            running.queues.extend(side.queues.iter().cloned());
            side.start(observer, &mut running.tasks)
        };
        let senders = Senders(self.sides.into_iter().map(start).collect());
        (running, senders)
    }
}

/// Pairs that are at it. They stop when this is dropped.
pub(super) struct Running {
    tasks: JoinSet<Result<()>>,
    queues: Vec<Queue>,
}

impl Running {
    /// Something else that may fail.
    pub(super) fn watch(&mut self, task: impl Future<Output = Result<()>> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits for `until`, or for the first failure.
    pub(super) async fn unless_failed<T>(&mut self, until: impl Future<Output = T>) -> Result<T> {
        let mut until = pin!(until);
        loop {
            tokio::select! {
                done = &mut until => return Ok(done),
                ended = self.tasks.join_next() => ended.context("there is no connection")???,
            }
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
    fn start<O: Observer>(self, observer: &Arc<O>, tasks: &mut JoinSet<Result<()>>) -> Sender {
        let Self { numbering, queues, recipient, sender, ring } = self;
        let Link { session, reader, writer } = sender;
        let numbers = numbering.numbers(queues.iter().map(|queue| (&queue.sender_id).into()));
        tasks.spawn(read_confirmations(reader, session, numbers, observer.clone()));
        attend(tasks, recipient, &queues, numbering, Subscribe::Already, observer);
        let next = vec![0; ring.len()];
        Sender { writer, numbering, ring, next, content: BlockContent::new() }
    }
}

/// The sending sides, one for each connection.
pub(super) struct Senders(Vec<Sender>);

impl Senders {
    /// Sends a message to the queue with this number at once.
    pub(super) async fn send(&mut self, number: QueueNumber) -> Result<()> {
        let senders = self.0.len().max(1);
        let sender = self.0.get_mut(number as usize % senders).context("there is no connection")?;
        sender.put(number).await?;
        sender.writer.flush().await
    }

    /// Sends what is ordered, each in a task of its own.
    pub(super) fn obey(self, ordered: Ordered, observer: &Arc<impl Observer>, running: &mut Running) {
        for (sender, orders) in self.0.into_iter().zip(ordered.0) {
            running.tasks.spawn(sender.obey(orders, observer.clone()));
        }
    }
}

/// Writes a block for each message: full-size ones take one.
struct Sender {
    writer: LinkWriter,
    numbering: Numbering,
    /// Prepared commands of each queue, to be sent in turn.
    ring: Vec<Vec<Ready>>,
    next: Vec<usize>,
    content: BlockContent,
}

impl Sender {
    async fn put(&mut self, number: QueueNumber) -> Result<()> {
        let position = self.numbering.position(number);
        let turn = self.ring.get(position).zip(self.next.get_mut(position));
        let (prepared, next) = turn.context("nothing was prepared for this queue")?;
        let transmission = prepared.get(*next % prepared.len().max(1)).context("nothing was prepared")?;
        *next += 1;
        self.content.push(|out| out.extend_from_slice(&transmission.bytes))?;
        self.writer.block(self.content.as_bytes()).await?;
        self.content.clear();
        Ok(())
    }

    async fn obey(
        mut self,
        mut orders: UnboundedReceiver<QueueNumber>,
        observer: Arc<impl Observer>,
    ) -> Result<()> {
        let mut written = Vec::new();
        while let Some(first) = orders.recv().await {
            let mut next = Some(first);
            written.clear();
            while let Some(number) = next {
                self.put(number).await?;
                written.push(number);
                next = if written.len() < BLOCKS_PER_FLUSH { orders.try_recv().ok() } else { None };
            }
            self.writer.flush().await?;
            written.iter().for_each(|number| observer.sent(*number));
        }
        Ok(())
    }
}

async fn read_confirmations(
    mut reader: LinkReader,
    session: AgreedSession,
    numbers: HashMap<EntityId, QueueNumber>,
    observer: Arc<impl Observer>,
) -> Result<()> {
    loop {
        let block = reader.block().await?;
        for received in read_messages(&block, &session.parameters) {
            match (numbers.get(&received.entity_id), received.message) {
                (Some(number), Ok(BrokerMessage::Ok)) => observer.confirmed(*number),
                (_, Ok(BrokerMessage::Error(ErrorType::Quota))) => {
                    bail!("the relay does not keep up with this rate: a queue is full (QUOTA)")
                }
                (_, Ok(BrokerMessage::Error(error))) => bail!("the relay answers SEND with {error}"),
                (_, other) => bail!("the relay answers SEND with {other:?}"),
            }
        }
    }
}
