//! The states of relays, as an application sees them: of each the worst of the sessions with it.

use crate::error::RelayError;
use crate::session_key::SessionKey;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// Relays by their addresses, without the passwords, and what is with each. Of several sessions with a relay, those of different
/// [users](crate::UserId) for instance, the one counts in which most is wrong.
pub type RelayStates = BTreeMap<String, RelayState>;

/// Whether a relay is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayState {
    /// Nothing needs it now.
    Unused,
    /// The first attempt to connect is being made.
    Connecting,
    /// It is connected, and the queues on it are being subscribed.
    Subscribing,
    /// It is connected, and all queues on it are subscribed.
    Up,
    /// It is not connected. The agent tries again by itself.
    Down(RelayError),
    /// It is not connected because the agent was [paused](crate::Agent::pause).
    Paused,
}

/// How many different states there are.
const STATES: usize = 6;

impl RelayState {
    /// Of several sessions the one with the highest rank counts.
    fn rank(&self) -> usize {
        match self {
            Self::Unused => 0,
            Self::Up => 1,
            Self::Subscribing => 2,
            Self::Connecting => 3,
            Self::Paused => 4,
            Self::Down(_) => 5,
        }
    }

    fn of_rank(rank: usize, error: &RelayError) -> Self {
        match rank {
            0 => Self::Unused,
            1 => Self::Up,
            2 => Self::Subscribing,
            3 => Self::Connecting,
            4 => Self::Paused,
            _ => Self::Down(error.clone()),
        }
    }
}

/// The states of all sessions.
#[derive(Default)]
pub(super) struct SessionStates {
    sessions: Mutex<Sessions>,
    states: watch::Sender<RelayStates>,
}

#[derive(Default)]
struct Sessions {
    states: HashMap<SessionKey, RelayState>,
    /// How many sessions with a relay are in a state of each rank, and the last error of one of them.
    counts: HashMap<String, ([usize; STATES], Option<RelayError>)>,
}

impl SessionStates {
    pub(super) fn subscribe(&self) -> watch::Receiver<RelayStates> {
        self.states.subscribe()
    }

    /// A session is in this state, or gone.
    pub(super) fn set(&self, session: &SessionKey, state: Option<RelayState>) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let name = session.relay.to_string();
        let combined = sessions.set(session, &name, state);
        // Under the lock: the states come in the order in which they were.
        self.states.send_if_modified(|states| match combined {
            Some(state) => states.insert(name, state.clone()) != Some(state),
            None => states.remove(&name).is_some(),
        });
    }
}

impl Sessions {
    /// Returns the state of the relay then; None without any sessions.
    fn set(&mut self, session: &SessionKey, name: &str, state: Option<RelayState>) -> Option<RelayState> {
        let (counts, error) = self.counts.entry(name.to_owned()).or_default();
        if let Some(RelayState::Down(new)) = &state {
            *error = Some(new.clone());
        }
        if let Some(state) = &state {
            counts[state.rank()] += 1;
        }
        let before = match state {
            Some(state) => self.states.insert(session.clone(), state),
            None => self.states.remove(session),
        };
        if let Some(before) = before {
            counts[before.rank()] = counts[before.rank()].saturating_sub(1);
        }
        let worst = counts.iter().rposition(|count| *count > 0);
        let unreachable = RelayError::Unreachable(String::new());
        let state = worst.map(|rank| RelayState::of_rank(rank, error.as_ref().unwrap_or(&unreachable)));
        if state.is_none() {
            self.counts.remove(name);
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ConnectionId, UserId};

    #[test]
    fn the_worst_session_counts() {
        let relay = "smp://tmJ4adaRel6G5gDls7oz4uREc6BhVHmRqI3VwjRE5Bs=@relay.example";
        let key = |number| SessionKey {
            relay: relay.parse().unwrap(),
            user: UserId::DEFAULT,
            connection: Some(ConnectionId::new(number)),
        };
        let states = SessionStates::default();
        let now = || states.subscribe().borrow().get(relay).cloned();
        let down = RelayState::Down(RelayError::Timeout);
        for (session, state, combined) in [
            (1, Some(RelayState::Up), Some(RelayState::Up)),
            (2, Some(RelayState::Connecting), Some(RelayState::Connecting)),
            (2, Some(down.clone()), Some(down.clone())),
            (3, Some(RelayState::Unused), Some(down)),
            (2, Some(RelayState::Subscribing), Some(RelayState::Subscribing)),
            (2, Some(RelayState::Up), Some(RelayState::Up)),
            (1, None, Some(RelayState::Up)),
            (2, None, Some(RelayState::Unused)),
            (3, None, None),
            (3, None, None),
        ] {
            states.set(&key(session), state);
            assert_eq!(now(), combined, "{session}");
        }
        assert!(states.sessions.lock().unwrap().counts.is_empty());
    }
}
