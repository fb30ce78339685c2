//! `Completion`: resolves when what was accepted in memory is durable, or has failed.

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
    Waiting(Arc<Shared>),
}

/// Resolves a [`Completion`].
#[derive(Debug)]
pub(crate) struct Completer(Arc<Shared>);

/// State shared by a [`Completion`] and its [`Completer`].
#[derive(Debug, Default)]
struct Shared(Mutex<Progress>);

#[derive(Default)]
enum Progress {
    /// It is not done, and nobody waits yet.
    #[default]
    Open,
    /// A task waits.
    Task(Waker),
    /// The step to be done then.
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
        let shared = Arc::<Shared>::default();
        (Completer(shared.clone()), Completion(State::Waiting(shared)))
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
            State::Waiting(shared) => match &*lock(&shared.0) {
                Progress::Done(outcome) => Some(outcome.clone()),
                _ => None,
            },
        }
    }

    /// Has something done when this is resolved: at once, or in the task that resolves it, which may hold locks of the store. So
    /// it must be short, and not use the store. No task has to be woken for it.
    pub(crate) fn then(self, run: impl FnOnce(Outcome) + Send + 'static) {
        let outcome = match self.0 {
            State::Done(outcome) => outcome,
            State::Waiting(shared) => {
                let mut progress = lock(&shared.0);
                match &*progress {
                    Progress::Done(outcome) => outcome.clone(),
                    _ => {
                        *progress = Progress::Then(Box::new(run));
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

impl Shared {
    /// Only the first time counts.
    fn resolve(&self, outcome: Outcome) {
        let mut progress = lock(&self.0);
        if matches!(*progress, Progress::Done(_)) {
            return;
        }
        let before = mem::replace(&mut *progress, Progress::Done(outcome.clone()));
        drop(progress);
        match before {
            Progress::Task(waker) => waker.wake(),
            Progress::Then(run) => run(outcome),
            Progress::Open | Progress::Done(_) => {}
        }
    }
}

impl Future for Completion {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let shared = match &self.0 {
            State::Done(outcome) => return Poll::Ready(outcome.clone()),
            State::Waiting(shared) => shared,
        };
        let mut progress = lock(&shared.0);
        match &*progress {
            Progress::Done(outcome) => Poll::Ready(outcome.clone()),
            Progress::Task(waker) if waker.will_wake(cx.waker()) => Poll::Pending,
            _ => {
                *progress = Progress::Task(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Progress::Open => "Open",
            Progress::Task(_) => "Task",
            Progress::Then(_) => "Then",
            Progress::Done(_) => "Done",
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// The note of a completion that is resolved.
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
