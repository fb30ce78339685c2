//! `DeliveryState`: where the messages of one subscribed queue stand. One of them at a time is with the recipient.
//!
//! ```text
//!            subscribe                take               nothing there
//!   (new) ──────────────► Scheduled ───────► Loading ───────────────────► Idle
//!                             ▲                 │  ▲                        │
//!                             │  something came │  │ acknowledge            │ wake
//!                             └─────────────────┤  │                        │
//!                             ▲                 │ first message             │
//!                             │                 ▼  │                        │
//!                             │             Delivered                       │
//!                             └─────────────────────────────────────────────┘
//! ```
//!
//! While the store is asked, a message may arrive that the answer does not show yet; `wake` then notes that the store has
//! to be asked once more. So no message waits for a wake-up that was missed, and none is sent twice.

use smp_protocol::id::MessageId;

/// Where the delivery of one subscription stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryState {
    /// The client has been told to look for a message.
    Scheduled,
    /// The client's session is asking the store.
    Loading {
        /// Something was sent in the meantime.
        again: bool,
    },
    /// The queue is empty.
    Idle,
    /// The recipient has this message and has not acknowledged it.
    Delivered(MessageId),
}

/// The delivery that follows from the store's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loaded {
    /// Send it.
    Deliver,
    /// Nothing was there, but something came meanwhile: schedule again.
    Again,
    /// Nothing is there.
    Nothing,
}

impl DeliveryState {
    /// A message has arrived. Returns whether the client has to be told.
    pub(crate) fn wake(&mut self) -> bool {
        match self {
            Self::Idle => {
                *self = Self::Scheduled;
                true
            }
            Self::Loading { again } => {
                *again = true;
                false
            }
            Self::Scheduled | Self::Delivered(_) => false,
        }
    }

    /// The session starts asking the store. Returns `false` if there is nothing to ask for.
    pub(crate) fn take(&mut self) -> bool {
        let scheduled = *self == Self::Scheduled;
        if scheduled {
            *self = Self::Loading { again: false };
        }
        scheduled
    }

    /// The recipient acknowledges this message; an empty ID means any. Returns the ID of the message that it has had, or
    /// `None` if it has not had this one.
    pub(crate) fn acknowledge(&mut self, id: &MessageId) -> Option<MessageId> {
        match self {
            Self::Delivered(delivered) if delivered == id || id.is_empty() => {
                let delivered = delivered.clone();
                *self = Self::Loading { again: false };
                Some(delivered)
            }
            _ => None,
        }
    }

    /// The store has answered: this is the first message.
    pub(crate) fn loaded(&mut self, first: Option<&MessageId>) -> Loaded {
        let again = *self == Self::Loading { again: true };
        match first {
            Some(id) => {
                *self = Self::Delivered(id.clone());
                Loaded::Deliver
            }
            None if again => {
                *self = Self::Scheduled;
                Loaded::Again
            }
            None => {
                *self = Self::Idle;
                Loaded::Nothing
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> MessageId {
        [byte; 24].into()
    }

    #[test]
    fn a_message_is_delivered_and_acknowledged() {
        let mut delivery = DeliveryState::Scheduled;
        assert!(delivery.take());
        assert_eq!(delivery.loaded(Some(&id(1))), Loaded::Deliver);
        assert_eq!(delivery.acknowledge(&id(2)), None);
        assert_eq!(delivery.acknowledge(&id(1)), Some(id(1)));
        assert_eq!(delivery.acknowledge(&id(1)), None);
        assert_eq!(delivery.loaded(None), Loaded::Nothing);
        assert!(delivery.wake());
        assert!(!delivery.wake());
    }

    #[test]
    fn a_message_that_comes_while_the_store_is_asked_is_not_missed() {
        let mut delivery = DeliveryState::Scheduled;
        assert!(delivery.take());
        assert!(!delivery.wake());
        assert_eq!(delivery.loaded(None), Loaded::Again);
        assert!(delivery.take());
        assert_eq!(delivery.loaded(Some(&id(1))), Loaded::Deliver);
    }

    #[test]
    fn a_second_message_waits_for_the_acknowledgement_of_the_first() {
        let mut delivery = DeliveryState::Delivered(id(1));
        assert!(!delivery.wake());
        assert!(!delivery.take());
        assert_eq!(delivery.acknowledge(&MessageId::empty()), Some(id(1)));
        assert_eq!(delivery.loaded(Some(&id(2))), Loaded::Deliver);
        assert_eq!(delivery, DeliveryState::Delivered(id(2)));
    }
}
