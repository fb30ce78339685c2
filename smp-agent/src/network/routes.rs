//! The relays that are reached through others, and by which: as sessions, each for one user, or one connection.

use super::session::RelaySession;
use crate::error::RelayError;
use crate::id::ConnectionId;
use crate::session_key::SessionKey;
use smp_transport::client::ProxiedRelay;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// All of them.
#[derive(Default)]
pub(super) struct Routes(Mutex<HashMap<SessionKey, Arc<Destination>>>);

/// A relay that is reached through another one.
#[derive(Default)]
pub(super) struct Destination {
    pub(super) state: tokio::sync::Mutex<Way>,
}

/// How a relay is reached now.
#[derive(Default)]
pub(super) enum Way {
    #[default]
    Unknown,
    Open(Arc<Proxied>),
    /// No relay forwarded to it then.
    Failed(Instant, RelayError),
}

/// A way through a relay that forwards.
pub(super) struct Proxied {
    /// With the relay that forwards.
    pub(super) session: Arc<RelaySession>,
    pub(super) relay: ProxiedRelay,
}

impl Routes {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Arc<Destination>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The relay of a session that would be one, if it was connected to directly.
    pub(super) fn destination(&self, session: SessionKey) -> Arc<Destination> {
        self.lock().entry(session).or_default().clone()
    }

    /// A connection is gone, and with it the ways that only it uses.
    pub(super) fn forget_connection(&self, connection: ConnectionId) {
        self.lock().retain(|session, _| session.connection != Some(connection));
    }

    /// The network is another one: what failed before may work.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }
}

impl Destination {
    /// The proxy says that it does not forward to it any more.
    pub(super) async fn forget(&self, gone: &Arc<Proxied>) {
        let mut state = self.state.lock().await;
        if matches!(&*state, Way::Open(proxied) if Arc::ptr_eq(proxied, gone)) {
            *state = Way::Unknown;
        }
    }
}
