//! A connection: two queues, one ratchet, and how far it is. Pure: no network, no database, no clock.
//!
//! Each function takes what happened, changes the state, and says in [`Effects`] what it asks for. The driver stores the state
//! and the effects in one transaction, and only then touches the network. The next work on the network follows from
//! the state alone: [`Connection::command`], and after it the oldest outgoing body.

mod address;
mod address_link;
mod asking;
mod chain;
mod condition;
mod confirmation;
mod deferred;
mod effects;
mod envelope;
mod incoming;
mod invite;
mod join;
mod link_offer;
mod message;
mod moving;
mod origin;
mod phase;
mod pq;
mod queue;
mod receive;
mod short_link;
mod state;
mod suspension;
mod sync;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use address::{Address, MAX_ADDRESS_SHOWN_LENGTH, PendingRequest};
pub(crate) use address_link::AddressLink;
pub(crate) use asking::Contact;
pub(crate) use chain::ChainEnd;
pub(crate) use condition::Condition;
pub(crate) use effects::{
    BodyId, Content, Deferred, Effects, NewRequest, Outgoing, OutgoingKind, Receipt, SentMessage, Waiting,
};
pub(crate) use join::{Invitation, JoinLink};
pub(crate) use link_offer::{LinkOffer, MAX_SHOWN_LENGTH, shown_data};
pub(crate) use moving::{Errand, Moving, Place};
pub(crate) use origin::{OldQueue, Origin, Received, Unreadable};
pub(crate) use phase::{Phase, Role};
pub(crate) use pq::Protection;
pub(crate) use queue::{CreatedQueue, ReceiveQueue, SendQueue};
pub(crate) use receive::Opened;
pub(crate) use short_link::{BehindLink, LinkFetch};
pub(crate) use suspension::Suspension;
pub(crate) use sync::Resync;

use crate::config::AgentConfig;
use crate::error::{AgentError, ConnectionError};
use crate::event::Event;
use crate::id::{ConnectionId, MessageId, UserId};
use crate::session_key::Owner;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use smp_crypto::PrivateAuthKey;
use smp_protocol::address::RelayAddress;
use smp_protocol::id::RecipientId;
use smp_protocol::version::AgentVersion;
use smp_ratchet::{JoiningKeys, OfferedKeys, Ratchet, SkippedKeys};
use std::ops::{Deref, DerefMut};

/// A connection in memory.
///
/// The part that lasts is in its [`State`], to which this dereferences: everything that may change that has to borrow it mutably, and so a step that
/// leaves it alone, as that of a message does, need not even look whether it has changed.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    state: State,
    /// Whether `state` may be another than the one that is stored.
    changed: bool,
    /// Keys of messages that were left out.
    pub(crate) skipped: SkippedKeys,
    pub(crate) sent: ChainEnd,
    pub(crate) received: ChainEnd,
    /// The last number given to a message of the application, sent or received.
    pub(crate) last_message: MessageId,
    /// Messages that the application has yet to take. Kept by the store.
    pub(crate) undelivered: u32,
    /// Bodies that wait to be sent. Kept by the store.
    pub(crate) waiting: Waiting,
}

