//! Requests to contact addresses, as the application answers them.

use super::acknowledging::request_answered;
use super::engine::Engine;
use crate::connection::{Connection, PendingRequest};
use crate::error::{AgentError, LinkError};
use crate::id::{ConnectionId, UserId};
use crate::relay_set::{RelayRole, choose};
use crate::steps::{Commit, Request};
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::connection_info_length;
use std::sync::Arc;

/// Bytes of a confirmation that are not the application's: the address of the reply queue, with several host names.
const CONFIRMATION_OVERHEAD: usize = 1024;

/// Checks that what the other side is to get to know fits.
pub(crate) fn check_info(connection: &Connection, info: &[u8]) -> Result<(), AgentError> {
    let limit =
        connection_info_length(connection.agent_version, connection.pq_support) - CONFIRMATION_OVERHEAD;
    if info.len() > limit {
        return Err(AgentError::TooLarge { size: info.len(), limit });
    }
    Ok(())
}

/// A relay for a reply queue, if we have one: rather another than that of the peer's queue, so that no relay sees both directions.
pub(crate) fn relay_for_reply(engine: &Engine, user: UserId, theirs: &RelayAddress) -> Option<RelayAddress> {
    let relays = engine.users.relays(user);
    let chosen = choose(&relays, RelayRole::Storage, &[theirs], &mut engine.rng());
    chosen.map(|relay| relay.address.clone())
}

/// The application accepts a request, and tells this about itself. Does nothing if it has before.
pub(crate) async fn accept(
    engine: &Arc<Engine>,
    id: ConnectionId,
    own_info: &[u8],
) -> Result<(), AgentError> {
    let address = engine.steps.look(id, Connection::request_of).await?;
    refuse_own(engine, id).await?;
    let step = engine.steps.step(id, |connection, _| {
        check_info(connection, own_info)?;
        accept_now(engine, connection, own_info)
    });
    step.await?.1.durable().await?;
    request_answered(engine, address).await;
    Ok(())
}

/// The application is done with the event of a request. If the address accepts without asking, and the application has not decided,
/// the request is accepted in the same step.
pub(super) async fn done(engine: &Arc<Engine>, id: ConnectionId, event: i64) -> Result<Commit, AgentError> {
    let address = engine.steps.look(id, Connection::request_of).await?;
    let own = match refuse_own(engine, id).await {
        Ok(()) => false,
        Err(AgentError::Link(_)) => true,
        Err(error) => return Err(error),
    };
    let step = engine.steps.step(id, |connection, request: &mut Request| {
        request.done.push(event);
        let auto_accept = connection.request.as_ref().and_then(|request| request.auto_accept.clone());
        if let Some(own_info) = auto_accept.filter(|_| !own) {
            match accept_now(engine, connection, &own_info) {
                // It stays for the application to decide.
                Ok(()) | Err(AgentError::NoRelay | AgentError::Link(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    });
    let ((), commit) = step.await?;
    let engine_ = engine.clone();
    engine.spawn(async move {
        // It counts what is durable. If the agent ends before, the relay delivers the next one when it is opened again.
        if let Ok(()) = engine_.steps.flush().await {
            request_answered(&engine_, address).await;
        }
    });
    Ok(commit)
}

/// Nobody connects with itself, whoever sends the invitation.
async fn refuse_own(engine: &Engine, id: ConnectionId) -> Result<(), AgentError> {
    let look = |connection: &Connection| {
        (connection.user, connection.request.as_ref().map(PendingRequest::sender_id).cloned())
    };
    match engine.steps.look(id, look).await? {
        (user, Some(sender_id)) if engine.steps.store.receives_from(user, &sender_id).await? => {
            Err(LinkError::Own.into())
        }
        _ => Ok(()),
    }
}

fn accept_now(engine: &Engine, connection: &mut Connection, own_info: &[u8]) -> Result<(), AgentError> {
    let Some(request) = &connection.request else { return Ok(()) };
    let relay = relay_for_reply(engine, connection.user, request.relay()).ok_or(AgentError::NoRelay)?;
    Ok(connection.accept_request(own_info, &relay, &engine.config, &mut engine.rng())?)
}
