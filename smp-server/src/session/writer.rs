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
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    Session,
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
}

impl Writer {
    pub(super) fn new(session: Arc<Session>, broker: Arc<Broker>, writer: BlockWriter) -> Self {
        Self { session, broker, writer, block: BlockContent::new() }
    }

    /// Writes until the connection is lost, the client does not read, or `stop` is cancelled and everything is written.
    pub(super) async fn write(mut self, stop: &CancellationToken) -> Result<(), WriteError> {
        loop {
            tokio::select! {
                () = self.session.outbox.filled() => {}
                () = stop.cancelled() => {
                    self.write_everything().await?;
                    let close = timeout(self.session.config.limits.block_timeout, self.writer.close());
                    return close.await.map_err(|_| WriteError::NotRead)?.map_err(WriteError::from);
                }
            }
            self.write_everything().await?;
        }
    }

    /// Writes what is there, answers before messages, and flushes.
    async fn write_everything(&mut self) -> Result<(), WriteError> {
        let mut written = false;
        loop {
            if self.session.outbox.has_overflown() {
                return Err(WriteError::NotRead);
            }
            let replies = self.session.outbox.take(MAX_TRANSMISSIONS);
            if replies.is_empty() {
                let Some(scheduled) = self.session.outbox.take_scheduled() else { break };
                written |= match scheduled {
                    Scheduled::Message(queue) => self.deliver(&queue).await?,
                    Scheduled::Notifications(notifier) => self.notify(&notifier).await?,
                };
                continue;
            }
            written = true;
            for reply in replies {
                self.put(reply).await?;
            }
        }
        if written {
            self.write_block().await?;
            limited(&self.session, self.writer.flush()).await?;
            self.block.clear();
            self.block.shrink();
            self.session.note_activity();
        }
        Ok(())
    }

    /// Sends what a scheduled queue has for the client, if anything.
    async fn deliver(&mut self, queue: &RecipientId) -> Result<bool, WriteError> {
        let Some(reply) = next_of(&self.session, &self.broker, queue).await else { return Ok(false) };
        self.put(reply).await?;
        Ok(true)
    }

    /// Sends the notifications that wait for a scheduled notifier, if any.
    async fn notify(&mut self, notifier: &NotifierId) -> Result<bool, WriteError> {
        let notifications = self.broker.take_notifications(notifier, &self.session);
        let any = !notifications.is_empty();
        for Notification { nonce, meta, .. } in notifications {
            self.put(Reply::event(notifier, BrokerMessage::Notification(nonce, meta))).await?;
        }
        Ok(any)
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
    use super::*;
    use crate::testing;

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
}