/// The part of a connection that lasts. How it is stored is in `state.rs`: a new field needs `#[serde(default)]`, and nothing else.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct State {
    /// The user that it belongs to.
    #[serde(default)]
    pub(crate) user: UserId,
    pub(crate) role: Role,
    pub(crate) phase: Phase,
    /// Version of agent messages: our newest one until the peer's is known.
    #[serde(with = "crate::stored")]
    pub(crate) agent_version: AgentVersion,
    /// Whether this side wants post-quantum keys, and later whether both did once: then headers have room for them.
    pub(crate) pq_support: bool,
    /// The application does not want them any more.
    #[serde(default)]
    pub(crate) pq_refused: bool,
    /// The protection that the application knows of. None as long as the connection is being made.
    #[serde(default)]
    pub(crate) protection_told: Option<Protection>,
    /// Our information for the peer, until it is sent.
    #[serde(with = "crate::stored")]
    pub(crate) own_info: Vec<u8>,
    /// Our information for the owner of a contact address, sent with the request, if it is another; until it is sent.
    #[serde(default, with = "crate::stored")]
    pub(crate) request_info: Option<Vec<u8>>,
    /// Of the initiator: the invitation.
    pub(crate) link: Option<String>,
    /// Of the initiator: its short form, if the relay knows short links.
    pub(crate) short_link: Option<String>,
    /// Of a side that joins or asks by a short link: until what is behind it is there.
    pub(crate) link_fetch: Option<LinkFetch>,
    /// Of a side that asks the owner of a contact address to connect: the address's queue, until its relay has the request.
    #[serde(default)]
    pub(crate) asking: Option<SendQueue>,
    /// Of a contact address: what its owner keeps of it.
    #[serde(default)]
    pub(crate) address: Option<Address>,
    /// Of a connection that somebody asked for: the contact address that took the request.
    #[serde(default)]
    pub(crate) came_to: Option<ConnectionId>,
    /// The same, until the request is accepted: what it says.
    #[serde(default)]
    pub(crate) request: Option<PendingRequest>,
    /// The first keys of the ratchet, until they are used up.
    pub(crate) initial_keys: Option<InitialKeys>,
    /// Its position in its chains is stored apart.
    #[serde(with = "crate::stored")]
    pub(crate) ratchet: Option<Ratchet>,
    /// Where the renegotiation of the ratchet is.
    #[serde(default)]
    pub(crate) resync: Resync,
    pub(crate) receive: Option<ReceiveQueue>,
    pub(crate) send: Option<SendQueue>,
    /// The queues that are to replace these.
    #[serde(default)]
    pub(crate) moving: Moving,
    /// Whether the own queue takes messages.
    #[serde(default)]
    pub(crate) suspension: Suspension,
    /// Its troubles, until they end.
    #[serde(default)]
    pub(crate) condition: Condition,
    /// Messages that wait until the encryption is renewed. The store keeps them.
    #[serde(default)]
    pub(crate) deferred: u32,
}

impl Deref for Connection {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut State {
        self.changed = true;
        &mut self.state
    }
}

impl Connection {
    /// One that begins with an own queue, to be made on `relay`, before anything is known of the other side.
    fn beginning(
        role: Role,
        phase: Phase,
        relay: &RelayAddress,
        config: &AgentConfig,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let versions = &config.versions;
        let mut connection = Self::new(role, phase, versions.agent.max(), config.pq);
        connection.receive = Some(ReceiveQueue::new(relay, versions.client.max(), rng));
        connection
    }

    /// One of which nothing is known but how it begins.
    fn new(role: Role, phase: Phase, agent_version: AgentVersion, pq_support: bool) -> Self {
        let state = State {
            user: UserId::DEFAULT,
            role,
            phase,
            agent_version,
            pq_support,
            pq_refused: false,
            protection_told: None,
            own_info: Vec::new(),
            request_info: None,
            link: None,
            short_link: None,
            link_fetch: None,
            asking: None,
            address: None,
            came_to: None,
            request: None,
            initial_keys: None,
            ratchet: None,
            resync: Resync::default(),
            receive: None,
            send: None,
            moving: Moving::default(),
            suspension: Suspension::default(),
            condition: Condition::default(),
            deferred: 0,
        };
        Self {
            id: ConnectionId::new(0),
            state,
            changed: true,
            skipped: Vec::new().into(),
            sent: ChainEnd::default(),
            received: ChainEnd::default(),
            last_message: MessageId::new(0),
            undelivered: 0,
            waiting: Waiting::default(),
        }
    }

    /// The same under a number, as one that is not stored yet.
    pub(crate) fn numbered(self, id: ConnectionId) -> Self {
        Self { id, changed: true, ..self }
    }

    /// The same, of a user.
    pub(crate) fn of(mut self, user: UserId) -> Self {
        self.user = user;
        self
    }

