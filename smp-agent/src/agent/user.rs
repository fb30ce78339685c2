//! The users of an agent: several profiles in one store, of which no relay can tell that they are together.

use super::Agent;
use crate::connection::{Connection, JoinLink, LinkFetch, MAX_SHOWN_LENGTH, Phase, StateError, shown_data};
use crate::error::{AgentError, LinkError};
use crate::id::{ConnectionId, UserId};
use crate::network::requests::{check_info, relay_for_reply};
use crate::network::{Engine, Made, invite, user_changes};
use crate::relay_set::RelayEntry;
use crate::session_key::Owner;
use crate::summary::{ConnectionSummary, Invitation};
use smp_protocol::address::RelayAddress;
use smp_protocol::link::{ConnectionLink, ShortLink};
use std::sync::Arc;

/// A user of an agent, by its number: from [`Agent::user`]. It holds no state and costs nothing; each call finds out whether there is
/// such a user. The calls of [`Agent`] with the same names are for the [default user](UserId::DEFAULT).
#[derive(Clone)]
pub struct UserHandle {
    agent: Agent,
    id: UserId,
}

/// A user as an application sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UserSummary {
    /// Its number.
    pub id: UserId,
    /// The relays of its own. None: it uses those of [`AgentConfig::relays`](crate::AgentConfig::relays).
    pub relays: Option<Vec<RelayEntry>>,
}

impl Agent {
    /// Adds a user: a profile whose connections share no session with a relay with those of others, nor a circuit through
    /// [Tor](crate::SocksSettings). Without relays of its own it uses those of [`AgentConfig::relays`](crate::AgentConfig::relays).
    ///
    /// # Errors
    /// [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped the user is added or not: [`users`](Self::users) tells.
    pub async fn create_user(&self, relays: Option<Vec<RelayEntry>>) -> Result<UserId, AgentError> {
        user_changes::add(self.engine(), relays).await
    }

    /// All users, in the order in which they were made. The first one is always there.
    #[must_use]
    pub fn users(&self) -> Vec<UserSummary> {
        let users = self.engine().users.list().into_iter();
        users.map(|(id, relays)| UserSummary { id, relays: relays.map(|relays| relays.to_vec()) }).collect()
    }

    /// The user with a number, for everything that is done for one.
    #[must_use]
    pub fn user(&self, id: UserId) -> UserHandle {
        UserHandle { agent: self.clone(), id }
    }
}

impl UserHandle {
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        self.agent.engine()
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> UserId {
        self.id
    }

    /// Gives it other relays, or those of [`AgentConfig::relays`](crate::AgentConfig::relays). Queues that are there stay where they are;
    /// [`ConnectionHandle::rotate`](crate::ConnectionHandle::rotate) moves them.
    ///
    /// # Errors
    /// [`AgentError::UnknownUser`], [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped the relays are changed or not.
    pub async fn set_relays(&self, relays: Option<Vec<RelayEntry>>) -> Result<(), AgentError> {
        user_changes::set_relays(self.engine(), self.id, relays).await
    }

    /// Deletes the user with all its connections, as [`ConnectionHandle::delete`](crate::ConnectionHandle::delete) does.
    ///
    /// # Errors
    /// [`AgentError::UnknownUser`]; [`AgentError::DefaultUser`]; [`AgentError::Storage`], with which it is deleted when the agent is
    /// opened the next time, or not at all.
    ///
    /// # Cancel safety
    /// When it is dropped the user is deleted or not; what is left of it goes when the agent is opened the next time.
    pub async fn delete(&self) -> Result<(), AgentError> {
        user_changes::delete(self.engine(), self.id).await
    }

