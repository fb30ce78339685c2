//! The commands that the phases of a connection need. Each is repeated, with the same keys, until it is answered.

use super::attempt::Later;
use super::engine::Engine;
use super::route::route;
use super::session::{CommandError, creation_error};
use super::subscribing::subscribe_new;
use super::update::{update, update_soon};
use crate::connection::{Command, Connection, Effects, LinkFetch, ReceiveQueue, SendQueue};
use crate::error::ConnectionError;
use crate::id::ConnectionId;
use crate::relay_set::{RelayRole, ranked};
use crate::session_key::Owner;
use crate::steps::Commit;
use crate::trace;
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::QueueMode;
use std::sync::Arc;

/// A command, with what it takes of the state.
pub(super) enum Task {
    /// LKEY or LGET.
    FetchLink(LinkFetch),
    /// NEW, with the relay of the peer's queue.
    CreateQueue(ReceiveQueue, Option<RelayAddress>),
    /// KEY.
    SecureOwn(ReceiveQueue),
    /// SKEY.
    SecurePeer(SendQueue),
}

impl Task {
    /// The command that a connection needs now. None too if its state lacks a part that the command takes.
    pub(super) fn of(connection: &Connection) -> Option<Self> {
        match connection.command()? {
            Command::FetchLink => connection.link_fetch.clone().map(Self::FetchLink),
            Command::CreateQueue => {
                let theirs = connection.send_queue().map(|queue| queue.relay.clone());
                connection.receive.clone().map(|queue| Self::CreateQueue(queue, theirs))
            }
            Command::SecureOwn => connection.receive.clone().map(Self::SecureOwn),
            Command::SecurePeer => connection.send.clone().map(Self::SecurePeer),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::FetchLink(_) => "FetchLink",
            Self::CreateQueue(..) => "CreateQueue",
            Self::SecureOwn(_) => "SecureOwn",
            Self::SecurePeer(_) => "SecurePeer",
        }
    }
}

/// Does a command once. `refused` are the relays that will not make the queue. Returns the step that follows from it if that need not
/// be durable before the next command.
pub(super) async fn run(
    engine: &Arc<Engine>,
    owner: Owner,
    task: &Task,
    refused: &mut Vec<RelayAddress>,
) -> Result<Option<Commit>, Later> {
    let done = match task {
        Task::FetchLink(fetch) => fetch_link(engine, owner, fetch).await.map(|()| None),
        Task::CreateQueue(queue, theirs) => {
            create_queue(engine, owner, queue, theirs.as_ref(), refused).await.map(|()| None)
        }
        Task::SecureOwn(queue) => secure_own(engine, owner, queue).await.map(|()| None),
        Task::SecurePeer(queue) => secure_peer(engine, owner, queue).await,
    };
    trace::command(task.name(), if done.is_ok() { "answered" } else { "to be repeated" });
    done
}

async fn fail(engine: &Engine, id: ConnectionId, error: ConnectionError) -> Result<(), Later> {
    update(engine, id, &|connection, effects| {
        connection.fail(error.clone(), effects);
        Ok(())
    })
    .await;
    Ok(())
}

/// The peer's queue is not there for us.
async fn fail_as_gone(engine: &Engine, id: ConnectionId) -> Result<(), Later> {
    update(engine, id, &|connection, effects| {
        connection.fail(connection.gone(), effects);
        Ok(())
    })
    .await;
    Ok(())
}

/// LKEY or LGET. Repeated with the same key it is answered by the same data again.
async fn fetch_link(engine: &Arc<Engine>, owner: Owner, fetch: &LinkFetch) -> Result<(), Later> {
    let id = owner.connection;
    let route = route(engine, owner, &fetch.relay).await.map_err(|_| Later::Again)?;
    if !route.has_short_links() {
        return fail(engine, id, ConnectionError::RelayTooOld).await;
    }
    match route.fetch_link(fetch).await {
        Ok((sender_id, data)) => {
            update(engine, id, &|connection, effects| {
                connection.link_fetched(&sender_id, &data, &engine.config, &mut engine.rng(), effects)
            })
            .await;
            Ok(())
        }
        Err(CommandError::Again(_)) => Err(Later::Again),
        Err(CommandError::Auth) => fail_as_gone(engine, id).await,
        Err(error) => fail(engine, id, ConnectionError::Refused(error.to_string())).await,
    }
}

