//! Making invitations and contact addresses.

use super::application::remove;
use super::engine::Engine;
use super::session::{RelaySession, creation_error};
use super::subscribing::subscribe_new;
use super::user_changes::still_wanted;
use crate::config::AgentConfig;
use crate::connection::{Connection, CreatedQueue, Effects, ReceiveQueue, StateError};
use crate::error::{AgentError, RelayError};
use crate::id::{ConnectionId, UserId};
use crate::relay_set::{RelayRole, ranked};
use crate::session_key::Owner;
use crate::summary::{Invitation, connection_link, connection_short_link};
use rand::CryptoRng;
use smp_protocol::address::RelayAddress;
use smp_protocol::agent::QueueMode;
use smp_protocol::link::UserData;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// The invitation or address to be made.
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
    user: UserId,
    made: Made,
    shown: Option<UserData>,
) -> Result<(ConnectionId, Invitation), AgentError> {
    let (result, outcome) = tokio::sync::oneshot::channel();
    let engine_ = engine.clone();
    engine.spawn(async move {
        if let Err(Ok((unwanted, _))) = result.send(try_relays(&engine_, user, &made, shown).await) {
            // The next start removes what cannot be removed now.
            let _ = remove(&engine_, unwanted).await;
        }
    });
    outcome.await.unwrap_or(Err(AgentError::ShutDown))
}

async fn try_relays(
    engine: &Arc<Engine>,
    user: UserId,
    made: &Made,
    shown: Option<UserData>,
) -> Result<(ConnectionId, Invitation), AgentError> {
    engine.steps.reserve.check()?;
    engine.users.check(user)?;
    let relays = engine.users.relays(user);
    let relays = ranked(&relays, RelayRole::Storage, &[], &mut engine.rng());
    let owner = Owner { user, connection: engine.steps.next_connection() };
    let mut failure = AgentError::NoRelay;
    let deadline = engine.surroundings().time.monotonic() + engine.config.timeouts.create;
    for relay in relays {
        match invite_at(engine, owner, &relay.address, made, shown.clone(), deadline).await {
            Err(error @ AgentError::Relay { .. }) => {
                failure = error;
                engine.look_at_sessions(owner.connection);
            }
            result => return result,
        }
    }
    Err(failure)
}

/// The queue is made first: if the agent ends before the invitation is stored, nobody has its link, and a queue that nobody knows is left
/// on the relay, as it is when the relay's answer is lost.
async fn invite_at(
    engine: &Arc<Engine>,
    owner: Owner,
    relay: &RelayAddress,
    made: &Made,
    shown: Option<UserData>,
    deadline: Instant,
) -> Result<(ConnectionId, Invitation), AgentError> {
    let config = &engine.config;
    let mut connection = made.keys(config, relay, shown.is_some(), &mut engine.rng()).of(owner.user);
    let making = make_queue(engine, owner, &mut connection, relay, made.mode(), shown);
    let late = |_| Err(AgentError::of_relay(relay, RelayError::Timeout));
    let MadeQueue { session, queue, created, invitation } =
        timeout_at(deadline, making).await.unwrap_or_else(late)?;
    match store(engine, owner, connection).await {
        Ok(()) => {
            subscribe_new(engine, &engine.relay(owner, relay), &session, &queue, &created);
            Ok((owner.connection, invitation))
        }
        Err(error) => {
            // If the relay does not answer, it is left there.
            let _ = session.delete(&created.recipient_id, &queue.recipient_key).await;
            Err(error)
        }
    }
}

async fn store(engine: &Arc<Engine>, owner: Owner, connection: Connection) -> Result<(), AgentError> {
    engine.steps.create_as(owner.connection, connection).await?.durable().await?;
    still_wanted(engine, owner).await
}

/// A queue that a relay has made, and the invitation to it.
struct MadeQueue {
    session: Arc<RelaySession>,
    queue: ReceiveQueue,
    created: CreatedQueue,
    invitation: Invitation,
}

/// NEW on the connection's relay.
async fn make_queue(
    engine: &Engine,
    owner: Owner,
    connection: &mut Connection,
    relay: &RelayAddress,
    mode: QueueMode,
    shown: Option<UserData>,
) -> Result<MadeQueue, AgentError> {
    let damaged = |StateError| AgentError::Encryption(ConnectionId::new(0));
    let (config, rng) = (&engine.config, &mut engine.rng());
    let failed = |error| AgentError::of_relay(relay, error);
    let session = engine.relay(owner, relay).session_now().await.map_err(failed)?;
    let shown = shown.filter(|_| session.has_short_links());
    let offer = shown.map(|shown| connection.offer_short_link(shown, config, rng)).transpose();
    let offer = offer.map_err(damaged)?.flatten();
    let queue = connection.receive.clone().ok_or(StateError).map_err(damaged)?;
    let created =
        session.create_queue(&queue, mode, engine.password(owner.user, relay), offer.as_ref()).await;
    let created = created.map_err(|error| failed(creation_error(error)))?;
    connection.queue_created(created.clone(), config, rng, &mut Effects::default()).map_err(damaged)?;
    if let Some(offer) = offer {
        connection.offer_stored(offer);
    }
    let full = connection_link(connection).ok_or(StateError).map_err(damaged)?;
    let invitation = Invitation { full, short: connection_short_link(connection) };
    Ok(MadeQueue { session, queue, created, invitation })
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
