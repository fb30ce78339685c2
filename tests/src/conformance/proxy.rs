//! `PRXY` and `PFWD`: the relay as a proxy.

use anyhow::{Context as _, Result, bail, ensure};
use smp_crypto::X25519PublicKey;
use smp_protocol::address::{Password, RelayAddress};
use smp_protocol::command::Command;
use smp_protocol::error::{ErrorType, ProxyError};
use smp_protocol::id::SessionId;
use smp_protocol::message::BrokerMessage;
use smp_protocol::proxy::{open_answer, seal_content};
use smp_protocol::session::SessionParameters;
use smp_protocol::version::SmpVersion;

use super::client::{Auth, Client, answered, block_of, only_answer};
use super::queue::{dh_key, send, sender_key};
use super::{CheckResult, Context, Target, checks};

checks! { "proxy":
    8..=19 => the_key_of_the_destination_can_be_verified,
    8..=19 => a_message_is_forwarded,
    9..=19 => a_queue_is_secured_through_the_proxy,
    8..=19 => refusals_of_the_destination_come_back,
    8..=19 => damaged_boxes_are_refused_by_the_destination,
    8..=19 => an_unknown_session_is_refused,
    8..=19 => a_password_is_compared,
    8..=19 => an_unreachable_destination_is_an_error_of_the_proxy,
}

fn destination(context: &Context) -> RelayAddress {
    context.target.destination.clone().unwrap_or_else(|| context.target.address.clone()).without_password()
}

/// A connection to the destination, where the queues are.
async fn connect_to_destination(context: &Context) -> Result<Client> {
    let address = context.target.destination.clone().unwrap_or_else(|| context.target.address.clone());
    let target = Target { address, destination: None, timeout: context.target.timeout };
    Client::connect(&target, context.version).await.context("connecting to the destination")
}

/// A session with the destination through the proxy.
struct Route {
    client: Client,
    session: SessionParameters,
    relay_key: X25519PublicKey,
}

impl Route {
    async fn open(context: &Context) -> Result<Self> {
        let mut client = context.connect().await?;
        let address = destination(context);
        let password = client.password();
        let command = Command::ProxySession { relay: Box::new(address.clone()), password };
        match client.ask(Auth::None, [], &command).await? {
            BrokerMessage::ProxySessionKey { session_id, versions, key } => {
                ensure!(key.chain.relay_fingerprint() == Some(address.fingerprint), "another destination");
                ensure!(key.chain.is_linked(), "the certificates do not belong together");
                let leaf_key = key.chain.leaf_key().context("the destination's certificate has no key")?;
                let relay_key = key.signed_key.verify_x25519(&leaf_key)?;
                ensure!(versions.min() >= SmpVersion::MIN, "versions {versions:?}");
                let version = versions.max().min(context.version);
                let session = SessionParameters { version, id: session_id };
                Ok(Self { client, session, relay_key })
            }
            other => bail!("PRXY was answered with {other:?}"),
        }
    }

    async fn forward_content(&mut self, content: &[u8]) -> Result<Result<Vec<u8>, ErrorType>> {
        let key = dh_key();
        let secret = key.agree(&self.relay_key).box_key();
        let id = Client::correlation_id();
        let command = Command::ProxyForward {
            version: self.session.version,
            key: key.public_key().into(),
            transmission: seal_content(&secret, &id, content)?.into(),
        };
        let command = command.to_bytes(self.client.version());
        let entity_id = self.session.id.as_bytes().to_vec();
        match self.client.ask_as(&id, Auth::None, &entity_id, &command).await?.message {
            BrokerMessage::ProxyResponse(answer) => Ok(Ok(open_answer(&secret, &id, &answer)?)),
            BrokerMessage::Error(error) => Ok(Err(error)),
            other => bail!("PFWD was answered with {other:?}"),
        }
    }

    async fn ask(
        &mut self,
        auth: Auth<'_>,
        entity_id: impl AsRef<[u8]>,
        command: &Command<'_>,
    ) -> Result<BrokerMessage<'static>> {
        let (id, entity_id) = (Client::correlation_id(), entity_id.as_ref());
        let bytes = command.to_bytes(self.session.version);
        // Authenticators are made with the key of the destination, not of the proxy.
        let own_key = self.client.relay_key.replace(self.relay_key);
        let inner = self.client.transmission_in(&self.session, auth, id.as_bytes(), entity_id, &bytes);
        self.client.relay_key = own_key;
        let answer = self.forward_content(block_of(&[inner?])?.as_bytes()).await??;
        only_answer(&answer, &self.session, &id, entity_id)
    }

    async fn expect(
        &mut self,
        auth: Auth<'_>,
        entity_id: impl AsRef<[u8]>,
        command: &Command<'_>,
        expected: impl Into<BrokerMessage<'static>>,
    ) -> CheckResult {
        answered(command, &self.ask(auth, entity_id, command).await?, &expected.into())
    }
}

