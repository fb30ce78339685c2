//! Short links, made by hand at a relay, and joined by an agent.

use crate::harness::{Peer, TestRelay, soon};
use rand::RngExt as _;
use smp_agent::{AgentError, ConnectionError, Event, LinkError, RelayAddress, RelayError};
use smp_crypto::link_kdf::{LinkKey, sender_id};
use smp_crypto::{Ed25519PrivateKey, Nonce, PrivateAuthKey, X25519PrivateKey};
use smp_protocol::agent::{AgentEnvelope, AgentMessage, QueueAddress, QueueMode, QueueUri};
use smp_protocol::body::{ClientEnvelope, ReceivedBody};
use smp_protocol::command::{Command, LinkData, LinkRequest, NewQueue, QueueRequest, SubscriptionMode};
use smp_protocol::encoding::{NonEmpty, from_bytes};
use smp_protocol::id::{CorrelationId, EntityId, LinkId, MessageId, RecipientId, SenderId};
use smp_protocol::link::{
    ConnectionRequest, FixedLinkData, InvitationRequest, InvitationShortLink, ShortLink, ShortLinkRelay,
    ShortLinkScheme, UserData, UserLinkData, seal_fixed_data, seal_user_data,
};
use smp_protocol::message::BrokerMessage;
use smp_protocol::version::{AgentVersion, RatchetVersion, SmpClientVersion};
use smp_ratchet::{OfferedKeys, RatchetVersions, SkippedKeys};
use smp_transport::client::{ClientConfig, RelayClient, RelayEvents, Request};
use std::time::Duration;

/// An invitation without an agent.
struct Invitation {
    client: RelayClient,
    events: RelayEvents,
    key: PrivateAuthKey,
    dh_key: X25519PrivateKey,
    e2e_key: X25519PrivateKey,
    ratchet_keys: OfferedKeys,
    recipient_id: RecipientId,
    relay_dh_key: smp_crypto::X25519PublicKey,
    link: InvitationShortLink,
}

impl Invitation {
    async fn new(relay: &TestRelay) -> Self {
        let rng = &mut rand::rng();
        let address = relay.address().without_password();
        let (client, events) = RelayClient::connect(&address, ClientConfig::default()).await.unwrap();
        let (dh_key, e2e_key) = (X25519PrivateKey::generate(rng), X25519PrivateKey::generate(rng));
        let key: PrivateAuthKey = Ed25519PrivateKey::generate(rng).into();
        let ratchet_keys = OfferedKeys::generate(RatchetVersion::SUPPORTED.max(), true, rng);
        let nonce = Nonce::generate(rng);
        let sender_id = SenderId::new(&sender_id(&nonce)).unwrap();
        let queue = QueueAddress {
            relay: address.clone(),
            sender_id: sender_id.clone(),
            dh_key: e2e_key.public_key(),
            mode: Some(QueueMode::Messaging),
        };
        let (data, link_key) = seal(&ratchet_keys, queue);
        let new = Command::New(Box::new(NewQueue {
            auth_key: key.public_key().into(),
            dh_key: dh_key.public_key().into(),
            password: relay.address().password,
            subscription: SubscriptionMode::Subscribe,
            request: Some(QueueRequest::Messaging(Some(LinkRequest { sender_id, data }))),
            notifier: None,
        }));
        let request = Request {
            correlation_id: Some(CorrelationId::new(nonce.as_bytes()).unwrap()),
            ..Request::new(Some(&key), EntityId::empty(), new)
        };
        let BrokerMessage::QueueIds(ids) = client.request(request).await.unwrap() else { panic!() };
        let link = InvitationShortLink { relay: (&address).into(), link_id: ids.link_id.unwrap(), link_key };
        let (recipient_id, relay_dh_key) = (ids.recipient_id, ids.dh_key.0);
        Self { client, events, key, dh_key, e2e_key, ratchet_keys, recipient_id, relay_dh_key, link }
    }

    fn uri(&self, scheme: ShortLinkScheme) -> String {
        uri(&self.link, scheme)
    }

    /// Waits for the confirmation of who joined. Returns its information.
    async fn confirmation(&mut self) -> Vec<u8> {
        loop {
            let event = soon("confirmation", self.events.recv()).await.unwrap();
            if let Ok(BrokerMessage::Message(id, body)) = event.message {
                return self.read(&id, &body);
            }
        }
    }

