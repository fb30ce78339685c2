//! The public interface.

use crate::config::AgentConfig;
use crate::connection::{Connection, JoinLink, LinkFetch, MAX_SHOWN_LENGTH, StateError};
use crate::error::{AgentError, LinkError, SendError};
use crate::events::Events;
use crate::id::{ConnectionId, MessageId};
use crate::network::{Engine, invite};
use crate::steps::or_fail;
use crate::summary::{ConnectionStatus, ConnectionSummary, Invitation};
use rand::seq::IndexedRandom as _;
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::connection_info_length;
use smp_protocol::link::{ConnectionLink, UserData};
use smp_ratchet::SecurityCode;
use std::sync::Arc;

/// Bytes of a confirmation that are not the application's: the address of the reply queue, with several host names.
const CONFIRMATION_OVERHEAD: usize = 1024;
/// An agent: the connections in one data directory, and the tasks that keep them going.
///
/// Clones share it. When the last one is dropped the tasks stop wherever they are, as after a crash; this loses nothing, but
/// only [`shutdown`](Self::shutdown) waits until the data directory can be opened again.
#[derive(Clone)]
pub struct Agent {
    engine: Arc<Engine>,
    _stop: Arc<StopAtEnd>,
}

/// Ends the agent with its last handle.
struct StopAtEnd(Arc<Engine>);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Agent {
    /// Opens a data directory, or makes one, and goes on with whatever was going on in it.
    ///
    /// # Errors
    /// [`AgentError::DataDirectory`], [`AgentError::InUse`], [`AgentError::Storage`]. Relays that cannot be reached are no
    /// error here: the agent keeps trying, and tells by [`Event::RelayDown`](crate::Event::RelayDown).
    pub async fn open(config: AgentConfig) -> Result<(Self, Events), AgentError> {
        let engine = Engine::open(config).await?;
        let stop = Arc::new(StopAtEnd(engine.clone()));
        let events = Events::new(engine.clone());
        engine.start().await?;
        Ok((Self { engine, _stop: stop }, events))
    }

    /// Makes a queue on one of the relays, and an invitation to it for one person.
    ///
    /// # Errors
    /// [`AgentError::NoRelay`]; [`AgentError::Relay`] with the last relay that was tried if none makes a queue now;
    /// [`AgentError::Storage`].
    pub async fn create_invitation(&self) -> Result<(ConnectionId, ConnectionLink), AgentError> {
        let (connection, invitation) = invite(&self.engine, None).await?;
        Ok((connection, invitation.full))
    }

    /// As [`create_invitation`](Self::create_invitation), with a short link besides the full one if the relay can do it.
    ///
    /// Who opens the short link sees `shown` before joining, at most 13,709 bytes; the relay cannot read it. SimpleX
    /// applications put the profile there, as JSON: `{"profile":{…},"business":false}`. It may be empty.
    ///
    /// # Errors
    /// As [`create_invitation`](Self::create_invitation); [`AgentError::TooLarge`].
    pub async fn create_short_invitation(
        &self,
        shown: &[u8],
    ) -> Result<(ConnectionId, Invitation), AgentError> {
        let too_large = || AgentError::TooLarge { size: shown.len(), limit: MAX_SHOWN_LENGTH };
        if shown.len() > MAX_SHOWN_LENGTH {
            return Err(too_large());
        }
        invite(&self.engine, Some(UserData::new(shown).map_err(|_| too_large())?)).await
    }

    /// Joins an invitation, by a text with its full or its short link, as people paste it ([`smp_protocol::pasted::link`]). The connection is stored, and is made in the background:
    /// [`Event::Connected`](crate::Event::Connected) or [`Event::ConnectionFailed`](crate::Event::ConnectionFailed) tells
    /// what came of it. `own_info` is what the inviting side gets to know.
    ///
    /// What a short link stands for is fetched in the background too. It may leave out the fingerprint of its relay: then
    /// the relay must be among those that are configured.
    ///
    /// # Errors
    /// [`AgentError::Link`], [`AgentError::NoRelay`], [`AgentError::TooLarge`], [`AgentError::Storage`].
    pub async fn join(&self, link: &str, own_info: &[u8]) -> Result<ConnectionId, AgentError> {
        let config = &self.engine.config;
        let steps = &self.engine.steps;
        let connection = match JoinLink::read(link, config)? {
            JoinLink::Full(invitation) => {
                if steps.store.receives_from(invitation.sender_id()).await? {
                    return Err(LinkError::Own.into());
                }
                let relay = self.relay_for_reply(invitation.relay()).ok_or(AgentError::NoRelay)?;
                Connection::join(*invitation, own_info, &relay, config, &mut rand::rng())
                    .map_err(|StateError| LinkError::Version)?
            }
            JoinLink::Short(link) => {
                if steps.store.has_link(&link.link_id).await? {
                    return Err(LinkError::Own.into());
                }
                let fetch = LinkFetch::new(link, config, &mut rand::rng())?;
                let relay = self.relay_for_reply(&fetch.relay).ok_or(AgentError::NoRelay)?;
                Connection::join_short(fetch, own_info, &relay, config, &mut rand::rng())
            }
        };
        check_info(&connection, own_info)?;
        let (id, commit) = steps.create(connection).await?;
        commit.durable().await?;
        Ok(id)
    }

