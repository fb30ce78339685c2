//! Sessions with other relays, over which the commands of clients are forwarded (protocol-spec chapter 5).
//!
//! All clients share one session with a relay, so that it cannot tell them apart. A relay that could not be reached is not
//! tried again for a while.

mod dial;
mod errors;

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, Mutex},
};

use smp_crypto::BoxKey;
use smp_protocol::{
    address::RelayAddress,
    certificate::CertifiedKey,
    command::Command,
    error::{ErrorType, ProxyError, TransportError},
    id::{CorrelationId, EntityId, ProxySessionId, SessionId},
    key::ProxiedCommandKey,
    message::BrokerMessage,
    proxy::{ForwardedResponse, ForwardedTransmission},
    version::{SmpVersion, VersionRange},
};
use smp_transport::client::{RelayClient, RelayEvents, Request};
use tokio::time::Instant;

use crate::{config, sync::lock};

/// The sessions of this relay with others.
pub(crate) struct Proxy {
    settings: config::Proxy,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By address, without password.
    relays: HashMap<RelayAddress, Arc<Relay>>,
    /// Those that are connected, by the ID that clients know.
    sessions: HashMap<ProxySessionId, Arc<Session>>,
}

/// One other relay. Locked while it is connected to, so that this is done once for all clients who wait.
#[derive(Default)]
struct Relay(tokio::sync::Mutex<Connection>);

#[derive(Default)]
enum Connection {
    #[default]
    None,
    Failed(Instant, ErrorType),
    Connected(Arc<Session>),
}

/// A session with another relay.
pub(crate) struct Session {
    client: RelayClient,
    /// Its ID; the entity ID of `PFWD`.
    pub(crate) id: SessionId,
    /// What the client and the other relay may speak.
    pub(crate) versions: VersionRange<SmpVersion>,
    /// The other relay's key in this session, with its certificates.
    pub(crate) key: CertifiedKey,
    secret: BoxKey,
}

impl Proxy {
    pub(crate) fn new(settings: config::Proxy) -> Arc<Self> {
        Arc::new(Self { settings, state: Mutex::default() })
    }

    /// The session with a relay; connects if there is none.
    pub(crate) async fn connect(self: &Arc<Self>, address: &RelayAddress) -> Result<Arc<Session>, ErrorType> {
        let relay = self.relay(address)?;
        let mut connection = relay.0.lock().await;
        match &*connection {
            Connection::Connected(session) if session.client.ended().is_none() => return Ok(session.clone()),
            Connection::Failed(at, error) if at.elapsed() < self.settings.retry_interval => {
                return Err(error.clone());
            }
            _ => {}
        }
        let connected = match dial::dial(address, &self.settings).await {
            Ok((client, events)) => self.start(client, events),
            Err(error) => Err(errors::of_connecting(&error)),
        };
        *connection = match &connected {
            Ok(session) => Connection::Connected(session.clone()),
            Err(error) => Connection::Failed(Instant::now(), error.clone()),
        };
        connected
    }

    /// The relay's place among those that were asked for. If there are too many, those without a session are forgotten.
    fn relay(&self, address: &RelayAddress) -> Result<Arc<Relay>, ErrorType> {
        let mut state = lock(&self.state);
        let address = address.without_password();
        if let Some(relay) = state.relays.get(&address) {
            return Ok(relay.clone());
        }
        if state.relays.len() >= self.settings.max_relays {
            state.relays.retain(|_, relay| relay.is_wanted(&self.settings));
        }
        if state.relays.len() >= self.settings.max_relays {
            return Err(errors::network());
        }
        Ok(state.relays.entry(address).or_default().clone())
    }

    fn start(self: &Arc<Self>, client: RelayClient, events: RelayEvents) -> Result<Arc<Session>, ErrorType> {
        let agreed = client.session();
        // What comes before cannot be forwarded.
        let forwarding = VersionRange::new(SmpVersion::SENDING_PROXY, SmpVersion::MAX);
        let versions = forwarding.and_then(|forwarding| agreed.versions.intersect(&forwarding));
        let id = agreed.parameters.id.clone();
        let secret = agreed.secret.as_ref().map(|secret| secret.box_key());
        let key = client.side().relay_key.clone();
        let session = Arc::new(Session {
            versions: versions.ok_or_else(|| errors::transport(TransportError::Version))?,
            secret: secret.ok_or_else(|| errors::transport(TransportError::NoRelayAuth))?,
            key: key.ok_or_else(|| errors::transport(TransportError::NoRelayAuth))?,
            client,
            id,
        });
        lock(&self.state).sessions.insert(session.proxy_id(), session.clone());
        tokio::spawn(watch(self.clone(), session.proxy_id(), events));
        Ok(session)
    }

    /// The session with this ID.
    ///
    /// # Errors
    ///
    /// `PROXY NO_SESSION` if there is none (any more).
    pub(crate) fn session(&self, id: &ProxySessionId) -> Result<Arc<Session>, ErrorType> {
        let session = lock(&self.state).sessions.get(id).cloned();
        session.ok_or_else(|| ErrorType::Proxy(Box::new(ProxyError::NoSession)))
    }

    /// Closes all sessions.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.relays.clear();
        for (_, session) in state.sessions.drain() {
            session.client.close();
        }
    }
}

impl Relay {
    /// Whether it is connected, or being connected to, or has failed just now.
    fn is_wanted(&self, settings: &config::Proxy) -> bool {
        match self.0.try_lock().as_deref() {
            Ok(Connection::Connected(session)) => session.client.ended().is_none(),
            Ok(Connection::Failed(at, _)) => at.elapsed() < settings.retry_interval,
            Ok(Connection::None) => false,
            Err(_) => true,
        }
    }
}

/// Forgets a session when it ends. The other relay has nothing to say on its own.
async fn watch(proxy: Arc<Proxy>, id: ProxySessionId, mut events: RelayEvents) {
    while events.recv().await.is_ok() {}
    lock(&proxy.state).sessions.remove(&id);
}

impl Session {
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
        let relay_corr_id = CorrelationId::generate(&mut rand::rng());
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
        let answer = self.client.request(request).await.map_err(|error| errors::of_forwarding(&error))?;
        let BrokerMessage::RelayResponse(boxed) = answer else { return Err(errors::unexpected()) };
        match ForwardedResponse::open(&self.secret, &relay_corr_id, &boxed) {
            Ok(response) if response.correlation_id == *corr_id => Ok(response.response.into_owned()),
            Ok(_) => Err(errors::unexpected()),
            Err(_) => Err(ErrorType::Crypto),
        }
    }
}
