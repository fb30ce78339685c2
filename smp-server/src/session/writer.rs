//! `Writer`: the task that empties the mailbox of a client into blocks; answers and events first, then messages.

use std::sync::Arc;

use smp_protocol::{
    error::ErrorType,
    id::{CorrelationId, EntityId, NotifierId, RecipientId},
    message::BrokerMessage,
    transmission::{BlockContent, DoesNotFit, MAX_TRANSMISSIONS, write_message},
};
use smp_transport::connection::{BlockWriter, ConnectionError};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{coalesce::Coalesce, state::Session};
use crate::{
    broker::Notification,
    client::{Content, Signal, Transmission},
    metrics::Timer,
    node::Node,
};

/// Queues that are looked at for messages while an answer waits to be sent.
const LOOKS_BEFORE_ANSWERS: usize = 32;

/// Why writing has ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The connection is lost.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The client does not read.
    #[error("the client does not read")]
    NotRead,
}

/// The writing half of a session.
pub(super) struct Writer {
    session: Arc<Session>,
    node: Arc<Node>,
    writer: BlockWriter,
    block: BlockContent,
    /// Whether there are whole blocks that were not sent yet.
    queued: bool,
    /// Whether there is an answer to a command among what was not sent yet.
    has_answer: bool,
    coalesce: Coalesce,
}

impl Writer {
    pub(super) fn new(session: Arc<Session>, node: Arc<Node>, writer: BlockWriter) -> Self {
        let coalesce = Coalesce::new(session.config.server.coalesce, node.now());
        Self { session, node, writer, block: BlockContent::new(), queued: false, has_answer: false, coalesce }
    }

    /// Writes until the connection is lost, the client does not read, or `stop` is cancelled and everything is written.
    pub(super) async fn write(mut self, stop: &CancellationToken) -> Result<(), WriteError> {
        loop {
            tokio::select! {
                () = self.session.client().mailbox.filled() => {}
                () = self.coalesce.over() => {}
                () = stop.cancelled() => {
                    self.put_everything().await?;
                    self.send().await?;
                    let close = timeout(self.session.config.limits.block_timeout, self.writer.close());
                    return close.await.map_err(|_| WriteError::NotRead)?.map_err(WriteError::from);
                }
            }
            self.put_everything().await?;
            if !self.waits() {
                self.send().await?;
            }
        }
    }

    /// Whether what is there waits for more.
    fn waits(&mut self) -> bool {
        let load = &self.node.load;
        !self.queued
            && !self.block.is_empty()
            && self.coalesce.waits(self.block.as_bytes().len(), self.node.now(), || load.is_high())
    }

    /// Puts what is there into blocks, answers before messages. An answer does not wait for more than a few queues to be looked
    /// at: after a restart there may be thousands, each on disk.
    async fn put_everything(&mut self) -> Result<(), WriteError> {
        let mut looked_at = 0;
        loop {
            if self.session.client().mailbox.has_overflown() {
                return Err(WriteError::NotRead);
            }
            let transmissions = self.session.client().mailbox.take(MAX_TRANSMISSIONS);
            if transmissions.is_empty() {
                match self.session.client().mailbox.take_signal() {
                    Some(Signal::Message(queue)) => self.deliver(&queue).await?,
                    Some(Signal::Notifications(notifier)) => self.notify(&notifier).await?,
                    None => return Ok(()),
                }
                looked_at += 1;
                if self.has_answer && looked_at >= LOOKS_BEFORE_ANSWERS {
                    self.send().await?;
                }
                if !self.has_answer {
                    looked_at = 0;
                }
            }
            for transmission in transmissions {
                self.put(transmission).await?;
            }
        }
    }

    /// Sends all blocks, if there are any.
    async fn send(&mut self) -> Result<(), WriteError> {
        self.write_block().await?;
        if self.queued {
            limited(&self.session, self.writer.flush()).await?;
            (self.queued, self.has_answer) = (false, false);
            self.block.shrink();
            let now = self.node.now();
            self.coalesce.sent(now);
            self.session.note_activity(now);
        }
        Ok(())
    }