    /// The connections of the user, in the order in which they were made.
    ///
    /// # Errors
    /// [`AgentError::UnknownUser`], [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn connections(&self) -> Result<Vec<ConnectionSummary>, AgentError> {
        self.engine().users.check(self.id)?;
        self.agent.summaries(self.engine().steps.store.connections_of_user(self.id).await?).await
    }

    /// As [`Agent::create_invitation`], for this user.
    ///
    /// # Errors
    /// As there; [`AgentError::UnknownUser`].
    ///
    /// # Cancel safety
    /// As there.
    pub async fn create_invitation(&self) -> Result<(ConnectionId, ConnectionLink), AgentError> {
        let (connection, invitation) = invite(self.engine(), self.id, Made::Invitation, None).await?;
        Ok((connection, invitation.full))
    }

    /// As [`Agent::create_short_invitation`], for this user.
    ///
    /// # Errors
    /// As there; [`AgentError::UnknownUser`].
    ///
    /// # Cancel safety
    /// As there.
    pub async fn create_short_invitation(
        &self,
        shown: &[u8],
    ) -> Result<(ConnectionId, Invitation), AgentError> {
        let shown = shown_data(shown, MAX_SHOWN_LENGTH)?;
        invite(self.engine(), self.id, Made::Invitation, Some(shown)).await
    }

    /// As [`Agent::join`], for this user.
    ///
    /// # Errors
    /// As there; [`AgentError::UnknownUser`].
    ///
    /// # Cancel safety
    /// As there.
    pub async fn join(&self, link: &str, own_info: &[u8]) -> Result<ConnectionId, AgentError> {
        self.join_or_ask(link, own_info, None).await
    }

    /// As [`Agent::ask`], for this user.
    ///
    /// # Errors
    /// As there; [`AgentError::UnknownUser`].
    ///
    /// # Cancel safety
    /// As there.
    pub async fn ask(&self, link: &str, own_info: &[u8], request: &[u8]) -> Result<ConnectionId, AgentError> {
        self.join_or_ask(link, own_info, Some(request)).await
    }

    async fn join_or_ask(
        &self,
        link: &str,
        own_info: &[u8],
        request: Option<&[u8]>,
    ) -> Result<ConnectionId, AgentError> {
        let (engine, user) = (self.engine(), self.id);
        let (config, steps) = (&engine.config, &engine.steps);
        steps.reserve.check()?;
        engine.users.check(user)?;
        let (connection, invitation) = match JoinLink::read(link, config)? {
            JoinLink::Full(invitation) => {
                if steps.store.receives_from(user, invitation.sender_id()).await? {
                    return Err(LinkError::Own.into());
                }
                let relay = self.relay_for_reply(invitation.relay())?;
                let key = invitation_key(invitation.relay(), invitation.sender_id().as_bytes());
                let connection = Connection::join(*invitation, own_info, &relay, config, &mut engine.rng())
                    .map_err(|StateError| LinkError::Version)?;
                (connection, Some(key))
            }
            JoinLink::Contact(contact) => {
                if steps.store.receives_from(user, contact.sender_id()).await? {
                    return Err(LinkError::Own.into());
                }
                let relay = self.relay_for_reply(contact.relay())?;
                (Connection::ask(contact, own_info, &relay, config, &mut engine.rng()), None)
            }
            JoinLink::Short(link) => {
                let is_invitation = matches!(link, ShortLink::Invitation(_));
                let fetch = LinkFetch::new(link, &engine.users.relays(user), &mut engine.rng())?;
                if steps.store.has_link(user, &fetch.link_id()).await? {
                    return Err(LinkError::Own.into());
                }
                let relay = self.relay_for_reply(&fetch.relay)?;
                let key = is_invitation.then(|| invitation_key(&fetch.relay, fetch.link_id().as_bytes()));
                (Connection::join_short(fetch, own_info, &relay, config, &mut engine.rng()), key)
            }
        };
        if let Some(id) = joined(engine, user, invitation.as_deref()).await? {
            return Ok(id);
        }
        let mut connection = connection.of(user);
        check_info(engine, &connection, own_info)?;
        if let Some(request) = request {
            check_info(engine, &connection, request)?;
            connection.request_info = Some(request.to_vec());
        }
        let (id, commit) = steps.join(connection, invitation).await?;
        commit.durable().await?;
        user_changes::still_wanted(engine, Owner { user, connection: id }).await?;
        Ok(id)
    }

    fn relay_for_reply(&self, theirs: &RelayAddress) -> Result<RelayAddress, AgentError> {
        relay_for_reply(self.engine(), self.id, theirs).ok_or(AgentError::NoRelay)
    }
}

/// The invitation among those of all relays. A contact address can be asked again, and has none.
fn invitation_key(relay: &RelayAddress, id: &[u8]) -> Vec<u8> {
    [&relay.fingerprint[..], id].concat()
}

/// The connection that came of an invitation before, unless it has failed.
async fn joined(
    engine: &Engine,
    user: UserId,
    invitation: Option<&[u8]>,
) -> Result<Option<ConnectionId>, AgentError> {
    let Some(invitation) = invitation else { return Ok(None) };
    let Some(id) = engine.steps.store.joined(user, invitation).await? else { return Ok(None) };
    match engine.steps.look(id, |connection| connection.phase == Phase::Failed).await {
        Ok(has_failed) => Ok((!has_failed).then_some(id)),
        Err(AgentError::UnknownConnection(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
