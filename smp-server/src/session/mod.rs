//! One connected client: a task that reads its commands and one that writes the answers.

mod gather;
mod intake;
mod lanes;
mod next;
mod order;
mod outbox;
mod reader;
mod reply;
mod run;
mod service;
mod turn;
mod writer;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use smp_crypto::{BoxKey, Ed25519PublicKey, X25519PrivateKey, hash};
use smp_protocol::{
    handshake,
    id::{ID_BYTES, MessageId, NotifierId, RecipientId, ServiceId},
    session::SessionParameters,
    version::{SmpVersion, VersionRange},
};
use smp_transport::connection::{Connection, RelaySide};
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

#[cfg(test)]
pub(crate) use self::reply::Content;
use self::{intake::Intake, lanes::Lanes, outbox::Outbox, reader::read, writer::Writer};
pub(crate) use self::{
    intake::Permit,
    reply::{Answer, Reply, Then},
};
use crate::{
    admission::Guest,
    auth::SessionKeys,
    broker::{Broker, NotificationSubscriber, Numbered, ServiceSession, Subscriber},
    config::Config,
    pace::Pace,
    proxy::ClientRelays,
    store::ServiceRole,
    sync::lock,
};

/// Serves a client until it disconnects or `stop` is cancelled; then what it has asked is still answered.
pub(crate) async fn serve(
    broker: Arc<Broker>,
    connection: Connection<RelaySide>,
    guest: Arc<Guest>,
    stop: CancellationToken,
) {
    let Connection { session, side, reader, writer } = connection;
    let agreed = Agreed {
        parameters: session.parameters,
        private_key: side.key,
        proxy_secret: session.secret.map(|secret| secret.box_key()),
        service: side.service.and_then(|(verified, id)| {
            let role = service_role(verified.role)?;
            let (fingerprint, key) = (verified.fingerprint, verified.key);
            Some(Service { id, role, fingerprint, key, is_kept: Arc::default() })
        }),
    };
    let session = Session::new(agreed, guest, &broker);
    let finished = CancellationToken::new();
    let mut writing = AbortOnDropHandle::new(tokio::spawn({
        let (writer, finished) = (Writer::new(session.clone(), broker.clone(), writer), finished.clone());
        async move { writer.write(&finished).await }
    }));
    let ended = Ended { session: &session, broker: &broker };
    let reading = async {
        read(&session, &broker, reader, &stop).await;
        session.intake.answered().await;
    };
    tokio::select! {
        () = reading => {
            finished.cancel();
            let _ = (&mut writing).await;
        }
        // The connection is lost, or the client does not read.
        _ = &mut writing => {}
    }
    drop(ended);
}

/// What services do here. Proxies need no identity.
pub(crate) fn service_role(role: handshake::ServiceRole) -> Option<ServiceRole> {
    match role {
        handshake::ServiceRole::Messaging => Some(ServiceRole::Messaging),
        handshake::ServiceRole::Notifier => Some(ServiceRole::Notifier),
        handshake::ServiceRole::Proxy => None,
    }
}

/// The ID that a service gets, unless it has another one: the same in all its sessions, before and after it is kept.
pub(crate) fn id_of_new_service(fingerprint: &[u8; 32]) -> ServiceId {
    let digest = hash::sha3_384(fingerprint);
    let mut id = [0; ID_BYTES];
    id.copy_from_slice(&digest[..ID_BYTES]);
    ServiceId::from(id)
}

/// Ends the subscriptions of a session, in whatever way it ends.
struct Ended<'a> {
    session: &'a Session,
    broker: &'a Broker,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.broker.session_ended(self.session);
    }
}

/// What was agreed in the handshake.
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

/// A client that has identified itself as a service.
#[derive(Clone)]
pub(crate) struct Service {
    /// Its ID at this relay.
    pub(crate) id: ServiceId,
    /// What it does.
    pub(crate) role: ServiceRole,
    /// SHA-256 of its identity certificate.
    pub(crate) fingerprint: [u8; 32],
    /// Verifies its signatures in this session.
    pub(crate) key: Ed25519PublicKey,
    /// Whether the store has it for sure.
    pub(crate) is_kept: Arc<AtomicBool>,
}

/// A session's state, shared by its tasks and by the sessions that send to its queues.
pub(crate) struct Session {
    number: u64,
    /// The place of the connection.
    pub(crate) guest: Arc<Guest>,
    /// Those that were in force when it began.
    config: Arc<Config>,
    pub(crate) parameters: SessionParameters,
    pub(crate) private_key: X25519PrivateKey,
    pub(crate) proxy_secret: Option<BoxKey>,
    pub(crate) service: Option<Service>,
    pub(crate) keys: Mutex<SessionKeys>,
    outbox: Outbox,
    lanes: Lanes,
    /// Commands that are not answered yet.
    intake: Intake,
    /// When there was traffic last.
    active: Mutex<Instant>,
    /// What it is subscribed to; `None` when it has ended.
    joined: Mutex<Option<Joined>>,
    /// Queues that are read by `GET`, with the message that was got.
    got: Mutex<HashMap<RecipientId, Option<MessageId>>>,
    /// Queues that a command of this session deletes now.
    deleting: Mutex<HashSet<RecipientId>>,
    /// Commands that are on their way to other relays.
    pub(crate) forwarding: Semaphore,
    /// How fast it creates queues.
    pub(crate) creation: Mutex<Pace>,
    /// How fast it may be refused.
    refusals: Mutex<Pace>,
    /// The relays that it has asked for and nobody before it.
    pub(crate) new_relays: ClientRelays,
}

#[derive(Default)]
struct Joined {
    queues: HashSet<RecipientId>,
    notifiers: HashSet<NotifierId>,
}

