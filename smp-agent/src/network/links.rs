//! Short links of contact addresses: what is behind them, and how their owners change it.

use super::engine::Engine;
use super::route::route;
use super::session::CommandError;
use crate::connection::{AddressLink, BehindLink, LinkFetch};
use crate::error::{AgentError, ConnectionError, RelayError};
use crate::id::{ConnectionId, UserId};
use crate::session_key::Owner;
use smp_protocol::address::RelayAddress;
use std::sync::Arc;
use tokio::time::timeout;

/// LGET: what is behind the short link of a contact address.
pub(crate) async fn look_behind(
    engine: &Arc<Engine>,
    user: UserId,
    fetch: LinkFetch,
) -> Result<BehindLink, AgentError> {
    let relay = &fetch.relay;
    // Of no connection: where each has its own sessions, this has too.
    let owner = Owner { user, connection: engine.steps.next_connection() };
    let look = async {
        let route = route(engine, owner, relay).await.map_err(|error| AgentError::of_relay(relay, error))?;
        if !route.has_short_links() {
            return Err(AgentError::LinkTarget(ConnectionError::RelayTooOld));
        }
        match route.fetch_link(&fetch).await {
            Ok((sender_id, data)) => fetch.open(&sender_id, &data).map_err(AgentError::LinkTarget),
            Err(CommandError::Auth) => Err(AgentError::LinkTarget(ConnectionError::AddressGone)),
            Err(error) => Err(command_failed(relay, error)),
        }
    };
    let late = |_| Err(AgentError::of_relay(relay, RelayError::Timeout));
    let behind = timeout(engine.config.timeouts.create, look).await.unwrap_or_else(late);
    engine.routes.forget_connection(owner.connection);
    engine.look_at_sessions(owner.connection);
    behind
}

/// A change of the short link of a contact address.
pub(crate) enum Change<'a> {
    /// LSET: other content of the data behind it.
    Set(&'a (dyn Fn(&AddressLink) -> Result<AddressLink, AgentError> + Send + Sync)),
    /// LDEL: there is none any more.
    Delete,
}

/// Changes the short link of a contact address, at its relay and then here.
///
/// If the answer is lost, the relay may have what this agent does not know of; the next change replaces it.
pub(crate) async fn change(
    engine: &Arc<Engine>,
    id: ConnectionId,
    change: &Change<'_>,
) -> Result<(), AgentError> {
    let looked = engine.steps.look(id, |connection| {
        let link = connection.address.as_ref().and_then(|address| address.link.clone());
        (connection.receive.clone().zip(link), connection.owner())
    });
    let (Some((queue, link)), owner) = looked.await? else {
        return Err(AgentError::NotNow {
            connection: id,
            status: "without a short link of a contact address",
            advice: "make a contact address on a relay that knows short links",
        });
    };
    let config = &engine.config;
    let (relay, address) = (engine.relay(owner, &queue.relay), &queue.relay);
    let link = match change {
        Change::Set(other) => Some(other(&link)?),
        Change::Delete => None,
    };
    let limit = crate::connection::MAX_ADDRESS_SHOWN_LENGTH;
    let data = match &link {
        Some(link) => {
            let size = link.shown.len();
            let data = link.data(config, &mut engine.rng());
            Some((link.link_id(), data.map_err(|_| AgentError::TooLarge { size, limit })?))
        }
        None => None,
    };
    let done = async {
        let session = relay.session_now().await.map_err(|error| AgentError::of_relay(address, error))?;
        let done = match data {
            Some((link_id, data)) => session.set_link(&queue, &link_id, data).await,
            None => session.delete_link(&queue).await,
        };
        done.map_err(|error| command_failed(address, error))
    };
    let late = |_| Err(AgentError::of_relay(address, RelayError::Timeout));
    timeout(config.timeouts.create, done).await.unwrap_or_else(late)?;
    let step = engine.steps.step(id, |connection, _| {
        if link.is_none() {
            connection.short_link = None;
        }
        if let Some(address) = &mut connection.address {
            address.link = link;
        }
        Ok(())
    });
    step.await?.1.durable().await
}

fn command_failed(relay: &RelayAddress, error: CommandError) -> AgentError {
    match error {
        CommandError::Again(error) => AgentError::of_relay(relay, error),
        error => AgentError::of_relay(relay, RelayError::Refused(error.to_string())),
    }
}
