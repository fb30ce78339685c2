//! Sessions with other relays, over which the commands of clients are forwarded (protocol-spec chapter 5).
//!
//! All clients share one session with a relay, so that it cannot tell them apart. A relay that could not be reached is not
//! tried again for a while; a session that no client uses is closed.

mod dial;
mod errors;
mod reach;
mod relays;

use std::{
    borrow::Cow,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use smp_crypto::BoxKey;
use smp_protocol::{
    address::{Host, RelayAddress},
    certificate::CertifiedKey,
    command::Command,
    error::{ErrorType, TransportError},
    id::{CorrelationId, EntityId, ProxySessionId, SessionId},
    key::ProxiedCommandKey,
    message::BrokerMessage,
    proxy::{ForwardedResponse, ForwardedTransmission},
    version::{SmpVersion, VersionRange},
};
use smp_transport::{
    client::{RelayClient, RelayEvents, Request},
    surroundings::Surroundings,
};
use tokio::time::Instant;

pub(crate) use self::relays::ClientRelays;
use self::{
    reach::Reach,
    relays::{Attempt, Relays},
};
use crate::{config, sync::lock};

/// The sessions of this relay with others.
pub(crate) struct Proxy {
    settings: config::Proxy,
    surroundings: Surroundings,
    reach: Reach,
    relays: Relays,
}

/// A session with another relay.
pub(crate) struct RelayLink {
    client: RelayClient,
    /// Its ID; the entity ID of `PFWD`.
    pub(crate) id: SessionId,
    /// Versions that the client and the other relay may speak.
    pub(crate) versions: VersionRange<SmpVersion>,
    /// The other relay's key in this session, with its certificates.
    pub(crate) key: CertifiedKey,
    /// Whether the other relay is of the same operator.
    pub(crate) is_own: bool,
    secret: BoxKey,
    surroundings: Surroundings,
    /// When a client has used it last.
    used: Mutex<Instant>,
    /// Commands that the other relay has not answered yet.
    in_flight: AtomicUsize,
}

impl Proxy {
    pub(crate) fn new(settings: config::Proxy, surroundings: Surroundings) -> Arc<Self> {
        let relays = Relays::new(settings.max_relays, settings.max_client_relays);
        let reach = Reach::new(surroundings.clone());
        Arc::new(Self { settings, surroundings, reach, relays })
    }

    /// This relay itself has this identity, listens here, and is known by these names.
    pub(crate) fn set_own(&self, fingerprint: [u8; 32], listener: SocketAddr, hosts: Vec<Host>) {
        self.reach.set_own(fingerprint, listener, hosts);
    }

    /// Whether a relay is of the same operator as this one.
    pub(crate) fn is_own(&self, address: &RelayAddress) -> bool {
        self.settings.is_own(address)
    }

    fn now(&self) -> Instant {
        self.surroundings.time.monotonic()
    }

    /// Whether somebody has asked for this relay, and it was not forgotten since.
    pub(crate) fn knows(&self, address: &RelayAddress) -> bool {
        self.relays.known(&address.without_password()).is_some()
    }

    /// The session with a relay; connects if there is none.
    pub(crate) async fn connect(
        self: &Arc<Self>,
        address: &RelayAddress,
        client: &ClientRelays,
    ) -> Result<Arc<RelayLink>, ErrorType> {
        let address = address.without_password();
        let relay = match self.relays.known(&address) {
            Some(relay) => relay,
            None => self.relays.place(address.clone(), client, self.now())?,
        };
        let mut connection = relay.0.lock().await;
        match &*connection {
            Attempt::Connected(session) if session.client.ended().is_none() => {
                session.note_use();
                return Ok(session.clone());
            }
            Attempt::Failed(at, error) if self.now().duration_since(*at) < self.settings.retry_interval => {
                return Err(error.clone());
            }
            _ => {}
        }
        let connected = match dial::dial(&address, &self.settings, &self.reach, &self.surroundings).await {
            Ok((client, events)) => self.start(address, client, events),
            Err(error) => Err(errors::of_connecting(&error)),
        };
        *connection = match &connected {
            Ok(session) => Attempt::Connected(session.clone()),
            Err(error) => Attempt::Failed(self.now(), error.clone()),
        };
        connected
    }

    fn start(
        self: &Arc<Self>,
        address: RelayAddress,
        client: RelayClient,
        events: RelayEvents,
    ) -> Result<Arc<RelayLink>, ErrorType> {
        let agreed = client.session();
        let forwarding = VersionRange::new(SmpVersion::SENDING_PROXY, SmpVersion::PROXIED_MAX);
        let versions = forwarding.and_then(|forwarding| agreed.versions.intersect(&forwarding));
        let id = agreed.parameters.id.clone();
        let secret = agreed.secret.as_ref().map(|secret| secret.box_key());
        let key = client.side().relay_key.clone();
        let session = Arc::new(RelayLink {
            is_own: self.is_own(&address),
            versions: versions.ok_or_else(|| errors::transport(TransportError::Version))?,
            secret: secret.ok_or_else(|| errors::transport(TransportError::NoRelayAuth))?,
            key: key.ok_or_else(|| errors::transport(TransportError::NoRelayAuth))?,
            client,
            id,
            used: Mutex::new(self.now()),
            surroundings: self.surroundings.clone(),
            in_flight: AtomicUsize::new(0),
        });
        self.relays.enter(&session);
        self.surroundings.spawner.spawn(watch(self.clone(), address, session.clone(), events));
        Ok(session)
    }

    /// The session with this ID.
    ///
    /// # Errors
    ///
    /// `PROXY NO_SESSION` if there is none (any more).
    pub(crate) fn session(&self, id: &ProxySessionId) -> Result<Arc<RelayLink>, ErrorType> {
        self.relays.session(id)
    }

    /// Closes all sessions.
    pub(crate) fn close(&self) {
        self.relays.close();
    }
}

/// Ends a session that nobody uses, and forgets it when it ends. The other relay has nothing to say on its own.
async fn watch(proxy: Arc<Proxy>, address: RelayAddress, session: Arc<RelayLink>, mut events: RelayEvents) {
    let idle_timeout = proxy.settings.idle_timeout;
    loop {
        let used = if session.is_awaited() { proxy.now() } else { session.used() };
        let idle_at = used + idle_timeout;
        tokio::select! {
            event = events.recv() => {
                if event.is_err() {
                    break;
                }
            }
            () = tokio::time::sleep_until(idle_at) => {
                if proxy.relays.remove_idle(&session, idle_at - idle_timeout) {
                    session.client.close();
                    break;
                }
            }
        }
    }
    proxy.relays.forget(&address, &session);
}

impl RelayLink {
    fn note_use(&self) {
        *lock(&self.used) = self.surroundings.time.monotonic();
    }

    fn used(&self) -> Instant {
        *lock(&self.used)
    }

    /// Whether somebody waits for an answer.
    fn is_awaited(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) > 0
    }

    fn proxy_id(&self) -> ProxySessionId {
        EntityId::new(self.id.as_bytes()).unwrap_or_default().into()
    }

    /// Forwards a command and returns the answer, both in the sender's box.
    pub(crate) async fn forward(
        &self,
        corr_id: &CorrelationId,
        version: SmpVersion,
        key: ProxiedCommandKey,
        transmission: &[u8],
    ) -> Result<Vec<u8>, ErrorType> {
        let relay_corr_id = CorrelationId::generate(&mut self.surroundings.randomness.rng());
        let forwarded = ForwardedTransmission {
            correlation_id: corr_id.clone(),
            version,
            key,
            transmission: Cow::Borrowed(transmission),
        };
        let boxed = forwarded.seal(&self.secret, &relay_corr_id);
        let command = Command::RelayForward(Cow::Owned(boxed));
        let mut request = Request::new(None, EntityId::empty(), command);
        request.correlation_id = Some(relay_corr_id.clone());
        self.note_use();
        let in_flight = InFlight::new(&self.in_flight);
        let answer = self.client.request(request).await;
        drop(in_flight);
        self.note_use();
        let answer = answer.map_err(|error| errors::of_forwarding(&error))?;
        let BrokerMessage::RelayResponse(boxed) = answer else { return Err(errors::unexpected()) };
        match ForwardedResponse::open(&self.secret, &relay_corr_id, &boxed) {
            Ok(response) if response.correlation_id == *corr_id => Ok(response.response.into_owned()),
            Ok(_) => Err(errors::unexpected()),
            Err(_) => Err(ErrorType::Crypto),
        }
    }
}

/// Counts a command until it is answered or given up.
struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