    /// As [`confirmation`](Self::confirmation), in a new session with the relay.
    async fn confirmation_after_restart(&mut self, relay: &TestRelay) -> Vec<u8> {
        let connected = RelayClient::connect(&relay.address(), ClientConfig::default()).await;
        (self.client, self.events) = connected.unwrap();
        match self.client.send(Some(&self.key), &self.recipient_id, Command::Subscribe).await.unwrap() {
            BrokerMessage::Message(id, body) => self.read(&id, &body),
            _ => self.confirmation().await,
        }
    }

    fn read(&self, id: &MessageId, body: &[u8]) -> Vec<u8> {
        let secret = self.dh_key.agree(&self.relay_dh_key);
        let ReceivedBody::Message { body, .. } = ReceivedBody::open(&secret.box_key(), id, body).unwrap()
        else {
            panic!("full");
        };
        let sealed: ClientEnvelope<'_> = from_bytes(&body).unwrap();
        let secret = self.e2e_key.agree(&sealed.key.unwrap().0);
        let message = sealed.open(&secret.box_key()).unwrap();
        let AgentEnvelope::Confirmation { ratchet, encrypted_info, .. } = from_bytes(&message.body).unwrap()
        else {
            panic!("no confirmation");
        };
        let parameters = ratchet.unwrap();
        let versions =
            RatchetVersions { current: parameters.version, max_supported: RatchetVersion::SUPPORTED.max() };
        let ratchet = self.ratchet_keys.ratchet(&parameters, versions, true).unwrap();
        let opened = ratchet.decrypt(&encrypted_info, &SkippedKeys::default(), &mut rand::rng()).unwrap();
        match from_bytes(&opened.plaintext.unwrap()).unwrap() {
            AgentMessage::ConnectionInfoReply { info, .. } => info.into_owned(),
            _ => panic!("no reply queue"),
        }
    }

    async fn delete(self) {
        let deleted = self.client.send(Some(&self.key), &self.recipient_id, Command::Delete).await.unwrap();
        assert_eq!(deleted, BrokerMessage::Ok);
    }
}

fn uri(link: &InvitationShortLink, scheme: ShortLinkScheme) -> String {
    ShortLink::Invitation(link.clone()).to_uri(scheme)
}

