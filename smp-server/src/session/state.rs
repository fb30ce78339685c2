//! `Session`: the state that the tasks of one connection share.

use std::sync::{Arc, Mutex};

use smp_crypto::{BoxKey, X25519PrivateKey};
use smp_protocol::{
    session::SessionParameters,
    version::{SmpVersion, VersionRange},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::entity_queues::EntityQueues;
use crate::{
    admission::Guest,
    client::{Client, InFlight},
    commands::{Caller, Service},
    config::Config,
    node::Node,
};

/// The agreement of the handshake.
pub(crate) struct Agreed {
    /// Version and session ID.
    pub(crate) parameters: SessionParameters,
    /// The relay's key for authenticators and forwarded commands.
    pub(crate) private_key: X25519PrivateKey,
    /// Agreed with the client's handshake key: opens what a proxy forwards.
    pub(crate) proxy_secret: Option<BoxKey>,
    /// The service that the client is.
    pub(crate) service: Option<Service>,
}

/// A connection's state.
pub(crate) struct Session {
    /// The settings that were in force when it began.
    pub(super) config: Arc<Config>,
    pub(super) parameters: SessionParameters,
    pub(super) private_key: X25519PrivateKey,
    pub(super) proxy_secret: Option<BoxKey>,
    /// Shared by the client's commands.
    pub(super) caller: Caller,
    /// Commands that wait for others about the same entity.
    pub(super) waiting: EntityQueues,
    /// Bounds commands that are not answered yet.
    pub(super) in_flight: Arc<InFlight>,
    /// Cancelled when a command has died: what waits behind it will never be answered, so the client has to ask again.
    pub(super) failed: CancellationToken,
    /// When there was traffic last.
    pub(super) active: Mutex<Instant>,
}

impl Session {
    pub(crate) fn new(agreed: Agreed, guest: Arc<Guest>, node: &Node) -> Arc<Self> {
        let config = node.config();
        let limits = &config.limits;
        let share = node.memory.share(guest.origin);
        Arc::new(Self {
            parameters: agreed.parameters,
            caller: Caller::new(guest, agreed.service, agreed.private_key.clone(), &config),
            private_key: agreed.private_key,
            proxy_secret: agreed.proxy_secret,
            waiting: EntityQueues::default(),
            in_flight: InFlight::new(
                limits.max_pending_commands,
                limits.max_pending_kib << 10,
                limits.max_forwarded_kib << 10,
                share,
            ),
            failed: CancellationToken::new(),
            active: Mutex::new(node.now()),
            config,
        })
    }

    /// Where the client receives.
    pub(crate) fn client(&self) -> &Arc<Client> {
        &self.caller.client
    }

    /// The versions that the relay offered when it began.
    pub(super) fn offered_versions(&self) -> VersionRange<SmpVersion> {
        self.config.server.versions()
    }
}