    /// Another relay than that of the invitation, if there is one: so that no relay sees both directions.
    fn relay_for_reply(&self, theirs: &RelayAddress) -> Option<RelayAddress> {
        let relays = &self.engine.config.relays;
        let others: Vec<_> = relays.iter().filter(|relay| relay.fingerprint != theirs.fingerprint).collect();
        let rng = &mut rand::rng();
        others.choose(rng).copied().or_else(|| relays.choose(rng)).cloned()
    }

    /// Accepts the person who joined, after [`Event::Confirmation`](crate::Event::Confirmation). `own_info` is what they
    /// get to know. [`Event::Connected`](crate::Event::Connected) or
    /// [`Event::ConnectionFailed`](crate::Event::ConnectionFailed) tells what came of it. Accepting again changes nothing.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] if nobody has joined; [`AgentError::TooLarge`];
    /// [`AgentError::Storage`].
    pub async fn accept(&self, connection: ConnectionId, own_info: &[u8]) -> Result<(), AgentError> {
        let config = &self.engine.config;
        let step = self.engine.steps.step(connection, |connection, request| {
            match ConnectionStatus::of(connection.phase) {
                ConnectionStatus::Confirmed => {}
                ConnectionStatus::Connecting | ConnectionStatus::Connected => return Ok(()),
                ConnectionStatus::Invited | ConnectionStatus::Failed => {
                    return Err(AgentError::NotNow {
                        connection: connection.id,
                        status: connection.phase.status(),
                        advice: "it can be accepted once somebody has joined",
                    });
                }
            }
            check_info(connection, own_info)?;
            or_fail(|connection, effects| connection.accept(own_info, config, &mut rand::rng(), effects))(
                connection, request,
            )
        });
        step.await?.1.durable().await
    }

    /// Stores a message and sends it as soon as possible, after those before it.
    /// [`Event::Sent`](crate::Event::Sent) or [`Event::SendFailed`](crate::Event::SendFailed) follows, possibly after a restart.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] before the connection is made; [`AgentError::TooLarge`];
    /// [`AgentError::Storage`].
    pub async fn send(&self, connection: ConnectionId, body: &[u8]) -> Result<MessageId, AgentError> {
        let config = &self.engine.config;
        let step = self.engine.steps.step(connection, |connection, request| {
            let limit = config.limits.waiting;
            if connection.waiting.messages >= limit {
                return Err(AgentError::TooManyWaiting { connection: connection.id, limit });
            }
            connection.send_message(body, config, &mut request.effects)
        });
        let (message, commit) = step.await?;
        commit.durable().await?;
        Ok(message)
    }

    /// Gives up the messages of a connection that wait to be sent: [`Event::SendFailed`](crate::Event::SendFailed) follows for each. One of
    /// them may be on its way, and arrive.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] while the connection is being made; [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped they are given up or not.
    pub async fn give_up(&self, connection: ConnectionId) -> Result<(), AgentError> {
        let step = self.engine.steps.step(connection, |connection, request| {
            if connection.phase != crate::connection::Phase::Connected {
                return Err(AgentError::NotNow {
                    connection: connection.id,
                    status: connection.phase.status(),
                    advice: "messages can be given up once it is connected",
                });
            }
            connection.waiting = Default::default();
            request.give_up = Some(SendError::GivenUp);
            Ok(())
        });
        step.await?.1.durable().await
    }

    /// The application is done with a received message: it does not come again.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`], [`AgentError::UnknownMessage`], [`AgentError::Storage`].
    pub async fn ack(&self, connection: ConnectionId, message: MessageId) -> Result<(), AgentError> {
        self.engine.ack(connection, message).await
    }

    /// Deletes a connection with its messages and events. Its queue is deleted at the relay as soon as possible; the other
    /// side learns nothing but that its messages are refused.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`], [`AgentError::Storage`].
    pub async fn delete(&self, connection: ConnectionId) -> Result<(), AgentError> {
        self.engine.remove(connection).await
    }

