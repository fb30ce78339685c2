//! Keeps the answers about one queue in the order of its commands, while those about others go on.

use std::collections::{HashMap, VecDeque};

use smp_protocol::id::EntityId;

use super::reply::Reply;
use crate::store::{Completion, StoreError};

/// An answer that waits for the store.
pub(crate) struct Waiting {
    /// Whose answers must not overtake it.
    pub(crate) lane: Option<EntityId>,
    /// What it waits for.
    pub(crate) kept: Completion,
    /// The answer.
    pub(crate) reply: Reply,
}

/// Answers behind one that waits.
#[derive(Default)]
pub(crate) struct Order {
    lanes: HashMap<EntityId, VecDeque<(Option<Completion>, Reply)>>,
}

/// What can happen next with answers.
pub(crate) struct Next<'a> {
    /// These can be sent.
    pub(crate) send: &'a mut VecDeque<Reply>,
    /// This is to be waited for.
    pub(crate) wait: Option<Waiting>,
}

impl Order {
    /// A command was answered. Without a lane there is no order to be kept.
    pub(crate) fn push(
        &mut self,
        lane: Option<EntityId>,
        kept: Option<Completion>,
        reply: Reply,
        next: &mut Next<'_>,
    ) {
        let (kept, reply) = settle(kept, reply);
        let Some(lane) = lane else { return next.add(None, kept, reply) };
        if let Some(behind) = self.lanes.get_mut(&lane) {
            behind.push_back((kept, reply));
            return;
        }
        if kept.is_some() {
            self.lanes.insert(lane.clone(), VecDeque::new());
        }
        next.add(Some(lane), kept, reply);
    }

    /// The wait for an answer of this lane is over: it can be sent, and what is behind it, up to the next wait.
    pub(crate) fn settled(
        &mut self,
        lane: Option<EntityId>,
        result: Result<(), StoreError>,
        mut reply: Reply,
        next: &mut Next<'_>,
    ) {
        reply.settle(result);
        next.send.push_back(reply);
        let Some(lane) = lane else { return };
        while let Some(behind) = self.lanes.get_mut(&lane) {
            match behind.pop_front().map(|(kept, reply)| settle(kept, reply)) {
                Some((None, reply)) => next.send.push_back(reply),
                Some((Some(kept), reply)) => return next.add(Some(lane), Some(kept), reply),
                None => {
                    self.lanes.remove(&lane);
                }
            }
        }
    }
}

/// What is kept already needs no wait.
fn settle(kept: Option<Completion>, mut reply: Reply) -> (Option<Completion>, Reply) {
    let Some(kept) = kept else { return (None, reply) };
    match kept.outcome() {
        Some(result) => {
            reply.settle(result);
            (None, reply)
        }
        None => (Some(kept), reply),
    }
}

impl Next<'_> {
    fn add(&mut self, lane: Option<EntityId>, kept: Option<Completion>, reply: Reply) {
        match kept {
            Some(kept) => self.wait = Some(Waiting { lane, kept, reply }),
            None => self.send.push_back(reply),
        }
    }
}

#[cfg(test)]
mod tests {
    use smp_protocol::message::BrokerMessage;

    use super::*;
    use crate::{session::reply::Content, store::StorageFault};

    fn lane(byte: u8) -> Option<EntityId> {
        Some([byte; 24].into())
    }

    fn reply(number: u8) -> Reply {
        Reply { corr_id: [number; 24].into(), ..Reply::event([0; 24], BrokerMessage::Ok) }
    }

    /// Does a step, and returns the numbers of the replies that can be sent now, and what is to be waited for.
    fn step(run: impl FnOnce(&mut Next<'_>)) -> (Vec<u8>, Option<Waiting>) {
        let mut send = VecDeque::new();
        let mut next = Next { send: &mut send, wait: None };
        run(&mut next);
        let wait = next.wait;
        (send.iter().map(|reply| reply.corr_id.as_bytes()[0]).collect(), wait)
    }

    #[test]
    fn answers_of_a_lane_keep_their_order_and_others_overtake() {
        let mut order = Order::default();
        let (first, kept) = Completion::pending();
        let (sent, waiting) = step(|next| order.push(lane(1), Some(kept), reply(1), next));
        assert!(sent.is_empty());
        let waiting = waiting.unwrap();
        let (second, kept) = Completion::pending();
        let (sent, behind) = step(|next| {
            order.push(lane(1), None, reply(2), next);
            order.push(lane(1), Some(kept), reply(3), next);
            order.push(lane(1), None, reply(4), next);
            order.push(lane(2), None, reply(5), next);
            order.push(None, None, reply(6), next);
        });
        assert_eq!(sent, [5, 6]);
        assert!(behind.is_none());

        first.complete(Ok(()));
        let (sent, behind) = step(|next| order.settled(waiting.lane, Ok(()), waiting.reply, next));
        assert_eq!(sent, [1, 2]);
        let waiting = behind.unwrap();

        second.complete(Err(StoreError::Unavailable(StorageFault::Full)));
        let outcome = waiting.kept.outcome().unwrap();
        let mut send = VecDeque::new();
        let mut next = Next { send: &mut send, wait: None };
        order.settled(waiting.lane, outcome, waiting.reply, &mut next);
        assert_eq!(send.iter().map(|reply| reply.corr_id.as_bytes()[0]).collect::<Vec<_>>(), [3, 4]);
        assert!(matches!(send[0].content, Content::Message(BrokerMessage::Error(_))));
        assert!(order.lanes.is_empty());
    }

    #[test]
    fn what_is_kept_already_is_sent_at_once() {
        let mut order = Order::default();
        let (sent, waiting) = step(|next| {
            order.push(lane(1), Some(Completion::done()), reply(1), next);
            order.push(lane(1), None, reply(2), next);
        });
        assert_eq!(sent, [1, 2]);
        assert!(waiting.is_none() && order.lanes.is_empty());
    }
}