    /// The error for a call that needs another state than it is in, with the next step for the user.
    pub(crate) fn not_now(&self, status: &'static str, advice: &'static str) -> AgentError {
        AgentError::NotNow { connection: self.id, status, advice }
    }

    /// The owner of the sessions that its commands go through.
    pub(crate) fn owner(&self) -> Owner {
        Owner { user: self.user, connection: self.id }
    }

    /// Takes the ratchet that follows from the present one. Most messages move it in its chains only, which changes nothing that lasts.
    fn advance_ratchet(&mut self, ratchet: Ratchet) {
        self.changed |= !self.state.ratchet.as_ref().is_some_and(|before| before.is_in_chains_of(&ratchet));
        self.state.ratchet = Some(ratchet);
    }

    /// The peer's queue took something.
    pub(crate) fn queue_took(&mut self) {
        if self.condition.waits_for_queue() {
            self.condition.sent();
        }
    }

    /// Something could be read.
    fn readable(&mut self) {
        if self.condition.unreadable.is_some() {
            self.condition.unreadable = None;
        }
    }
}

/// The first keys of a ratchet.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(Clone))]
pub(crate) enum InitialKeys {
    /// The initiator's: until the joiner's confirmation comes.
    Offered(#[serde(with = "crate::stored")] OfferedKeys),
    /// The joiner's: until its confirmation is encrypted.
    Joining(#[serde(with = "crate::stored")] JoiningKeys),
}

/// A command that the present phase needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// LKEY or LGET, on the relay of the short link.
    FetchLink,
    /// NEW, on the relay of the own queue.
    CreateQueue,
    /// KEY, on the relay of the own queue.
    SecureOwn,
    /// SKEY, on the relay of the peer's queue.
    SecurePeer,
}

/// The state is not what the step needs: a bug of this program, or a damaged database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateError;

impl Connection {
    /// The command that is due at a relay before anything else is sent.
    pub(crate) fn command(&self) -> Option<Command> {
        match (self.phase, self.role) {
            (Phase::FetchingLink, _) => Some(Command::FetchLink),
            (Phase::Creating, _) if !self.is_unfinished_invitation() => Some(Command::CreateQueue),
            (Phase::SecuringOwn, _) => Some(Command::SecureOwn),
            (Phase::SecuringPeer, _) => Some(Command::SecurePeer),
            _ => None,
        }
    }

    /// The key that signs our commands about an own queue.
    pub(crate) fn recipient_key(&self, queue: &RecipientId) -> Option<&PrivateAuthKey> {
        let mut queues = self.receive_queues();
        queues.find(|(_, created)| created.recipient_id == *queue).map(|(queue, _)| &queue.recipient_key)
    }

    /// Whether this is an invitation or a contact address whose queue is being made: nobody has its link.
    pub(crate) fn is_unfinished_invitation(&self) -> bool {
        let with_link = match self.role {
            Role::Initiator => self.asking.is_none(),
            Role::Joiner => false,
            Role::Address => true,
        };
        with_link && self.phase == Phase::Creating
    }

    /// The connection cannot go on.
    pub(crate) fn fail(&mut self, error: ConnectionError, effects: &mut Effects) {
        if self.phase != Phase::Failed {
            self.phase = Phase::Failed;
            self.link_fetch = None;
            self.asking = None;
            self.nothing_waits();
            effects.events.push(Event::ConnectionFailed { connection: self.id, error });
        }
    }

    /// The store gives up what waits to be sent.
    pub(crate) fn nothing_waits(&mut self) {
        self.waiting = Waiting::default();
        self.deferred = 0;
    }

    fn connected(&mut self, effects: &mut Effects) {
        self.phase = Phase::Connected;
        self.expect_protection();
        effects.events.push(Event::Connected { connection: self.id });
    }

    fn next_message(&mut self) -> MessageId {
        self.last_message = self.last_message.next();
        self.last_message
    }
}
