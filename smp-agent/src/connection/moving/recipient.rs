//! The side that receives in another queue from now on.

use super::{ReceiveMove, ReceiveStage, names};
use crate::config::AgentConfig;
use crate::connection::{Connection, Effects, OutgoingKind, Phase, ReceiveQueue, StateError};
use crate::error::{AgentError, ReceiveError};
use crate::stages::{RotationSide, RotationStage};
use rand::CryptoRng;
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::{AMessage, QueueKey, QueueReady, QueueReplacement, QueueUri};
use smp_protocol::encoding::NonEmpty;

impl Connection {
    /// Begins to move the own queue to a relay.
    pub(crate) fn rotate(
        &mut self,
        relay: &RelayAddress,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), AgentError> {
        if self.phase != Phase::Connected {
            return Err(self.not_now(self.phase.status(), "its queue can be moved once it is connected"));
        }
        if self.moving.receive.is_some() || self.moving.draining.is_some() {
            return Err(
                self.not_now("moving to another queue already", "wait until that is done, or abort it")
            );
        }
        if !self.in_sync() {
            return Err(self.not_now("renewing its encryption", "wait until the other side has answered"));
        }
        if self.is_suspended() {
            return Err(self.not_now("suspended", "connect again: the other side's answers would not come"));
        }
        let queue = ReceiveQueue::new(relay, config.versions.client.max(), rng);
        self.moving.receive = Some(ReceiveMove { queue, stage: ReceiveStage::Creating, said: 0 });
        self.rotation(RotationSide::Receiving, RotationStage::Started, effects);
        Ok(())
    }

    /// Gives up a move of the own queue, which is possible until the peer was told to use the new one.
    pub(crate) fn abort_rotation(&mut self, effects: &mut Effects) -> Result<(), AgentError> {
        let Some(moving) = self.moving.receive.take_if(|moving| moving.stage < ReceiveStage::Used) else {
            return Err(match self.moving.receive {
                Some(_) => self.not_now("about to use the new queue", "wait until that is done"),
                None => self.not_now("not moving to another queue", "there is nothing to abort"),
            });
        };
        effects.deleted.extend(moving.queue.created.is_some().then_some(moving.queue));
        self.rotation(RotationSide::Receiving, RotationStage::Aborted, effects);
        Ok(())
    }

    /// A relay made the new queue. If it is not wanted any more it is deleted.
    pub(crate) fn replacement_created(
        &mut self,
        made: ReceiveQueue,
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        match &mut self.moving.receive {
            Some(moving) if moving.stage == ReceiveStage::Creating && moving.queue.has_keys_of(&made) => {
                moving.queue = made;
                moving.stage = ReceiveStage::Created;
                self.advance_moves(config, effects)
            }
            _ => {
                effects.deleted.push(made);
                Ok(())
            }
        }
    }

    /// The relay does not make the new queue, or has lost it.
    pub(crate) fn replacement_refused(&mut self, effects: &mut Effects) {
        if let Some(moving) = self.moving.receive.take_if(|moving| moving.stage < ReceiveStage::Used) {
            effects.deleted.extend(moving.queue.created.is_some().then_some(moving.queue));
            self.rotation(RotationSide::Receiving, RotationStage::Aborted, effects);
        }
    }

    /// KEY is done: the new queue takes messages of the peer only.
    pub(crate) fn replacement_secured(
        &mut self,
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        match &mut self.moving.receive {
            Some(moving) if moving.stage == ReceiveStage::Securing => {
                moving.queue.sender_key = None;
                moving.stage = ReceiveStage::Secured;
                self.rotation(RotationSide::Receiving, RotationStage::Secured, effects);
                self.advance_moves(config, effects)
            }
            _ => Ok(()),
        }
    }

    /// QADD and QUSE, when it is their turn.
    pub(super) fn advance_receiving(
        &mut self,
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        let Some(moving) = &self.moving.receive else { return Ok(()) };
        let address = moving.queue.address();
        let (message, kind, stage) = match moving.stage {
            ReceiveStage::Created => {
                let replaced = self.receive.as_ref().and_then(ReceiveQueue::address).ok_or(StateError)?;
                let queue =
                    QueueUri { versions: config.versions.client, address: address.ok_or(StateError)? };
                let offer = QueueReplacement { queue, replaced: Some(replaced.sender_queue()) };
                (AMessage::QueueAdd(NonEmpty::one(offer)), OutgoingKind::QueueAdd, ReceiveStage::Offered)
            }
            ReceiveStage::Secured => {
                let queue = address.ok_or(StateError)?.sender_queue();
                let ready = NonEmpty::one(QueueReady { queue, primary: true });
                (AMessage::QueueUse(ready), OutgoingKind::QueueUse, ReceiveStage::Used)
            }
            _ => return Ok(()),
        };
        self.send_agent_message(&message, kind, config, effects)?;
        let said = self.sent.number;
        if let Some(moving) = &mut self.moving.receive {
            (moving.stage, moving.said) = (stage, said);
        }
        Ok(())
    }

    /// QKEY: the sender's keys for the new queue. They may come again until the queue is secured, and later than an abort: then
    /// they are of no use any more.
    pub(in crate::connection) fn queue_key(
        &mut self,
        keys: &NonEmpty<QueueKey>,
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), ReceiveError> {
        let QueueKey { queue: theirs, sender_key } = keys.first();
        if !config.versions.client.contains(theirs.version) {
            return Err(ReceiveError::Version);
        }
        let Some(moving) = &mut self.moving.receive else { return Ok(()) };
        let ReceiveMove { queue, stage, .. } = moving;
        let is_it = queue
            .address()
            .is_some_and(|address| names(&theirs.address.sender_queue(), &address.relay, &address.sender_id));
        match stage {
            ReceiveStage::Offered | ReceiveStage::Securing if is_it => {
                let secret = queue.e2e_key.agree(&theirs.address.dh_key);
                queue.confirm(secret, theirs.version, Some(sender_key.0));
                *stage = ReceiveStage::Securing;
                self.rotation(RotationSide::Receiving, RotationStage::Confirmed, effects);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Something of the peer came in the new queue: that is the own one now. The old one may have messages still, unless all
    /// that were sent before this have come (`empty`).
    pub(in crate::connection) fn replacement_proven(&mut self, empty: bool, effects: &mut Effects) {
        let Some(moving) = self.moving.receive.take() else { return };
        let old = self.receive.replace(moving.queue);
        if empty {
            effects.deleted.extend(old);
        } else {
            self.moving.draining = old;
        }
        self.rotation(RotationSide::Receiving, RotationStage::Completed, effects);
    }

    /// The old queue is empty, or gone.
    pub(crate) fn drained(&mut self, effects: &mut Effects) {
        effects.deleted.extend(self.moving.draining.take());
    }
}
