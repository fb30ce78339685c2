//! The second half of an operation whose first half has been done in memory.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::StoreError;

/// Resolves when what was accepted in memory is durable (in the sense of the store's durability setting).
///
/// Dropping it does not cancel anything.
#[derive(Debug)]
pub struct Completion(State);

#[derive(Debug)]
enum State {
    Done(Result<(), StoreError>),
    Waiting(oneshot::Receiver<Result<(), StoreError>>),
}

/// Resolves a [`Completion`].
#[derive(Debug)]
pub(crate) struct Completer(oneshot::Sender<Result<(), StoreError>>);

impl Completion {
    /// A completion that is resolved already.
    #[must_use]
    pub fn done() -> Self {
        Completion(State::Done(Ok(())))
    }

    /// A completion and what resolves it. Dropping the latter resolves to [`StoreError::Closed`].
    pub(crate) fn pending() -> (Completer, Self) {
        let (sender, receiver) = oneshot::channel();
        (Completer(sender), Completion(State::Waiting(receiver)))
    }

    /// Whether there is nothing to wait for: an answer can go into the same block as its neighbours.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match &self.0 {
            State::Done(_) => true,
            State::Waiting(receiver) => !receiver.is_empty(),
        }
    }
}

impl Completer {
    pub(crate) fn complete(self, result: Result<(), StoreError>) {
        // The other side may have lost interest: a connection that was closed.
        let _ = self.0.send(result);
    }
}

impl Future for Completion {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Done(result) => Poll::Ready(result.clone()),
            State::Waiting(receiver) => {
                Pin::new(receiver).poll(cx).map(|result| result.unwrap_or(Err(StoreError::Closed)))
            }
        }
    }
}