    /// Moves the queue in which the other side's messages arrive to a relay: to this one, or to one of those that are configured,
    /// if possible another than those that the connection uses. Messages go on both ways meanwhile.
    /// [`Event::QueueRotation`](crate::Event::QueueRotation) tells how far it is; it needs the other side's agent.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] if the connection is not made, moves already, or renews its
    /// encryption; [`AgentError::NoRelay`]; [`AgentError::Storage`].
    pub async fn rotate(
        &self,
        connection: ConnectionId,
        relay: Option<&RelayAddress>,
    ) -> Result<(), AgentError> {
        let step = self.engine.steps.step(connection, |connection, request| {
            let chosen = relay.cloned().or_else(|| self.relay_to_move_to(connection));
            let relay = chosen.ok_or(AgentError::NoRelay)?;
            connection.rotate(&relay, &self.engine.config, &mut rand::rng(), &mut request.effects)
        });
        let ((), commit) = step.await?;
        commit.durable().await
    }

    fn relay_to_move_to(&self, connection: &Connection) -> Option<RelayAddress> {
        let theirs = connection.send.as_ref().map(|queue| queue.relay.fingerprint);
        let ours = connection.receive.as_ref().map(|queue| queue.relay.fingerprint);
        let relays = &self.engine.config.relays;
        let others: Vec<_> = relays.iter().filter(|relay| Some(relay.fingerprint) != ours).collect();
        let apart: Vec<_> =
            others.iter().filter(|relay| Some(relay.fingerprint) != theirs).copied().collect();
        let rng = &mut rand::rng();
        let chosen = apart.choose(rng).or_else(|| others.choose(rng)).copied();
        chosen.or_else(|| relays.choose(rng)).cloned()
    }

    /// Gives up a move of the own queue. The old queue goes on as if nothing had been.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] if there is no move, or if the other side was told already to
    /// use the new queue; [`AgentError::Storage`].
    pub async fn abort_rotation(&self, connection: ConnectionId) -> Result<(), AgentError> {
        let step = self
            .engine
            .steps
            .step(connection, |connection, request| connection.abort_rotation(&mut request.effects));
        let ((), commit) = step.await?;
        commit.durable().await?;
        self.engine.look_for_deleted_queues();
        Ok(())
    }

    /// Renews the encryption of a connection, after [`Event::RatchetSync`](crate::Event::RatchetSync) has told that it may or has
    /// to be; with `force` also where nothing seems to be wrong. No messages can be sent until the other side has answered.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] if the connection is not made, its encryption is in order, or the
    /// other side is too old; [`AgentError::Storage`].
    pub async fn resynchronize(&self, connection: ConnectionId, force: bool) -> Result<(), AgentError> {
        let step = self.engine.steps.step(connection, |connection, request| {
            connection.resynchronize(force, &self.engine.config, &mut rand::rng(), &mut request.effects)
        });
        let ((), commit) = step.await?;
        commit.durable().await
    }

    /// All connections, in the order in which they were made.
    ///
    /// # Errors
    /// [`AgentError::Storage`].
    pub async fn connections(&self) -> Result<Vec<ConnectionSummary>, AgentError> {
        let mut summaries = Vec::new();
        for id in self.engine.steps.store.connection_ids().await? {
            match self.engine.steps.look(id, |connection| self.engine.summary(connection)).await {
                // Deleted in between.
                Err(AgentError::UnknownConnection(_)) => {}
                summary => summaries.extend(summary?),
            }
        }
        Ok(summaries)
    }

    /// The code that both sides compare. None as long as only one side's keys are known.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`], [`AgentError::Storage`].
    pub async fn security_code(&self, connection: ConnectionId) -> Result<Option<SecurityCode>, AgentError> {
        let code =
            |connection: &Connection| connection.ratchet.as_ref().map(|ratchet| ratchet.security_code());
        self.engine.steps.look(connection, code).await
    }

    #[cfg(test)]
    pub(crate) fn engine(&self) -> Arc<Engine> {
        self.engine.clone()
    }

    /// Stops all tasks and gives the data directory back. All other calls end with [`AgentError::ShutDown`].
    pub async fn shutdown(&self) {
        self.engine.shutdown().await;
    }
}

fn check_info(connection: &Connection, info: &[u8]) -> Result<(), AgentError> {
    let limit =
        connection_info_length(connection.agent_version, connection.pq_support) - CONFIRMATION_OVERHEAD;
    if info.len() > limit {
        return Err(AgentError::TooLarge { size: info.len(), limit });
    }
    Ok(())
}
