//! One connection, as an application uses it.

use super::Agent;
use crate::connection::{BodyId, Connection, Phase};
use crate::error::{AgentError, SendError};
use crate::id::{ConnectionId, MessageId};
use crate::network::requests::{self, check_info};
use crate::network::{Engine, remove};
use crate::relay_set::{RelayRole, choose};
use crate::send_handle::SendHandle;
use crate::steps::{Commit, KeyOf, Request, or_fail};
use crate::summary::{ConnectionStatus, ConnectionSummary};
use smp_crypto::hash::sha256;
use smp_protocol::address::RelayAddress;
use smp_ratchet::SecurityCode;
use std::sync::Arc;

/// A connection of an agent, by its number: from [`Agent::connection`]. It holds no state and costs nothing; each call finds out
/// whether there is such a connection. The agent goes on as long as one of its handles or an [`Agent`] is there.
#[derive(Clone)]
pub struct ConnectionHandle {
    agent: Agent,
    id: ConnectionId,
}

impl ConnectionHandle {
    pub(crate) fn new(agent: Agent, id: ConnectionId) -> Self {
        Self { agent, id }
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        self.agent.engine()
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Accepts the person who joined, after [`Event::Confirmation`](crate::Event::Confirmation), or who asked by a contact address,
    /// after [`Event::Request`](crate::Event::Request). `own_info` is what they get to know. [`Event::Connected`](crate::Event::Connected) or
    /// [`Event::ConnectionFailed`](crate::Event::ConnectionFailed) tells what came of it. Accepting again changes nothing.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] if nobody has joined; [`AgentError::TooLarge`];
    /// [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped the person is accepted or not; accepting again changes nothing.
    pub async fn accept(&self, own_info: &[u8]) -> Result<(), AgentError> {
        let config = &self.engine().config;
        let requested = |connection: &Connection| connection.request_of().is_some();
        if self.engine().steps.look(self.id, requested).await? {
            return requests::accept(self.engine(), self.id, own_info).await;
        }
        let step = self.engine().steps.step(self.id, |connection, request| {
            match ConnectionStatus::of(connection.phase) {
                ConnectionStatus::Confirmed => {}
                ConnectionStatus::Connecting | ConnectionStatus::Connected | ConnectionStatus::Requested => {
                    return Ok(());
                }
                ConnectionStatus::Invited | ConnectionStatus::Address | ConnectionStatus::Failed => {
                    let advice = "it can be accepted once somebody has joined";
                    return Err(connection.not_now(connection.phase.status(), advice));
                }
            }
            check_info(self.engine(), connection, own_info)?;
            or_fail(|connection, effects| {
                connection.accept(own_info, config, &mut self.engine().rng(), effects)
            })(connection, request)
        });
        step.await?.1.durable().await
    }

    /// Stores a message and sends it as soon as possible, after those before it; while the encryption is renewed it waits until both sides
    /// have agreed. [`SendHandle::outcome`] waits until that is done;
    /// [`Event::Sent`](crate::Event::Sent) or [`Event::SendFailed`](crate::Event::SendFailed) follows in any case, possibly after a
    /// restart.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] before the connection is made; [`AgentError::TooManyWaiting`];
    /// [`AgentError::TooLarge`]; [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped the message is sent or not.
    pub async fn send(&self, body: &[u8]) -> Result<SendHandle, AgentError> {
        let (handle, commit) = self.send_soon(body, None).await?;
        commit.durable().await?;
        Ok(handle)
    }

    /// The same, but what is returned may not be durable yet. The body may be stored for many connections.
    pub(crate) async fn send_soon(
        &self,
        body: &[u8],
        shared: Option<BodyId>,
    ) -> Result<(SendHandle, Commit), AgentError> {
        let engine = self.engine();
        let step = engine.steps.step(self.id, |connection, request| {
            let message = self.send_by(connection, request, body, shared)?;
            // Before anybody else can learn of the message, so that its outcome is not missed.
            Ok((message, engine.steps.events.sends.wait_for(connection.id, message)))
        });
        let ((message, outcome), commit) = step.await?;
        Ok((SendHandle::new(self.id, message, outcome, engine.end()), commit))
    }

    /// As [`send`](Self::send), but once for each key: for an application that does not know whether it has sent a message, because it
    /// died, or dropped the call. If a message was sent with this key before, nothing else is sent, whatever the body is, and the handle is of that
    /// message: with the same number, and the same outcome. A key is any bytes that the application does not use for two messages of a connection;
    /// it is forgotten 30 days, counted in those on which the agent runs, after the message was sent, if its outcome is known by then.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// When it is dropped the message is sent or not. Calling it again with the same key is always right.
    pub async fn send_once(&self, key: &[u8], body: &[u8]) -> Result<SendHandle, AgentError> {
        let (handle, commit) = self.send_once_soon(sha256(key), body, KeyOf::Anything).await?;
        if let Some(commit) = commit {
            commit.durable().await?;
        }
        Ok(handle)
    }

    /// The same, but what is returned may not be durable yet.
    pub(super) async fn send_once_soon(
        &self,
        key: [u8; 32],
        body: &[u8],
        known: KeyOf,
    ) -> Result<(SendHandle, Option<Commit>), AgentError> {
        let engine = self.engine();
        let send = |connection: &mut Connection, request: &mut Request| {
            self.send_by(connection, request, body, None)
        };
        let ((message, outcome), commit) = engine.steps.send_once(self.id, key, known, send).await?;
        Ok((SendHandle::new(self.id, message, outcome, engine.end()), commit))
    }

    fn send_by(
        &self,
        connection: &mut Connection,
        request: &mut Request,
        body: &[u8],
        shared: Option<BodyId>,
    ) -> Result<MessageId, AgentError> {
        let engine = self.engine();
        engine.steps.reserve.check()?;
        let limit = engine.config.limits.waiting;
        if connection.waiting.messages.saturating_add(connection.deferred) >= limit {
            return Err(AgentError::TooManyWaiting { connection: connection.id, limit });
        }
        connection.send_message(body, shared, &engine.config, &mut request.effects)
    }

    /// Gives up the messages of a connection that wait to be sent: [`Event::SendFailed`](crate::Event::SendFailed) follows for each. One of
    /// them may be on its way, and arrive.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] while the connection is being made; [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped they are given up or not.
    pub async fn give_up(&self) -> Result<(), AgentError> {
        let step = self.engine().steps.step(self.id, |connection, request| {
            if connection.phase != Phase::Connected {
                let advice = "messages can be given up once it is connected";
                return Err(connection.not_now(connection.phase.status(), advice));
            }
            connection.nothing_waits();
            request.give_up = Some(SendError::GivenUp);
            Ok(())
        });
        step.await?.1.durable().await
    }

    /// Deletes a connection with its messages and events. Its queue is deleted at the relay as soon as possible; the other
    /// side learns nothing but that its messages are refused.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`], [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped the connection is deleted or not.
    pub async fn delete(&self) -> Result<(), AgentError> {
        remove(self.engine(), self.id).await
    }

    /// Moves the queue in which the other side's messages arrive to a relay: to this one, or to one of those that are configured,
    /// if possible another than those that the connection uses. Messages go on both ways meanwhile.
    /// [`Event::QueueRotation`](crate::Event::QueueRotation) tells how far it is; it needs the other side's agent.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] if the connection is not made, moves already, or renews its
    /// encryption; [`AgentError::NoRelay`]; [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped the move has begun or not.
    pub async fn rotate(&self, relay: Option<&RelayAddress>) -> Result<(), AgentError> {
        let step = self.engine().steps.step(self.id, |connection, request| {
            let chosen = relay.cloned().or_else(|| self.relay_to_move_to(connection));
            let relay = chosen.ok_or(AgentError::NoRelay)?;
            connection.rotate(&relay, &self.engine().config, &mut self.engine().rng(), &mut request.effects)
        });
        let ((), commit) = step.await?;
        commit.durable().await
    }

    fn relay_to_move_to(&self, connection: &Connection) -> Option<RelayAddress> {
        let ours = connection.receive.iter().map(|queue| &queue.relay);
        let apart: Vec<_> = ours.chain(connection.send.iter().map(|queue| &queue.relay)).collect();
        let engine = self.engine();
        let relays = engine.users.relays(connection.user);
        let chosen = choose(&relays, RelayRole::Storage, &apart, &mut engine.rng());
        chosen.map(|relay| relay.address.clone())
    }

    /// Gives up a move of the own queue. The old queue goes on as if nothing had been.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] if there is no move, or if the other side was told already to
    /// use the new queue; [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped the move is given up or not.
    pub async fn abort_rotation(&self) -> Result<(), AgentError> {
        let step = self
            .engine()
            .steps
            .step(self.id, |connection, request| connection.abort_rotation(&mut request.effects));
        let ((), commit) = step.await?;
        commit.durable().await?;
        self.engine().look_for_deleted_queues();
        Ok(())
    }

    /// Switches post-quantum keys on or off, also on a connection that began without. It goes with the next messages, and is in force some
    /// messages later, when both sides have written: [`ConnectionSummary::post_quantum`] and [`Event::PostQuantum`](crate::Event::PostQuantum)
    /// say in which directions. Both sides have to want them; one that is configured to ([`AgentConfig::pq`](crate::AgentConfig::pq)) takes
    /// what is offered, until it was switched off. With them there is less room in a message (13,618 bytes instead of 15,840, less 45), which stays so.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] if the connection is not made, or the other side is too old;
    /// [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped they are switched or not.
    pub async fn set_post_quantum(&self, wanted: bool) -> Result<(), AgentError> {
        let config = &self.engine().config;
        let step =
            self.engine().steps.step(self.id, |connection, _| connection.set_post_quantum(wanted, config));
        step.await?.1.durable().await
    }

    /// Has the own relay take nothing more for the connection (`OFF`), or for a contact address. Messages that it took before are delivered, and
    /// more can still be sent. The other side learns only that its messages are refused: an agent of this kind tells its application by
    /// [`Event::QueueRefused`](crate::Event::QueueRefused), and gives them up after a day. [`Event::Suspension`](crate::Event::Suspension)
    /// tells when it is done.
    ///
    /// Relays never open a queue again, and a queue cannot be moved whose other side's answers do not come: [`resume`](Self::resume)
    /// takes this back only until the relay is asked, so as long as it cannot be reached for instance. After that nothing but a new connection
    /// brings messages again, and the encryption cannot be renewed.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] if the connection is not made, or moves; [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped the suspension has begun or not.
    pub async fn suspend(&self) -> Result<(), AgentError> {
        let step = self.engine().steps.step(self.id, |connection, _| connection.suspend());
        step.await?.1.durable().await
    }

    /// Takes [`suspend`](Self::suspend) back. Does nothing if it is not suspended.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] if the relay was asked already; [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped the suspension is taken back or not.
    pub async fn resume(&self) -> Result<(), AgentError> {
        let step = self.engine().steps.step(self.id, |connection, _| connection.resume());
        step.await?.1.durable().await
    }

    /// Renews the encryption of a connection, after [`Event::RatchetSync`](crate::Event::RatchetSync) has told that it may or has
    /// to be; with `force` also where nothing seems to be wrong. No messages can be sent until the other side has answered.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] if the connection is not made, its encryption is in order, or the
    /// other side is too old; [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped the renewal has begun or not.
    pub async fn resynchronize(&self, force: bool) -> Result<(), AgentError> {
        self.engine().resynchronize(self.id, force).await?.durable().await
    }

    /// How far it is, and what is wrong with it. None while it is being made and nobody can use it yet.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`], [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn summary(&self) -> Result<Option<ConnectionSummary>, AgentError> {
        let engine = self.engine();
        engine.steps.look(self.id, |connection| engine.summary(connection)).await
    }

    /// The code that both sides compare. None as long as only one side's keys are known.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`], [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn security_code(&self) -> Result<Option<SecurityCode>, AgentError> {
        let code =
            |connection: &Connection| connection.ratchet.as_ref().map(|ratchet| ratchet.security_code());
        self.engine().steps.look(self.id, code).await
    }
}
