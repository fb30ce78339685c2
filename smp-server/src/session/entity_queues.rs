//! `EntityQueues`: commands about one entity (queue, link or notifier) run one after the other; commands about others do not
//! wait for them.
//!
//! An entity has a queue here only while a command about it is being run.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use smp_protocol::id::EntityId;

use super::request::Request;
use crate::{client::Transmission, sync::lock};

/// Work behind a command about the same entity.
pub(super) enum Work {
    /// A command.
    Run(Box<Request>),
    /// The answer to a transmission that is not run.
    Answer(Transmission),
}

/// Work that waits, by entity.
#[derive(Default)]
pub(super) struct EntityQueues(Mutex<HashMap<EntityId, VecDeque<Work>>>);

impl EntityQueues {
    /// Puts the command behind those about its entity; gives it back if none is being run.
    pub(super) fn join(&self, request: Request) -> Option<Request> {
        let mut queues = lock(&self.0);
        match request.order.as_ref().and_then(|entity| queues.get_mut(entity)) {
            Some(waiting) => {
                waiting.push_back(Work::Run(Box::new(request)));
                None
            }
            None => Some(request),
        }
    }

    /// Puts an answer behind the commands about this entity; gives it back if none is being run.
    pub(super) fn join_answer(
        &self,
        entity: Option<&EntityId>,
        answer: Transmission,
    ) -> Option<Transmission> {
        let mut queues = lock(&self.0);
        match entity.and_then(|entity| queues.get_mut(entity)) {
            Some(waiting) => {
                waiting.push_back(Work::Answer(answer));
                None
            }
            None => Some(answer),
        }
    }

    /// A command about this entity goes on being run.
    pub(super) fn occupy(&self, entity: EntityId) {
        lock(&self.0).insert(entity, VecDeque::new());
    }

    /// It is done: what comes next about this entity, if anything.
    pub(super) fn next(&self, entity: &EntityId) -> Option<Work> {
        let mut queues = lock(&self.0);
        let next = queues.get_mut(entity)?.pop_front();
        if next.is_none() {
            queues.remove(entity);
        }
        next
    }
}
