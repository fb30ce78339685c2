//! Random commands against a store and against a model of a few lines; both must say the same.

use std::collections::VecDeque;
use std::future::Future;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::store::{AfterAck, Appended, Completion, QueueChange, QueueStatus, Store, StoreError};
use crate::{Fixture, QUOTA, id, new_queue, sent};

const QUEUES: u32 = 3;

#[derive(Debug, Clone)]
enum Command {
    Create(u32),
    Delete(u32),
    Suspend(u32, bool),
    /// Sends, and waits until it is kept, or does not wait.
    Append {
        queue: u32,
        wait: bool,
        expire: bool,
    },
    /// Acknowledges the first message, or one that is not the first.
    Acknowledge {
        queue: u32,
        first: bool,
        wait: bool,
    },
    Look(u32),
    Expire,
    Restart,
}

fn command() -> impl Strategy<Value = Command> {
    let queue = 1..=QUEUES;
    prop_oneof![
        2 => queue.clone().prop_map(Command::Create),
        1 => queue.clone().prop_map(Command::Delete),
        1 => (queue.clone(), any::<bool>()).prop_map(|(queue, suspend)| Command::Suspend(queue, suspend)),
        10 => (queue.clone(), any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(queue, wait, expire)| Command::Append { queue, wait, expire }),
        8 => (queue.clone(), prop::bool::weighted(0.9), any::<bool>())
            .prop_map(|(queue, first, wait)| Command::Acknowledge { queue, first, wait }),
        4 => queue.prop_map(Command::Look),
        1 => Just(Command::Expire),
        1 => Just(Command::Restart),
    ]
}

/// A queue: numbers of its messages, and whether each is the quota marker.
#[derive(Debug, Clone, Default)]
struct Model {
    suspended: bool,
    messages: VecDeque<(u32, bool)>,
}

impl Model {
    fn expire(&mut self, before: u32) {
        self.messages.retain(|(number, marker)| *marker || *number >= before);
    }
}

/// How old a message of this number may be when it expires "now".
const LIFETIME: u32 = 12;

/// Runs the comparison for stores that `open` makes.
pub fn agrees<F: Future<Output: Into<Option<Fixture>>>>(open: impl Fn() -> F, cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let commands = prop::collection::vec(command(), 1..80);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runner
        .run(&commands, |commands| {
            runtime.block_on(async {
                match open().await.into() {
                    Some(fixture) => compare(fixture, commands).await,
                    None => Ok(()),
                }
            })
        })
        .unwrap();
}