fn seal(ratchet_keys: &OfferedKeys, queue: QueueAddress) -> (LinkData<'static>, LinkKey) {
    let rng = &mut rand::rng();
    let request = InvitationRequest {
        versions: AgentVersion::SUPPORTED,
        queues: NonEmpty::one(QueueUri { versions: SmpClientVersion::SUPPORTED, address: queue }),
        client_data: None,
        ratchet: ratchet_keys.uri_parameters(RatchetVersion::SUPPORTED),
    };
    let root = Ed25519PrivateKey::generate(rng);
    let fixed = FixedLinkData {
        versions: AgentVersion::SUPPORTED,
        root_key: root.public_key(),
        request: ConnectionRequest::Invitation(Box::new(request)),
        entity_id: None,
    };
    let user_data = UserData::new(*br#"{"profile":{"displayName":"alice","fullName":""}}"#).unwrap();
    let user = UserLinkData::Invitation { versions: AgentVersion::SUPPORTED, user_data };
    let link_key = fixed.link_key();
    let key = link_key.invitation_key();
    let data = LinkData {
        fixed: seal_fixed_data(&fixed, &root, &key, rng).unwrap(),
        user: seal_user_data(&user, &root, &key, rng).unwrap(),
    };
    (data, link_key)
}

async fn failure(bob: &mut Peer, link: &str) -> ConnectionError {
    let joined = bob.agent.join(link, b"bob").await.unwrap();
    match bob.next().await {
        Event::ConnectionFailed { connection, error } if connection == joined => error,
        event => panic!("{event:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_links_of_both_schemes_are_joined() {
    let (theirs, ours) = (TestRelay::start().await, TestRelay::start().await);
    let bob = Peer::open(&[&ours]).await;
    for scheme in [ShortLinkScheme::Simplex, ShortLinkScheme::Https] {
        let mut alice = Invitation::new(&theirs).await;
        bob.agent.join(&format!("{}\n", alice.uri(scheme)), b"bob").await.unwrap();
        assert_eq!(alice.confirmation().await, b"bob");
        alice.delete().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relay_of_a_short_link_may_be_known_by_its_host_only() {
    let relay = TestRelay::start().await;
    let mut alice = Invitation::new(&relay).await;
    alice.link.relay = ShortLinkRelay::only_host(relay.address().hosts.first().clone());
    let link = alice.uri(ShortLinkScheme::Https);
    let bob = Peer::open(&[&relay]).await;
    bob.agent.join(&link, b"bob").await.unwrap();
    assert_eq!(alice.confirmation().await, b"bob");
    let stranger = Peer::open(&[]).await;
    match stranger.agent.join(&link, b"stranger").await.unwrap_err() {
        AgentError::Link(LinkError::UnknownRelay(host)) => assert_eq!(host, "127.0.0.1"),
        error => panic!("{error}"),
    }
    assert!(stranger.agent.connections().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_link_is_joined_though_the_joiner_and_the_relay_die() {
    let (mut theirs, ours) = (TestRelay::start().await, TestRelay::start().await);
    let mut alice = Invitation::new(&theirs).await;
    theirs.kill().await;
    let mut bob = Peer::open(&[&ours]).await;
    let joined = bob.agent.join(&alice.uri(ShortLinkScheme::Simplex), b"bob").await.unwrap();
    bob.until(|event| matches!(event, Event::RelayDown { .. })).await;
    bob = bob.crash().await;
    theirs.restart().await;
    // Dies between any two steps: the fetch, the own queue, the confirmation.
    for _ in 0..40 {
        tokio::time::sleep(Duration::from_micros(rand::rng().random_range(0..8000))).await;
        bob = bob.crash().await;
        if rand::rng().random_bool(0.2) {
            theirs.restart().await;
        }
    }
    assert_eq!(alice.confirmation_after_restart(&theirs).await, b"bob");
    assert!(bob.agent.connections().await.unwrap().iter().any(|summary| summary.id == joined));
    let shown = br#"{"profile":{"displayName":"alice","fullName":""}}"#.to_vec();
    assert_eq!(bob.next_of(joined).await, Some(Event::LinkShown { connection: joined, shown }));
    assert_eq!(bob.next_of(joined).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_link_works_once() {
    let relay = TestRelay::start().await;
    let mut alice = Invitation::new(&relay).await;
    let (bob, mut mallory) = (Peer::open(&[&relay]).await, Peer::open(&[&relay]).await);
    let link = alice.uri(ShortLinkScheme::Https);
    bob.agent.join(&link, b"bob").await.unwrap();
    assert_eq!(alice.confirmation().await, b"bob");
    assert_eq!(failure(&mut mallory, &link).await, ConnectionError::InvitationUsed);
    alice.link.link_id = LinkId::generate(&mut rand::rng());
    let link = alice.uri(ShortLinkScheme::Https);
    assert_eq!(failure(&mut mallory, &link).await, ConnectionError::InvitationUsed);
    let gone = Invitation::new(&relay).await;
    let link = gone.uri(ShortLinkScheme::Https);
    gone.delete().await;
    assert_eq!(failure(&mut mallory, &link).await, ConnectionError::InvitationUsed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_link_with_other_data_is_refused() {
    let relay = TestRelay::start().await;
    let mut bob = Peer::open(&[&relay]).await;
    let mut alice = Invitation::new(&relay).await;
    alice.link.link_key = Invitation::new(&relay).await.link.link_key;
    let error = failure(&mut bob, &alice.uri(ShortLinkScheme::Https)).await;
    assert!(matches!(error, ConnectionError::LinkData(_)), "{error}");
    assert!(error.to_string().contains("ask for a new invitation"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_link_to_another_relay_is_not_fetched() {
    let relay = TestRelay::start().await;
    let mut alice = Invitation::new(&relay).await;
    let mut bob = Peer::open(&[&relay]).await;
    let address: RelayAddress = RelayAddress { fingerprint: [7; 32], ..relay.address() };
    let link = InvitationShortLink { relay: (&address).into(), ..alice.link.clone() };
    bob.agent.join(&uri(&link, ShortLinkScheme::Https), b"bob").await.unwrap();
    let wrong = |event: &Event| matches!(event, Event::RelayDown { error: RelayError::Fingerprint, .. });
    bob.until(wrong).await;
    // It was not used up.
    bob.agent.join(&alice.uri(ShortLinkScheme::Https), b"bob again").await.unwrap();
    assert_eq!(alice.confirmation().await, b"bob again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_link_at_a_relay_that_has_none_is_refused() {
    let mut link = Invitation::new(&TestRelay::start().await).await.link;
    let old = TestRelay::start_with(|config| config.server.max_version = 14).await;
    link.relay = (&old.address()).into();
    let mut bob = Peer::open(&[&old]).await;
    let error = failure(&mut bob, &uri(&link, ShortLinkScheme::Https)).await;
    assert_eq!(error, ConnectionError::RelayTooOld);
    let address = format!(
        "simplex:/a#{}?{}",
        "A".repeat(43),
        uri(&link, ShortLinkScheme::Simplex).split_once('?').unwrap().1
    );
    assert_eq!(failure(&mut bob, &address).await, ConnectionError::RelayTooOld);
}
