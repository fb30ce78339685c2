//! Recipients: they read messages and acknowledge them.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use smp_protocol::command::Command;
use smp_protocol::id::{EntityId, MessageId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::session::AgreedSession;
use smp_protocol::transmission::{CommandBlock, DoesNotFit, read_messages};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use crate::driver::{Link, LinkReader, LinkWriter, Preparer, Queue, ReadyKey};

/// Number of a queue of this measurement.
pub(super) type QueueNumber = u32;

/// Hears what happens to messages. For each queue everything happens in the order of sending.
pub(super) trait Observer: Send + Sync + 'static {
    /// The network has taken a message.
    fn sent(&self, _: QueueNumber) {}
    /// The relay has answered `OK` to a `SEND`.
    fn confirmed(&self, number: QueueNumber);
    /// The recipient has the message.
    fn received(&self, number: QueueNumber);
}

/// Numbers of the queues of a connection: they are dealt out to the connections in turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbering {
    /// Number of the connection's first queue.
    pub(super) first: usize,
    /// Number of connections.
    pub(super) stride: usize,
}

impl Numbering {
    /// The numbers of queues with these IDs, which are in order.
    pub(super) fn numbers(self, ids: impl Iterator<Item = EntityId>) -> HashMap<EntityId, QueueNumber> {
        ids.enumerate()
            .map(|(position, id)| (id, (self.first + position * self.stride) as QueueNumber))
            .collect()
    }

    /// Which of the connection's queues it is.
    pub(super) fn position(self, number: QueueNumber) -> usize {
        number as usize / self.stride.max(1)
    }
}

/// Whether the queues are subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subscribe {
    /// They are.
    Already,
    /// First of all.
    First,
}

/// Reads and acknowledges all messages of these queues, in two tasks.
pub(super) fn attend(
    tasks: &mut JoinSet<Result<()>>,
    link: Link,
    queues: &[Queue],
    numbering: Numbering,
    subscribe: Subscribe,
    observer: &Arc<impl Observer>,
) {
    let Link { session, reader, writer } = link;
    let numbers = numbering.numbers(queues.iter().map(|queue| (&queue.recipient_id).into()));
    let (acknowledge, received) = mpsc::unbounded_channel();
    let acknowledger = Acknowledger::new(&session, queues, numbering, writer);
    tasks.spawn(async move {
        let mut acknowledger = acknowledger?;
        if subscribe == Subscribe::First {
            acknowledger.subscribe().await?;
        }
        acknowledger.run(received).await
    });
    tasks.spawn(read(reader, session, numbers, observer.clone(), acknowledge));
}

async fn read(
    mut reader: LinkReader,
    session: AgreedSession,
    numbers: HashMap<EntityId, QueueNumber>,
    observer: Arc<impl Observer>,
    acknowledge: UnboundedSender<(QueueNumber, MessageId)>,
) -> Result<()> {
    loop {
        let block = reader.block().await?;
        for received in read_messages(&block, &session.parameters) {
            match (numbers.get(&received.entity_id), received.message) {
                (Some(number), Ok(BrokerMessage::Message(id, _))) => {
                    observer.received(*number);
                    acknowledge.send((*number, id))?;
                }
                (Some(_), Ok(BrokerMessage::Ok | BrokerMessage::Subscribed(_))) => {}
                (_, Ok(BrokerMessage::Error(error))) => bail!("the relay answers a recipient with {error}"),
                (_, Ok(other)) => bail!("the relay sends a recipient {}", other.tag().name()),
                (_, Err(error)) => bail!("what the relay sends a recipient cannot be read: {error}"),
            }
        }
    }
}

/// Acknowledges what was received, as much in a block as there is.
struct Acknowledger {
    preparer: Preparer,
    keys: Vec<(EntityId, ReadyKey)>,
    numbering: Numbering,
    writer: LinkWriter,
    content: CommandBlock,
}

impl Acknowledger {
    fn new(
        session: &AgreedSession,
        queues: &[Queue],
        numbering: Numbering,
        writer: LinkWriter,
    ) -> Result<Self> {
        let preparer = Preparer::new(session);
        let ready = |queue: &Queue| Ok(((&queue.recipient_id).into(), preparer.ready(&queue.recipient)?));
        let keys = queues.iter().map(ready).collect::<Result<_>>()?;
        Ok(Self { preparer, keys, numbering, writer, content: CommandBlock::new() })
    }

    async fn subscribe(&mut self) -> Result<()> {
        for position in 0..self.keys.len() {
            self.put(position, &Command::Subscribe).await?;
        }
        self.send().await
    }

    async fn run(mut self, mut received: UnboundedReceiver<(QueueNumber, MessageId)>) -> Result<()> {
        while let Some(first) = received.recv().await {
            let mut next = Some(first);
            while let Some((number, id)) = next {
                self.put(self.numbering.position(number), &Command::Acknowledge(id)).await?;
                next = received.try_recv().ok();
            }
            self.send().await?;
        }
        Ok(())
    }

    /// Puts a command into the block; sends the block first if it is full.
    async fn put(&mut self, position: usize, command: &Command<'_>) -> Result<()> {
        let (entity_id, key) = self.keys.get(position).context("a message of no queue")?;
        let transmission = self.preparer.transmission(Some(key), entity_id, command)?;
        let push = |content: &mut CommandBlock| content.push(entity_id, &transmission.bytes);
        if push(&mut self.content) == Err(DoesNotFit::Full) {
            self.writer.block(self.content.as_bytes()).await?;
            self.content.clear();
            push(&mut self.content)?;
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<()> {
        if !self.content.is_empty() {
            self.writer.block(self.content.as_bytes()).await?;
            self.content.clear();
        }
        self.writer.flush().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dealt_out_in_turn() {
        let numbering = Numbering { first: 1, stride: 3 };
        let ids = [[1; 24], [2; 24]].map(EntityId::from);
        let numbers = numbering.numbers(ids.iter().cloned());
        assert_eq!(ids.each_ref().map(|id| numbers[id]), [1, 4]);
        assert_eq!([1, 4].map(|number| numbering.position(number)), [0, 1]);
    }
}
