//! Authorizations: what they cover, and `ERR AUTH`, which is the same for whatever is wrong.

use anyhow::{Context as _, Result, ensure};
use smp_crypto::PrivateAuthKey;
use smp_protocol::command::{Command, LinkData};
use smp_protocol::encoding::{LargeString, NonEmpty};
use smp_protocol::error::ErrorType;
use smp_protocol::id::{EntityId, LinkId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::version::SmpVersion;

use super::client::{Auth, Client};
use super::queue::{KeyKind, NewOptions, Queue, dh_key, no_message_id, send, unknown_id};
use super::{CheckResult, Context, checks, notifications};

checks! { "authorization":
    6..=19 => auth_errors_of_recipient_commands_are_equal_to_the_byte,
    6..=19 => auth_errors_of_sender_commands_are_equal_to_the_byte,
    6..=19 => auth_errors_of_notifier_and_link_commands_are_equal_to_the_byte,
    6..=19 => a_key_of_another_kind_is_refused,
    6..=19 => every_part_of_a_transmission_is_covered,
    6..=19 => the_session_is_covered,
    6..=19 => damaged_authorizations_are_refused,
}

/// A queue with all that it can have.
struct Everything {
    queue: Queue,
    sender: PrivateAuthKey,
    notifier: notifications::Notifier,
    link: LinkId,
}

impl Everything {
    async fn create(client: &mut Client, kind: KeyKind) -> Result<Self> {
        let options = NewOptions { key: kind.generate(), ..NewOptions::messaging() };
        let queue = client.create(options).await?;
        let notifier = notifications::allow(client, &queue, kind).await?;
        let link = LinkId::generate(&mut rand::rng());
        let data = LinkData { fixed: LargeString::new(&b"f"[..])?, user: LargeString::new(&b"u"[..])? };
        client.ok(queue.auth(), queue.recipient(), &Command::SetLink(link.clone(), data)).await?;
        let sender = kind.generate();
        let secure = Command::Secure(sender.public_key().into());
        client.ok(queue.auth(), queue.recipient(), &secure).await?;
        Ok(Self { queue, sender, notifier, link })
    }

    fn ids(&self) -> [EntityId; 4] {
        [
            self.queue.recipient().into(),
            self.queue.sender().into(),
            (&self.notifier.id).into(),
            (&self.link).into(),
        ]
    }

    fn keys(&self) -> [&PrivateAuthKey; 3] {
        [&self.queue.key, &self.sender, &self.notifier.key]
    }
}

/// Sends a command that must be refused, and compares every byte of the answer: nothing but the IDs of the command
/// and `ERR AUTH`.
async fn expect_auth_error(
    client: &mut Client,
    auth: Auth<'_>,
    entity_id: &EntityId,
    command: &Command<'_>,
) -> CheckResult {
    let id = Client::correlation_id();
    let bytes = command.to_bytes(client.version());
    let answer = client.ask_as(&id, auth, entity_id.as_bytes(), &bytes).await?;
    let expected = client.transmission(Auth::None, id.as_bytes(), entity_id.as_bytes(), b"ERR AUTH")?;
    ensure!(answer.raw == expected, "{:?} was answered with {:?}", command.tag(), answer.message);
    Ok(())
}

/// Tries a command with every ID of the queue and an unknown one, and every key of the queue and a new one, but not
/// with the ID and the key that are right.
async fn try_all(
    client: &mut Client,
    all: &Everything,
    kind: KeyKind,
    command: &Command<'_>,
    right: (&EntityId, &PrivateAuthKey),
) -> CheckResult {
    let (new_key, unknown) = (kind.generate(), unknown_id());
    for entity_id in all.ids().iter().chain([&unknown, &EntityId::new(&[1])?, &EntityId::new(&[2; 255])?]) {
        for key in all.keys().into_iter().chain([&new_key]) {
            if *entity_id == *right.0 && key.public_key() == right.1.public_key() {
                continue;
            }
            expect_auth_error(client, Auth::Key(key), entity_id, command)
                .await
                .with_context(|| format!("{kind:?}"))?;
        }
    }
    Ok(())
}

async fn auth_errors_of_recipient_commands_are_equal_to_the_byte(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    for kind in KeyKind::all(context.version) {
        let all = Everything::create(&mut client, *kind).await?;
        let public = kind.generate().public_key();
        let dh = dh_key().public_key();
        let data = LinkData { fixed: LargeString::new(&b"f"[..])?, user: LargeString::new(&b"u"[..])? };
        let commands = [
            Command::Subscribe,
            Command::Get,
            Command::Acknowledge(no_message_id()),
            Command::Secure(public.into()),
            Command::SetRecipientKeys(NonEmpty::one(public.into())),
            Command::SetLink(all.link.clone(), data),
            Command::DeleteLink,
            Command::SetNotifier(public.into(), dh.into()),
            Command::DeleteNotifier,
            Command::Suspend,
            Command::Delete,
            Command::QueueInfo,
        ];
        let right = (EntityId::from(all.queue.recipient()), all.queue.key.clone());
        for command in &commands {
            try_all(&mut client, &all, *kind, command, (&right.0, &right.1)).await?;
        }
        // Nothing of it had an effect.
        client.ok(&all.sender, all.queue.sender(), &send(b"1")).await?;
        client.expect_message(&all.queue, b"1").await?;
    }
    client.expect_quiet().await
}

async fn auth_errors_of_sender_commands_are_equal_to_the_byte(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    for kind in KeyKind::all(context.version) {
        let all = Everything::create(&mut client, *kind).await?;
        let right = EntityId::from(all.queue.sender());
        for command in [send(b"1"), Command::SenderSecure(kind.generate().public_key().into())] {
            try_all(&mut client, &all, *kind, &command, (&right, &all.sender)).await?;
        }
        // Without authorization: a secured queue, and no queue.
        for id in all.ids().iter().chain([&unknown_id()]) {
            expect_auth_error(&mut client, Auth::None, id, &send(b"1")).await?;
        }
        // With one: a queue that is not secured.
        let unsecured = client.queue().await?;
        let id = EntityId::from(unsecured.sender());
        expect_auth_error(&mut client, Auth::Key(&all.sender), &id, &send(b"1")).await?;
        // And a queue that is suspended.
        client.ok(all.queue.auth(), all.queue.recipient(), &Command::Suspend).await?;
        expect_auth_error(&mut client, Auth::Key(&all.sender), &right, &send(b"1")).await?;
    }
    client.expect_quiet().await
}

async fn auth_errors_of_notifier_and_link_commands_are_equal_to_the_byte(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    for kind in KeyKind::all(context.version) {
        let all = Everything::create(&mut client, *kind).await?;
        let notifier_id = EntityId::from(&all.notifier.id);
        let right = (&notifier_id, &all.notifier.key);
        try_all(&mut client, &all, *kind, &Command::SubscribeNotifications, right).await?;
        // The queue is secured by another key.
        let (link_id, other) = (EntityId::from(&all.link), kind.generate());
        let lkey = Command::SecureAndGetLink(other.public_key().into());
        try_all(&mut client, &all, *kind, &lkey, (&link_id, &all.sender)).await?;
        for id in all.ids().iter().chain([&unknown_id()]) {
            expect_auth_error(&mut client, Auth::None, id, &Command::GetLink).await?;
        }
    }
    client.expect_quiet().await
}

/// By its size the relay sees which kind was used; the answer must not tell which kind the queue has.
async fn a_key_of_another_kind_is_refused(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    for kind in KeyKind::all(context.version) {
        let all = Everything::create(&mut client, *kind).await?;
        for other in KeyKind::all(context.version) {
            if other == kind {
                continue;
            }
            let key = other.generate();
            for id in all.ids() {
                expect_auth_error(&mut client, Auth::Key(&key), &id, &Command::Subscribe).await?;
                expect_auth_error(&mut client, Auth::Key(&key), &id, &send(b"1")).await?;
                expect_auth_error(&mut client, Auth::Key(&key), &id, &Command::SubscribeNotifications)
                    .await?;
            }
        }
    }
    client.expect_quiet().await
}

/// The authorization of one transmission, without its length.
fn authorization_of(
    client: &Client,
    key: &PrivateAuthKey,
    correlation_id: &[u8],
    entity_id: &[u8],
    command: &[u8],
) -> Result<Vec<u8>> {
    let transmission = client.transmission(Auth::Key(key), correlation_id, entity_id, command)?;
    let length = usize::from(*transmission.first().context("an empty transmission")?);
    Ok(transmission.get(1..=length).context("no authorization")?.to_vec())
}

async fn every_part_of_a_transmission_is_covered(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    for kind in KeyKind::all(context.version) {
        let options = NewOptions { key: kind.generate(), ..NewOptions::messaging() };
        // The same key, so that an authorization for one would do for the other.
        let (a, b) = (client.create(options.clone()).await?, client.create(options).await?);
        let (a_id, b_id) = (a.recipient().as_bytes(), b.recipient().as_bytes());
        let (sent, other) = (Client::correlation_id(), Client::correlation_id());
        for (correlation_id, entity_id, command) in
            [(&other, a_id, &b"SUB"[..]), (&sent, b_id, b"SUB"), (&sent, a_id, b"OFF")]
        {
            let moved = authorization_of(&client, &a.key, correlation_id.as_bytes(), entity_id, command)?;
            let answer = client.ask_as(&sent, Auth::Bytes(&moved), a_id, b"SUB").await?;
            let expected = BrokerMessage::Error(ErrorType::Auth);
            ensure!(answer.message == expected, "{kind:?}: {:?}", answer.message);
        }
        let right = authorization_of(&client, &a.key, sent.as_bytes(), a_id, b"OFF")?;
        let answer = client.ask_as(&sent, Auth::Bytes(&right), a_id, b"OFF").await?;
        ensure!(answer.message == BrokerMessage::Ok, "{kind:?}: {:?}", answer.message);
    }
    client.expect_quiet().await
}

/// A transmission of one connection cannot be sent again in another.
async fn the_session_is_covered(context: &Context) -> CheckResult {
    let (mut client, mut other) = context.connect_two().await?;
    for kind in KeyKind::all(context.version) {
        let queue = client.create(NewOptions { key: kind.generate(), ..NewOptions::messaging() }).await?;
        let foreign_id = client.session.id.as_bytes().to_vec();
        let foreign = Auth::OtherSession(&queue.key, &foreign_id);
        other.refused(foreign, queue.recipient(), &Command::Delete, ErrorType::Auth).await?;
        let id = Client::correlation_id();
        let delete =
            client.transmission(queue.auth(), id.as_bytes(), queue.recipient().as_bytes(), b"DEL")?;
        other.send(std::slice::from_ref(&delete)).await?;
        let answer = other.answer(id.as_bytes()).await?;
        // Before version 7 the session ID is sent, so that the relay sees it at once.
        let expected =
            if context.since(SmpVersion::AUTH_COMMANDS) { ErrorType::Auth } else { ErrorType::Session };
        ensure!(answer.message == BrokerMessage::Error(expected), "{kind:?}: {:?}", answer.message);
        client.send(&[delete]).await?;
        let answer = client.answer(id.as_bytes()).await?;
        ensure!(answer.message == BrokerMessage::Ok, "{:?}", answer.message);
    }
    Ok(())
}

async fn damaged_authorizations_are_refused(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    for kind in KeyKind::all(context.version) {
        let queue = client.create(NewOptions { key: kind.generate(), ..NewOptions::messaging() }).await?;
        let entity_id = queue.recipient().as_bytes();
        let id = Client::correlation_id();
        let right = authorization_of(&client, &queue.key, id.as_bytes(), entity_id, b"OFF")?;
        for at in [0, right.len() / 2, right.len() - 1] {
            let mut damaged = right.clone();
            damaged[at] ^= 1;
            let answer = client.ask_as(&id, Auth::Bytes(&damaged), entity_id, b"OFF").await?;
            ensure!(answer.message == BrokerMessage::Error(ErrorType::Auth), "{:?}", answer.message);
        }
        let zeros = vec![0; right.len()];
        let answer = client.ask_as(&id, Auth::Bytes(&zeros), entity_id, b"OFF").await?;
        ensure!(answer.message == BrokerMessage::Error(ErrorType::Auth), "{:?}", answer.message);
    }
    Ok(())
}
