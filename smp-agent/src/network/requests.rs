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
use smp_protocol::encoding;
use std::sync::Arc;

/// Bytes of a confirmation that are not the application's: the address of the reply queue, with several host names of its relay.
const CONFIRMATION_OVERHEAD: usize = 1024;
/// The same without the address of the relay.
const QUEUE_OVERHEAD: usize = 512;

/// Checks that what the other side is to get to know fits, wherever the reply queue will be.
pub(crate) fn check_info(engine: &Engine, connection: &Connection, info: &[u8]) -> Result<(), AgentError> {
    let total = connection_info_length(connection.agent_version, connection.pq_support);
    let relays = engine.users.relays(connection.user);
    let longest = relays.iter().map(|relay| encoding::to_bytes(&relay.address).len()).max();
    let overhead = CONFIRMATION_OVERHEAD.max(QUEUE_OVERHEAD + longest.unwrap_or(0));
    match total.checked_sub(overhead) {
        Some(limit) if info.len() <= limit => Ok(()),
        limit => Err(AgentError::TooLarge { size: info.len(), limit: limit.unwrap_or(0) }),
    }
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
        check_info(engine, connection, own_info)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Agent;
    use crate::config::AgentConfig;
    use smp_protocol::encoding::NonEmpty;

    #[tokio::test]
    async fn information_leaves_room_for_the_hosts_of_any_relay_of_ours() {
        let (connection, _) = crate::connection::tests::connected_sides();
        let total = connection_info_length(connection.agent_version, connection.pq_support);
        for (hosts, room) in
            [(1, total - CONFIRMATION_OVERHEAD), (40, total - CONFIRMATION_OVERHEAD - 1000), (255, 0)]
        {
            let address = "smp://tmJ4adaRel6G5gDls7oz4uREc6BhVHmRqI3VwjRE5Bs=@relay.example";
            let name = |number| format!("{}.{number}.example", "n".repeat(60)).parse().unwrap();
            let names = NonEmpty::new((0..hosts).map(name).collect()).unwrap();
            let address = RelayAddress { hosts: names, ..address.parse().unwrap() };
            let dir = tempfile::tempdir().unwrap();
            let (agent, _events) = Agent::open(AgentConfig::new(dir.path(), [address])).await.unwrap();
            let check = |size| check_info(agent.engine(), &connection, &vec![0; size]);
            let Err(AgentError::TooLarge { limit, .. }) = check(total) else { panic!("{hosts}") };
            assert!(limit <= room, "{limit} {hosts}");
            // It is exact, and with too many hosts nothing fits.
            assert_eq!(check(limit).is_ok(), hosts < 255);
        }
    }
}
