//! Queue rotation: a side that receives moves to a new queue, on another relay perhaps, while messages flow (section 6.8).
//!
//! ```text
//! recipient: Creating > Created > Offered > Securing > Secured > Used > (messages come in the new queue)
//! sender:    Asked > Keyed > Ready > Testing > (QTEST has been taken by the new relay)
//! ```
//!
//! Stages in which something waits to be said (`Created`, `Secured`, `Asked`, `Ready`) are left at once, unless the ratchet is
//! being renewed. Until a message comes in the new queue, everything works as before over the old one.

mod recipient;
mod sender;

use super::{Connection, CreatedQueue, Effects, ReceiveQueue, SendQueue, StateError, Suspension};
use crate::config::AgentConfig;
use crate::event::Event;
use crate::stages::{RotationSide, RotationStage};
use serde::{Deserialize, Serialize};
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::SenderQueueAddress;
use smp_protocol::id::{RecipientId, SenderId};

/// The moves of a connection, one in each direction at most.
#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Moving {
    /// Where this side is going to receive.
    pub(crate) receive: Option<ReceiveMove>,
    /// The queue that was left, which may have messages still.
    pub(crate) draining: Option<ReceiveQueue>,
    /// Where this side is going to send.
    pub(crate) send: Option<SendMove>,
}

impl Moving {
    /// The stages of the moves that have begun and are not done.
    pub(crate) fn rotations(&self) -> Vec<(RotationSide, RotationStage)> {
        let receive = self.receive.as_ref().map(|moving| match moving.stage {
            ReceiveStage::Creating | ReceiveStage::Created | ReceiveStage::Offered => RotationStage::Started,
            ReceiveStage::Securing => RotationStage::Confirmed,
            ReceiveStage::Secured | ReceiveStage::Used => RotationStage::Secured,
        });
        let send = self.send.as_ref().map(|moving| match moving.stage {
            SendStage::Asked => RotationStage::Started,
            SendStage::Keyed => RotationStage::Confirmed,
            SendStage::Ready | SendStage::Testing => RotationStage::Secured,
        });
        let receive = receive.map(|stage| (RotationSide::Receiving, stage));
        receive.into_iter().chain(send.map(|stage| (RotationSide::Sending, stage))).collect()
    }
}

/// The recipient's side of a move.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct ReceiveMove {
    pub(crate) queue: ReceiveQueue,
    pub(crate) stage: ReceiveStage,
    /// The number of the last message about it; 0 before the first.
    pub(crate) said: i64,
}

/// The sender's side of a move.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct SendMove {
    pub(crate) queue: SendQueue,
    pub(crate) stage: SendStage,
    /// The number of the last message about it; 0 before the first.
    pub(crate) said: i64,
}

/// How far the recipient's side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum ReceiveStage {
    /// The relay is to make the new queue: NEW.
    Creating,
    /// QADD is to be sent.
    Created,
    /// QADD was sent; the sender is to answer by QKEY.
    Offered,
    /// The new queue is to be secured with the sender's key: KEY.
    Securing,
    /// QUSE is to be sent.
    Secured,
    /// QUSE was sent; messages come in both queues until the first one came in the new one.
    Used,
}

/// How far the sender's side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum SendStage {
    /// QADD came; QKEY is to be sent.
    Asked,
    /// QKEY was sent; the recipient is to answer by QUSE.
    Keyed,
    /// QUSE came; QTEST is to be sent. From here on everything is sent to the new queue.
    Ready,
    /// QTEST waits to be taken by the new relay.
    Testing,
}

/// Which of its queues a connection received something in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The one that the peer knows as ours.
    Current,
    /// The one that is to replace it.
    Replacement,
    /// The one that was replaced.
    Draining,
}

/// A command about the own queues that a relay is to do. Messages do not wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// NEW, for the queue that is to replace the own one.
    CreateReplacement,
    /// KEY, for the same.
    SecureReplacement,
    /// QUE, for the queue that was left: whether it is empty.
    Drain,
    /// OFF, for the own queue.
    Suspend,
}

