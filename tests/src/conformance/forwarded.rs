//! `RFWD`: commands that a proxy forwards, in two boxes.

use anyhow::{Context as _, Result, bail, ensure};
use smp_crypto::BoxKey;
use smp_protocol::body::max_message_length;
use smp_protocol::command::{Command, LinkData};
use smp_protocol::encoding::LargeString;
use smp_protocol::error::{CommandError, ErrorType};
use smp_protocol::id::{CorrelationId, LinkId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::proxy::{ForwardedResponse, ForwardedTransmission, open_answer, seal_content};
use smp_protocol::session::SessionParameters;
use smp_protocol::transmission::BlockContent;
use smp_protocol::version::SmpVersion;

use super::client::{Auth, Client, answered, block_of, only_answer};
use super::queue::{KeyKind, NewOptions, dh_key, send, sender_key};
use super::wire::Introduction;
use super::{CheckResult, Context, checks};

checks! { "forwarded":
    8..=19 => a_message_is_sent,
    8..=19 => the_largest_message_is_sent,
    9..=19 => a_queue_is_secured_and_a_link_read,
    8..=19 => other_commands_are_prohibited,
    8..=19 => refusals_come_back_in_the_boxes,
    8..=19 => the_version_of_the_sender_counts,
    8..=19 => boxes_that_cannot_be_opened_are_refused,
    8..=19 => exactly_one_command_is_forwarded,
    7..=19 => a_connection_without_key_forwards_nothing,
}

/// A connection as a proxy has it.
struct Proxy {
    client: Client,
    secret: BoxKey,
}

impl Proxy {
    /// From version 14 a proxy says that it is one.
    async fn connect(context: &Context) -> Result<Self> {
        let proxy = context.since(SmpVersion::PROXY_HANDSHAKE);
        let introduction = Introduction { proxy, ..Introduction::client(context.version) };
        let client = Client::connect_as(&context.target, &introduction).await?;
        let secret = client.secret.as_ref().context("nothing was agreed")?.box_key();
        Ok(Self { client, secret })
    }

    /// The session that forwarded commands are authorized for.
    fn session(&self, version: SmpVersion) -> SessionParameters {
        SessionParameters { version, id: self.client.session.id.clone() }
    }

    /// Sends `RFWD` with this in the outer box.
    async fn forward_boxed(&mut self, id: &CorrelationId, outer: Vec<u8>) -> Result<BrokerMessage<'static>> {
        let command = Command::RelayForward(outer.into()).to_bytes(self.client.version());
        Ok(self.client.ask_as(id, Auth::None, &[], &command).await?.message)
    }

    /// Forwards the content of a block; returns the content of the answer.
    async fn forward_content(
        &mut self,
        version: SmpVersion,
        content: &[u8],
    ) -> Result<Result<Vec<u8>, ErrorType>> {
        let relay_key = self.client.relay_key.context("the relay sent no key")?;
        let key = dh_key();
        let secret = key.agree(&relay_key).box_key();
        let (inner_id, outer_id) = (Client::correlation_id(), Client::correlation_id());
        let forwarded = ForwardedTransmission {
            correlation_id: inner_id.clone(),
            version,
            key: key.public_key().into(),
            transmission: seal_content(&secret, &inner_id, content)?.into(),
        };
        let outer = forwarded.seal(&self.secret, &outer_id);
        match self.forward_boxed(&outer_id, outer).await? {
            BrokerMessage::RelayResponse(response) => {
                let response = ForwardedResponse::open(&self.secret, &outer_id, &response)?;
                ensure!(response.correlation_id == inner_id, "the answer to another command");
                Ok(Ok(open_answer(&secret, &inner_id, &response.response)?))
            }
            BrokerMessage::Error(error) => Ok(Err(error)),
            other => bail!("RFWD was answered with {other:?}"),
        }
    }

    /// Forwards a command.
    async fn forward(
        &mut self,
        version: SmpVersion,
        auth: Auth<'_>,
        entity_id: &[u8],
        command: &[u8],
    ) -> Result<BrokerMessage<'static>> {
        let session = self.session(version);
        let id = Client::correlation_id();
        let inner = self.client.transmission_in(&session, auth, id.as_bytes(), entity_id, command)?;
        let answer = self.forward_content(version, block_of(&[inner])?.as_bytes()).await??;
        only_answer(&answer, &session, &id, entity_id)
    }

    /// Forwards a command in the version of the connection.
    async fn ask(
        &mut self,
        auth: Auth<'_>,
        entity_id: impl AsRef<[u8]>,
        command: &Command<'_>,
    ) -> Result<BrokerMessage<'static>> {
        let version = self.client.version();
        self.forward(version, auth, entity_id.as_ref(), &command.to_bytes(version)).await
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

