//! The last events, on their way from the writer to the application without being read from the database again.

use super::sends::Sends;
use crate::store::{Keyed, StoredEvent};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Events in memory; an application that is further behind reads the older ones from the database.
const EVENTS_IN_MEMORY: usize = 1024;
/// Bytes of their bodies, above which older ones go, too.
const BODIES_IN_MEMORY: usize = 1 << 20;

/// The events after a place in their sequence.
#[derive(Clone)]
pub(crate) struct EventLog {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<()>,
    pub(crate) sends: Sends,
    /// Messages whose outcome is stored with their key.
    pub(super) keyed: Keyed,
}

struct State {
    /// All later ones are in memory.
    after: i64,
    events: VecDeque<StoredEvent>,
    /// Bytes of their bodies.
    bodies: usize,
}

impl State {
    fn add(&mut self, event: StoredEvent) {
        self.bodies += event.event.body().len();
        self.events.push_back(event);
        while self.events.len() > EVENTS_IN_MEMORY || self.bodies > BODIES_IN_MEMORY {
            let Some(dropped) = self.events.pop_front() else { break };
            self.bodies -= dropped.event.body().len();
            self.after = dropped.sequence;
        }
    }
}

impl EventLog {
    pub(super) fn new(last: i64, keyed: Keyed) -> Self {
        let state = Arc::new(Mutex::new(State { after: last, events: VecDeque::new(), bodies: 0 }));
        Self { state, changed: watch::Sender::new(()), sends: Sends::default(), keyed }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds events that are durable.
    pub(super) fn add(&self, events: Vec<StoredEvent>) {
        if events.is_empty() {
            return;
        }
        self.keyed.settle(&events);
        self.sends.settle(&events);
        let mut state = self.lock();
        events.into_iter().for_each(|event| state.add(event));
        drop(state);
        self.changed.send_replace(());
    }

    /// Marked when events are added.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Takes the events after a place in the sequence; None if they have to be read from the database.
    pub(crate) fn take(&self, after: i64) -> Option<VecDeque<StoredEvent>> {
        let mut state = self.lock();
        if after < state.after {
            return None;
        }
        let mut events = std::mem::take(&mut state.events);
        state.bodies = 0;
        if let Some(last) = events.back() {
            state.after = last.sequence;
        }
        while events.front().is_some_and(|event| event.sequence <= after) {
            events.pop_front();
        }
        Some(events)
    }
}
