//! Troubles of relays and of receiving, from when they begin until they end: also when nobody looks, and over restarts.

use crate::error::{AgentError, RelayError, SubscriptionError};
use crate::id::ConnectionId;
use crate::session_key::SessionKey;
use crate::steps::Steps;
use crate::store::{TroubleChange, Upkeep};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Troubles now, apart from those that the state of a connection says itself.
pub(crate) struct Troubles {
    state: Mutex<State>,
}

struct State {
    /// Connections on which nothing comes.
    stopped: HashMap<ConnectionId, SubscriptionError>,
    /// Relays that cannot be reached, by session.
    down: HashMap<SessionKey, Down>,
}

/// A relay that cannot be reached.
#[derive(Clone, Debug)]
pub(crate) struct Down {
    /// Since when, in seconds since 1970.
    pub(crate) since: i64,
    /// Why, at the last attempt.
    pub(crate) error: RelayError,
}

impl Troubles {
    /// Those that there were when the agent ran last.
    pub(super) async fn load(steps: &Steps) -> Result<Self, AgentError> {
        let down = steps.store.relays_down().await?;
        let down = down.into_iter().map(|(session, since, error)| (session, Down { since, error })).collect();
        let stopped = steps.store.receiving_stopped().await?.into_iter().collect();
        Ok(Self { state: Mutex::new(State { stopped, down }) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An attempt to reach a relay has failed, or its session has ended.
    pub(super) fn relay_down(&self, steps: &Steps, session: &SessionKey, now: i64, error: &RelayError) {
        let mut state = self.lock();
        let before = state.down.get(session);
        let since = before.map_or(now, |down| down.since);
        if before.is_none_or(|down| down.error != *error) {
            state.down.insert(session.clone(), Down { since, error: error.clone() });
            store(steps, TroubleChange::Down(session.clone(), since, error.clone()));
        }
    }

    /// A relay is connected, or is not needed.
    pub(super) fn relay_up(&self, steps: &Steps, session: &SessionKey) {
        if self.lock().down.remove(session).is_some() {
            store(steps, TroubleChange::Up(session.clone()));
        }
    }

    /// Whether and since when a relay cannot be reached in a session.
    pub(super) fn down(&self, session: &SessionKey) -> Option<Down> {
        self.lock().down.get(session).cloned()
    }

    /// Nothing comes on a connection. Whether that is new.
    pub(super) fn receiving_stopped(
        &self,
        steps: &Steps,
        connection: ConnectionId,
        error: &SubscriptionError,
    ) -> bool {
        let before = self.lock().stopped.insert(connection, error.clone());
        let is_new = before.as_ref() != Some(error);
        if is_new {
            store(steps, TroubleChange::Stopped(connection, error.clone()));
        }
        is_new
    }

    /// Something comes again.
    pub(super) fn receiving(&self, steps: &Steps, connection: ConnectionId) {
        if self.lock().stopped.remove(&connection).is_some() {
            store(steps, TroubleChange::Receiving(connection));
        }
    }

    /// Why nothing comes on a connection.
    pub(super) fn stopped(&self, connection: ConnectionId) -> Option<SubscriptionError> {
        self.lock().stopped.get(&connection).cloned()
    }

    /// Whether nothing comes on some connection.
    pub(super) fn is_any_stopped(&self) -> bool {
        !self.lock().stopped.is_empty()
    }
}

/// Nobody waits for it: what a full disk does not take is known until the process ends.
fn store(steps: &Steps, change: TroubleChange) {
    drop(steps.upkeep(Upkeep::Trouble(change)));
}
