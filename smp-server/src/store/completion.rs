//! The second half of an operation whose first half has been done in memory.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::StoreError;
use crate::sync::lock;

type Outcome = Result<(), StoreError>;

/// Resolves when what was accepted in memory is durable (in the sense of the store's durability setting).
///
/// Dropping it does not cancel anything.
#[derive(Debug)]
pub struct Completion(State);

#[derive(Debug)]
enum State {
    Done(Outcome),
    Waiting(Arc<Meeting>),
}

/// Resolves a [`Completion`].
#[derive(Debug)]
pub(crate) struct Completer(Arc<Meeting>);

/// Where who waits and who completes find each other.
#[derive(Debug, Default)]
struct Meeting(Mutex<Slot>);

#[derive(Default)]
enum Slot {
    /// It is not done, and nobody waits yet.
    #[default]
    Open,
    /// A task waits.
    Task(Waker),
    /// What is to be done then.
    Then(Box<dyn FnOnce(Outcome) + Send>),
    /// It is done.
    Done(Outcome),
}

impl Completion {
    /// A completion that is resolved already.
    #[must_use]
    pub fn done() -> Self {
        Completion(State::Done(Ok(())))
    }

    /// A completion and what resolves it. Dropping the latter resolves to [`StoreError::Closed`].
    pub(crate) fn pending() -> (Completer, Self) {
        let meeting = Arc::<Meeting>::default();
        (Completer(meeting.clone()), Completion(State::Waiting(meeting)))
    }

    /// Whether there is nothing to wait for.
    #[cfg(test)]
    pub(crate) fn is_done(&self) -> bool {
        self.outcome().is_some()
    }

    /// How it was resolved, if it was.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        match &self.0 {
            State::Done(outcome) => Some(outcome.clone()),
            State::Waiting(meeting) => match &*lock(&meeting.0) {
                Slot::Done(outcome) => Some(outcome.clone()),
                _ => None,
            },
        }
    }

    /// Has something done when this is resolved: at once, or by who resolves it, who may hold locks of the store. So
    /// it must be short, and not use the store. No task has to be woken for it.
    pub(crate) fn then(self, run: impl FnOnce(Outcome) + Send + 'static) {
        let outcome = match self.0 {
            State::Done(outcome) => outcome,
            State::Waiting(meeting) => {
                let mut slot = lock(&meeting.0);
                match &*slot {
                    Slot::Done(outcome) => outcome.clone(),
                    _ => {
                        *slot = Slot::Then(Box::new(run));
                        return;
                    }
                }
            }
        };
        run(outcome);
    }
}

impl Completer {
    /// Nobody may be there any more to hear it: a connection that was closed.
    pub(crate) fn complete(self, outcome: Outcome) {
        self.0.resolve(outcome);
    }
}

impl Drop for Completer {
    fn drop(&mut self) {
        self.0.resolve(Err(StoreError::Closed));
    }
}

impl Meeting {
    /// Only the first time counts.
    fn resolve(&self, outcome: Outcome) {
        let mut slot = lock(&self.0);
        if matches!(*slot, Slot::Done(_)) {
            return;
        }
        let before = mem::replace(&mut *slot, Slot::Done(outcome.clone()));
        drop(slot);
        match before {
            Slot::Task(waker) => waker.wake(),
            Slot::Then(run) => run(outcome),
            Slot::Open | Slot::Done(_) => {}
        }
    }
}

impl Future for Completion {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let meeting = match &self.0 {
            State::Done(outcome) => return Poll::Ready(outcome.clone()),
            State::Waiting(meeting) => meeting,
        };
        let mut slot = lock(&meeting.0);
        match &*slot {
            Slot::Done(outcome) => Poll::Ready(outcome.clone()),
            Slot::Task(waker) if waker.will_wake(cx.waker()) => Poll::Pending,
            _ => {
                *slot = Slot::Task(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Slot::Open => "Open",
            Slot::Task(_) => "Task",
            Slot::Then(_) => "Then",
            Slot::Done(_) => "Done",
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// What is noted when a completion is resolved.
    fn noted(completion: Completion) -> Arc<Mutex<Vec<Outcome>>> {
        let outcomes = Arc::<Mutex<Vec<_>>>::default();
        let note = outcomes.clone();
        completion.then(move |outcome| lock(&note).push(outcome));
        outcomes
    }

    fn count(outcomes: &Mutex<Vec<Outcome>>) -> usize {
        lock(outcomes).len()
    }

    #[test]
    fn what_is_to_be_done_is_done_once_before_or_after() {
        assert_eq!(count(&noted(Completion::done())), 1);
        let (completer, early) = Completion::pending();
        let early = noted(early);
        assert_eq!(count(&early), 0);
        completer.complete(Ok(()));
        assert_eq!(count(&early), 1);
        let (completer, late) = Completion::pending();
        completer.complete(Ok(()));
        assert!(late.is_done());
        assert_eq!(count(&noted(late)), 1);
    }

    #[test]
    fn who_gives_up_leaves_an_error() {
        let (completer, completion) = Completion::pending();
        let (noted, (other, waiting)) = (noted(completion), Completion::pending());
        drop((completer, other));
        assert!(matches!(lock(&noted)[..], [Err(StoreError::Closed)]));
        assert!(matches!(waiting.now_or_never(), Some(Err(StoreError::Closed))));
    }

    #[tokio::test]
    async fn a_task_that_waits_is_woken() {
        let (completer, completion) = Completion::pending();
        let waiting = tokio::spawn(completion);
        tokio::task::yield_now().await;
        completer.complete(Ok(()));
        assert!(waiting.await.unwrap().is_ok());
    }
}
