//! The side that sends to another queue from now on.

use super::{SendMove, SendStage, names};
use crate::config::AgentConfig;
use crate::connection::{Connection, Effects, OutgoingKind, SendQueue, StateError};
use crate::error::ReceiveError;
use crate::stages::{RotationSide, RotationStage};
use rand::CryptoRng;
use smp_protocol::agent::{
    AMessage, QueueAddress, QueueInfo, QueueKey, QueueReady, QueueReplacement, SenderQueueAddress,
};
use smp_protocol::encoding::NonEmpty;

impl Connection {
    /// QADD: the peer is going to receive in another queue. Once more for the same old queue it replaces the earlier offer.
    pub(in crate::connection) fn queue_add(
        &mut self,
        offers: &NonEmpty<QueueReplacement>,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ReceiveError> {
        let QueueReplacement { queue: offer, replaced } = offers.first();
        let replaced = replaced.as_ref().ok_or(ReceiveError::Unexpected)?;
        let version = config.versions.client.compatible(&offer.versions).ok_or(ReceiveError::Version)?;
        if self.moving.send.as_ref().is_some_and(|moving| moving.stage == SendStage::Testing)
            && self.moves_to(replaced)
        {
            // Our message to the new queue has arrived, before its relay's answer came here.
            self.sending_moved(effects);
        }
        let current = self.send.as_ref().ok_or(ReceiveError::Unexpected)?;
        let new = offer.address.sender_queue();
        if !is(current, replaced) || is(current, &new) {
            return Err(ReceiveError::Unexpected);
        }
        if self.moves_to(&new) {
            // It did not see our answer.
            if let Some(moving) = self.moving.send.as_mut().filter(|moving| moving.stage <= SendStage::Keyed)
            {
                moving.stage = SendStage::Asked;
            }
            return Ok(());
        }
        let queue = SendQueue::new(offer.clone().at(version), rng);
        self.moving.send = Some(SendMove { queue, stage: SendStage::Asked, said: 0 });
        self.rotation(RotationSide::Sending, RotationStage::Started, effects);
        Ok(())
    }

    fn moves_to(&self, address: &SenderQueueAddress) -> bool {
        self.moving.send.as_ref().is_some_and(|moving| is(&moving.queue, address))
    }

    /// QUSE: the new queue is secured with our key.
    pub(in crate::connection) fn queue_use(
        &mut self,
        ready: &NonEmpty<QueueReady>,
        effects: &mut Effects,
    ) -> Result<(), ReceiveError> {
        let QueueReady { queue, .. } = ready.first();
        if !self.moves_to(queue) {
            // The peer may say it again; it is known by then.
            let known = self.send.as_ref().is_some_and(|current| is(current, queue));
            return if known { Ok(()) } else { Err(ReceiveError::Unexpected) };
        }
        if let Some(moving) = self.moving.send.as_mut().filter(|moving| moving.stage == SendStage::Keyed) {
            moving.stage = SendStage::Ready;
            self.rotation(RotationSide::Sending, RotationStage::Secured, effects);
        }
        Ok(())
    }

    /// QKEY and QTEST, when it is their turn.
    pub(super) fn advance_sending(
        &mut self,
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        let Some(SendMove { queue, stage, .. }) = &self.moving.send else { return Ok(()) };
        let (message, kind, stage) = match stage {
            SendStage::Asked => {
                let key =
                    QueueKey { queue: offered(queue), sender_key: queue.sender_key.public_key().into() };
                (AMessage::QueueKey(NonEmpty::one(key)), OutgoingKind::QueueKey, SendStage::Keyed)
            }
            SendStage::Ready => {
                let test = NonEmpty::one(sender_queue(queue));
                (AMessage::QueueTest(test), OutgoingKind::QueueTest, SendStage::Testing)
            }
            SendStage::Keyed | SendStage::Testing => return Ok(()),
        };
        self.send_agent_message(&message, kind, config, effects)?;
        let said = self.sent.number;
        if let Some(moving) = &mut self.moving.send {
            (moving.stage, moving.said) = (stage, said);
        }
        Ok(())
    }

    /// A relay has taken a message about the move.
    pub(in crate::connection) fn move_delivered(&mut self, kind: OutgoingKind, effects: &mut Effects) {
        match (kind, self.moving.send.as_ref().map(|moving| moving.stage)) {
            (OutgoingKind::QueueKey, Some(SendStage::Keyed)) => {
                self.rotation(RotationSide::Sending, RotationStage::Confirmed, effects);
            }
            (OutgoingKind::QueueTest, Some(SendStage::Testing)) => self.sending_moved(effects),
            _ => {}
        }
    }

    fn sending_moved(&mut self, effects: &mut Effects) {
        let Some(moving) = self.moving.send.take() else { return };
        self.send = Some(moving.queue);
        self.rotation(RotationSide::Sending, RotationStage::Completed, effects);
    }

    /// The new relay does not take what is sent: the old queue takes it, as long as the peer reads it. False if there is no move.
    pub(crate) fn send_as_before(&mut self, effects: &mut Effects) -> bool {
        let tried = self.moving.send.take_if(|moving| moving.stage >= SendStage::Ready).is_some();
        if tried {
            self.rotation(RotationSide::Sending, RotationStage::Aborted, effects);
        }
        tried
    }
}

fn is(queue: &SendQueue, address: &SenderQueueAddress) -> bool {
    names(address, &queue.relay, &queue.sender_id)
}

fn sender_queue(queue: &SendQueue) -> SenderQueueAddress {
    SenderQueueAddress { relay: queue.relay.without_password(), sender_id: queue.sender_id.clone() }
}

/// As it was offered, with our key for the agreement in the place of the recipient's.
fn offered(queue: &SendQueue) -> QueueInfo {
    let address = QueueAddress {
        relay: queue.relay.clone(),
        sender_id: queue.sender_id.clone(),
        dh_key: queue.e2e_public,
        mode: queue.mode,
    };
    QueueInfo { version: queue.client_version, address }
}
