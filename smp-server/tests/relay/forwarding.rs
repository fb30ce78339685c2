//! `RFWD`: commands that come through a proxy, with the boxes made by hand.

use std::borrow::Cow;

use smp_crypto::{BoxKey, PrivateAuthKey, X25519PrivateKey, X25519PublicKey};
use smp_protocol::{
    command::Command,
    error::{BrokerErrorType, CommandError, ErrorType, ProxyError, TransportError},
    id::{CorrelationId, EntityId},
    key::{ProxiedCommandKey, SenderAuthKey},
    message::BrokerMessage,
    proxy::{ForwardedResponse, ForwardedTransmission, open_answer, seal_content},
    session::SessionParameters,
    transmission::{BlockContent, CommandKey, authorize, prepare, read_messages},
    version::SmpVersion,
};
use smp_transport::client::{ClientConfig, ClientError, Request};

use crate::support::{Client, relay, relay_with, send, x25519};

pub(crate) async fn proxy(relay: &crate::support::TestRelay) -> Client {
    relay.client_with(ClientConfig { proxy: true, ..ClientConfig::default() }).await.unwrap()
}

/// A command in the sender's box, for the session of a proxy with the destination.
pub(crate) struct Sealed {
    pub(crate) corr_id: CorrelationId,
    pub(crate) key: ProxiedCommandKey,
    pub(crate) boxed: Vec<u8>,
    entity: EntityId,
    parameters: SessionParameters,
    secret: BoxKey,
}

impl Sealed {
    pub(crate) fn new(
        parameters: SessionParameters,
        relay_key: &X25519PublicKey,
        key: Option<&PrivateAuthKey>,
        entity: EntityId,
        command: &Command<'_>,
    ) -> Self {
        let corr_id = CorrelationId::generate(&mut rand::rng());
        let prepared = prepare(&parameters, &corr_id, &entity, command);
        let nonce = smp_crypto::Nonce::from_slice_padded(corr_id.as_bytes());
        let authorization = key.map(|key| {
            authorize(CommandKey::Queue(key), Some(relay_key), &nonce, prepared.authorized(), None).unwrap()
        });
        let mut content = BlockContent::new();
        content.push(|out| prepared.write(authorization.as_ref(), &parameters, out)).unwrap();
        let private = X25519PrivateKey::generate(&mut rand::rng());
        let secret = private.agree(relay_key).box_key();
        let boxed = seal_content(&secret, &corr_id, content.as_bytes()).unwrap();
        Self { corr_id, key: private.public_key().into(), boxed, entity, parameters, secret }
    }

    /// Opens the answer.
    pub(crate) fn open(&self, response: &[u8]) -> BrokerMessage<'static> {
        let content = open_answer(&self.secret, &self.corr_id, response).unwrap();
        let answers: Vec<_> = read_messages(&content, &self.parameters).collect();
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!((&answer.correlation_id, &answer.entity_id), (&self.corr_id, &self.entity));
        answer.message.clone().unwrap().into_owned()
    }
}

/// Sends a command through `proxy` as a sender would, and returns the answer.
pub(crate) async fn forward(
    proxy: &Client,
    version: u16,
    key: Option<&PrivateAuthKey>,
    entity: EntityId,
    command: Command<'_>,
) -> Result<BrokerMessage<'static>, ClientError> {
    let session = proxy.relay.session();
    let parameters = SessionParameters { version: SmpVersion(version), id: session.parameters.id.clone() };
    let sealed = Sealed::new(parameters, &session.relay_key.unwrap(), key, entity, &command);
    let proxy_secret: BoxKey = session.secret.as_ref().unwrap().box_key();
    let relay_corr_id = CorrelationId::generate(&mut rand::rng());
    let forwarded = ForwardedTransmission {
        correlation_id: sealed.corr_id.clone(),
        version: SmpVersion(version),
        key: sealed.key,
        transmission: Cow::Borrowed(&sealed.boxed),
    };
    let boxed = forwarded.seal(&proxy_secret, &relay_corr_id);
    let mut request = Request::new(None, EntityId::empty(), Command::RelayForward(Cow::Owned(boxed)));
    request.correlation_id = Some(relay_corr_id.clone());
    let BrokerMessage::RelayResponse(boxed) = proxy.relay.request(request).await? else { panic!() };
    let response = ForwardedResponse::open(&proxy_secret, &relay_corr_id, &boxed).unwrap();
    assert_eq!(response.correlation_id, sealed.corr_id);
    Ok(sealed.open(&response.response))
}