async fn a_message_is_sent(context: &Context) -> CheckResult {
    let (mut recipient, mut proxy) = (context.connect().await?, Proxy::connect(context).await?);
    let queue = recipient.queue().await?;
    proxy.expect(Auth::None, queue.sender(), &send(b"not secured"), BrokerMessage::Ok).await?;
    recipient.expect_message(&queue, b"not secured").await?;
    for kind in KeyKind::all(context.version) {
        let (queue, key) = (recipient.queue().await?, kind.generate());
        let secure = Command::Secure(key.public_key().into());
        recipient.ok(queue.auth(), queue.recipient(), &secure).await?;
        proxy.expect(Auth::Key(&key), queue.sender(), &send(b"secured"), BrokerMessage::Ok).await?;
        recipient.expect_message(&queue, b"secured").await.with_context(|| format!("{kind:?}"))?;
    }
    Ok(())
}

async fn the_largest_message_is_sent(context: &Context) -> CheckResult {
    let (mut recipient, mut proxy) = (context.connect().await?, Proxy::connect(context).await?);
    let queue = recipient.queue().await?;
    let key = recipient.secure(&queue).await?;
    let body = vec![7; max_message_length(context.version)];
    proxy.expect(Auth::Key(&key), queue.sender(), &send(&body), BrokerMessage::Ok).await?;
    recipient.expect_message(&queue, &body).await?;
    let large = vec![7; body.len() + 1];
    proxy.expect(Auth::Key(&key), queue.sender(), &send(&large), ErrorType::LargeMessage).await
}

async fn a_queue_is_secured_and_a_link_read(context: &Context) -> CheckResult {
    let (mut recipient, mut proxy) = (context.connect().await?, Proxy::connect(context).await?);
    let data = LinkData { fixed: LargeString::new(&b"fixed"[..])?, user: LargeString::new(&b"user"[..])? };
    let key = sender_key(context.version);
    let by_id = recipient.queue().await?;
    let skey = Command::SenderSecure(key.public_key().into());
    proxy.expect(Auth::Key(&key), by_id.sender(), &skey, BrokerMessage::Ok).await?;
    proxy.expect(Auth::Key(&key), by_id.sender(), &send(b"1"), BrokerMessage::Ok).await?;
    recipient.expect_message(&by_id, b"1").await?;

    let (messaging, contact) = (recipient.queue().await?, recipient.create(NewOptions::contact()).await?);
    let lkey = Command::SecureAndGetLink(key.public_key().into());
    for (queue, auth, command) in
        [(messaging, Auth::Key(&key), &lkey), (contact, Auth::None, &Command::GetLink)]
    {
        let link_id = LinkId::generate(&mut rand::rng());
        let set = Command::SetLink(link_id.clone(), data.clone());
        recipient.ok(queue.auth(), queue.recipient(), &set).await?;
        let link = BrokerMessage::Link(queue.sender().clone(), data.clone());
        proxy.expect(auth, &link_id, command, link).await?;
    }
    Ok(())
}

/// A proxy is for senders: whose queues these are must not be seen through it.
async fn other_commands_are_prohibited(context: &Context) -> CheckResult {
    let (mut recipient, mut proxy) = (context.connect().await?, Proxy::connect(context).await?);
    let queue = recipient.queue().await?;
    let prohibited = || BrokerMessage::from(ErrorType::Command(CommandError::Prohibited));
    for command in [Command::Subscribe, Command::Get, Command::Suspend, Command::Delete, Command::QueueInfo] {
        proxy.expect(queue.auth(), queue.recipient(), &command, prohibited()).await?;
    }
    let options = NewOptions::messaging();
    let (new, _) = recipient.new_command(&options);
    proxy.expect(Auth::Key(&options.key), [], &new, prohibited()).await?;
    proxy.expect(Auth::None, [], &Command::Ping, prohibited()).await?;
    proxy.expect(Auth::None, [], &Command::RelayForward(b"x".as_slice().into()), prohibited()).await?;
    recipient.ok(queue.auth(), queue.recipient(), &Command::Delete).await
}

