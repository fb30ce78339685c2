//! Group commit, as far as it is the same in every database: [`Plan`] says what a transaction does, and memory is told how it ended.

use std::sync::Arc;

use super::queue::{Loaded, Pending, State};
use super::shared::Shared;
use super::write_queue::{Change, ChangeKind, Held, Operation};
use crate::store::{Message, ServiceRole, StorageFault, StoreError};
use crate::sync::lock;

/// Number of rows that a change made, for those who count; an error is the caller's fault, not the database's.
pub(in crate::store) type Outcome = Result<u64, StoreError>;

/// The parts of a transaction, in this order.
#[derive(Default)]
pub(in crate::store) struct Plan<'a> {
    pub(in crate::store) changes: Vec<(usize, &'a ChangeKind)>,
    pub(in crate::store) appends: Vec<(&'a Pending, Arc<Message>)>,
    pub(in crate::store) removals: Vec<i64>,
    /// Changes that remove messages come after the messages.
    pub(in crate::store) last: Vec<(usize, &'a ChangeKind)>,
}

impl Plan<'_> {
    /// Whether there is nothing to be done.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.appends.is_empty() && self.removals.is_empty() && self.last.is_empty()
    }
}

impl<'a> Plan<'a> {
    /// Leaves out what is not wanted any more: messages that were acknowledged in the meantime, above all.
    pub(in crate::store) fn new(operations: &'a [Operation]) -> Self {
        let mut plan = Plan::default();
        for (place, operation) in operations.iter().enumerate() {
            match operation {
                Operation::Append(pending) => {
                    plan.appends.extend(pending.take_up().map(|message| (pending.as_ref(), message)));
                }
                Operation::Remove(removal) => {
                    plan.removals.extend(removal.is_wanted().then_some(removal.key))
                }
                Operation::Change(change) if change.kind.removes_messages() => {
                    plan.last.push((place, &change.kind));
                }
                Operation::Change(change) => plan.changes.push((place, &change.kind)),
            }
        }
        plan
    }
}

impl Shared {
    /// Tells memory, and those who wait, that these operations are committed, with the outcomes of the changes among them.
    pub(in crate::store) fn finish(&self, operations: Vec<Operation>, outcomes: Vec<Outcome>) {
        for (operation, outcome) in operations.into_iter().zip(outcomes) {
            match operation {
                Operation::Append(pending) => pending.active.stored(&pending, self),
                Operation::Remove(removal) => removal.finish(),
                Operation::Change(change) => self.finish_change(change, outcome),
            }
        }
    }

    /// Tells memory, and those who wait, that nothing was done.
    pub(in crate::store) fn fail(&self, operations: Vec<Operation>, fault: &StorageFault) {
        for operation in operations {
            match operation {
                Operation::Append(pending) => pending.active.roll_back(fault, self),
                Operation::Remove(removal) => removal.active.roll_back(fault, self),
                Operation::Change(change) => {
                    self.finish_change(change, Err(StoreError::Unavailable(fault.clone())));
                }
            }
        }
    }

    /// Makes in memory the change that was made on disk, gives the queue free, and only then answers.
    fn finish_change(&self, change: Change, outcome: Outcome) {
        let Change { kind, held, completer, room } = change;
        if let Ok(rows) = outcome {
            self.apply(kind, held.as_ref(), rows);
        }
        drop((held, room));
        completer.complete(outcome.map(|_| ()));
    }

    fn apply(&self, kind: ChangeKind, held: Option<&Held>, rows: u64) {
        let shared = self;
        let active = held.map(|held| &held.active);
        match kind {
            ChangeKind::Create { queue, record, .. } => {
                if let Some(active) = active {
                    let loaded = Loaded::new(queue, record.clone(), Default::default());
                    *lock(&active.state) = State::Loaded(Box::new(loaded));
                }
                shared.cache.enter(&record);
                shared.cache.appeared(&record);
                shared.counts.queues.add(1);
                shared.counts.notifiers.add(usize::from(record.notifier.is_some()));
            }
            ChangeKind::Update { before, after, .. } => {
                if let Some(active) = active {
                    active.with_loaded(|queue| queue.record = after.clone());
                }
                shared.cache.replace(&before, &after);
                shared.cache.appeared(&after);
                shared.counts.notifiers.subtract(usize::from(before.notifier.is_some()));
                shared.counts.notifiers.add(usize::from(after.notifier.is_some()));
            }
            ChangeKind::Delete { record, .. } => {
                if let Some(active) = active {
                    active.deleted(rows, shared);
                    shared.cache.remove(active, Some(&record));
                }
                shared.counts.queues.subtract(1);
                shared.counts.notifiers.subtract(usize::from(record.notifier.is_some()));
            }
            ChangeKind::GiveAway { .. } => {
                if let Some(active) = active {
                    active.given_away(shared);
                }
            }
            // Some may have been removed by their recipient since they were found.
            ChangeKind::Expire { .. } => {
                shared.counts.messages.subtract(usize::try_from(rows).unwrap_or(usize::MAX))
            }
            ChangeKind::Service(service) => {
                let count = match service.role {
                    ServiceRole::Messaging => &shared.counts.messaging_services,
                    ServiceRole::Notifier => &shared.counts.notifier_services,
                };
                count.add(usize::from(rows > 0));
            }
            ChangeKind::Used { .. } | ChangeKind::Clock(_) | ChangeKind::Nothing => {}
        }
    }
}