#[tokio::test]
async fn senders_reach_their_queue_through_a_proxy() {
    let relay = relay().await;
    let (mut alice, proxy) = (relay.client().await, proxy(&relay).await);
    for version in [8, 9, 11, 16, 18] {
        let (queue, key) = (alice.queue().await, x25519());
        let skey = Command::SenderSecure(SenderAuthKey(key.public_key()));
        let sender = || EntityId::from(queue.sender());
        let answer = forward(&proxy, version, Some(&key), sender(), skey).await.unwrap();
        assert_eq!(answer, BrokerMessage::Ok, "version {version}");
        for _ in 0..2 {
            let answer = forward(&proxy, version, Some(&key), sender(), send(b"hidden")).await.unwrap();
            assert_eq!(answer, BrokerMessage::Ok);
        }
        let (id, body) = alice.message(&queue).await;
        assert_eq!(body, b"hidden");
        assert!(alice.ack(&queue, &id).await.is_some());
        let answer = forward(&proxy, version, Some(&x25519()), sender(), send(b"")).await.unwrap();
        assert_eq!(answer, BrokerMessage::Error(ErrorType::Auth));
    }
}

#[tokio::test]
async fn only_what_senders_need_is_forwarded() {
    let relay = relay().await;
    let (alice, proxy) = (relay.client().await, proxy(&relay).await);
    let queue = alice.queue().await;
    let prohibited = BrokerMessage::Error(ErrorType::Command(CommandError::Prohibited));
    for command in [Command::Subscribe, Command::Delete, Command::QueueInfo] {
        let answer = forward(&proxy, 19, Some(&queue.key), queue.recipient().into(), command).await;
        assert_eq!(answer.unwrap(), prohibited);
    }
    let answer = forward(&proxy, 19, None, EntityId::empty(), Command::Ping).await.unwrap();
    assert_eq!(answer, prohibited);
    let answer = forward(&proxy, 19, None, EntityId::empty(), send(b"")).await.unwrap();
    assert_eq!(answer, BrokerMessage::Error(ErrorType::Command(CommandError::NoEntity)));
}

#[tokio::test]
async fn senders_speak_a_version_that_is_offered() {
    let relay = relay_with(|config| (config.server.min_version, config.server.max_version) = (9, 14)).await;
    let (alice, proxy) = (relay.client_of(14).await, proxy(&relay).await);
    let queue = alice.queue().await;
    let version =
        ErrorType::Proxy(Box::new(ProxyError::Broker(BrokerErrorType::Transport(TransportError::Version))));
    for (number, offered) in [(0, false), (8, false), (9, true), (14, true), (15, false), (19, false)] {
        let answer = forward(&proxy, number, None, queue.sender().into(), send(b"hidden")).await;
        match offered {
            true => assert_eq!(answer.unwrap(), BrokerMessage::Ok, "version {number}"),
            false => assert_eq!(crate::support::refused(answer), version, "version {number}"),
        }
    }
}

#[tokio::test]
async fn damaged_boxes_are_refused() {
    let relay = relay().await;
    let proxy = proxy(&relay).await;
    let boxed = Command::RelayForward(Cow::Borrowed(&[0; 300]));
    let answer = proxy.ask(None, EntityId::empty(), boxed).await;
    assert_eq!(crate::support::refused(answer), ErrorType::Crypto);
}
