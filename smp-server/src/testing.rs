//! Relays, clients and sessions without connections, and queues, for unit tests.

use std::{path::Path, sync::Arc};

use smp_crypto::{DhSecret, Ed25519PrivateKey, PublicAuthKey, X25519PrivateKey};
use smp_protocol::{
    id::{CorrelationId, EntityId, LinkId, MessageId, NotifierId, RecipientId, SenderId, SessionId},
    session::SessionParameters,
    version::SmpVersion,
};
use smp_transport::{
    connection::{
        AcceptorSettings, ClientSide, Connection, ConnectorSettings, RelayAcceptor, RelayConnector, RelaySide,
    },
    identity::{CertificateAuthority, KeyAlgorithm},
    surroundings::Surroundings,
};
use time::OffsetDateTime;

use crate::{
    admission::{Bounds, Guest, Origin, Places},
    client::Client,
    clock::Clock,
    commands::{Caller, Context, Service},
    config::Config,
    node::Node,
    session::{Agreed, Session, id_of_new_service},
    store::{
        Appended, Day, LinkData, MemoryStore, NewMessage, NewQueue, NewService, Notifier, QueueLink,
        QueueMode, QueueRecord, QueueStatus, ServiceRole, Store,
    },
};

/// A relay with a store in memory.
pub(crate) fn node() -> Arc<Node> {
    node_with(|_| {})
}

/// A relay with this store.
pub(crate) fn node_on(store: Arc<dyn Store>) -> Arc<Node> {
    node_in(config(), store)
}

/// A relay with a store in memory and these changes to its settings.
pub(crate) fn node_with(change: impl FnOnce(&mut Config)) -> Arc<Node> {
    let mut config = config();
    change(&mut config);
    node_in(config, memory())
}

/// A store in memory whose queues take four messages.
pub(crate) fn memory() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(4))
}

fn node_in(config: Config, store: Arc<dyn Store>) -> Arc<Node> {
    let surroundings = Surroundings::machine();
    let clock = Clock::new(surroundings.time.clone());
    Arc::new(Node::new(config, store, clock, surroundings))
}

fn config() -> Config {
    Config::for_tests(Path::new("unused"))
}

/// A client that is no service.
pub(crate) fn client() -> Arc<Client> {
    Client::new(None, config().limits.max_outgoing)
}

/// A client that is this service.
pub(crate) fn service_client(service: &Service) -> Arc<Client> {
    Client::new(Some((service.role, service.id.clone())), config().limits.max_outgoing)
}

/// A client that can send commands.
pub(crate) fn caller() -> Caller {
    Caller::new(guest(), None, X25519PrivateKey::generate(&mut rand::rng()), &config())
}

/// A service that can send commands.
pub(crate) fn service_caller(service: &Service) -> Caller {
    Caller::new(guest(), Some(service.clone()), X25519PrivateKey::generate(&mut rand::rng()), &config())
}

/// The place of a connection where there is room for all.
pub(crate) fn guest() -> Arc<Guest> {
    let bounds = Bounds { total: usize::MAX, per_address: 0, per_site: 0, per_network: 0 };
    let Ok((place, _)) = Places::new(bounds).take(Origin::Local) else { panic!("there is no place") };
    place.guest().clone()
}

/// A session of a client.
pub(crate) fn session(node: &Node) -> Arc<Session> {
    session_with(node, None)
}

/// A service that no store has.
pub(crate) fn service(role: ServiceRole) -> Service {
    let fingerprint = [9; 32];
    Service {
        id: id_of_new_service(&fingerprint),
        role,
        fingerprint,
        key: Ed25519PrivateKey::generate(&mut rand::rng()).public_key(),
        is_kept: Arc::default(),
    }
}

/// A session of a service.
pub(crate) fn service_session(node: &Node, service: &Service) -> Arc<Session> {
    session_with(node, Some(service.clone()))
}

fn session_with(node: &Node, service: Option<Service>) -> Arc<Session> {
    let parameters = SessionParameters { version: SmpVersion::MAX, id: SessionId::new(&[1; 32]).unwrap() };
    let private_key = X25519PrivateKey::generate(&mut rand::rng());
    Session::new(Agreed { parameters, private_key, proxy_secret: None, service }, guest(), node)
}

