//! The way of a sender's commands to a relay: over a session of our own, or through another relay.

use super::engine::Engine;
use super::relays::Relay;
use super::routes::{Destination, Proxied, Way};
use super::session::{CommandError, RelaySession, relay_error, unexpected};
use crate::connection::{LinkFetch, SendQueue};
use crate::error::RelayError;
use crate::relay_set::{RelayRole, ranked};
use crate::session_key::Owner;
use smp_crypto::PrivateAuthKey;
use smp_protocol::address::RelayAddress;
use smp_protocol::command::{Command, LinkData, MessageFlags};
use smp_protocol::id::{EntityId, SenderId};
use smp_protocol::link::ShortLink;
use smp_protocol::message::BrokerMessage;
use smp_protocol::version::SmpVersion;
use smp_transport::client::{ClientError, ProxiedRelay, Response, SendPath};
use std::sync::Arc;
use std::time::Duration;

/// Relays that are asked to forward to one, before that counts as not possible.
const MAX_PROXIES: usize = 3;

/// A way to a relay, for the commands of a sender.
pub(super) struct Route {
    path: SendPath,
    /// Where it goes through another relay: to forget it when that one has.
    proxied: Option<(Arc<Destination>, Arc<Proxied>)>,
}

/// The way to a relay, for a connection.
///
/// # Errors
/// None of our relays forwards to it, and it may not be connected to directly. A relay that is connected to directly is waited for.
pub(super) async fn route(
    engine: &Arc<Engine>,
    owner: Owner,
    relay: &RelayAddress,
) -> Result<Route, RelayError> {
    let network = &engine.config.network;
    let is_known =
        engine.users.relays(owner.user).iter().any(|own| own.address.fingerprint == relay.fingerprint);
    if network.routes(relay, is_known) {
        match routed(engine, owner, relay).await {
            Ok(route) => return Ok(route),
            Err(_) if network.falls_back(relay) => {}
            Err(error) => return Err(error),
        }
    }
    let session = engine.relay(owner, relay).session().await;
    Ok(Route::direct(&session))
}

async fn routed(engine: &Arc<Engine>, owner: Owner, relay: &RelayAddress) -> Result<Route, RelayError> {
    let destination = engine.routes.destination(engine.session_key(owner, relay));
    let mut state = destination.state.lock().await;
    let now = engine.surroundings().time.monotonic();
    let proxied = match &*state {
        Way::Open(proxied) if !proxied.session.has_ended() => proxied.clone(),
        Way::Failed(at, error) if now.saturating_duration_since(*at) < asked_again(engine) => {
            return Err(error.clone());
        }
        _ => match open(engine, owner, relay).await {
            Ok(proxied) => {
                let proxied = Arc::new(proxied);
                *state = Way::Open(proxied.clone());
                proxied
            }
            Err(error) => {
                *state = Way::Failed(now, error.clone());
                return Err(error);
            }
        },
    };
    drop(state);
    Ok(Route { path: SendPath::Proxied(proxied.relay.clone()), proxied: Some((destination, proxied)) })
}

/// How long after a failure no relay is asked to forward: each message would wait for that.
fn asked_again(engine: &Engine) -> Duration {
    engine.config.timeouts.retry_longest
}

/// PRXY, at one of our relays after the other. A relay is no proxy to itself.
async fn open(engine: &Arc<Engine>, owner: Owner, relay: &RelayAddress) -> Result<Proxied, RelayError> {
    let relays = engine.users.relays(owner.user);
    let proxies = ranked(&relays, RelayRole::Proxy, &[relay], &mut engine.rng());
    let others = proxies.into_iter().filter(|proxy| proxy.address.fingerprint != relay.fingerprint);
    let mut failure = RelayError::NoProxy;
    for proxy in others.take(MAX_PROXIES) {
        match open_through(engine, &engine.relay(owner, &proxy.address), relay).await {
            Ok(proxied) => return Ok(proxied),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn open_through(engine: &Engine, proxy: &Relay, relay: &RelayAddress) -> Result<Proxied, RelayError> {
    let session = proxy.session_or_error().await?;
    let password = engine.password(proxy.session_key.user, &proxy.session_key.relay);
    let versions = engine.config.versions.smp;
    let relay = ProxiedRelay::open(session.client(), relay, password, versions).await;
    Ok(Proxied { relay: relay.map_err(relay_error)?, session })
}

impl Route {
    pub(super) fn direct(session: &RelaySession) -> Self {
        Self { path: SendPath::Direct(session.client().clone()), proxied: None }
    }

    /// Sends a command of a sender. A command that a proxy refuses may be done later, on another way.
    pub(super) async fn command(
        &self,
        key: Option<&PrivateAuthKey>,
        entity: impl Into<EntityId>,
        command: Command<'_>,
    ) -> Result<Response, CommandError> {
        let result = self.path.send(key, entity, command).await;
        if let (Err(ClientError::Proxy(_)), Some((destination, proxied))) = (&result, &self.proxied) {
            destination.forget(proxied).await;
        }
        Ok(result?)
    }

    /// Whether the relay knows short links.
    pub(super) fn has_short_links(&self) -> bool {
        self.path.version() >= SmpVersion::SHORT_LINKS
    }

    /// SEND.
    pub(super) async fn send(
        &self,
        queue: &SendQueue,
        authorized: bool,
        notify: bool,
        body: &[u8],
    ) -> Result<(), CommandError> {
        let key = authorized.then_some(&queue.sender_key);
        let command = Command::Send(MessageFlags { notification: notify }, body.into());
        ok(&self.command(key, &queue.sender_id, command).await?)
    }

    /// SKEY: the sender secures the queue.
    pub(super) async fn secure_by_sender(&self, queue: &SendQueue) -> Result<(), CommandError> {
        let command = Command::SenderSecure(queue.sender_key.public_key().into());
        ok(&self.command(Some(&queue.sender_key), &queue.sender_id, command).await?)
    }

    /// LKEY, for an invitation: the sender secures the queue behind a short link, and gets what is stored under the link. LGET, for a
    /// contact address: only the latter.
    pub(super) async fn fetch_link(
        &self,
        fetch: &LinkFetch,
    ) -> Result<(SenderId, LinkData<'static>), CommandError> {
        let (key, command) = match &fetch.link {
            ShortLink::Invitation(_) => {
                let command = Command::SecureAndGetLink(fetch.sender_key.public_key().into());
                (Some(&fetch.sender_key), command)
            }
            ShortLink::Contact(_) => (None, Command::GetLink),
        };
        match self.command(key, &fetch.link_id(), command).await? {
            BrokerMessage::Link(sender_id, data) => Ok((sender_id, data)),
            other => Err(unexpected(&other)),
        }
    }
}

fn ok(answer: &Response) -> Result<(), CommandError> {
    match answer {
        BrokerMessage::Ok => Ok(()),
        other => Err(unexpected(other)),
    }
}
