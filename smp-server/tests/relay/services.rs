//! Services: `SUBS`, `NSUBS`, `SOKS`, `ALLS`, `ENDS`, and the commands that make queues a service's.

use std::collections::VecDeque;

use smp_crypto::{Nonce, PrivateAuthKey, X25519PrivateKey};
use smp_protocol::{
    command::{Command, IdsHash, NewQueue, ServiceQueues, SubscriptionMode},
    error::{CommandError, ErrorType},
    handshake::ServiceRole,
    id::{CorrelationId, EntityId, ServiceId},
    message::{BrokerMessage, QueueIds},
    transmission::{BlockContent, CommandKey, ServiceSigner, authorize, prepare, read_messages},
    version::{SmpVersion, VersionRange},
};
use smp_server::control::QueueOrder;
use smp_transport::{
    connection::{ClientSide, Connection, ConnectorSettings, RelayConnector, ServiceIdentity},
    identity::{CertificateAuthority, KeyAlgorithm, RelayIdentity},
};
use time::OffsetDateTime;
use tokio::net::TcpStream;

use crate::blocking::{SPAM, order};
use crate::support::{Client, Queue, TestRelay, ed25519, messaging, relay, send};

fn identity() -> RelayIdentity {
    let (now, mut rng) = (OffsetDateTime::now_utc(), rand::rng());
    let authority = CertificateAuthority::generate(KeyAlgorithm::Ed25519, now, &mut rng);
    authority.issue("service", KeyAlgorithm::Ed25519, now, &mut rng).unwrap()
}

/// A connection of a service.
struct Service {
    connection: Connection<ClientSide>,
    fingerprint: [u8; 32],
    events: VecDeque<(EntityId, BrokerMessage<'static>)>,
}

impl Service {
    async fn connect(relay: &TestRelay, role: ServiceRole, identity: &RelayIdentity) -> Self {
        Self::connect_as(relay, role, identity, SmpVersion::MAX).await
    }

    async fn connect_as(
        relay: &TestRelay,
        role: ServiceRole,
        identity: &RelayIdentity,
        version: SmpVersion,
    ) -> Self {
        let service = ServiceIdentity { role, identity: identity.clone() };
        let settings = ConnectorSettings {
            service: Some(service),
            versions: VersionRange::only(version),
            ..ConnectorSettings::default()
        };
        let process = relay.any_process();
        let connector = RelayConnector::new(process.address().fingerprint, settings).unwrap();
        let stream = TcpStream::connect(process.local_addrs()[0]).await.unwrap();
        let connection = connector.connect(stream).await.unwrap();
        Self { connection, fingerprint: identity.fingerprint(), events: VecDeque::new() }
    }

    fn id(&self) -> ServiceId {
        self.connection.side.service.as_ref().unwrap().id.clone()
    }

    async fn read(&mut self) -> Vec<(CorrelationId, EntityId, BrokerMessage<'static>)> {
        let block = self.connection.reader.read_block().await.unwrap();
        let read = read_messages(&block, &self.connection.session.parameters);
        read.map(|t| (t.correlation_id, t.entity_id, t.message.unwrap().into_owned())).collect()
    }

    /// Sends a command, with the service's signature where it belongs, and returns the answer.
    async fn ask(
        &mut self,
        key: Option<&PrivateAuthKey>,
        entity: impl Into<EntityId>,
        command: &Command<'_>,
    ) -> BrokerMessage<'static> {
        let parameters = self.connection.session.parameters.clone();
        let service_key = self.connection.side.service.as_ref().unwrap().key.clone();
        let corr_id = CorrelationId::generate(&mut rand::rng());
        let prepared = prepare(&parameters, &corr_id, &entity.into(), command);
        let signer = ServiceSigner { fingerprint: &self.fingerprint, key: &service_key };
        let key = match key {
            Some(key) => Some(CommandKey::Queue(key)),
            None if command.tag().is_service_command() => Some(CommandKey::Service(&service_key)),
            None => None,
        };
        let authorization = key.map(|key| {
            let signer = command.tag().takes_service_signature().then_some(signer);
            let nonce = Nonce::from_slice_padded(corr_id.as_bytes());
            authorize(key, None, &nonce, prepared.authorized(), signer).unwrap()
        });
        let mut content = BlockContent::new();
        content.push(|out| prepared.write(authorization.as_ref(), &parameters, out)).unwrap();
        self.connection.writer.write_block(content.as_bytes()).await.unwrap();
        self.connection.writer.flush().await.unwrap();
        let mut answer = None;
        while answer.is_none() {
            for (corr, entity, message) in self.read().await {
                match corr == corr_id {
                    true => answer = Some(message),
                    false => self.events.push_back((entity, message)),
                }
            }
        }
        answer.unwrap()
    }