    /// Puts in what a queue has for the client, if anything.
    async fn deliver(&mut self, queue: &RecipientId) -> Result<(), WriteError> {
        let (client, store) = (self.session.client(), &*self.node.store);
        match self.node.hub.next_delivery(client, queue, store).await {
            Some(transmission) => self.put(transmission).await,
            None => Ok(()),
        }
    }

    /// Puts in the notifications that wait for a notifier, if any.
    async fn notify(&mut self, notifier: &NotifierId) -> Result<(), WriteError> {
        for Notification { nonce, meta, .. } in
            self.node.hub.take_notifications(notifier, self.session.client())
        {
            self.put(Transmission::event(notifier, BrokerMessage::Notification(nonce, meta))).await?;
        }
        Ok(())
    }

    /// Puts a transmission into the block; writes the block first if it has no room for it.
    async fn put(&mut self, transmission: Transmission) -> Result<(), WriteError> {
        let Transmission { corr_id, entity_id, content, envelope, permit, timer } = transmission;
        self.count(&content, timer.as_ref());
        self.has_answer |= !corr_id.is_empty();
        let content = match envelope {
            Some(envelope) => envelope.seal(&content.into_message()).into(),
            None => content,
        };
        match self.push(&corr_id, &entity_id, &content) {
            Ok(()) => {}
            Err(DoesNotFit::Full) => {
                self.write_block().await?;
                // An empty block has room for whatever is not too large.
                let _ = self.push(&corr_id, &entity_id, &content);
            }
            Err(DoesNotFit::TooLarge) => {
                let content = Content::Message(ErrorType::LargeMessage.into());
                if self.push(&corr_id, &entity_id, &content).is_err() {
                    self.write_block().await?;
                    let _ = self.push(&corr_id, &entity_id, &content);
                }
            }
        }
        drop(permit);
        Ok(())
    }

    fn count(&self, content: &Content, timer: Option<&Timer>) {
        let metrics = &self.node.metrics;
        if let Some(timer) = timer {
            metrics.commands.answered(timer, self.node.now());
        }
        if let Some(error) = content.error() {
            metrics.commands.failed(error);
        }
        if matches!(content, Content::Delivery(_)) {
            metrics.messages_delivered.inc();
        }
    }

    fn push(
        &mut self,
        corr_id: &CorrelationId,
        entity_id: &EntityId,
        content: &Content,
    ) -> Result<(), DoesNotFit> {
        let head = |message: &BrokerMessage<'_>, out: &mut Vec<u8>| {
            write_message(&self.session.parameters, corr_id, entity_id, message, out);
        };
        match content {
            Content::Message(message) => self.block.push(|out| head(message, out)),
            Content::Delivery(delivery) => {
                let length = delivery.sealed_length().ok_or(DoesNotFit::TooLarge)?;
                let write_head = |out: &mut Vec<u8>| head(&delivery.without_body(), out);
                self.block.push_with_tail(write_head, length, |out| delivery.seal_into(out))
            }
        }
    }

    async fn write_block(&mut self) -> Result<(), WriteError> {
        if self.block.is_empty() {
            return Ok(());
        }
        limited(&self.session, self.writer.write_block(self.block.as_bytes())).await?;
        self.queued = true;
        self.block.clear();
        Ok(())
    }
}

