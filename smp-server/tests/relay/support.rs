//! A relay in the test's own process, and clients with queues.

use std::{borrow::Cow, time::Duration};

use smp_crypto::{BoxKey, Ed25519PrivateKey, PrivateAuthKey, X25519PrivateKey};
use smp_protocol::{
    body::ReceivedBody,
    command::{Command, MessageFlags, NewQueue, QueueRequest, SubscriptionMode},
    error::ErrorType,
    id::{EntityId, MessageId, RecipientId, SenderId},
    key::SenderAuthKey,
    message::{BrokerMessage, QueueIds},
    version::{SmpVersion, VersionRange},
};
use smp_server::{
    Relay, RunningRelay,
    config::{Config, DatabaseUrl, StoreKind},
    init,
};
use smp_transport::{
    client::{ClientConfig, ClientError, RelayClient, RelayEvents},
    surroundings::Surroundings,
};
use tempfile::TempDir;

/// Versions in which something changes for clients.
pub(crate) const VERSIONS: [u16; 12] = [6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 19];

/// How long something may take that should happen at once.
const SOON: Duration = Duration::from_secs(10);

pub(crate) struct TestRelay {
    pub(crate) running: RunningRelay,
    /// Other processes of the same relay, which share its store.
    pub(crate) others: Vec<RunningRelay>,
    pub(crate) config: Config,
    _dir: TempDir,
}

/// A relay with an identity and a store of its own.
pub(crate) async fn relay() -> TestRelay {
    relay_with(|_| {}).await
}

/// Sets the store that this program tests. Where there is no PostgreSQL it is SQLite's, and that is said.
pub(crate) async fn set_store(config: &mut Config) {
    config.store.kind = crate::STORE;
    if crate::STORE == StoreKind::Postgres {
        match smp_store_suite::cluster::database().await {
            Some(url) => config.store.url = Some(DatabaseUrl::new(&url).unwrap()),
            None => config.store.kind = StoreKind::Sqlite,
        }
    }
}

/// A relay with these changes to its settings.
pub(crate) async fn relay_with(change: impl FnOnce(&mut Config)) -> TestRelay {
    let dir = tempfile::tempdir().unwrap();
    let mut config = init::local::embedded(dir.path(), &Surroundings::machine()).unwrap();
    set_store(&mut config).await;
    change(&mut config);
    let (running, others) = start(&mut config).await;
    TestRelay { running, others, config, _dir: dir }
}

/// Starts as many processes of a relay as this program tests, if they can share its store.
async fn start(config: &mut Config) -> (RunningRelay, Vec<RunningRelay>) {
    let others = if config.store.kind == StoreKind::Postgres { crate::PROCESSES - 1 } else { 0 };
    if others > 0 {
        config.cluster.listen = Some("127.0.0.1:0".parse().unwrap());
    }
    let running = Relay::start(config.clone()).await.unwrap();
    let mut started = Vec::new();
    for number in 0..others {
        started.push(Relay::start(another(config, number)).await.unwrap());
    }
    // Each knows all.
    let all = || std::iter::once(&running).chain(&started);
    while all().any(|process| process.other_processes() != others) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (running, started)
}

/// The settings of another process of the same relay.
pub(crate) fn another(config: &Config, number: usize) -> Config {
    let mut config = config.clone();
    config.server.listen = vec!["127.0.0.1:0".parse().unwrap()];
    config.server.control_socket = None;
    config.metrics.listen = None;
    config.store.path = config.store.path.with_file_name(format!("data-{number}"));
    config
}

impl TestRelay {
    /// Starts it again, at the same address, after `end` has ended it.
    pub(crate) async fn again<F: Future<Output = ()>>(self, end: impl FnOnce(RunningRelay) -> F) -> Self {
        let Self { running, others, mut config, _dir } = self;
        config.server.listen = running.local_addrs().to_vec();
        for other in others {
            other.shutdown().await.unwrap();
        }
        end(running).await;
        let (running, others) = start(&mut config).await;
        Self { running, others, config, _dir }
    }

