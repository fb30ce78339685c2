//! Sessions without connections, and queues, for unit tests.

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
};
use time::OffsetDateTime;

use crate::{
    admission::{Bounds, Origin, Places},
    broker::{Broker, now},
    commands::Context,
    config::Config,
    session::{Agreed, Service, Session, id_of_new_service},
    store::{
        Appended, Day, LinkData, MemoryStore, NewMessage, NewQueue, NewService, Notifier, QueueLink,
        QueueMode, QueueRecord, QueueStatus, ServiceRole, Store,
    },
};

/// A relay with a store in memory.
pub(crate) fn broker() -> Arc<Broker> {
    broker_with(|_| {})
}

/// A relay with this store.
pub(crate) fn broker_on(store: Arc<dyn Store>) -> Arc<Broker> {
    Arc::new(Broker::new(Config::for_tests(Path::new("unused")), store))
}

/// A relay with a store in memory and these changes to its settings.
pub(crate) fn broker_with(change: impl FnOnce(&mut Config)) -> Arc<Broker> {
    let mut config = Config::for_tests(Path::new("unused"));
    change(&mut config);
    Arc::new(Broker::new(config, Arc::new(MemoryStore::new(4))))
}

/// A session of a client.
pub(crate) fn session(broker: &Broker) -> Arc<Session> {
    session_with(broker, None)
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
pub(crate) fn service_session(broker: &Broker, service: &Service) -> Arc<Session> {
    session_with(broker, Some(service.clone()))
}

fn session_with(broker: &Broker, service: Option<Service>) -> Arc<Session> {
    let parameters = SessionParameters { version: SmpVersion::MAX, id: SessionId::new(&[1; 32]).unwrap() };
    let private_key = X25519PrivateKey::generate(&mut rand::rng());
    let bounds = Bounds { total: usize::MAX, per_address: 0, per_site: 0, per_network: 0 };
    let Ok((place, _)) = Places::new(bounds).take(Origin::Local) else { panic!("there is no place") };
    let guest = place.guest().clone();
    Session::new(Agreed { parameters, private_key, proxy_secret: None, service }, guest, broker)
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

/// A command of that session.
pub(crate) fn context(
    broker: &Arc<Broker>,
    session: &Arc<Session>,
    entity_id: impl Into<EntityId>,
) -> Context {
    Context {
        broker: broker.clone(),
        session: session.clone(),
        version: SmpVersion::MAX,
        corr_id: CorrelationId::generate(&mut rand::rng()),
        entity_id: entity_id.into(),
        service: session.service.clone(),
    }
}

/// A short link of a contact queue, with so many bytes of data, in the store.
pub(crate) async fn link(broker: &Broker, bytes: usize) -> LinkId {
    let mut record = record();
    let id = LinkId::generate(&mut rand::rng());
    let data = LinkData { fixed: Vec::new(), user: vec![1; bytes] };
    record.mode = Some(QueueMode::Contact);
    record.link = Some(QueueLink::new(id.clone(), &data));
    broker.store.create_queue(NewQueue { record, link_data: Some(data) }).await.unwrap();
    id
}

/// A queue with a notifier, in the store.
pub(crate) async fn queue(broker: &Broker) -> Arc<QueueRecord> {
    broker.store.create_queue(NewQueue { record: record(), link_data: None }).await.unwrap()
}

/// A queue of this service, in the store.
pub(crate) async fn queue_of(broker: &Broker, service: &Service) -> Arc<QueueRecord> {
    let new = NewService {
        id: service.id.clone(),
        role: service.role,
        certificates: Vec::new(),
        fingerprint: service.fingerprint.to_vec(),
        created: Day::of(0),
    };
    broker.store.service(new).await.unwrap();
    let mut record = record();
    match (service.role, &mut record.notifier) {
        (ServiceRole::Notifier, Some(notifier)) => notifier.service = Some(service.id.clone()),
        _ => record.recipient_service = Some(service.id.clone()),
    }
    broker.store.create_queue(NewQueue { record, link_data: None }).await.unwrap()
}

/// Puts a message into a queue.
pub(crate) async fn send(broker: &Broker, queue: &QueueRecord) {
    send_at(broker, queue, now()).await;
}

/// Puts a message into a queue that came at this time (seconds since 1970).
pub(crate) async fn send_at(broker: &Broker, queue: &QueueRecord, timestamp: u64) {
    let message = NewMessage {
        id: MessageId::generate(&mut rand::rng()),
        timestamp,
        notification: false,
        body: vec![1],
    };
    match broker.store.append(&queue.recipient_id, message, None).await.unwrap() {
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
