//! Sessions with relays: whose commands share one.
//!
//! Nothing of two users is ever in one session, so no relay, and no SOCKS proxy, learns that both are of one agent. With
//! [`SessionMode::Connection`] the same holds for two connections of a user.

use crate::id::{ConnectionId, UserId};
use crate::network_settings::SessionMode;
use smp_protocol::address::RelayAddress;

/// The connection for which something is done at a relay, and its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: UserId,
    pub(crate) connection: ConnectionId,
}

/// The name of a session within the agent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey {
    /// Without the password.
    pub(crate) relay: RelayAddress,
    pub(crate) user: UserId,
    /// The only connection that uses the session. None if all of the user do.
    pub(crate) connection: Option<ConnectionId>,
}

impl SessionKey {
    /// The session in which things are done for a connection.
    pub(crate) fn new(relay: &RelayAddress, owner: Owner, mode: SessionMode) -> Self {
        let connection = match mode {
            SessionMode::User => None,
            SessionMode::Connection => Some(owner.connection),
        };
        Self { relay: relay.without_password(), user: owner.user, connection }
    }

    /// Whether this session is one for something that belongs to this owner.
    pub(crate) fn is_of(&self, owner: Owner) -> bool {
        self.user == owner.user && self.connection.is_none_or(|connection| connection == owner.connection)
    }
}