    async fn event(&mut self) -> (EntityId, BrokerMessage<'static>) {
        while self.events.is_empty() {
            let read = self.read().await;
            self.events.extend(read.into_iter().map(|(_, entity, message)| (entity, message)));
        }
        self.events.pop_front().unwrap()
    }

    async fn assert_quiet(&mut self) {
        assert_eq!(self.ask(None, EntityId::empty(), &Command::Ping).await, BrokerMessage::Pong);
        assert!(self.events.is_empty(), "{:?}", self.events);
    }

    async fn create(&mut self) -> Queue {
        let (key, dh) = (ed25519(), X25519PrivateKey::generate(&mut rand::rng()));
        let command = new(&key, &dh, SubscriptionMode::Subscribe);
        match self.ask(Some(&key), EntityId::empty(), &command).await {
            BrokerMessage::QueueIds(ids) => {
                assert_eq!(ids.service_id, Some(self.id()));
                Queue { box_key: dh.agree(&ids.dh_key.0).box_key(), key, ids: *ids }
            }
            other => panic!("{other:?}"),
        }
    }
}

fn new(key: &PrivateAuthKey, dh: &X25519PrivateKey, mode: SubscriptionMode) -> Command<'static> {
    Command::New(Box::new(NewQueue {
        auth_key: key.public_key().into(),
        dh_key: dh.public_key().into(),
        password: None,
        subscription: mode,
        request: messaging(),
        notifier: None,
    }))
}

fn all_of(queues: &[&QueueIds]) -> ServiceQueues {
    let ids_hash =
        queues.iter().fold(IdsHash::default(), |hash, ids| hash.combine(IdsHash::from(&ids.recipient_id)));
    ServiceQueues { count: i64::try_from(queues.len()).unwrap(), ids_hash }
}