async fn refusals_come_back_in_the_boxes(context: &Context) -> CheckResult {
    let (mut recipient, mut proxy) = (context.connect().await?, Proxy::connect(context).await?);
    let queue = recipient.queue().await?;
    let key = recipient.secure(&queue).await?;
    for kind in KeyKind::all(context.version) {
        let other = kind.generate();
        proxy.expect(Auth::Key(&other), queue.sender(), &send(b"1"), ErrorType::Auth).await?;
        proxy.expect(Auth::Key(&other), [1; 24], &send(b"1"), ErrorType::Auth).await?;
    }
    proxy.expect(Auth::None, queue.sender(), &send(b"1"), ErrorType::Auth).await?;
    proxy.expect(Auth::Key(&key), queue.recipient(), &send(b"1"), ErrorType::Auth).await?;
    // An authorization for another session, which a proxy might have seen.
    let foreign = Auth::OtherSession(&key, &[1; 32]);
    proxy.expect(foreign, queue.sender(), &send(b"1"), ErrorType::Auth).await?;
    let version = context.version;
    for (entity_id, command, error) in [
        (&[][..], &b"SEND F text"[..], CommandError::NoEntity),
        (&[1], b"SEND", CommandError::Syntax),
        (&[1], b"NONE", CommandError::Unknown),
    ] {
        let answer = proxy.forward(version, Auth::None, entity_id, command).await?;
        ensure!(answer == BrokerMessage::Error(error.into()), "{answer:?} and not {error}");
    }
    recipient.expect_quiet().await
}

/// A proxy may be newer or older than those for whom it forwards.
async fn the_version_of_the_sender_counts(context: &Context) -> CheckResult {
    let (mut recipient, mut proxy) = (context.connect().await?, Proxy::connect(context).await?);
    let queue = recipient.queue().await?;
    for version in [SmpVersion(8), SmpVersion(10), context.version] {
        if version > context.version {
            continue;
        }
        let large = vec![7; max_message_length(version) + 1];
        let command = send(&large).to_bytes(version);
        let answer = proxy.forward(version, Auth::None, queue.sender().as_bytes(), &command).await?;
        ensure!(answer == BrokerMessage::Error(ErrorType::LargeMessage), "version {version:?}: {answer:?}");
        let command = send(&large[1..]).to_bytes(version);
        let answer = proxy.forward(version, Auth::None, queue.sender().as_bytes(), &command).await?;
        ensure!(answer == BrokerMessage::Ok, "version {version:?}: {answer:?}");
        recipient.expect_message(&queue, &large[1..]).await?;
    }
    Ok(())
}

async fn boxes_that_cannot_be_opened_are_refused(context: &Context) -> CheckResult {
    let mut proxy = Proxy::connect(context).await?;
    let id = Client::correlation_id();
    let answer = proxy.forward_boxed(&id, vec![1; 16_300]).await?;
    ensure!(answer == BrokerMessage::Error(ErrorType::Crypto), "garbage: {answer:?}");
    let answer = proxy.forward_boxed(&id, Vec::new()).await?;
    ensure!(answer == BrokerMessage::Error(ErrorType::Crypto), "nothing: {answer:?}");
    let nonce = smp_crypto::Nonce::from_slice_padded(id.as_bytes());
    let no_transmission = proxy.secret.seal(&nonce, b"not a forwarded transmission");
    let answer = proxy.forward_boxed(&id, no_transmission).await?;
    let syntax = ErrorType::Command(CommandError::Syntax);
    ensure!(answer == BrokerMessage::Error(syntax), "another content: {answer:?}");
    let forwarded = ForwardedTransmission {
        correlation_id: id.clone(),
        version: context.version,
        key: dh_key().public_key().into(),
        transmission: vec![1; 16_242].into(),
    };
    let outer = forwarded.seal(&proxy.secret, &id);
    let answer = proxy.forward_boxed(&id, outer).await?;
    ensure!(answer == BrokerMessage::Error(ErrorType::Crypto), "inner garbage: {answer:?}");
    proxy.client.expect_quiet().await
}

async fn exactly_one_command_is_forwarded(context: &Context) -> CheckResult {
    let (mut recipient, mut proxy) = (context.connect().await?, Proxy::connect(context).await?);
    let queue = recipient.queue().await?;
    let session = proxy.session(context.version);
    let command = send(b"1").to_bytes(context.version);
    let mut content = BlockContent::new();
    for _ in 0..2 {
        let id = Client::correlation_id();
        let auth = Auth::None;
        let inner = proxy.client.transmission_in(
            &session,
            auth,
            id.as_bytes(),
            queue.sender().as_bytes(),
            &command,
        )?;
        content.push(|out| out.extend_from_slice(&inner))?;
    }
    let answer = proxy.forward_content(context.version, content.as_bytes()).await?;
    ensure!(answer == Err(ErrorType::Block), "{answer:?}");
    recipient.expect_quiet().await
}

/// Without a key of the proxy there is no secret that the outer box could be made with.
async fn a_connection_without_key_forwards_nothing(context: &Context) -> CheckResult {
    let introduction = Introduction { with_key: false, ..Introduction::client(context.version) };
    let mut client = Client::connect_as(&context.target, &introduction).await?;
    let answer = client.ask(Auth::None, [], &Command::RelayForward(b"box".as_slice().into())).await?;
    let expected = b"ERR PROXY BROKER TRANSPORT NO_AUTH";
    ensure!(answer.to_bytes(context.version) == expected, "{answer:?}");
    Ok(())
}