impl Connection {
    /// The command that is due at a relay beside messages.
    pub(crate) fn errand(&self) -> Option<Errand> {
        match self.moving.receive.as_ref().map(|moving| moving.stage) {
            Some(ReceiveStage::Creating) => Some(Errand::CreateReplacement),
            Some(ReceiveStage::Securing) => Some(Errand::SecureReplacement),
            _ if matches!(self.suspension, Suspension::Wanted | Suspension::Asked) => Some(Errand::Suspend),
            _ => self.moving.draining.as_ref().map(|_| Errand::Drain),
        }
    }

    /// The queues that relays have made for this side.
    pub(crate) fn receive_queues(&self) -> impl Iterator<Item = (&ReceiveQueue, &CreatedQueue)> {
        let Moving { receive, draining, .. } = &self.moving;
        let replacement = receive.as_ref().map(|moving| &moving.queue);
        let queues = self.receive.iter().chain(replacement).chain(draining);
        queues.filter_map(|queue| Some((queue, queue.created.as_ref()?)))
    }

    /// Which of its queues a relay's ID names.
    pub(crate) fn receive_queue(&self, id: &RecipientId) -> Option<(Place, &ReceiveQueue)> {
        let places = [Place::Current, Place::Replacement, Place::Draining].into_iter();
        let mut queues = places.filter_map(|place| Some((place, self.queue_at(place)?)));
        queues.find(|(_, queue)| queue.created.as_ref().is_some_and(|it| it.recipient_id == *id))
    }

    /// The queue at a place, whether it has been made or not.
    pub(crate) fn queue_at(&self, place: Place) -> Option<&ReceiveQueue> {
        match place {
            Place::Current => self.receive.as_ref(),
            Place::Replacement => self.moving.receive.as_ref().map(|moving| &moving.queue),
            Place::Draining => self.moving.draining.as_ref(),
        }
    }

    /// The queue that takes what is sent next: that of a contact address for the request, which is first.
    pub(crate) fn send_queue(&self) -> Option<&SendQueue> {
        if self.asking.is_some() {
            return self.asking.as_ref();
        }
        match &self.moving.send {
            Some(moving) if moving.stage >= SendStage::Ready => Some(&moving.queue),
            _ => self.send.as_ref(),
        }
    }

    /// Says what waits to be said about moves, if messages can be sent.
    pub(super) fn advance_moves(
        &mut self,
        config: &AgentConfig,
        effects: &mut Effects,
    ) -> Result<(), StateError> {
        if self.in_sync() {
            self.advance_receiving(config, effects)?;
            self.advance_sending(config, effects)?;
        }
        Ok(())
    }

    /// The peer has received nothing after this number: what was said later about moves is said again.
    pub(super) fn repeat_moves(&mut self, last_received: i64) {
        if let Some(moving) = self.moving.receive.as_mut().filter(|moving| moving.said > last_received) {
            moving.stage = match moving.stage {
                ReceiveStage::Offered => ReceiveStage::Created,
                ReceiveStage::Used => ReceiveStage::Secured,
                stage => stage,
            };
        }
        if let Some(moving) = self.moving.send.as_mut().filter(|moving| moving.said > last_received) {
            moving.stage = match moving.stage {
                SendStage::Keyed => SendStage::Asked,
                SendStage::Testing => SendStage::Ready,
                stage => stage,
            };
        }
    }

    fn rotation(&self, side: RotationSide, stage: RotationStage, effects: &mut Effects) {
        effects.events.push(Event::QueueRotation { connection: self.id, side, stage });
    }
}

/// Whether an address means a queue: hosts may have changed, and peers may write them otherwise.
fn names(address: &SenderQueueAddress, relay: &RelayAddress, sender_id: &SenderId) -> bool {
    address.relay.fingerprint == relay.fingerprint && address.sender_id == *sender_id
}
