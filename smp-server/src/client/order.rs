//! `Order`: answers about one entity (queue, link or notifier) leave in the order of their commands.
//!
//! An answer that waits for the store holds back those about the same entity behind it, and no others.

use std::collections::{HashMap, VecDeque};

use smp_protocol::id::EntityId;

use super::transmission::Transmission;
use crate::store::{Completion, StoreError};

/// An answer that waits for the store.
pub(crate) struct Waiting {
    /// Answers about it must not overtake this one.
    pub(crate) entity: Option<EntityId>,
    /// The wait.
    pub(crate) durable: Completion,
    /// The answer.
    pub(crate) answer: Transmission,
}

/// Answers behind one that waits.
#[derive(Default)]
pub(crate) struct Order {
    entities: HashMap<EntityId, VecDeque<(Option<Completion>, Transmission)>>,
}

/// The next step with answers.
pub(crate) struct Next<'a> {
    /// These can be sent.
    pub(crate) send: &'a mut VecDeque<Transmission>,
    /// This is to be waited for.
    pub(crate) wait: Option<Waiting>,
}

impl Order {
    /// A command was answered. Without an entity there is no order to keep.
    pub(crate) fn push(
        &mut self,
        entity: Option<EntityId>,
        durable: Option<Completion>,
        answer: Transmission,
        next: &mut Next<'_>,
    ) {
        let (durable, answer) = settle(durable, answer);
        let Some(entity) = entity else { return next.add(None, durable, answer) };
        if let Some(behind) = self.entities.get_mut(&entity) {
            behind.push_back((durable, answer));
            return;
        }
        if durable.is_some() {
            self.entities.insert(entity.clone(), VecDeque::new());
        }
        next.add(Some(entity), durable, answer);
    }

    /// The wait for an answer of this entity is over: it can be sent, and what is behind it, up to the next wait.
    pub(crate) fn settled(
        &mut self,
        entity: Option<EntityId>,
        result: Result<(), StoreError>,
        mut answer: Transmission,
        next: &mut Next<'_>,
    ) {
        answer.settle(result);
        next.send.push_back(answer);
        let Some(entity) = entity else { return };
        while let Some(behind) = self.entities.get_mut(&entity) {
            match behind.pop_front().map(|(durable, answer)| settle(durable, answer)) {
                Some((None, answer)) => next.send.push_back(answer),
                Some((Some(durable), answer)) => return next.add(Some(entity), Some(durable), answer),
                None => {
                    self.entities.remove(&entity);
                }
            }
        }
    }
}

/// An answer that is durable already needs no wait.
fn settle(durable: Option<Completion>, mut answer: Transmission) -> (Option<Completion>, Transmission) {
    let Some(durable) = durable else { return (None, answer) };
    match durable.outcome() {
        Some(result) => {
            answer.settle(result);
            (None, answer)
        }
        None => (Some(durable), answer),
    }
}

impl Next<'_> {
    fn add(&mut self, entity: Option<EntityId>, durable: Option<Completion>, answer: Transmission) {
        match durable {
            Some(durable) => self.wait = Some(Waiting { entity, durable, answer }),
            None => self.send.push_back(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use smp_protocol::message::BrokerMessage;

    use super::*;
    use crate::{client::Content, store::StorageFault};

    fn entity(byte: u8) -> Option<EntityId> {
        Some([byte; 24].into())
    }

    fn answer(number: u8) -> Transmission {
        Transmission { corr_id: [number; 24].into(), ..Transmission::event([0; 24], BrokerMessage::Ok) }
    }

    /// Does a step, and returns the numbers of the replies that can be sent now, and what is to be waited for.
    fn step(run: impl FnOnce(&mut Next<'_>)) -> (Vec<u8>, Option<Waiting>) {
        let mut send = VecDeque::new();
        let mut next = Next { send: &mut send, wait: None };
        run(&mut next);
        let wait = next.wait;
        (send.iter().map(|answer| answer.corr_id.as_bytes()[0]).collect(), wait)
    }

    #[test]
    fn answers_of_a_entity_keep_their_order_and_others_overtake() {
        let mut order = Order::default();
        let (first, durable) = Completion::pending();
        let (sent, waiting) = step(|next| order.push(entity(1), Some(durable), answer(1), next));
        assert!(sent.is_empty());
        let waiting = waiting.unwrap();
        let (second, durable) = Completion::pending();
        let (sent, behind) = step(|next| {
            order.push(entity(1), None, answer(2), next);
            order.push(entity(1), Some(durable), answer(3), next);
            order.push(entity(1), None, answer(4), next);
            order.push(entity(2), None, answer(5), next);
            order.push(None, None, answer(6), next);
        });
        assert_eq!(sent, [5, 6]);
        assert!(behind.is_none());

        first.complete(Ok(()));
        let (sent, behind) = step(|next| order.settled(waiting.entity, Ok(()), waiting.answer, next));
        assert_eq!(sent, [1, 2]);
        let waiting = behind.unwrap();

        second.complete(Err(StoreError::Unavailable(StorageFault::Full)));
        let outcome = waiting.durable.outcome().unwrap();
        let mut send = VecDeque::new();
        let mut next = Next { send: &mut send, wait: None };
        order.settled(waiting.entity, outcome, waiting.answer, &mut next);
        assert_eq!(send.iter().map(|answer| answer.corr_id.as_bytes()[0]).collect::<Vec<_>>(), [3, 4]);
        assert!(matches!(send[0].content, Content::Message(BrokerMessage::Error(_))));
        assert!(order.entities.is_empty());
    }

    #[test]
    fn what_is_durable_already_is_sent_at_once() {
        let mut order = Order::default();
        let (sent, waiting) = step(|next| {
            order.push(entity(1), Some(Completion::done()), answer(1), next);
            order.push(entity(1), None, answer(2), next);
        });
        assert_eq!(sent, [1, 2]);
        assert!(waiting.is_none() && order.entities.is_empty());
    }
}