/// A client and its relay, connected. The sessions above know nothing of it.
pub(crate) async fn connected() -> (Connection<ClientSide>, Connection<RelaySide>) {
    let (now, rng) = (OffsetDateTime::now_utc(), &mut rand::rng());
    let authority = CertificateAuthority::generate(KeyAlgorithm::Ed25519, now, rng);
    let identity = authority.issue("localhost", KeyAlgorithm::Ed25519, now, rng).unwrap();
    let acceptor = RelayAcceptor::new(&identity, AcceptorSettings::default()).unwrap();
    let connector = RelayConnector::new(identity.fingerprint(), ConnectorSettings::default()).unwrap();
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (client, relay) = tokio::join!(connector.connect(ours), acceptor.accept(theirs));
    (client.unwrap(), relay.unwrap())
}

/// A command of that client.
pub(crate) fn context<'a>(node: &'a Node, caller: &'a Caller, entity_id: impl Into<EntityId>) -> Context<'a> {
    Context {
        node,
        caller,
        version: SmpVersion::MAX,
        corr_id: CorrelationId::generate(&mut rand::rng()),
        entity_id: entity_id.into(),
        service: caller.service.as_ref(),
    }
}

/// A short link of a contact queue, with so many bytes of data, in the store.
pub(crate) async fn link(node: &Node, bytes: usize) -> LinkId {
    let mut record = record();
    let id = LinkId::generate(&mut rand::rng());
    let data = LinkData { fixed: Vec::new(), user: vec![1; bytes] };
    record.mode = Some(QueueMode::Contact);
    record.link = Some(QueueLink::new(id.clone(), &data));
    node.store.create_queue(NewQueue { record, link_data: Some(data) }).await.unwrap();
    id
}

/// A queue with a notifier, in the store.
pub(crate) async fn queue(node: &Node) -> Arc<QueueRecord> {
    node.store.create_queue(NewQueue { record: record(), link_data: None }).await.unwrap()
}

/// A queue of this service, in the store.
pub(crate) async fn queue_of(node: &Node, service: &Service) -> Arc<QueueRecord> {
    let new = NewService {
        id: service.id.clone(),
        role: service.role,
        certificates: Vec::new(),
        fingerprint: service.fingerprint.to_vec(),
        created: Day::of(0),
    };
    node.store.service(new).await.unwrap();
    let mut record = record();
    match (service.role, &mut record.notifier) {
        (ServiceRole::Notifier, Some(notifier)) => notifier.service = Some(service.id.clone()),
        _ => record.recipient_service = Some(service.id.clone()),
    }
    node.store.create_queue(NewQueue { record, link_data: None }).await.unwrap()
}

/// Puts a message into a queue.
pub(crate) async fn send(node: &Node, queue: &QueueRecord) {
    send_at(node, queue, node.clock.now()).await;
}

/// Puts a message into a queue that came at this time (seconds since 1970).
pub(crate) async fn send_at(node: &Node, queue: &QueueRecord, timestamp: u64) {
    let message = NewMessage {
        id: MessageId::generate(&mut rand::rng()),
        timestamp,
        notification: false,
        body: vec![1],
    };
    match node.store.append(&queue.recipient_id, message, None).await.unwrap() {
        Appended::Accepted(accepted) => accepted.kept.await.unwrap(),
        refused => panic!("{refused:?}"),
    }
}

/// Changes a database behind its store.
pub(crate) async fn sql(path: &Path, statement: &'static str) {
    use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
}

fn record() -> QueueRecord {
    let mut rng = rand::rng();
    let key: PublicAuthKey = Ed25519PrivateKey::generate(&mut rng).public_key().into();
    let dh = DhSecret::from_bytes([3; 32]);
    let notifier = Notifier { id: NotifierId::generate(&mut rng), key, dh: dh.clone(), service: None };
    QueueRecord {
        recipient_id: RecipientId::generate(&mut rng),
        recipient_keys: vec![key],
        recipient_dh: dh,
        sender_id: SenderId::generate(&mut rng),
        sender_key: None,
        mode: Some(QueueMode::Messaging),
        link: None,
        notifier: Some(notifier),
        status: QueueStatus::Active,
        updated: None,
        recipient_service: None,
    }
}