    pub(crate) async fn client(&self) -> Client {
        self.client_of(SmpVersion::MAX.0).await
    }

    pub(crate) async fn client_of(&self, version: u16) -> Client {
        let versions = VersionRange::only(SmpVersion(version));
        self.client_with(ClientConfig { versions, ..ClientConfig::default() }).await.unwrap()
    }

    pub(crate) async fn client_with(&self, config: ClientConfig) -> Result<Client, ClientError> {
        let (client, events) = RelayClient::connect(self.any_process().address(), config).await?;
        Ok(Client { relay: client, events })
    }

    /// One of its processes, by chance, as a load balancer would choose.
    pub(crate) fn any_process(&self) -> &RunningRelay {
        let number = rand::random_range(0..=self.others.len());
        number.checked_sub(1).map_or(&self.running, |number| &self.others[number])
    }
}

/// A client of a relay that the test has started itself.
pub(crate) async fn client_of(relay: &RunningRelay) -> Client {
    let (client, events) = RelayClient::connect(relay.address(), ClientConfig::default()).await.unwrap();
    Client { relay: client, events }
}

/// One connection.
pub(crate) struct Client {
    pub(crate) relay: RelayClient,
    pub(crate) events: RelayEvents,
}

/// A queue with the recipient's keys.
pub(crate) struct Queue {
    pub(crate) key: PrivateAuthKey,
    pub(crate) ids: QueueIds,
    pub(crate) box_key: BoxKey,
}

impl Queue {
    pub(crate) fn recipient(&self) -> RecipientId {
        self.ids.recipient_id.clone()
    }

    pub(crate) fn sender(&self) -> SenderId {
        self.ids.sender_id.clone()
    }
}

pub(crate) fn ed25519() -> PrivateAuthKey {
    Ed25519PrivateKey::generate(&mut rand::rng()).into()
}

pub(crate) fn x25519() -> PrivateAuthKey {
    X25519PrivateKey::generate(&mut rand::rng()).into()
}

pub(crate) fn send(body: &[u8]) -> Command<'_> {
    Command::Send(MessageFlags { notification: false }, Cow::Borrowed(body))
}

pub(crate) fn messaging() -> Option<QueueRequest<'static>> {
    Some(QueueRequest::Messaging(None))
}

pub(crate) fn contact() -> Option<QueueRequest<'static>> {
    Some(QueueRequest::Contact(None))
}

/// The error of an answer that a test expects to be one.
#[track_caller]
pub(crate) fn refused(answer: Result<BrokerMessage<'static>, ClientError>) -> ErrorType {
    match answer {
        Err(ClientError::Relay(error)) => error,
        other => panic!("not refused: {other:?}"),
    }
}

impl Client {
    pub(crate) fn version(&self) -> SmpVersion {
        self.relay.session().parameters.version
    }

