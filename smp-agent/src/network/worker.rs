//! The worker of a connection: it does one thing after the other, so nothing overtakes.

use super::backoff::Backoff;
use super::sending::{SEND_BATCH, send};
use super::session::{CommandError, creation_error};
use super::space::Space;
use super::update::{until_stored, update};
use super::workers::Signals;
use crate::connection::{Command, Connection, Phase, ReceiveQueue, Role, SendQueue};
use crate::core::Core;
use crate::error::{AgentError, ConnectionError};
use crate::id::ConnectionId;
use crate::store::StoredOutgoing;
use rand::seq::IndexedRandom as _;
use smp_protocol::address::RelayAddress;
use std::sync::Arc;

/// What a connection needs next.
enum Work {
    /// Nothing until something happens.
    Nothing,
    /// The connection was deleted.
    Gone,
    /// A command that its phase needs.
    Command(Command, Box<Connection>),
    /// Bodies for the peer's queue, in order.
    Send(Vec<StoredOutgoing>, Box<SendQueue>),
}

/// Does what a connection needs, again and again, until it is deleted.
pub(super) async fn run(core: Arc<Core>, id: ConnectionId, signals: Arc<Signals>) {
    let timeouts = &core.config.timeouts;
    let mut backoff = Backoff::new(timeouts.retry_first, timeouts.retry_longest);
    let mut space = Space::new(timeouts);
    let mut refused = Vec::new();
    loop {
        let result = match until_stored!(&core, next_work(&core, id).await) {
            Work::Gone => break core.forget_worker(id),
            Work::Nothing => {
                signals.work.notified().await;
                Ok(())
            }
            Work::Command(Command::FetchLink, connection) => fetch_link(&core, &connection).await,
            Work::Command(Command::CreateQueue, connection) => {
                create_queue(&core, &connection, &mut refused).await
            }
            Work::Command(Command::SecureOwn, connection) => secure_own(&core, &connection).await,
            Work::Command(Command::SecurePeer, connection) => secure_peer(&core, &connection).await,
            Work::Send(outgoing, queue) => send(&core, id, &outgoing, &queue).await,
        };
        match result {
            Ok(()) => {
                backoff.reset();
                space.found();
            }
            Err(Later::Again) => backoff.pause().await,
            Err(Later::Full) => space.wait(&core, id, &signals).await,
        }
    }
}

/// It did not work this time.
pub(super) enum Later {
    /// It may work the next time.
    Again,
    /// The peer's queue is full.
    Full,
}

async fn next_work(core: &Core, id: ConnectionId) -> Result<Work, AgentError> {
    let mut step = core.step().await?;
    let Some(connection) = step.find(id).await? else { return Ok(Work::Gone) };
    if connection.phase == Phase::Failed {
        return Ok(Work::Nothing);
    }
    if let Some(command) = connection.command() {
        return Ok(Work::Command(command, Box::new(connection)));
    }
    let outgoing = step.outgoing(id, SEND_BATCH).await?;
    match connection.send_queue() {
        Some(queue) if !outgoing.is_empty() => Ok(Work::Send(outgoing, Box::new(queue.clone()))),
        _ => Ok(Work::Nothing),
    }
}

fn receive_queue(connection: &Connection) -> Result<&ReceiveQueue, Later> {
    connection.receive.as_ref().ok_or(Later::Again)
}

async fn fail(core: &Arc<Core>, id: ConnectionId, error: ConnectionError) -> Result<(), Later> {
    update(core, id, &[], &|connection, effects| {
        connection.fail(error.clone(), effects);
        Ok(())
    })
    .await;
    Ok(())
}

/// LKEY. Repeated with the same key it is answered by the same data again.
async fn fetch_link(core: &Arc<Core>, connection: &Connection) -> Result<(), Later> {
    let fetch = connection.link_fetch.as_ref().ok_or(Later::Again)?;
    let session = core.relay(&fetch.relay).session().await;
    if !session.has_short_links() {
        return fail(core, connection.id, ConnectionError::RelayTooOld).await;
    }
    match session.fetch_link(fetch).await {
        Ok((sender_id, data)) => {
            update(core, connection.id, &[], &|connection, effects| {
                connection.link_fetched(&sender_id, &data, &core.config, &mut rand::rng(), effects)
            })
            .await;
            Ok(())
        }
        Err(CommandError::Again(_)) => Err(Later::Again),
        Err(CommandError::Auth) => fail(core, connection.id, gone(connection.role)).await,
        Err(error) => fail(core, connection.id, ConnectionError::Refused(error.to_string())).await,
    }
}

