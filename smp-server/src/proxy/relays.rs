//! Which relays there are sessions with, were and will be; bounded.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use smp_protocol::{
    address::RelayAddress,
    error::{ErrorType, ProxyError},
    id::ProxySessionId,
};
use tokio::time::Instant;

use super::{Session, errors};
use crate::sync::lock;

/// All relays that were asked for and not forgotten.
pub(super) struct Relays {
    max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By address, without password.
    relays: HashMap<RelayAddress, Arc<Relay>>,
    /// Those that are connected, by the ID that clients know.
    sessions: HashMap<ProxySessionId, Arc<Session>>,
}

/// One other relay. Locked while it is connected to, so that this is done once for all clients who wait.
#[derive(Default)]
pub(super) struct Relay(pub(super) tokio::sync::Mutex<Connection>);

#[derive(Default)]
pub(super) enum Connection {
    #[default]
    None,
    Failed(Instant, ErrorType),
    Connected(Arc<Session>),
}

/// How little a relay's place is needed: what ended first, then what failed, then what was not used for longest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Ended,
    Failed(Instant),
    Connected(Instant),
}

impl Relays {
    /// With `max` of them, another one takes the place of one that is needed less.
    pub(super) fn new(max: usize) -> Self {
        Self { max, state: Mutex::default() }
    }

    /// The relay, if it was asked for before.
    pub(super) fn known(&self, address: &RelayAddress) -> Option<Arc<Relay>> {
        lock(&self.state).relays.get(address).cloned()
    }

    /// The relay's place.
    ///
    /// # Errors
    ///
    /// `NETWORK` if all places are taken by relays that are being connected to.
    pub(super) fn place(&self, address: RelayAddress) -> Result<Arc<Relay>, ErrorType> {
        let mut state = lock(&self.state);
        if let Some(relay) = state.relays.get(&address) {
            return Ok(relay.clone());
        }
        if state.relays.len() >= self.max && !state.make_room() {
            return Err(errors::network());
        }
        Ok(state.relays.entry(address).or_default().clone())
    }

    /// Enters a session under its ID.
    pub(super) fn enter(&self, session: &Arc<Session>) {
        lock(&self.state).sessions.insert(session.proxy_id(), session.clone());
    }

    /// The session with this ID, which counts as used now.
    ///
    /// # Errors
    ///
    /// `PROXY NO_SESSION` if there is none (any more).
    pub(super) fn session(&self, id: &ProxySessionId) -> Result<Arc<Session>, ErrorType> {
        let state = lock(&self.state);
        let session =
            state.sessions.get(id).ok_or_else(|| ErrorType::Proxy(Box::new(ProxyError::NoSession)))?;
        session.note_use();
        Ok(session.clone())
    }

    /// Takes out a session that nobody has used since `before`. Returns whether it did.
    pub(super) fn remove_idle(&self, session: &Session, before: Instant) -> bool {
        let mut state = lock(&self.state);
        let idle = session.used() <= before;
        if idle {
            state.sessions.remove(&session.proxy_id());
        }
        idle
    }

    /// Forgets a session that has ended, and its relay unless somebody waits for that.
    pub(super) fn forget(&self, address: &RelayAddress, session: &Session) {
        let mut state = lock(&self.state);
        state.sessions.remove(&session.proxy_id());
        if state.relays.get(address).is_some_and(|relay| relay.need() == Some(Need::Ended)) {
            state.relays.remove(address);
        }
    }

    /// Closes all sessions.
    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        state.relays.clear();
        for (_, session) in state.sessions.drain() {
            session.client.close();
        }
    }
}

impl State {
    /// Forgets the relay whose place is needed least. Returns whether there was one.
    fn make_room(&mut self) -> bool {
        let needs = self.relays.iter().filter_map(|(address, relay)| Some((relay.need()?, address)));
        let least = needs.min_by(|(need, _), (other, _)| need.cmp(other));
        let Some(address) = least.map(|(_, address)| address.clone()) else { return false };
        let removed = self.relays.remove(&address);
        if let Some(relay) = removed
            && let Ok(Connection::Connected(session)) = relay.0.try_lock().as_deref()
        {
            self.sessions.remove(&session.proxy_id());
            session.client.close();
        }
        true
    }
}

impl Relay {
    /// `None` while somebody connects to it or is about to. New owners come from the map only, which is locked.
    fn need(self: &Arc<Self>) -> Option<Need> {
        if Arc::strong_count(self) > 1 {
            return None;
        }
        match &*self.0.try_lock().ok()? {
            Connection::None => Some(Need::Ended),
            Connection::Failed(at, _) => Some(Need::Failed(*at)),
            Connection::Connected(session) if session.client.ended().is_some() => Some(Need::Ended),
            Connection::Connected(session) => Some(Need::Connected(session.used())),
        }
    }
}