    pub(crate) async fn ask(
        &self,
        key: Option<&PrivateAuthKey>,
        entity: impl Into<EntityId>,
        command: Command<'_>,
    ) -> Result<BrokerMessage<'static>, ClientError> {
        self.relay.send(key, entity, command).await
    }

    pub(crate) async fn ok(
        &self,
        key: Option<&PrivateAuthKey>,
        entity: impl Into<EntityId>,
        command: Command<'_>,
    ) {
        assert_eq!(self.ask(key, entity, command).await.unwrap(), BrokerMessage::Ok);
    }

    /// A messaging queue, subscribed to, with keys of the kind that the version recommends.
    pub(crate) async fn queue(&self) -> Queue {
        self.queue_with(messaging(), SubscriptionMode::Subscribe).await
    }

    pub(crate) async fn queue_with(
        &self,
        request: Option<QueueRequest<'_>>,
        mode: SubscriptionMode,
    ) -> Queue {
        self.try_queue(request, mode).await.unwrap()
    }

    /// A queue, unless the relay refuses it.
    pub(crate) async fn try_queue(
        &self,
        request: Option<QueueRequest<'_>>,
        mode: SubscriptionMode,
    ) -> Result<Queue, ClientError> {
        let key = ed25519();
        let dh = X25519PrivateKey::generate(&mut rand::rng());
        let command = Command::New(Box::new(NewQueue {
            auth_key: key.public_key().into(),
            dh_key: dh.public_key().into(),
            password: None,
            subscription: mode,
            request,
            notifier: None,
        }));
        match self.ask(Some(&key), EntityId::empty(), command).await? {
            BrokerMessage::QueueIds(ids) => {
                let box_key = dh.agree(&ids.dh_key.0).box_key();
                Ok(Queue { key, ids: *ids, box_key })
            }
            other => panic!("not IDS: {other:?}"),
        }
    }

    /// Secures a queue as its sender, or as its recipient before version 9.
    pub(crate) async fn secure(&self, queue: &Queue) -> PrivateAuthKey {
        let key = if self.version() >= SmpVersion::AUTH_COMMANDS { x25519() } else { ed25519() };
        let public = SenderAuthKey(key.public_key());
        if self.version() >= SmpVersion::SENDER_AUTH_KEY {
            self.ok(Some(&key), queue.sender(), Command::SenderSecure(public)).await;
        } else {
            self.ok(Some(&queue.key), queue.recipient(), Command::Secure(public)).await;
        }
        key
    }

    pub(crate) async fn subscribe(&self, queue: &Queue) {
        let answer = self.ask(Some(&queue.key), queue.recipient(), Command::Subscribe).await.unwrap();
        assert!(matches!(answer, BrokerMessage::Subscribed(None) | BrokerMessage::Ok), "{answer:?}");
    }

    /// Acknowledges, and returns the next message if there is one.
    pub(crate) async fn ack(&self, queue: &Queue, id: &MessageId) -> Option<(MessageId, Vec<u8>)> {
        match self.ask(Some(&queue.key), queue.recipient(), Command::Acknowledge(id.clone())).await.unwrap() {
            BrokerMessage::Ok => None,
            BrokerMessage::Message(id, body) => Some(open(queue, id, &body)),
            other => panic!("not OK or MSG: {other:?}"),
        }
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> (EntityId, BrokerMessage<'static>) {
        let event = tokio::time::timeout(SOON, self.events.recv()).await.expect("no event").unwrap();
        (event.entity_id, event.message.unwrap())
    }

    /// The next event, which must be a message of this queue.
    pub(crate) async fn message(&mut self, queue: &Queue) -> (MessageId, Vec<u8>) {
        match self.event().await {
            (entity, BrokerMessage::Message(id, body)) => {
                assert_eq!(entity, queue.recipient().into());
                open(queue, id, &body)
            }
            other => panic!("not MSG: {other:?}"),
        }
    }

    /// Makes sure that nothing was sent that was not received yet: `PONG` comes after it.
    pub(crate) async fn assert_quiet(&mut self) {
        let pong = self.ask(None, EntityId::empty(), Command::Ping).await.unwrap();
        assert_eq!(pong, BrokerMessage::Pong);
        let event = tokio::time::timeout(Duration::ZERO, self.events.recv()).await;
        assert!(event.is_err(), "{event:?}");
    }
}

/// Decrypts a delivered message; the mark that the queue was full is `QUOTA`.
pub(crate) fn open(queue: &Queue, id: MessageId, body: &[u8]) -> (MessageId, Vec<u8>) {
    let content = match ReceivedBody::open(&queue.box_key, &id, body).unwrap() {
        ReceivedBody::Message { body, .. } => body.into_owned(),
        ReceivedBody::Quota { .. } => b"QUOTA".to_vec(),
    };
    (id, content)
}