#[tokio::test]
async fn a_service_subscribes_to_all_its_queues_at_once() {
    let (relay, identity) = (relay().await, identity());
    let bob = relay.client().await;
    let mut service = Service::connect(&relay, ServiceRole::Messaging, &identity).await;
    let queues = [service.create().await, service.create().await, service.create().await];
    bob.ok(None, queues[0].sender(), send(b"at once")).await;
    assert!(matches!(service.event().await, (_, BrokerMessage::Message(..))));
    let id = service.id();
    drop(service);
    bob.ok(None, queues[2].sender(), send(b"meanwhile")).await;

    let mut service = Service::connect(&relay, ServiceRole::Messaging, &identity).await;
    assert_eq!(service.id(), id, "the same certificate is the same service");
    let expected = all_of(&[&queues[0].ids, &queues[1].ids, &queues[2].ids]);
    let subs = Command::SubscribeAll(expected);
    for _ in 0..2 {
        assert_eq!(service.ask(None, id.clone(), &subs).await, BrokerMessage::SubscribedAll(expected));
    }
    let mut received = Vec::new();
    loop {
        match service.event().await {
            (entity, BrokerMessage::AllDelivered) => break assert!(entity.is_empty()),
            (entity, BrokerMessage::Message(..)) => received.push(entity),
            other => panic!("{other:?}"),
        }
    }
    received.sort();
    let mut stored = vec![EntityId::from(queues[0].recipient()), queues[2].recipient().into()];
    stored.sort();
    assert_eq!(received, stored);
    bob.ok(None, queues[1].sender(), send(b"later")).await;
    assert!(matches!(service.event().await, (_, BrokerMessage::Message(..))));

    let mut other = Service::connect(&relay, ServiceRole::Messaging, &identity).await;
    other.ask(None, id.clone(), &subs).await;
    assert_eq!(service.event().await, (id.into(), BrokerMessage::EndAll(expected)));
    service.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_told_of_blocked_queues() {
    let (relay, identity) = (crate::blocking::relay().await, identity());
    let bob = relay.client().await;
    let mut service = Service::connect(&relay, ServiceRole::Messaging, &identity).await;
    let (queue, other) = (service.create().await, service.create().await);
    bob.ok(None, queue.sender(), send(b"before")).await;
    assert!(matches!(service.event().await, (_, BrokerMessage::Message(..))));
    crate::blocking::block(&relay, &queue, SPAM).await;
    let told = (EntityId::from(queue.recipient()), BrokerMessage::Error(ErrorType::Blocked(SPAM)));
    assert_eq!(service.event().await, told);
    service.assert_quiet().await;
    drop(service);

    let mut service = Service::connect(&relay, ServiceRole::Messaging, &identity).await;
    let all = all_of(&[&queue.ids, &other.ids]);
    let answer = service.ask(None, service.id(), &Command::SubscribeAll(all)).await;
    assert_eq!(answer, BrokerMessage::SubscribedAll(all));
    assert_eq!(service.event().await, told, "instead of the message");
    assert_eq!(service.event().await.1, BrokerMessage::AllDelivered);
    order(&relay, queue.sender().as_bytes(), QueueOrder::Unblock).await;
    assert!(matches!(service.event().await, (_, BrokerMessage::Message(..))));
}

#[tokio::test]
async fn queues_join_and_leave_a_service_with_their_subscription() {
    let (relay, identity) = (relay().await, identity());
    let mut alice: Client = relay.client().await;
    let mut service = Service::connect(&relay, ServiceRole::Messaging, &identity).await;
    let queue = alice.queue().await;
    let recipient = || EntityId::from(queue.recipient());
    let answer = service.ask(Some(&queue.key), recipient(), &Command::Subscribe).await;
    assert_eq!(answer, BrokerMessage::Subscribed(Some(service.id())));
    assert_eq!(alice.event().await, (recipient(), BrokerMessage::End));
    let one = all_of(&[&queue.ids]);
    let subs = Command::SubscribeAll(one);
    assert_eq!(service.ask(None, service.id(), &subs).await, BrokerMessage::SubscribedAll(one));
    assert_eq!(service.event().await.1, BrokerMessage::AllDelivered);

    alice.subscribe(&queue).await;
    assert_eq!(service.event().await, (recipient(), BrokerMessage::End));
    let none = ServiceQueues::default();
    let mut again = Service::connect(&relay, ServiceRole::Messaging, &identity).await;
    assert_eq!(again.ask(None, again.id(), &subs).await, BrokerMessage::SubscribedAll(none));
    assert_eq!(service.event().await.1, BrokerMessage::EndAll(none));

    let own = again.create().await;
    assert_eq!(again.event().await.1, BrokerMessage::AllDelivered);
    alice.ok(Some(&own.key), own.recipient(), Command::Delete).await;
    assert_eq!(again.event().await, (own.recipient().into(), BrokerMessage::Deleted));
    again.assert_quiet().await;
}

#[tokio::test]
async fn a_notification_service_is_told_of_all_its_queues() {
    let (relay, identity) = (relay().await, identity());
    let (alice, bob) = (relay.client().await, relay.client().await);
    let mut service = Service::connect(&relay, ServiceRole::Notifier, &identity).await;
    let (queue, key) = (alice.queue().await, ed25519());
    let dh = X25519PrivateKey::generate(&mut rand::rng());
    let nkey = Command::SetNotifier(key.public_key().into(), dh.public_key().into());
    let answer = alice.ask(Some(&queue.key), queue.recipient(), nkey).await.unwrap();
    let BrokerMessage::NotifierId(notifier, _) = answer else { panic!() };
    let answer = service.ask(Some(&key), notifier.clone(), &Command::SubscribeNotifications).await;
    assert_eq!(answer, BrokerMessage::Subscribed(Some(service.id())));
    let noisy = || Command::Send(smp_protocol::command::MessageFlags { notification: true }, b"!".into());
    bob.ok(None, queue.sender(), noisy()).await;
    assert!(matches!(service.event().await, (_, BrokerMessage::Notification(..))));
    drop(service);
    while relay.running.connections() > 2 {
        tokio::task::yield_now().await;
    }

    bob.ok(None, queue.sender(), noisy()).await;
    let mut service = Service::connect(&relay, ServiceRole::Notifier, &identity).await;
    let queues = ServiceQueues { count: 1, ids_hash: IdsHash::of(notifier.as_bytes()) };
    let nsubs = Command::SubscribeAllNotifications(queues);
    assert_eq!(service.ask(None, service.id(), &nsubs).await, BrokerMessage::SubscribedAll(queues));
    for waited in [true, false] {
        if !waited {
            bob.ok(None, queue.sender(), noisy()).await;
        }
        let (entity, message) = service.event().await;
        assert_eq!(entity, notifier.clone().into());
        assert!(matches!(message, BrokerMessage::Notification(..)));
    }
    service.assert_quiet().await;
}

#[tokio::test]
async fn services_keep_to_their_role() {
    let (relay, identity) = (relay().await, identity());
    let mut service = Service::connect(&relay, ServiceRole::Notifier, &identity).await;
    let (key, dh) = (ed25519(), X25519PrivateKey::generate(&mut rand::rng()));
    let prohibited = BrokerMessage::Error(ErrorType::Command(CommandError::Prohibited));
    let command = new(&key, &dh, SubscriptionMode::Subscribe);
    assert_eq!(service.ask(Some(&key), EntityId::empty(), &command).await, prohibited);
    assert_eq!(service.ask(None, EntityId::from([1; 24]), &send(b"")).await, prohibited);
    let unknown = Command::SubscribeAllNotifications(ServiceQueues::default());
    let answer = service.ask(None, EntityId::from([1; 24]), &unknown).await;
    assert_eq!(answer, BrokerMessage::Error(ErrorType::Service));

    let other = self::identity();
    let mut service = Service::connect(&relay, ServiceRole::Messaging, &other).await;
    let command = new(&key, &dh, SubscriptionMode::OnlyCreate);
    assert_eq!(service.ask(Some(&key), EntityId::empty(), &command).await, prohibited);
}

#[tokio::test]
async fn older_services_are_told_less() {
    let (relay, identity) = (relay().await, identity());
    let version = SmpVersion(18);
    let mut service = Service::connect_as(&relay, ServiceRole::Messaging, &identity, version).await;
    service.create().await;
    let subs = Command::SubscribeAll(ServiceQueues::UNKNOWN);
    let answer = service.ask(None, service.id(), &subs).await;
    let expected = ServiceQueues { count: 1, ids_hash: IdsHash::default() };
    assert_eq!(answer, BrokerMessage::SubscribedAll(expected));
    service.assert_quiet().await;
}

#[tokio::test]
async fn a_service_has_its_id_before_it_has_a_queue() {
    let (relay, identity) = (relay().await, identity());
    let mut service = Service::connect(&relay, ServiceRole::Messaging, &identity).await;
    let id = service.id();
    assert_ne!(Service::connect(&relay, ServiceRole::Messaging, &self::identity()).await.id(), id);
    let subs = Command::SubscribeAll(ServiceQueues::UNKNOWN);
    let none = BrokerMessage::SubscribedAll(ServiceQueues { count: 0, ids_hash: IdsHash::default() });
    assert_eq!(service.ask(None, id.clone(), &subs).await, none);
    assert_eq!(service.event().await, (EntityId::empty(), BrokerMessage::AllDelivered));
    let queue = service.create().await;
    drop(service);
    let mut service = Service::connect(&relay, ServiceRole::Messaging, &identity).await;
    assert_eq!(service.id(), id);
    let one = BrokerMessage::SubscribedAll(all_of(&[&queue.ids]));
    assert_eq!(service.ask(None, id, &subs).await, one);
}
