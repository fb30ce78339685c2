//! Making invitations and contact addresses.

use super::application::remove;
use super::engine::Engine;
use super::session::creation_error;
use super::subscribing::subscribe_new;
use crate::config::AgentConfig;
use crate::connection::{Connection, StateError};
use crate::error::{AgentError, RelayError};
use crate::id::ConnectionId;
use crate::relay_set::{RelayRole, ranked};
use crate::summary::{Invitation, connection_link, connection_short_link};
use rand::CryptoRng;
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::QueueMode;
use smp_protocol::link::UserData;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// What is to be made.
#[derive(Clone)]
pub(crate) enum Made {
    /// An invitation.
    Invitation,
    /// A contact address; what people who ask get to know if they are accepted without asking the application.
    Address(Option<Vec<u8>>),
}

/// Makes a queue on one of the relays, and a link to it: with a short link if there is something to show, and the relay can do it. In a task of its own: a caller that leaves does not leave a half-made one behind.
pub(crate) async fn invite(
    engine: &Arc<Engine>,
    made: Made,
    shown: Option<UserData>,
) -> Result<(ConnectionId, Invitation), AgentError> {
    let (result, outcome) = tokio::sync::oneshot::channel();
    let engine_ = engine.clone();
    engine.spawn(async move {
        if let Err(Ok((unwanted, _))) = result.send(try_relays(&engine_, &made, shown).await) {
            // The next start removes what cannot be removed now.
            let _ = remove(&engine_, unwanted).await;
        }
    });
    outcome.await.unwrap_or(Err(AgentError::ShutDown))
}

async fn try_relays(
    engine: &Arc<Engine>,
    made: &Made,
    shown: Option<UserData>,
) -> Result<(ConnectionId, Invitation), AgentError> {
    let relays = ranked(&engine.config.relays, RelayRole::Storage, &[], &mut engine.rng());
    let mut failure = AgentError::NoRelay;
    let deadline = engine.surroundings().time.monotonic() + engine.config.timeouts.create;
    for relay in relays {
        match invite_at(engine, &relay.address, made, shown.clone(), deadline).await {
            Err(error @ AgentError::Relay { .. }) => failure = error,
            result => return result,
        }
    }
    Err(failure)
}

async fn invite_at(
    engine: &Arc<Engine>,
    relay: &RelayAddress,
    made: &Made,
    shown: Option<UserData>,
    deadline: Instant,
) -> Result<(ConnectionId, Invitation), AgentError> {
    let connection = made.keys(&engine.config, relay, shown.is_some(), &mut engine.rng());
    let (id, commit) = engine.steps.create(connection).await?;
    commit.durable().await?;
    let result = match timeout_at(deadline, make_queue(engine, id, relay, made.mode(), shown)).await {
        Ok(result) => result,
        Err(_) => Err(AgentError::of_relay(relay, RelayError::Timeout)),
    };
    match result {
        Ok(invitation) => Ok((id, invitation)),
        Err(error) => {
            // The queue may have been made.
            remove(engine, id).await?;
            Err(error)
        }
    }
}

/// NEW on the connection's relay. If the answer is lost the queue stays unused on the relay.
async fn make_queue(
    engine: &Arc<Engine>,
    id: ConnectionId,
    relay: &RelayAddress,
    mode: QueueMode,
    shown: Option<UserData>,
) -> Result<Invitation, AgentError> {
    let damaged = |StateError| AgentError::Encryption(id);
    let relay = engine.relay(relay);
    let failed = |error| AgentError::of_relay(&relay.address, error);
    let session = relay.session_now().await.map_err(failed)?;
    let config = &engine.config;
    let shown = shown.filter(|_| session.has_short_links());
    let prepared = engine.steps.look(id, |connection| {
        let offer = shown.map(|shown| connection.offer_short_link(shown, config, &mut engine.rng()));
        let queue = connection.receive.clone().ok_or(StateError)?;
        Ok((queue, offer.transpose()?.flatten()))
    });
    let (queue, offer) = prepared.await?.map_err(damaged)?;
    let password = engine.password(&queue.relay);
    let created = session.create_queue(&queue, mode, password, offer.as_ref()).await;
    let created = created.map_err(|error| failed(creation_error(error)))?;
    let step = engine.steps.step(id, |connection, request| {
        connection
            .queue_created(created.clone(), config, &mut engine.rng(), &mut request.effects)
            .map_err(damaged)?;
        if let Some(offer) = offer {
            connection.offer_stored(offer);
        }
        let full = connection_link(connection).ok_or(AgentError::Encryption(id))?;
        Ok(Invitation { full, short: connection_short_link(connection) })
    });
    let (invitation, commit) = step.await?;
    commit.durable().await?;
    subscribe_new(engine, &relay, &session, &queue, &created);
    Ok(invitation)
}

impl Made {
    /// New keys for it; `short` if there may be a short link to it.
    fn keys(
        &self,
        config: &AgentConfig,
        relay: &RelayAddress,
        short: bool,
        rng: &mut impl CryptoRng,
    ) -> Connection {
        match self {
            Self::Invitation => Connection::invite(config, relay, short, rng),
            Self::Address(auto_accept) => {
                Connection::contact_address(config, relay, auto_accept.clone(), rng)
            }
        }
    }

    fn mode(&self) -> QueueMode {
        match self {
            Self::Invitation => QueueMode::Messaging,
            Self::Address(_) => QueueMode::Contact,
        }
    }
}