/// NEW for the reply queue, on one relay after the other until one makes it or all have `refused`. If an answer is lost the
/// queue is made again; the first one stays unused on its relay.
async fn create_queue(
    core: &Arc<Core>,
    connection: &Connection,
    refused: &mut Vec<RelayAddress>,
) -> Result<(), Later> {
    let queue = receive_queue(connection)?;
    let relay = core.relay(&queue.relay);
    let created = match relay.session_or_error().await {
        Ok(session) => session
            .create_queue(queue, core.password(&queue.relay), None)
            .await
            .map(|created| (session, created)),
        Err(error) => Err(CommandError::Again(error)),
    };
    match created {
        Ok((session, created)) => {
            update(core, connection.id, &[], &|connection, effects| {
                connection.queue_created(created.clone(), &core.config, &mut rand::rng(), effects)
            })
            .await;
            relay.subscribe_new(core, &session, queue, &created);
            Ok(())
        }
        Err(CommandError::Again(_)) => {
            choose_other_relay(core, connection, queue, refused).await;
            Err(Later::Again)
        }
        Err(error) => {
            refused.push(queue.relay.clone());
            if choose_other_relay(core, connection, queue, refused).await {
                return Err(Later::Again);
            }
            let error = creation_error(error).to_string();
            fail(core, connection.id, ConnectionError::Refused(error)).await
        }
    }
}

/// Nobody knows the reply queue before it is made, so it may as well be made elsewhere. The answer that was lost may have been
/// that it is made here: two relays that compare what they have must not find the same keys. False if there is no other relay.
async fn choose_other_relay(
    core: &Arc<Core>,
    connection: &Connection,
    queue: &ReceiveQueue,
    refused: &[RelayAddress],
) -> bool {
    let relays = core.config.relays.iter().map(RelayAddress::without_password);
    let others = relays.filter(|relay| *relay != queue.relay && !refused.contains(relay));
    // No relay shall see both directions if that can be had.
    let theirs = connection.send.as_ref().map(|queue| queue.relay.fingerprint);
    let (same, apart): (Vec<_>, Vec<_>) = others.partition(|relay| Some(relay.fingerprint) == theirs);
    let choices = if apart.is_empty() { same } else { apart };
    let Some(other) = choices.choose(&mut rand::rng()) else { return false };
    update(core, connection.id, &[], &|connection, _| {
        connection.receive_elsewhere(other, &mut rand::rng());
        Ok(())
    })
    .await;
    true
}

/// KEY. Repeated with the same key it is answered by OK again.
async fn secure_own(core: &Arc<Core>, connection: &Connection) -> Result<(), Later> {
    let queue = receive_queue(connection)?;
    let session = core.relay(&queue.relay).session().await;
    match session.secure_by_recipient(queue).await {
        Ok(()) => {
            update(core, connection.id, &[], &|connection, effects| {
                connection.own_queue_secured(&core.config, &mut rand::rng(), effects)
            })
            .await;
            Ok(())
        }
        Err(CommandError::Again(_)) => Err(Later::Again),
        Err(CommandError::Auth) => fail(core, connection.id, ConnectionError::QueueGone).await,
        Err(error) => fail(core, connection.id, ConnectionError::Refused(error.to_string())).await,
    }
}

/// SKEY. Repeated with the same key it is answered by OK again.
async fn secure_peer(core: &Arc<Core>, connection: &Connection) -> Result<(), Later> {
    let queue = connection.send.as_ref().ok_or(Later::Again)?;
    let session = core.relay(&queue.relay).session().await;
    match session.secure_by_sender(queue).await {
        Ok(()) => {
            update(core, connection.id, &[], &|connection, effects| {
                connection.peer_queue_secured(&core.config, &mut rand::rng(), effects)
            })
            .await;
            Ok(())
        }
        Err(CommandError::Again(_)) => Err(Later::Again),
        Err(CommandError::Auth) => fail(core, connection.id, gone(connection.role)).await,
        Err(error) => fail(core, connection.id, ConnectionError::Refused(error.to_string())).await,
    }
}

/// What it means that the peer's queue is not there for us.
pub(super) fn gone(role: Role) -> ConnectionError {
    match role {
        Role::Joiner => ConnectionError::InvitationUsed,
        Role::Initiator => ConnectionError::QueueGone,
    }
}
