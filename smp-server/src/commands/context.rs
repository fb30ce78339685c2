//! `Context`: one command, the client that has sent it, and the relay it was sent to.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use smp_crypto::{Ed25519PublicKey, X25519PrivateKey};
use smp_protocol::{
    error::ErrorType,
    id::{CorrelationId, EntityId, MessageId, RecipientId, ServiceId},
    version::SmpVersion,
};
use tokio::sync::Semaphore;

use super::outcome::{CommandResult, Outcome};
use crate::{
    admission::Guest,
    auth::SessionKeys,
    client::Client,
    config::Config,
    node::Node,
    proxy::ClientRelays,
    store::{Day, NewService, QueueChange, QueueRecord, ServiceRole, StoreError, Updated},
    sync::lock,
};

/// The circumstances of one command.
pub(crate) struct Context<'a> {
    pub(crate) node: &'a Node,
    pub(crate) caller: &'a Caller,
    /// The version the command is written in: that of the session, or of the sender behind a proxy.
    pub(crate) version: SmpVersion,
    pub(crate) corr_id: CorrelationId,
    pub(crate) entity_id: EntityId,
    /// The service that sends it; none if a proxy has forwarded it.
    pub(crate) service: Option<&'a Service>,
}

/// A client, with what its commands share.
pub(crate) struct Caller {
    /// The place of its connection.
    pub(crate) guest: Arc<Guest>,
    /// Where it receives.
    pub(crate) client: Arc<Client>,
    /// The service that it has identified itself as.
    pub(crate) service: Option<Service>,
    /// Verifies its authenticators.
    pub(crate) keys: Mutex<SessionKeys>,
    /// Queues that are read by `GET`, with the message that was got.
    got: Mutex<HashMap<RecipientId, Option<MessageId>>>,
    /// Commands that are on their way to other relays.
    pub(crate) forwarding: Semaphore,
    /// The relays that it has asked for and nobody before it.
    pub(crate) new_relays: ClientRelays,
}

/// A client that has identified itself as a service.
#[derive(Clone)]
pub(crate) struct Service {
    /// Its ID at this relay.
    pub(crate) id: ServiceId,
    /// Its role.
    pub(crate) role: ServiceRole,
    /// SHA-256 of its identity certificate.
    pub(crate) fingerprint: [u8; 32],
    /// Verifies its signatures in this session.
    pub(crate) key: Ed25519PublicKey,
    /// Whether the store has it for sure.
    pub(crate) is_kept: Arc<AtomicBool>,
}

impl Caller {
    /// A client that has connected; `key` is the relay's key of the session's handshake.
    pub(crate) fn new(
        guest: Arc<Guest>,
        service: Option<Service>,
        key: X25519PrivateKey,
        config: &Config,
    ) -> Self {
        let limits = &config.limits;
        let identity = service.as_ref().map(|service| (service.role, service.id.clone()));
        Self {
            client: Client::new(identity, limits.max_outgoing),
            guest,
            service,
            keys: Mutex::new(SessionKeys::new(key)),
            got: Mutex::default(),
            forwarding: Semaphore::new(config.proxy.client_concurrency),
            new_relays: ClientRelays::default(),
        }
    }

    /// Notes that this queue is read by `GET`, and the message that was got.
    pub(super) fn note_got(&self, queue: &RecipientId, message: Option<MessageId>) {
        lock(&self.got).insert(queue.clone(), message);
    }

    /// The message that was got last by `GET` and not acknowledged; `None` if the queue is not read by `GET`.
    pub(super) fn got(&self, queue: &RecipientId) -> Option<Option<MessageId>> {
        lock(&self.got).get(queue).cloned()
    }

    /// Takes the message that was got last, if it is this one; an empty ID means any.
    pub(super) fn take_got(&self, queue: &RecipientId, message: &MessageId) -> Option<MessageId> {
        lock(&self.got).get_mut(queue)?.take_if(|got| got == message || message.is_empty())
    }

    /// Forgets a queue that was deleted.
    pub(super) fn forget_got(&self, queue: &RecipientId) {
        lock(&self.got).remove(queue);
    }
}

impl Context<'_> {
    /// The ID of the service that sends it.
    pub(super) fn service_id(&self) -> Option<&ServiceId> {
        self.service.map(|service| &service.id)
    }

    /// Has the store keep the service that sends it, which is about to have a queue.
    ///
    /// # Errors
    ///
    /// `SERVICE` if it has become another one since the handshake.
    pub(super) async fn keep_service(&self) -> Result<(), ErrorType> {
        let Some(service) = self.service.filter(|s| !s.is_kept.load(Ordering::Relaxed)) else {
            return Ok(());
        };
        let new = NewService {
            id: service.id.clone(),
            role: service.role,
            certificates: Vec::new(),
            fingerprint: service.fingerprint.to_vec(),
            created: Day::of(self.node.clock.now()),
        };
        if self.node.store.service(new).await? != service.id {
            return Err(ErrorType::Service);
        }
        service.is_kept.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Changes the queue's record and waits until that is durable.
    pub(super) async fn change(
        &self,
        queue: &QueueRecord,
        change: QueueChange,
    ) -> Result<Updated, StoreError> {
        self.node.store.update_queue(&queue.recipient_id, change).await
    }

    /// Like [`Context::change`] for commands that have nothing else to say than `OK`.
    pub(super) async fn change_and_confirm(&self, queue: &QueueRecord, change: QueueChange) -> CommandResult {
        self.change(queue, change).await?;
        Ok(Outcome::ok())
    }

    /// Notes the day of use. If that fails the queue only seems to be idle for longer.
    pub(super) async fn note_use(&self, queue: &QueueRecord) {
        let today = Day::of(self.node.clock.now());
        if queue.updated < Some(today) {
            let _ = self.change(queue, QueueChange::Used(today)).await;
        }
    }
}
