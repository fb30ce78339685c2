//! Commands about one queue are run one after the other; commands about others do not wait for them.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use smp_protocol::id::EntityId;

use super::run::Request;
use crate::sync::lock;

/// Commands that wait for an earlier one about the same queue. Only queues with a command that is being run have a lane.
#[derive(Default)]
pub(crate) struct Lanes(Mutex<HashMap<EntityId, VecDeque<Request>>>);

impl Lanes {
    /// Puts the request behind those of its lane; gives it back if none is being run.
    pub(super) fn join(&self, request: Request) -> Option<Request> {
        let Some(lane) = &request.lane else { return Some(request) };
        match lock(&self.0).get_mut(lane) {
            Some(waiting) => {
                waiting.push_back(request);
                None
            }
            None => Some(request),
        }
    }

    /// A request of this lane goes on being run.
    pub(super) fn occupy(&self, lane: EntityId) {
        lock(&self.0).insert(lane, VecDeque::new());
    }

    /// It is done: the next one of the lane, if there is one.
    pub(super) fn next(&self, lane: &EntityId) -> Option<Request> {
        let mut lanes = lock(&self.0);
        let next = lanes.get_mut(lane)?.pop_front();
        if next.is_none() {
            lanes.remove(lane);
        }
        next
    }
}
