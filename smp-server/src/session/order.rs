//! Keeps the answers about one queue in the order of its commands, while those about others go on.

use std::collections::{HashMap, VecDeque};

use futures_util::FutureExt as _;
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

/// What can happen next with an answer.
#[derive(Default)]
pub(crate) struct Next {
    /// Send these.
    pub(crate) send: Vec<Reply>,
    /// Wait for these.
    pub(crate) wait: Vec<Waiting>,
}

impl Order {
    /// A command was answered. Without a lane there is no order to be kept.
    pub(crate) fn push(
        &mut self,
        lane: Option<EntityId>,
        kept: Option<Completion>,
        reply: Reply,
        next: &mut Next,
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
        next: &mut Next,
    ) {
        reply.settle(result);
        next.send.push(reply);
        let Some(lane) = lane else { return };
        while let Some(behind) = self.lanes.get_mut(&lane) {
            match behind.pop_front().map(|(kept, reply)| settle(kept, reply)) {
                Some((None, reply)) => next.send.push(reply),
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
    let Some(mut kept) = kept else { return (None, reply) };
    match (&mut kept).now_or_never() {
        Some(result) => {
            reply.settle(result);
            (None, reply)
        }
        None => (Some(kept), reply),
    }
}

impl Next {
    fn add(&mut self, lane: Option<EntityId>, kept: Option<Completion>, reply: Reply) {
        match kept {
            Some(kept) => self.wait.push(Waiting { lane, kept, reply }),
            None => self.send.push(reply),
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

    fn sent(next: &Next) -> Vec<u8> {
        next.send.iter().map(|reply| reply.corr_id.as_bytes()[0]).collect()
    }

    #[test]
    fn answers_of_a_lane_keep_their_order_and_others_overtake() {
        let mut order = Order::default();
        let mut next = Next::default();
        let (first, kept) = Completion::pending();
        order.push(lane(1), Some(kept), reply(1), &mut next);
        let (second, kept) = Completion::pending();
        order.push(lane(1), None, reply(2), &mut next);
        order.push(lane(1), Some(kept), reply(3), &mut next);
        order.push(lane(1), None, reply(4), &mut next);
        order.push(lane(2), None, reply(5), &mut next);
        order.push(None, None, reply(6), &mut next);
        assert_eq!(sent(&next), [5, 6]);

        first.complete(Ok(()));
        let waiting = next.wait.pop().unwrap();
        assert!(next.wait.is_empty());
        let mut next = Next::default();
        order.settled(waiting.lane, Ok(()), waiting.reply, &mut next);
        assert_eq!(sent(&next), [1, 2]);

        second.complete(Err(StoreError::Unavailable(StorageFault::Full)));
        let waiting = next.wait.pop().unwrap();
        let mut next = Next::default();
        let result = waiting.kept.now_or_never().unwrap();
        order.settled(waiting.lane, result, waiting.reply, &mut next);
        assert_eq!(sent(&next), [3, 4]);
        assert!(matches!(next.send[0].content, Content::Message(BrokerMessage::Error(_))));
        assert!(order.lanes.is_empty());
    }

    #[test]
    fn what_is_kept_already_is_sent_at_once() {
        let mut order = Order::default();
        let mut next = Next::default();
        order.push(lane(1), Some(Completion::done()), reply(1), &mut next);
        order.push(lane(1), None, reply(2), &mut next);
        assert_eq!(sent(&next), [1, 2]);
        assert!(order.lanes.is_empty());
    }
}