/// The proxy cannot pretend to be the destination.
async fn the_key_of_the_destination_can_be_verified(context: &Context) -> CheckResult {
    let first = Route::open(context).await?;
    let second = Route::open(context).await?;
    ensure!(!first.session.id.is_empty() && !second.session.id.is_empty(), "no session ID");
    Ok(())
}

async fn a_message_is_forwarded(context: &Context) -> CheckResult {
    let mut recipient = connect_to_destination(context).await?;
    let mut route = Route::open(context).await?;
    let queue = recipient.queue().await?;
    route.expect(Auth::None, queue.sender(), &send(b"not secured"), BrokerMessage::Ok).await?;
    recipient.expect_message(&queue, b"not secured").await?;
    let key = recipient.secure(&queue).await?;
    let body = vec![7; smp_protocol::body::max_message_length(route.session.version)];
    route.expect(Auth::Key(&key), queue.sender(), &send(&body), BrokerMessage::Ok).await?;
    recipient.expect_message(&queue, &body).await
}

async fn a_queue_is_secured_through_the_proxy(context: &Context) -> CheckResult {
    let mut recipient = connect_to_destination(context).await?;
    let mut route = Route::open(context).await?;
    let queue = recipient.queue().await?;
    let key = sender_key(context.version);
    let skey = Command::SenderSecure(key.public_key().into());
    route.expect(Auth::Key(&key), queue.sender(), &skey, BrokerMessage::Ok).await?;
    route.expect(Auth::Key(&key), queue.sender(), &send(b"1"), BrokerMessage::Ok).await?;
    recipient.expect_message(&queue, b"1").await
}

async fn refusals_of_the_destination_come_back(context: &Context) -> CheckResult {
    let mut route = Route::open(context).await?;
    let key = sender_key(context.version);
    route.expect(Auth::Key(&key), [1; 24], &send(b"1"), ErrorType::Auth).await?;
    let prohibited = ErrorType::Command(smp_protocol::error::CommandError::Prohibited);
    route.expect(Auth::Key(&key), [1; 24], &Command::Subscribe, prohibited).await
}

async fn damaged_boxes_are_refused_by_the_destination(context: &Context) -> CheckResult {
    let mut route = Route::open(context).await?;
    let command = Command::ProxyForward {
        version: route.session.version,
        key: dh_key().public_key().into(),
        transmission: vec![1; 16_242].into(),
    };
    let id = route.session.id.clone();
    let refused = ErrorType::Proxy(Box::new(ProxyError::Protocol(ErrorType::Crypto)));
    route.client.refused(Auth::None, id.as_bytes(), &command, refused).await?;
    route.client.expect_quiet().await
}

async fn an_unknown_session_is_refused(context: &Context) -> CheckResult {
    let mut route = Route::open(context).await?;
    route.session.id = SessionId::generate(&mut rand::rng());
    let answer = route.forward_content(b"anything").await?;
    let expected = ErrorType::Proxy(Box::new(ProxyError::NoSession));
    ensure!(answer == Err(expected), "{answer:?}");
    route.client.expect_quiet().await
}

async fn a_password_is_compared(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let wants_password = client.password().is_some();
    let relay = Box::new(destination(context));
    for password in [None, Some(Password::new("not-the-password")?)] {
        let command = Command::ProxySession { relay: relay.clone(), password };
        match client.ask(Auth::None, [], &command).await? {
            BrokerMessage::Error(ErrorType::Proxy(error))
                if wants_password && *error == ProxyError::BasicAuth => {}
            BrokerMessage::ProxySessionKey { .. } if !wants_password => {}
            other => bail!("answered with {other:?}"),
        }
    }
    Ok(())
}

/// Which error it is depends on the network; that it is one of the proxy's does not.
async fn an_unreachable_destination_is_an_error_of_the_proxy(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let nobody = RelayAddress { fingerprint: rand::random(), port: Some(1), ..destination(context) };
    let somebody_else = RelayAddress { fingerprint: rand::random(), ..destination(context) };
    for relay in [nobody, somebody_else] {
        let command = Command::ProxySession { relay: Box::new(relay), password: client.password() };
        match client.ask(Auth::None, [], &command).await? {
            BrokerMessage::Error(ErrorType::Proxy(error)) if matches!(*error, ProxyError::Broker(_)) => {}
            other => bail!("answered with {other:?}"),
        }
    }
    client.expect_quiet().await
}