async fn compare(mut fixture: Fixture, commands: Vec<Command>) -> Result<(), TestCaseError> {
    let mut models: Vec<Option<Model>> = vec![None; QUEUES as usize + 1];
    let mut waiting: Vec<Completion> = Vec::new();
    for (place, command) in commands.into_iter().enumerate() {
        let now = place as u32 + 1;
        if let Command::Restart = command {
            fixture = fixture.restarted().await;
            continue;
        }
        step(fixture.store.as_ref(), &mut models, &mut waiting, command, now).await?;
        let messages: usize = models.iter().flatten().map(|model| model.messages.len()).sum();
        prop_assert_eq!(fixture.store.counts().messages, messages as u64);
        prop_assert_eq!(fixture.store.counts().queues, models.iter().flatten().count() as u64);
    }
    for completion in waiting {
        completion.await.map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
    fixture.store.close().await.map_err(|error| TestCaseError::fail(error.to_string()))
}

async fn step(
    store: &dyn Store,
    models: &mut [Option<Model>],
    waiting: &mut Vec<Completion>,
    command: Command,
    now: u32,
) -> Result<(), TestCaseError> {
    let before = u64::from(1000 + now.saturating_sub(LIFETIME));
    match command {
        Command::Create(queue) => {
            let created = store.create_queue(new_queue(queue)).await;
            match &mut models[queue as usize] {
                Some(_) => prop_assert!(matches!(created, Err(StoreError::Duplicate))),
                model => {
                    prop_assert!(created.is_ok());
                    *model = Some(Model::default());
                }
            }
        }
        Command::Delete(queue) => {
            let deleted = store.delete_queue(&id(queue, 0)).await;
            match models[queue as usize].take() {
                Some(model) => prop_assert_eq!(deleted.unwrap().1, model.messages.len()),
                None => prop_assert!(matches!(deleted, Err(StoreError::NotFound))),
            }
        }
        Command::Suspend(queue, suspend) => {
            let status = if suspend { QueueStatus::Suspended } else { QueueStatus::Active };
            let changed = store.update_queue(&id(queue, 0), QueueChange::Status(status)).await;
            prop_assert_eq!(changed.is_ok(), models[queue as usize].is_some());
            models[queue as usize].iter_mut().for_each(|model| model.suspended = suspend);
        }
        Command::Append { queue, wait, expire } => {
            let appended = store.append(&id(queue, 0), sent(now), expire.then_some(before)).await;
            let Some(model) = &mut models[queue as usize] else {
                prop_assert!(matches!(appended, Err(StoreError::NotFound)));
                return Ok(());
            };
            append(model, appended.unwrap(), waiting, wait, expire, now).await?;
        }
        Command::Acknowledge { queue, first, wait } => {
            let Some(model) = &mut models[queue as usize] else { return Ok(()) };
            let number = model.messages.front().filter(|_| first).map_or(9999, |(number, _)| *number);
            let done = store.acknowledge(&id(queue, 0), &id(number, 9), AfterAck::Next).await.unwrap();
            let expected = model.messages.pop_front_if(|(found, _)| *found == number);
            prop_assert_eq!(done.removed.map(|info| info.id), expected.map(|(number, _)| id(number, 9)));
            prop_assert_eq!(
                done.next.map(|message| (message.id.clone(), message.is_quota_marker())),
                model.messages.front().map(|(number, marker)| (id(*number, 9), *marker))
            );
            if wait {
                done.durable.await.unwrap();
            } else {
                waiting.push(done.durable);
            }
        }
        Command::Look(queue) => {
            let Some(model) = &models[queue as usize] else { return Ok(()) };
            let all = store.messages(&id(queue, 0)).await.unwrap();
            let found: Vec<_> =
                all.iter().map(|message| (message.id.clone(), message.is_quota_marker())).collect();
            let expected: Vec<_> =
                model.messages.iter().map(|(number, marker)| (id(*number, 9), *marker)).collect();
            prop_assert_eq!(found, expected);
        }
        Command::Expire => expire(store, models, before, now).await?,
        Command::Restart => {}
    }
    Ok(())
}

async fn append(
    model: &mut Model,
    appended: Appended,
    waiting: &mut Vec<Completion>,
    wait: bool,
    expire: bool,
    now: u32,
) -> Result<(), TestCaseError> {
    if model.suspended {
        prop_assert!(matches!(appended, Appended::NotActive(_)));
        return Ok(());
    }
    if expire {
        model.expire(now.saturating_sub(LIFETIME));
    }
    let is_full = model.messages.back().is_some_and(|(_, marker)| *marker);
    if is_full || model.messages.len() >= QUOTA {
        prop_assert!(matches!(appended, Appended::QuotaExceeded));
        model.messages.extend((!is_full).then_some((now, true)));
        return Ok(());
    }
    let Appended::Accepted(accepted) = appended else {
        return Err(TestCaseError::fail(format!("not accepted: {appended:?}")));
    };
    if wait {
        accepted.kept.await.unwrap();
    } else {
        waiting.push(accepted.kept);
    }
    model.messages.push_back((now, false));
    Ok(())
}

/// A sweep may leave what was accepted a moment ago and is not on disk yet; the model decides by what is left.
async fn expire(
    store: &dyn Store,
    models: &mut [Option<Model>],
    before: u64,
    now: u32,
) -> Result<(), TestCaseError> {
    while store.expire_messages(before, 2).await.unwrap().more {}
    for (queue, model) in models.iter_mut().enumerate() {
        let Some(model) = model else { continue };
        let left = store.messages(&id(queue as u32, 0)).await.unwrap().len();
        let mut expired = model.clone();
        expired.expire(now.saturating_sub(LIFETIME));
        if left == expired.messages.len() {
            *model = expired;
        } else {
            prop_assert_eq!(left, model.messages.len());
        }
    }
    Ok(())
}
