//! Table of destination relays: connecting, connected or recently failed. At most `proxy.max_relays`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use smp_protocol::{
    address::RelayAddress,
    error::{ErrorType, ProxyError},
    id::ProxySessionId,
};
use tokio::time::Instant;

use super::{RelayLink, errors};
use crate::sync::lock;

/// A session that nobody has used for this long may be closed for a client that has asked for no relay before.
const UNUSED: Duration = Duration::from_secs(60);

/// All relays that were asked for and not forgotten.
pub(super) struct Relays {
    max: usize,
    max_of_client: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By address, without password.
    relays: HashMap<RelayAddress, Arc<Relay>>,
    /// Those that are connected, by the ID that clients know.
    sessions: HashMap<ProxySessionId, Arc<RelayLink>>,
}

/// One other relay. Locked while it is connected to, so that this is done once for all clients who wait.
#[derive(Default)]
pub(super) struct Relay(pub(super) tokio::sync::Mutex<Attempt>);

#[derive(Default)]
pub(super) enum Attempt {
    #[default]
    None,
    Failed(Instant, ErrorType),
    Connected(Arc<RelayLink>),
}

/// The relays that one client has asked for. The same relay under several addresses takes as many places.
#[derive(Default)]
pub(crate) struct ClientRelays {
    /// Those that nobody had asked for before, some of which may be forgotten.
    places: Mutex<Vec<(RelayAddress, Weak<Relay>)>>,
}

/// How little a relay's place is needed: what ended first, then what failed, then what was not used for longest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Ended,
    Failed(Instant),
    Connected(Instant),
}

impl Relays {
    /// With `max` of them, or `max_of_client` that one client has asked for, another one takes the place of one that this client
    /// has asked for. If it has none, of one that nobody has used for a while: a client cannot close what others use.
    pub(super) fn new(max: usize, max_of_client: usize) -> Self {
        Self { max, max_of_client, state: Mutex::default() }
    }

    /// The relay, if it was asked for before.
    pub(super) fn known(&self, address: &RelayAddress) -> Option<Arc<Relay>> {
        lock(&self.state).relays.get(address).cloned()
    }

    /// The relay's place.
    ///
    /// # Errors
    ///
    /// `NETWORK` if all places are taken by relays that are being connected to, whose answers are awaited, or that others use.
    pub(super) fn place(
        &self,
        address: RelayAddress,
        client: &ClientRelays,
        now: Instant,
    ) -> Result<Arc<Relay>, ErrorType> {
        let mut state = lock(&self.state);
        if let Some(relay) = state.relays.get(&address) {
            return Ok(relay.clone());
        }
        let mut own = lock(&client.places);
        own.retain(|(_, relay)| relay.strong_count() > 0);
        if own.len() >= self.max_of_client || state.relays.len() >= self.max {
            let mut least_needed = state.least_needed(own.iter().map(|(address, _)| address));
            if own.len() < self.max_of_client {
                least_needed = least_needed.or_else(|| state.least_needed_of_others(now));
            }
            state.close(&least_needed.ok_or_else(errors::network)?);
            own.retain(|(_, relay)| relay.strong_count() > 0);
        }
        let relay = Arc::<Relay>::default();
        own.push((address.clone(), Arc::downgrade(&relay)));
        state.relays.insert(address, relay.clone());
        Ok(relay)
    }

    /// Enters a session under its ID.
    pub(super) fn enter(&self, session: &Arc<RelayLink>) {
        lock(&self.state).sessions.insert(session.proxy_id(), session.clone());
    }

    /// The session with this ID, which counts as used now.
    ///
    /// # Errors
    ///
    /// `PROXY NO_SESSION` if there is none (any more).
    pub(super) fn session(&self, id: &ProxySessionId) -> Result<Arc<RelayLink>, ErrorType> {
        let state = lock(&self.state);
        let session =
            state.sessions.get(id).ok_or_else(|| ErrorType::Proxy(Box::new(ProxyError::NoSession)))?;
        session.note_use();
        Ok(session.clone())
    }

    /// Takes out a session that nobody has used since `before`. Returns whether it did.
    pub(super) fn remove_idle(&self, session: &RelayLink, before: Instant) -> bool {
        let mut state = lock(&self.state);
        let idle = session.used() <= before && !session.is_awaited();
        if idle {
            state.sessions.remove(&session.proxy_id());
        }
        idle
    }

    /// Forgets a session that has ended, and its relay unless somebody waits for that.
    pub(super) fn forget(&self, address: &RelayAddress, session: &RelayLink) {
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
    /// Which place can be given up for a client that has none.
    fn least_needed_of_others(&self, now: Instant) -> Option<RelayAddress> {
        let unused = self.relays.iter().filter(|(_, relay)| match relay.need() {
            Some(Need::Connected(used)) => now.duration_since(used) >= UNUSED,
            Some(Need::Ended | Need::Failed(_)) => true,
            None => false,
        });
        self.least_needed(unused.map(|(address, _)| address))
    }

    /// Which of these places is needed least, if any can be given up.
    fn least_needed<'a>(&self, addresses: impl Iterator<Item = &'a RelayAddress>) -> Option<RelayAddress> {
        let needs = addresses.filter_map(|address| Some((self.relays.get(address)?.need()?, address)));
        needs.min_by(|(need, _), (other, _)| need.cmp(other)).map(|(_, address)| address.clone())
    }

    /// Forgets a relay, and closes the session with it.
    fn close(&mut self, address: &RelayAddress) {
        let removed = self.relays.remove(address);
        if let Some(relay) = removed
            && let Ok(Attempt::Connected(session)) = relay.0.try_lock().as_deref()
        {
            self.sessions.remove(&session.proxy_id());
            session.client.close();
        }
    }
}

impl Relay {
    /// `None` while somebody connects to it or is about to, or waits for an answer of it. New owners come from the map only, which is locked.
    fn need(self: &Arc<Self>) -> Option<Need> {
        if Arc::strong_count(self) > 1 {
            return None;
        }
        match &*self.0.try_lock().ok()? {
            Attempt::None => Some(Need::Ended),
            Attempt::Failed(at, _) => Some(Need::Failed(*at)),
            Attempt::Connected(session) if session.client.ended().is_some() => Some(Need::Ended),
            Attempt::Connected(session) if session.is_awaited() => None,
            Attempt::Connected(session) => Some(Need::Connected(session.used())),
        }
    }
}