/// NEW for the reply queue, on one relay after the other until one makes it or all have `refused`. If an answer is lost the
/// queue is made again; the first one stays unused on its relay.
async fn create_queue(
    engine: &Arc<Engine>,
    owner: Owner,
    queue: &ReceiveQueue,
    theirs: Option<&RelayAddress>,
    refused: &mut Vec<RelayAddress>,
) -> Result<(), Later> {
    let id = owner.connection;
    let relay = engine.relay(owner, &queue.relay);
    let created = match relay.session_or_error().await {
        Ok(session) => session
            .create_queue(queue, QueueMode::Messaging, engine.password(owner.user, &queue.relay), None)
            .await
            .map(|created| (session, created)),
        Err(error) => Err(CommandError::Again(error)),
    };
    match created {
        Ok((session, created)) => {
            update(engine, id, &|connection, effects| {
                connection.queue_created(created.clone(), &engine.config, &mut engine.rng(), effects)
            })
            .await;
            subscribe_new(engine, &relay, &session, queue, &created);
            Ok(())
        }
        Err(CommandError::Again(_)) => {
            choose_other_relay(engine, owner, queue, theirs, refused).await;
            Err(Later::Again)
        }
        Err(error) => {
            refused.push(queue.relay.clone());
            if choose_other_relay(engine, owner, queue, theirs, refused).await {
                return Err(Later::Again);
            }
            let error = creation_error(error).to_string();
            fail(engine, id, ConnectionError::Refused(error)).await
        }
    }
}

/// Nobody knows the reply queue before it is made, so it may as well be made elsewhere. The answer that was lost may have been
/// that it is made here: two relays that compare what they have must not find the same keys. False if there is no other relay.
async fn choose_other_relay(
    engine: &Engine,
    owner: Owner,
    queue: &ReceiveQueue,
    theirs: Option<&RelayAddress>,
    refused: &[RelayAddress],
) -> bool {
    // No relay shall see both directions if that can be had.
    let apart: Vec<_> = theirs.into_iter().collect();
    let relays = engine.users.relays(owner.user);
    let relays = ranked(&relays, RelayRole::Storage, &apart, &mut engine.rng());
    let mut others = relays.into_iter().map(|relay| relay.address.without_password());
    let other = others.find(|relay| *relay != queue.relay && !refused.contains(relay));
    let Some(other) = &other else { return false };
    update(engine, owner.connection, &|connection, _| {
        connection.receive_elsewhere(other, &mut engine.rng());
        Ok(())
    })
    .await;
    true
}

/// KEY. Repeated with the same key it is answered by OK again.
async fn secure_own(engine: &Arc<Engine>, owner: Owner, queue: &ReceiveQueue) -> Result<(), Later> {
    let id = owner.connection;
    let session = engine.relay(owner, &queue.relay).session().await;
    match session.secure_by_recipient(queue).await {
        Ok(()) => {
            update(engine, id, &|connection, effects| {
                connection.own_queue_secured(&engine.config, &mut engine.rng(), effects)
            })
            .await;
            Ok(())
        }
        Err(CommandError::Again(_)) => Err(Later::Again),
        Err(CommandError::Auth) => fail(engine, id, ConnectionError::QueueGone).await,
        Err(error) => fail(engine, id, ConnectionError::Refused(error.to_string())).await,
    }
}

/// SKEY. Repeated with the same key it is answered by OK again, and what comes next, NEW or the confirmation, was stored before it.
async fn secure_peer(engine: &Arc<Engine>, owner: Owner, queue: &SendQueue) -> Result<Option<Commit>, Later> {
    let id = owner.connection;
    let route = route(engine, owner, &queue.relay).await.map_err(|_| Later::Again)?;
    match route.secure_by_sender(queue).await {
        Ok(()) => {
            let secured = |connection: &mut Connection, effects: &mut Effects| {
                connection.peer_queue_secured(&engine.config, &mut engine.rng(), effects)
            };
            Ok(update_soon(engine, id, &secured).await)
        }
        Err(CommandError::Again(_)) => Err(Later::Again),
        Err(CommandError::Auth) => fail_as_gone(engine, id).await.map(|()| None),
        Err(error) => fail(engine, id, ConnectionError::Refused(error.to_string())).await.map(|()| None),
    }
}
