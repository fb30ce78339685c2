//! `NKEY`, `NDEL`, `NSUB` and `NMSG`; notifier credentials in `NEW`.

use anyhow::{Context as _, Result, bail, ensure};
use smp_crypto::{BoxKey, PrivateAuthKey};
use smp_protocol::body::NotificationMeta;
use smp_protocol::command::{Command, NotifierCredentials};
use smp_protocol::error::ErrorType;
use smp_protocol::id::{EntityId, MessageId, NotifierId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::version::SmpVersion;

use super::client::{Auth, Client};
use super::queue::{KeyKind, NewOptions, Queue, dh_key, send, send_notified};
use super::{CheckResult, Context, checks};

checks! { "notifications":
    6..=19 => the_notifier_is_told_of_flagged_messages,
    6..=19 => every_kind_of_key_can_be_the_notifiers,
    6..=19 => what_came_before_the_notifier_waits_for_it,
    6..=19 => new_credentials_replace_the_old_ones,
    6..=19 => after_deletion_there_are_no_notifications,
    6..=19 => the_last_notifier_to_subscribe_is_told,
    6..=19 => a_notifier_can_subscribe_again,
    6..=19 => a_deleted_queue_ends_the_notifiers_subscription,
    6..=19 => only_the_notifier_can_subscribe,
    17..=19 => a_queue_is_created_with_notifications,
}

/// IDs and keys of a notifier and its recipient.
pub(super) struct Notifier {
    pub(super) id: NotifierId,
    pub(super) key: PrivateAuthKey,
    box_key: BoxKey,
}

/// Allows notifications.
pub(super) async fn allow(client: &mut Client, queue: &Queue, kind: KeyKind) -> Result<Notifier> {
    let (key, dh) = (kind.generate(), dh_key());
    let command = Command::SetNotifier(key.public_key().into(), dh.public_key().into());
    match client.ask(queue.auth(), queue.recipient(), &command).await? {
        BrokerMessage::NotifierId(id, relay) => {
            Ok(Notifier { id, key, box_key: dh.agree(&relay.0).box_key() })
        }
        other => bail!("NKEY was answered with {other:?}"),
    }
}

/// Subscribes to notifications, as a service if the client is one.
pub(super) async fn subscribe(client: &mut Client, notifier: &Notifier) -> CheckResult {
    let auth =
        if client.service.is_some() { Auth::WithService(&notifier.key) } else { Auth::Key(&notifier.key) };
    match client.ask(auth, &notifier.id, &Command::SubscribeNotifications).await? {
        BrokerMessage::Ok if client.version() < SmpVersion::SERVICE_CERTIFICATES => Ok(()),
        BrokerMessage::Subscribed(id)
            if id.as_ref() == client.service.as_ref().map(|service| &service.id) =>
        {
            Ok(())
        }
        other => bail!("NSUB was answered with {other:?}"),
    }
}

/// The next event, which must be a notification: the ID of the message that it is about.
pub(super) async fn notification(client: &mut Client, notifier: &Notifier) -> Result<MessageId> {
    let (entity, message) = client.event().await?;
    ensure!(entity == EntityId::from(&notifier.id), "about another queue: {message:?}");
    let BrokerMessage::Notification(nonce, meta) = message else { bail!("not NMSG: {message:?}") };
    Ok(NotificationMeta::open(&notifier.box_key, &nonce, meta.as_bytes())?.message_id)
}

async fn expect_ended(client: &mut Client, notifier: &Notifier) -> CheckResult {
    let told = client.receive().await?;
    let expected = if client.version() >= SmpVersion::DELETED_EVENT { &b"DELD"[..] } else { b"END" };
    ensure!(told.correlation_id.is_empty() && told.raw.ends_with(expected), "{told:?}");
    ensure!(told.entity_id == EntityId::from(&notifier.id), "about another queue");
    Ok(())
}

async fn the_notifier_is_told_of_flagged_messages(context: &Context) -> CheckResult {
    let (mut recipient, mut server) = context.connect_two().await?;
    let queue = recipient.queue().await?;
    let notifier = allow(&mut recipient, &queue, KeyKind::Ed25519).await?;
    ensure!(notifier.id.as_bytes() != queue.recipient().as_bytes(), "the recipient's ID was given away");
    ensure!(notifier.id.as_bytes() != queue.sender().as_bytes(), "the sender's ID was given away");
    subscribe(&mut server, &notifier).await?;
    recipient.ok(Auth::None, queue.sender(), &send(b"not flagged")).await?;
    let first = recipient.message(&queue).await?;
    recipient.ok(Auth::None, queue.sender(), &send_notified(b"flagged")).await?;
    let second = recipient.ack(&queue, &first.id).await?.context("a message is missing")?;
    let about = notification(&mut server, &notifier).await?;
    ensure!(about == second.id, "told of another message");
    server.expect_quiet().await?;
    recipient.ack_last(&queue, &second.id).await
}

async fn every_kind_of_key_can_be_the_notifiers(context: &Context) -> CheckResult {
    let (mut recipient, mut server) = context.connect_two().await?;
    for kind in KeyKind::all(context.version) {
        let queue = recipient.queue().await?;
        let notifier = allow(&mut recipient, &queue, *kind).await?;
        // Twice, as an answer may be lost.
        subscribe(&mut server, &notifier).await?;
        subscribe(&mut server, &notifier).await.with_context(|| format!("{kind:?}"))?;
        recipient.ok(Auth::None, queue.sender(), &send_notified(b"1")).await?;
        let message = recipient.message(&queue).await?;
        ensure!(notification(&mut server, &notifier).await? == message.id, "told of another message");
    }
    server.expect_quiet().await
}

async fn what_came_before_the_notifier_waits_for_it(context: &Context) -> CheckResult {
    let (mut recipient, mut server) = context.connect_two().await?;
    let queue = recipient.queue().await?;
    let notifier = allow(&mut recipient, &queue, KeyKind::Ed25519).await?;
    recipient.ok(Auth::None, queue.sender(), &send_notified(b"1")).await?;
    let message = recipient.message(&queue).await?;
    subscribe(&mut server, &notifier).await?;
    ensure!(notification(&mut server, &notifier).await? == message.id, "told of another message");
    server.expect_quiet().await
}

async fn new_credentials_replace_the_old_ones(context: &Context) -> CheckResult {
    let (mut recipient, mut server) = context.connect_two().await?;
    let queue = recipient.queue().await?;
    let old = allow(&mut recipient, &queue, KeyKind::Ed25519).await?;
    subscribe(&mut server, &old).await?;
    let new = allow(&mut recipient, &queue, KeyKind::Ed25519).await?;
    ensure!(old.id != new.id, "the same notifier ID");
    expect_ended(&mut server, &old).await?;
    server.refused(&old.key, &old.id, &Command::SubscribeNotifications, ErrorType::Auth).await?;
    server.refused(&old.key, &new.id, &Command::SubscribeNotifications, ErrorType::Auth).await?;
    subscribe(&mut server, &new).await?;
    recipient.ok(Auth::None, queue.sender(), &send_notified(b"1")).await?;
    let message = recipient.message(&queue).await?;
    ensure!(notification(&mut server, &new).await? == message.id, "told of another message");
    Ok(())
}

async fn after_deletion_there_are_no_notifications(context: &Context) -> CheckResult {
    let (mut recipient, mut server) = context.connect_two().await?;
    let queue = recipient.queue().await?;
    recipient.ok(queue.auth(), queue.recipient(), &Command::DeleteNotifier).await?;
    let notifier = allow(&mut recipient, &queue, KeyKind::Ed25519).await?;
    subscribe(&mut server, &notifier).await?;
    for _ in 0..2 {
        recipient.ok(queue.auth(), queue.recipient(), &Command::DeleteNotifier).await?;
    }
    expect_ended(&mut server, &notifier).await?;
    recipient.ok(Auth::None, queue.sender(), &send_notified(b"1")).await?;
    recipient.expect_message(&queue, b"1").await?;
    server.refused(&notifier.key, &notifier.id, &Command::SubscribeNotifications, ErrorType::Auth).await?;
    server.expect_quiet().await
}

async fn the_last_notifier_to_subscribe_is_told(context: &Context) -> CheckResult {
    let (mut recipient, mut first) = context.connect_two().await?;
    let mut second = context.connect().await?;
    let queue = recipient.queue().await?;
    let notifier = allow(&mut recipient, &queue, KeyKind::Ed25519).await?;
    subscribe(&mut first, &notifier).await?;
    subscribe(&mut second, &notifier).await?;
    first.expect_event(&notifier.id, &BrokerMessage::End).await?;
    recipient.ok(Auth::None, queue.sender(), &send_notified(b"1")).await?;
    let message = recipient.message(&queue).await?;
    ensure!(notification(&mut second, &notifier).await? == message.id, "told of another message");
    first.expect_quiet().await?;
    // The recipient's own subscription is another thing.
    recipient.ack_last(&queue, &message.id).await?;
    recipient.expect_quiet().await
}

async fn a_notifier_can_subscribe_again(context: &Context) -> CheckResult {
    let (mut recipient, mut server) = context.connect_two().await?;
    let queue = recipient.queue().await?;
    let notifier = allow(&mut recipient, &queue, KeyKind::Ed25519).await?;
    for _ in 0..2 {
        subscribe(&mut server, &notifier).await?;
    }
    server.expect_quiet().await?;
    recipient.ok(Auth::None, queue.sender(), &send_notified(b"1")).await?;
    let message = recipient.message(&queue).await?;
    ensure!(notification(&mut server, &notifier).await? == message.id, "told of another message");
    server.expect_quiet().await
}

async fn a_deleted_queue_ends_the_notifiers_subscription(context: &Context) -> CheckResult {
    let (mut recipient, mut server) = context.connect_two().await?;
    let queue = recipient.queue().await?;
    let notifier = allow(&mut recipient, &queue, KeyKind::Ed25519).await?;
    subscribe(&mut server, &notifier).await?;
    recipient.ok(queue.auth(), queue.recipient(), &Command::Delete).await?;
    expect_ended(&mut server, &notifier).await?;
    server.refused(&notifier.key, &notifier.id, &Command::SubscribeNotifications, ErrorType::Auth).await
}

async fn only_the_notifier_can_subscribe(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    let nsub = Command::SubscribeNotifications;
    client.refused(queue.auth(), queue.recipient(), &nsub, ErrorType::Auth).await?;
    let notifier = allow(&mut client, &queue, KeyKind::Ed25519).await?;
    for kind in KeyKind::all(context.version) {
        client.refused(&kind.generate(), &notifier.id, &nsub, ErrorType::Auth).await?;
    }
    client.refused(queue.auth(), &notifier.id, &nsub, ErrorType::Auth).await?;
    client.refused(&notifier.key, queue.recipient(), &nsub, ErrorType::Auth).await?;
    client.refused(&notifier.key, queue.sender(), &nsub, ErrorType::Auth).await?;
    // And the notifier can do nothing else.
    client.refused(&notifier.key, &notifier.id, &Command::Subscribe, ErrorType::Auth).await?;
    client.refused(&notifier.key, queue.recipient(), &Command::Get, ErrorType::Auth).await?;
    client.refused(Auth::None, &notifier.id, &send(b"1"), ErrorType::Auth).await?;
    let stranger = KeyKind::Ed25519.generate();
    client.refused(&stranger, queue.recipient(), &Command::DeleteNotifier, ErrorType::Auth).await?;
    subscribe(&mut client, &notifier).await
}

async fn a_queue_is_created_with_notifications(context: &Context) -> CheckResult {
    let (mut recipient, mut server) = context.connect_two().await?;
    let (key, dh) = (KeyKind::Ed25519.generate(), dh_key());
    let credentials =
        NotifierCredentials { auth_key: key.public_key().into(), dh_key: dh.public_key().into() };
    let queue =
        recipient.create(NewOptions { notifier: Some(credentials), ..NewOptions::messaging() }).await?;
    let relay = queue.ids.notifier.clone().context("no notifier ID was given")?;
    let notifier = Notifier { id: relay.notifier_id, key, box_key: dh.agree(&relay.dh_key.0).box_key() };
    subscribe(&mut server, &notifier).await?;
    recipient.ok(Auth::None, queue.sender(), &send_notified(b"1")).await?;
    let message = recipient.message(&queue).await?;
    ensure!(notification(&mut server, &notifier).await? == message.id, "told of another message");
    Ok(())
}