impl Session {
    pub(crate) fn new(agreed: Agreed, guest: Arc<Guest>, broker: &Broker) -> Arc<Self> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let config = broker.config();
        let limits = &config.limits;
        Arc::new(Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            guest,
            parameters: agreed.parameters,
            keys: Mutex::new(SessionKeys::new(agreed.private_key.clone())),
            private_key: agreed.private_key,
            service: agreed.service,
            proxy_secret: agreed.proxy_secret,
            outbox: Outbox::new(limits.max_outgoing),
            lanes: Lanes::default(),
            intake: Intake::new(limits),
            active: Mutex::new(Instant::now()),
            joined: Mutex::new(Some(Joined::default())),
            got: Mutex::default(),
            deleting: Mutex::default(),
            forwarding: Semaphore::new(config.proxy.client_concurrency),
            refusals: Mutex::new(Pace::new(limits.failed_authorizations_per_minute)),
            creation: Mutex::new(Pace::new(limits.new_queues_per_minute)),
            new_relays: ClientRelays::new(config.proxy.new_relays_per_minute),
            config,
        })
    }

    /// The versions that the relay offered when it began.
    pub(crate) fn offered_versions(&self) -> VersionRange<SmpVersion> {
        self.config.server.versions()
    }

    /// Sends something that no command of this session has asked for.
    pub(crate) fn event(&self, reply: Reply) {
        self.outbox.event(reply);
    }

    /// Notes that this queue is read by `GET`, and the message that was got.
    pub(crate) fn note_got(&self, queue: &RecipientId, message: Option<MessageId>) {
        lock(&self.got).insert(queue.clone(), message);
    }

    /// The message that was got last by `GET` and not acknowledged; `None` if the queue is not read by `GET`.
    pub(crate) fn got(&self, queue: &RecipientId) -> Option<Option<MessageId>> {
        lock(&self.got).get(queue).cloned()
    }

    /// Takes the message that was got last, if it is this one; an empty ID means any.
    pub(crate) fn take_got(&self, queue: &RecipientId, message: &MessageId) -> Option<MessageId> {
        lock(&self.got).get_mut(queue)?.take_if(|got| got == message || message.is_empty())
    }

    /// Forgets a queue that was deleted.
    pub(crate) fn forget_got(&self, queue: &RecipientId) {
        lock(&self.got).remove(queue);
    }

    /// Notes that a command of this session starts, or no longer tries, to delete a queue.
    pub(crate) fn note_deleting(&self, queue: &RecipientId, deleting: bool) {
        let mut queues = lock(&self.deleting);
        if deleting {
            queues.insert(queue.clone());
        } else {
            queues.remove(queue);
        }
    }

    /// Whether a command of this session deletes this queue now.
    fn is_deleting(&self, queue: &RecipientId) -> bool {
        lock(&self.deleting).contains(queue)
    }

    /// Whether it is subscribed to anything: then it is not disconnected for being idle.
    fn has_subscriptions(&self) -> bool {
        (self.service.is_some() && self.guest.is_known())
            || lock(&self.joined).as_ref().is_some_and(|j| !j.queues.is_empty() || !j.notifiers.is_empty())
    }

    /// What it is subscribed to.
    pub(crate) fn joined(&self) -> (Vec<RecipientId>, Vec<NotifierId>) {
        match &*lock(&self.joined) {
            Some(joined) => {
                (joined.queues.iter().cloned().collect(), joined.notifiers.iter().cloned().collect())
            }
            None => (Vec::new(), Vec::new()),
        }
    }

    /// Refuses subscriptions from now on and drops what was to be sent. Returns the subscriptions that there are.
    pub(crate) fn end(&self) -> (HashSet<RecipientId>, HashSet<NotifierId>) {
        let joined = lock(&self.joined).take().unwrap_or_default();
        self.outbox.end();
        (joined.queues, joined.notifiers)
    }
}

#[cfg(test)]
impl Session {
    /// Takes what was to be sent.
    pub(crate) fn sent(&self) -> Vec<smp_protocol::message::BrokerMessage<'static>> {
        let replies = self.outbox.take(usize::MAX);
        let messages = replies.into_iter().filter_map(|reply| match reply.content {
            reply::Content::Message(message) => Some(message),
            _ => None,
        });
        messages.collect()
    }
}

impl Numbered for Session {
    fn number(&self) -> u64 {
        self.number
    }
}

impl Subscriber for Session {
    fn join(&self, queue: &RecipientId) -> bool {
        match &mut *lock(&self.joined) {
            Some(joined) => {
                joined.queues.insert(queue.clone());
                true
            }
            None => false,
        }
    }

    fn leave(&self, queue: &RecipientId) {
        if let Some(joined) = &mut *lock(&self.joined) {
            joined.queues.remove(queue);
        }
    }

    fn schedule(&self, queue: RecipientId) {
        self.outbox.schedule(queue);
    }
}

impl ServiceSession for Session {
    fn has_ended(&self) -> bool {
        lock(&self.joined).is_none()
    }
}

impl NotificationSubscriber for Session {
    fn join_notifications(&self, notifier: &NotifierId) -> bool {
        match &mut *lock(&self.joined) {
            Some(joined) => {
                joined.notifiers.insert(notifier.clone());
                true
            }
            None => false,
        }
    }

    fn leave_notifications(&self, notifier: &NotifierId) {
        if let Some(joined) = &mut *lock(&self.joined) {
            joined.notifiers.remove(notifier);
        }
    }

    fn schedule_notifications(&self, notifier: &NotifierId) {
        self.outbox.schedule_notifications(notifier);
    }
}
