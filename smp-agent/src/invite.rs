//! Making invitations.

use crate::connection::{Connection, Effects, StateError};
use crate::core::{Core, now};
use crate::error::{AgentError, RelayError};
use crate::id::ConnectionId;
use crate::network::creation_error;
use crate::summary::{Invitation, connection_link, connection_short_link};
use rand::seq::SliceRandom as _;
use smp_protocol::address::RelayAddress;
use smp_protocol::link::UserData;
use std::sync::Arc;

/// Makes a queue on one of the relays, and an invitation to it: with a short link if there is something to show, and the relay
/// can do it.
pub(crate) async fn invite(
    core: &Arc<Core>,
    shown: Option<UserData>,
) -> Result<(ConnectionId, Invitation), AgentError> {
    let mut relays = core.config.relays.clone();
    relays.shuffle(&mut rand::rng());
    let mut failure = AgentError::NoRelay;
    for relay in relays {
        match invite_at(core, &relay, shown.clone()).await {
            Err(error @ AgentError::Relay { .. }) => failure = error,
            result => return result,
        }
    }
    Err(failure)
}

async fn invite_at(
    core: &Arc<Core>,
    relay: &RelayAddress,
    shown: Option<UserData>,
) -> Result<(ConnectionId, Invitation), AgentError> {
    let config = &core.config;
    let mut connection = Connection::invite(config, relay, shown.is_some(), &mut rand::rng());
    let mut step = core.step().await?;
    step.insert(&mut connection, now()).await?;
    step.commit().await?;
    let limit = config.timeouts.create;
    let result = match tokio::time::timeout(limit, make_queue(core, &mut connection, shown)).await {
        Ok(result) => result,
        Err(_) => Err(relay_failed(relay, RelayError::Timeout)),
    };
    if result.is_err() {
        // The queue may have been made.
        let step = core.step().await?;
        core.remove(step, &connection).await?;
    }
    Ok((connection.id, result?))
}

/// NEW on the connection's relay. If the answer is lost the queue stays unused on the relay.
async fn make_queue(
    core: &Arc<Core>,
    connection: &mut Connection,
    shown: Option<UserData>,
) -> Result<Invitation, AgentError> {
    let id = connection.id;
    let damaged = |StateError| AgentError::Encryption(id);
    let queue = connection.receive.as_ref().ok_or(StateError).map_err(damaged)?;
    let relay = core.relay(&queue.relay);
    let failed = |error| relay_failed(&relay.address, error);
    let session = relay.session_now().await.map_err(failed)?;
    let config = &core.config;
    let shown = shown.filter(|_| session.has_short_links());
    let offer = shown.map(|shown| connection.offer_short_link(shown, config, &mut rand::rng()));
    let offer = offer.transpose().map_err(damaged)?.flatten();
    let password = core.password(&queue.relay);
    let created = session.create_queue(queue, password, offer.as_ref()).await;
    let created = created.map_err(|error| failed(creation_error(error)))?;
    let mut effects = Effects::default();
    connection.queue_created(created.clone(), config, &mut rand::rng(), &mut effects).map_err(damaged)?;
    if let Some(offer) = offer {
        connection.offer_stored(offer);
    }
    let step = core.step().await?;
    core.save(step, connection, &effects).await?;
    if let Some(queue) = &connection.receive {
        relay.subscribe_new(core, &session, queue, &created);
    }
    let full = connection_link(connection).ok_or(AgentError::Encryption(id))?;
    Ok(Invitation { full, short: connection_short_link(connection) })
}

fn relay_failed(relay: &RelayAddress, error: RelayError) -> AgentError {
    AgentError::Relay { relay: relay.without_password().to_string(), error }
}