/// Writes, unless the client does not take it in time, or so much comes for it meanwhile that it cannot be reading.
async fn limited(
    session: &Session,
    write: impl Future<Output = Result<(), ConnectionError>>,
) -> Result<(), WriteError> {
    tokio::select! {
        written = timeout(session.config.limits.block_timeout, write) => {
            written.map_err(|_| WriteError::NotRead)?.map_err(WriteError::from)
        }
        () = session.client().mailbox.overflown() => Err(WriteError::NotRead),
    }
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, time::Duration};

    use smp_crypto::Nonce;
    use smp_protocol::{encoding::ShortString, transmission::read_messages};

    use super::*;
    use crate::testing;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// Without waiting for the time that writing a block may take.
    #[tokio::test]
    async fn a_client_for_which_too_much_comes_is_not_written_to_any_more() {
        let node = testing::node();
        let session = testing::session(&node);
        let writing = tokio::spawn({
            let session = session.clone();
            async move { limited(&session, std::future::pending()).await }
        });
        for _ in 0..session.config.limits.max_outgoing {
            session.client().event(EntityId::empty(), BrokerMessage::End);
        }
        tokio::task::yield_now().await;
        assert!(!writing.is_finished());
        session.client().event(EntityId::empty(), BrokerMessage::End);
        assert!(matches!(writing.await.unwrap(), Err(WriteError::NotRead)));
    }

    /// The blocks that a client got after the writer was told to stop: the numbers of the transmissions in each.
    async fn blocks(session: &Arc<Session>, node: &Arc<Node>, fill: impl AsyncFnOnce()) -> Vec<usize> {
        let (mut client, relay) = testing::connected().await;
        let stop = CancellationToken::new();
        let writing = tokio::spawn({
            let (writer, stop) = (Writer::new(session.clone(), node.clone(), relay.writer), stop.clone());
            async move { writer.write(&stop).await }
        });
        fill().await;
        stop.cancel();
        let mut blocks = Vec::new();
        while let Ok(block) = client.reader.read_block().await {
            blocks.push(read_messages(&block, &client.session.parameters).count());
        }
        writing.await.unwrap().unwrap();
        blocks
    }

    /// Puts in events, one after the other; the writer sees each by itself.
    async fn put_in(session: &Session, events: impl IntoIterator<Item = BrokerMessage<'static>>) {
        for event in events {
            session.client().event([1; 24], event);
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
    }

    const SMALL: BrokerMessage<'static> = BrokerMessage::End;

    #[tokio::test]
    async fn a_relay_that_has_time_answers_at_once() {
        let node = testing::node_with(|config| config.server.coalesce = HOUR);
        node.load.stay(false);
        let session = testing::session(&node);
        assert_eq!(blocks(&session, &node, async || put_in(&session, [SMALL; 3]).await).await, [1, 1, 1]);
    }

    /// After a restart of the relay a client subscribes to all its queues, and each is looked for on disk.
    #[tokio::test]
    async fn answers_do_not_wait_for_all_queues_to_be_looked_at() {
        let node = testing::node();
        let session = testing::session(&node);
        for _ in 0..3 * LOOKS_BEFORE_ANSWERS {
            let queue = testing::queue(&node).await;
            let notifier = queue.notifier.as_ref().unwrap();
            node.hub.subscribe_notifications(&notifier.id, None, None, session.client()).unwrap();
            let (nonce, meta) = (Nonce::from_bytes([0; 24]), ShortString::default());
            node.hub.notify(notifier, Notification { timestamp: 1, nonce, meta });
        }
        let answer = Transmission { corr_id: [1; 24].into(), ..Transmission::event([1; 24], SMALL) };
        session.client().mailbox.answer(None, None, answer);
        let blocks = blocks(&session, &node, async || {}).await;
        assert_eq!(blocks.iter().sum::<usize>(), 1 + 3 * LOOKS_BEFORE_ANSWERS);
        assert_eq!(blocks[0], 1 + LOOKS_BEFORE_ANSWERS, "the answer went out before all others");
    }

    #[tokio::test]
    async fn under_load_small_answers_go_together_and_none_is_left_at_the_end() {
        let node = testing::node_with(|config| config.server.coalesce = HOUR);
        node.load.stay(true);
        let session = testing::session(&node);
        assert_eq!(blocks(&session, &node, async || put_in(&session, [SMALL; 3]).await).await, [3]);
    }

    #[tokio::test]
    async fn a_message_does_not_wait_and_takes_along_what_does() {
        let node = testing::node_with(|config| config.server.coalesce = HOUR);
        node.load.stay(true);
        let session = testing::session(&node);
        let message = BrokerMessage::Message([2; 24].into(), Cow::Owned(vec![0; 15_000]));
        let fill = async || put_in(&session, [SMALL, SMALL, message, SMALL, SMALL]).await;
        assert_eq!(blocks(&session, &node, fill).await, [3, 2]);
    }
}
