//! Commands about one queue are run one after the other, and refusals wait for their turn; commands about others do not
//! wait for them.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use smp_protocol::id::EntityId;

use super::reply::Reply;
use super::run::Request;
use crate::sync::lock;

/// What has its turn in a lane.
pub(super) enum Work {
    /// A command.
    Run(Box<Request>),
    /// The answer to a transmission that is not run.
    Answer(Reply),
}

/// What waits for an earlier command about the same queue. Only queues with a command that is being run have a lane.
#[derive(Default)]
pub(crate) struct Lanes(Mutex<HashMap<EntityId, VecDeque<Work>>>);

impl Lanes {
    /// Puts the command behind what is in its lane; gives it back if none is being run there.
    pub(super) fn join(&self, request: Request) -> Option<Request> {
        let mut lanes = lock(&self.0);
        match request.lane.as_ref().and_then(|lane| lanes.get_mut(lane)) {
            Some(waiting) => {
                waiting.push_back(Work::Run(Box::new(request)));
                None
            }
            None => Some(request),
        }
    }

    /// Puts an answer behind what is in its lane; gives it back if no command is being run there.
    pub(super) fn join_answer(&self, lane: Option<&EntityId>, reply: Reply) -> Option<Reply> {
        let mut lanes = lock(&self.0);
        match lane.and_then(|lane| lanes.get_mut(lane)) {
            Some(waiting) => {
                waiting.push_back(Work::Answer(reply));
                None
            }
            None => Some(reply),
        }
    }

    /// A command of this lane goes on being run.
    pub(super) fn occupy(&self, lane: EntityId) {
        lock(&self.0).insert(lane, VecDeque::new());
    }

    /// It is done: the next one of the lane, if there is one.
    pub(super) fn next(&self, lane: &EntityId) -> Option<Work> {
        let mut lanes = lock(&self.0);
        let next = lanes.get_mut(lane)?.pop_front();
        if next.is_none() {
            lanes.remove(lane);
        }
        next
    }
}
