//! Progress of the clients in the feed, which forgets the events that all of them have taken.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use smp_chat::{Book, BookError};
use tokio::sync::Notify;

use crate::text::unix_millis;

/// Between two turns of the disk for events that were taken. Those of such a time come again after a kill.
const PAUSE: Duration = Duration::from_millis(50);

/// How far each client is.
#[derive(Default)]
pub(super) struct Takers {
    state: Mutex<State>,
    moved: Notify,
}

#[derive(Default)]
struct State {
    next: u64,
    clients: HashMap<u64, Progress>,
    /// Everybody who was there had the events up to here.
    had: i64,
    /// Forgotten up to here.
    forgotten: i64,
}

#[derive(Clone, Copy)]
struct Progress {
    /// Whether it says itself what it has taken.
    acknowledges: bool,
    /// The last event that it has taken.
    done: i64,
}

impl State {
    /// The last event that everybody has: those who acknowledge decide for the others.
    fn everybody(&self) -> Option<i64> {
        let acknowledging = self.clients.values().filter(|client| client.acknowledges);
        let all = || self.clients.values().map(|client| client.done).min();
        acknowledging.map(|client| client.done).min().or_else(all)
    }

    /// Notes what everybody has, also for when they have gone.
    fn note(&mut self) {
        self.had = self.everybody().unwrap_or(0).max(self.had);
    }
}

impl Takers {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new client. Returns its number, and the event behind which it begins.
    pub(super) fn enter(&self, acknowledges: bool) -> (u64, i64) {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        let done = state.had;
        state.clients.insert(number, Progress { acknowledges, done });
        (number, done)
    }

    pub(super) fn leave(&self, client: u64) {
        self.state().clients.remove(&client);
        self.moved.notify_one();
    }

    /// Whether this client says itself from now on what it has taken.
    pub(super) fn set_acknowledges(&self, client: u64, on: bool) {
        if let Some(client) = self.state().clients.get_mut(&client) {
            client.acknowledges = on;
        }
    }

    /// The event was written to the client.
    pub(super) fn written(&self, client: u64, event: i64) {
        self.advance(client, event, false);
    }

    /// The client says that it has taken the events up to this one.
    pub(super) fn acknowledged(&self, client: u64, event: i64) {
        self.advance(client, event, true);
    }

    fn advance(&self, client: u64, event: i64, by_acknowledgement: bool) {
        let mut state = self.state();
        if let Some(client) = state.clients.get_mut(&client)
            && (by_acknowledgement || !client.acknowledges)
        {
            client.done = client.done.max(event);
            state.note();
            self.moved.notify_one();
        }
    }
}

/// Has the feed forget what everybody has, many at a time. Ends with an error of the book only.
pub(super) async fn forget(takers: &Takers, book: &Book) -> Result<(), BookError> {
    loop {
        takers.moved.notified().await;
        forget_now(takers, book).await?;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Has the feed forget what everybody has by now.
pub(super) async fn forget_now(takers: &Takers, book: &Book) -> Result<(), BookError> {
    let event = {
        let state = takers.state();
        if state.had <= state.forgotten {
            return Ok(());
        }
        state.had
    };
    match book.taken(event, unix_millis()).await {
        Ok(()) => takers.state().forgotten = event,
        // Later, then: they come again to a client that comes later.
        Err(error) if error.is_no_space() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_decides_and_before_all_those_who_acknowledge() {
        let takers = Takers::default();
        assert_eq!(takers.state().everybody(), None);
        let (one, _) = takers.enter(false);
        let (other, _) = takers.enter(false);
        takers.written(one, 7);
        assert_eq!(takers.state().everybody(), Some(0));
        takers.written(other, 5);
        assert_eq!(takers.state().everybody(), Some(5));
        let (owner, begin) = takers.enter(true);
        assert_eq!(begin, 5);
        takers.written(owner, 7);
        assert_eq!(takers.state().everybody(), Some(5));
        takers.acknowledged(owner, 6);
        assert_eq!(takers.state().everybody(), Some(6));
        takers.leave(owner);
        takers.leave(other);
        assert_eq!(takers.state().everybody(), Some(7));
        // Events that the last one had are not told again.
        takers.written(one, 9);
        takers.leave(one);
        assert_eq!(takers.state().everybody(), None);
        assert_eq!(takers.enter(true).1, 9);
    }
}
