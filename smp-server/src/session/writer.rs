//! The task that writes answers and messages to a client.

use std::{borrow::Cow, sync::Arc};

use smp_protocol::{
    body::ReceivedBody,
    command::MessageFlags,
    encoding::UnixSeconds,
    error::ErrorType,
    id::{CorrelationId, EntityId, NotifierId, RecipientId},
    message::BrokerMessage,
    transmission::{BlockContent, DoesNotFit, MAX_TRANSMISSIONS, write_message},
};
use smp_transport::connection::{BlockWriter, ConnectionError};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Session,
    gather::Gather,
    next::next_of,
    outbox::Scheduled,
    reply::{Content, Delivery, Reply},
};
use crate::{
    broker::{Broker, Notification},
    metrics::Timer,
    store::{Message, MessageContent},
};

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
    broker: Arc<Broker>,
    writer: BlockWriter,
    block: BlockContent,
    /// Whether there are whole blocks that were not sent yet.
    queued: bool,
    gather: Gather,
}

impl Writer {
    pub(super) fn new(session: Arc<Session>, broker: Arc<Broker>, writer: BlockWriter) -> Self {
        let gather = Gather::new(session.config.server.gather);
        Self { session, broker, writer, block: BlockContent::new(), queued: false, gather }
    }

    /// Writes until the connection is lost, the client does not read, or `stop` is cancelled and everything is written.
    pub(super) async fn write(mut self, stop: &CancellationToken) -> Result<(), WriteError> {
        loop {
            tokio::select! {
                () = self.session.outbox.filled() => {}
                () = self.gather.over() => {}
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
        let broker = &self.broker;
        !self.queued
            && !self.block.is_empty()
            && self.gather.waits(self.block.as_bytes().len(), Instant::now(), || broker.load.is_high())
    }

    /// Puts what is there into blocks, answers before messages.
    async fn put_everything(&mut self) -> Result<(), WriteError> {
        loop {
            if self.session.outbox.has_overflown() {
                return Err(WriteError::NotRead);
            }
            let replies = self.session.outbox.take(MAX_TRANSMISSIONS);
            if replies.is_empty() {
                match self.session.outbox.take_scheduled() {
                    Some(Scheduled::Message(queue)) => self.deliver(&queue).await?,
                    Some(Scheduled::Notifications(notifier)) => self.notify(&notifier).await?,
                    None => return Ok(()),
                }
            }
            for reply in replies {
                self.put(reply).await?;
            }
        }
    }

    /// Sends all blocks, if there are any.
    async fn send(&mut self) -> Result<(), WriteError> {
        self.write_block().await?;
        if self.queued {
            limited(&self.session, self.writer.flush()).await?;
            self.queued = false;
            self.block.shrink();
            self.gather.sent(Instant::now());
            self.session.note_activity();
        }
        Ok(())
    }

    /// Puts in what a scheduled queue has for the client, if anything.
    async fn deliver(&mut self, queue: &RecipientId) -> Result<(), WriteError> {
        match next_of(&self.session, &self.broker, queue).await {
            Some(reply) => self.put(reply).await,
            None => Ok(()),
        }
    }

    /// Puts in the notifications that wait for a scheduled notifier, if any.
    async fn notify(&mut self, notifier: &NotifierId) -> Result<(), WriteError> {
        for Notification { nonce, meta, .. } in self.broker.take_notifications(notifier, &self.session) {
            self.put(Reply::event(notifier, BrokerMessage::Notification(nonce, meta))).await?;
        }
        Ok(())
    }

    /// Puts a transmission into the block; writes the block first if it has no room for it.
    async fn put(&mut self, reply: Reply) -> Result<(), WriteError> {
        let Reply { corr_id, entity_id, content, permit, timer } = reply;
        self.count(&content, timer.as_ref());
        let message = match content {
            Content::Message(message) => message,
            Content::Delivery(delivery) => delivery.seal(),
            Content::Forwarded(envelope) => envelope.seal(),
        };
        match self.push(&corr_id, &entity_id, &message) {
            Ok(()) => {}
            Err(DoesNotFit::Full) => {
                self.write_block().await?;
                // An empty block has room for whatever is not too large.
                let _ = self.push(&corr_id, &entity_id, &message);
            }
            Err(DoesNotFit::TooLarge) => {
                let message = ErrorType::LargeMessage.into();
                if self.push(&corr_id, &entity_id, &message).is_err() {
                    self.write_block().await?;
                    let _ = self.push(&corr_id, &entity_id, &message);
                }
            }
        }
        drop(permit);
        Ok(())
    }

    fn count(&self, content: &Content, timer: Option<&Timer>) {
        let metrics = &self.broker.metrics;
        if let Some(timer) = timer {
            metrics.commands.answered(timer);
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
        message: &BrokerMessage<'_>,
    ) -> Result<(), DoesNotFit> {
        self.block.push(|out| write_message(&self.session.parameters, corr_id, entity_id, message, out))
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
        () = session.outbox.overflown() => Err(WriteError::NotRead),
    }
}

impl Delivery {
    /// `MSG` with the body encrypted for the recipient.
    fn seal(&self) -> BrokerMessage<'static> {
        let Message { id, timestamp, content } = &*self.message;
        let time = UnixSeconds(i64::try_from(*timestamp).unwrap_or(i64::MAX));
        let body = match content {
            MessageContent::Sent { notification, body } => ReceivedBody::Message {
                time,
                flags: MessageFlags { notification: *notification },
                body: Cow::Borrowed(body),
            },
            MessageContent::QuotaMarker => ReceivedBody::Quota { time },
        };
        let mut sealed = Vec::new();
        match body.seal_into(&self.recipient_dh.box_key(), id, &mut sealed) {
            Ok(()) => BrokerMessage::Message(id.clone(), Cow::Owned(sealed)),
            // Bodies are checked when they are sent.
            Err(_) => ErrorType::LargeMessage.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use smp_protocol::transmission::read_messages;

    use super::*;
    use crate::testing;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// Without waiting for the time that writing a block may take.
    #[tokio::test]
    async fn a_client_for_which_too_much_comes_is_not_written_to_any_more() {
        let broker = testing::broker();
        let session = testing::session(&broker);
        let writing = tokio::spawn({
            let session = session.clone();
            async move { limited(&session, std::future::pending()).await }
        });
        for _ in 0..session.config.limits.max_outgoing {
            session.event(Reply::event(EntityId::empty(), BrokerMessage::End));
        }
        tokio::task::yield_now().await;
        assert!(!writing.is_finished());
        session.event(Reply::event(EntityId::empty(), BrokerMessage::End));
        assert!(matches!(writing.await.unwrap(), Err(WriteError::NotRead)));
    }

    /// What a client got, after the writer was told to stop: the numbers of the transmissions in each block.
    async fn blocks(session: &Arc<Session>, broker: &Arc<Broker>, fill: impl AsyncFnOnce()) -> Vec<usize> {
        let (mut client, relay) = testing::connected().await;
        let stop = CancellationToken::new();
        let writing = tokio::spawn({
            let (writer, stop) = (Writer::new(session.clone(), broker.clone(), relay.writer), stop.clone());
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
            session.event(Reply::event([1; 24], event));
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
    }

    const SMALL: BrokerMessage<'static> = BrokerMessage::End;

    #[tokio::test]
    async fn a_relay_that_has_time_answers_at_once() {
        let broker = testing::broker_with(|config| config.server.gather = HOUR);
        broker.load.stay(false);
        let session = testing::session(&broker);
        assert_eq!(blocks(&session, &broker, async || put_in(&session, [SMALL; 3]).await).await, [1, 1, 1]);
    }

    #[tokio::test]
    async fn under_load_small_answers_go_together_and_none_is_left_at_the_end() {
        let broker = testing::broker_with(|config| config.server.gather = HOUR);
        broker.load.stay(true);
        let session = testing::session(&broker);
        assert_eq!(blocks(&session, &broker, async || put_in(&session, [SMALL; 3]).await).await, [3]);
    }

    #[tokio::test]
    async fn a_message_does_not_wait_and_takes_along_what_does() {
        let broker = testing::broker_with(|config| config.server.gather = HOUR);
        broker.load.stay(true);
        let session = testing::session(&broker);
        let message = BrokerMessage::Message([2; 24].into(), Cow::Owned(vec![0; 15_000]));
        let fill = async || put_in(&session, [SMALL, SMALL, message, SMALL, SMALL]).await;
        assert_eq!(blocks(&session, &broker, fill).await, [3, 2]);
    }
}
