//! Connections as an application sees them.

use crate::connection::{Condition, Connection, Phase, Protection};
use crate::error::{ReceiveError, RelayError, SubscriptionError};
use crate::id::{ConnectionId, UserId};
use crate::stages::{RotationSide, RotationStage, SuspensionState, SyncState};
use smp_protocol::link::{ConnectionLink, ShortLink};

/// A connection as an application sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionSummary {
    /// Its number.
    pub id: ConnectionId,
    /// The user that it belongs to.
    pub user: UserId,
    /// How far it is.
    pub status: ConnectionStatus,
    /// Of the inviting side: the link, as long as nobody has joined. Of a contact address: its link.
    pub invitation: Option<ConnectionLink>,
    /// The same: the short link, if there is one.
    pub short_invitation: Option<ShortLink>,
    /// Of a contact address: whether requests are accepted without asking. Of a request: whether it is, as soon as the application is
    /// [done](crate::Delivery::done) with its event.
    pub auto_accept: bool,
    /// Troubles now. Each stays here until it ends.
    pub troubles: Vec<Trouble>,
    /// Whether both sides' encryption fits together, or is being renewed.
    pub sync: SyncState,
    /// Which of its sides move to other queues now, and how far that is.
    pub rotations: Vec<(RotationSide, RotationStage)>,
    /// Whether the other side's messages are taken.
    pub suspension: SuspensionState,
    /// The protection by post-quantum keys.
    pub post_quantum: PostQuantum,
    /// Messages that wait to be sent.
    pub waiting: u32,
    /// Messages that the application has not taken.
    pub undelivered: u32,
}

/// The directions of a connection that post-quantum keys protect. They do so beside the other keys, and are agreed on anew in each turn of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostQuantum {
    /// Whether this side wants them.
    pub wanted: bool,
    /// Whether they protect what this side sends.
    pub sending: bool,
    /// Whether they protect what the other side has sent last.
    pub receiving: bool,
}

impl PostQuantum {
    fn of(connection: &Connection) -> Self {
        let Protection { sending, receiving } = connection.protection();
        Self { wanted: connection.wants_pq(), sending, receiving }
    }
}

/// Something that does not work on a connection, as long as it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// The last thing that came could not be read.
    Unreadable(ReceiveError),
    /// Nothing comes.
    ReceivingStopped(SubscriptionError),
    /// The peer's queue is full since this time (seconds since 1970): messages wait until the peer takes some.
    Full {
        /// Since when.
        since: i64,
    },
    /// The peer's relay refuses messages since this time (seconds since 1970).
    Refused {
        /// Since when.
        since: i64,
    },
    /// A relay that the connection needs now cannot be reached, for longer than [`Timeouts::relay_down`](crate::Timeouts::relay_down).
    RelayDown {
        /// Its address, without the password.
        relay: String,
        /// Whether this side receives there; else it is the one to which messages wait to be sent.
        receiving: bool,
        /// Since when, in seconds since 1970.
        since: i64,
        /// The error of the last attempt.
        error: RelayError,
    },
}

/// An invitation for one person, in both forms: whichever is used first uses up the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The whole invitation in one long link. Every application can join it.
    pub full: ConnectionLink,
    /// A link to the invitation, which the relay keeps encrypted. None if the relay knows no short links (SMP version 15).
    pub short: Option<ShortLink>,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionStatus {
    /// The invitation waits for somebody to join.
    Invited,
    /// It is no connection, but a contact address that takes requests.
    Address,
    /// Somebody asked by a contact address, and waits for [`ConnectionHandle::accept`](crate::ConnectionHandle::accept).
    Requested,
    /// Somebody joined and waits for [`ConnectionHandle::accept`](crate::ConnectionHandle::accept).
    Confirmed,
    /// Both sides' agents are at it.
    Connecting,
    /// Messages go both ways.
    Connected,
    /// It will not work any more.
    Failed,
}

impl ConnectionSummary {
    /// None for an invitation that is being made.
    pub(crate) fn of(connection: &Connection) -> Option<Self> {
        if connection.is_unfinished_invitation() {
            return None;
        }
        let status = ConnectionStatus::of(connection.phase);
        let invited = matches!(status, ConnectionStatus::Invited | ConnectionStatus::Address);
        let invitation = invited.then(|| connection_link(connection)).flatten();
        let short_invitation = invited.then(|| connection_short_link(connection)).flatten();
        Some(Self {
            id: connection.id,
            user: connection.user,
            status,
            invitation,
            short_invitation,
            auto_accept: connection.auto_accepts(),
            troubles: troubles(connection),
            sync: connection.resync.state,
            rotations: connection.moving.rotations(),
            suspension: connection.suspension.state(),
            post_quantum: PostQuantum::of(connection),
            waiting: connection.waiting.messages.saturating_add(connection.deferred),
            undelivered: connection.undelivered,
        })
    }
}

/// Those that the connection itself knows.
fn troubles(connection: &Connection) -> Vec<Trouble> {
    let Condition { unreadable, full_since, refused_since } = connection.condition.clone();
    let unreadable = unreadable.map(Trouble::Unreadable);
    let full = full_since.map(|since| Trouble::Full { since });
    let refused = refused_since.map(|since| Trouble::Refused { since });
    unreadable.into_iter().chain(full).chain(refused).collect()
}

impl ConnectionStatus {
    pub(crate) fn of(phase: Phase) -> Self {
        match phase {
            Phase::Invited => Self::Invited,
            Phase::Listening => Self::Address,
            Phase::Requested => Self::Requested,
            Phase::Confirmed => Self::Confirmed,
            Phase::Connected => Self::Connected,
            Phase::Failed => Self::Failed,
            _ => Self::Connecting,
        }
    }
}

/// The invitation that a connection began with, on the side that made it.
pub(crate) fn connection_link(connection: &Connection) -> Option<ConnectionLink> {
    connection.link.as_ref()?.parse().ok()
}

/// Its short form.
pub(crate) fn connection_short_link(connection: &Connection) -> Option<ShortLink> {
    connection.short_link.as_ref()?.parse().ok()
}
