//! `OFF`, `DEL` and `QUE`: suspending, deleting and looking at queues.

use anyhow::{Context as _, ensure};
use smp_crypto::base64url;
use smp_protocol::body::max_message_length;
use smp_protocol::command::{Command, LinkData};
use smp_protocol::encoding::LargeString;
use smp_protocol::error::ErrorType;
use smp_protocol::id::LinkId;
use smp_protocol::message::{BrokerMessage, MessageKind, QueueInfo, SubscriptionThread};
use smp_protocol::version::SmpVersion;

use super::client::{Auth, Client};
use super::queue::{KeyKind, NewOptions, Queue, send, sender_key};
use super::{CheckResult, Context, checks};

checks! { "lifecycle":
    6..=19 => a_suspended_queue_takes_no_messages,
    6..=19 => a_suspended_queue_can_still_be_read,
    6..=19 => suspending_can_be_repeated,
    6..=19 => a_deleted_queue_is_unknown,
    6..=19 => a_deleted_queue_loses_its_messages,
    9..=19 => a_deleted_queue_loses_its_link,
    6..=19 => the_subscriber_is_told_of_a_deletion_by_another,
    6..=19 => only_the_recipient_can_suspend_delete_and_look,
    6..=19 => the_state_of_a_queue_is_shown,
    6..=19 => the_state_shows_what_was_delivered,
}

async fn a_suspended_queue_takes_no_messages(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    client.ok(queue.auth(), queue.recipient(), &Command::Suspend).await?;
    client.refused(Auth::None, queue.sender(), &send(b"1"), ErrorType::Auth).await?;
    // The size is looked at first.
    let large = vec![0; max_message_length(context.version) + 1];
    client.refused(Auth::None, queue.sender(), &send(&large), ErrorType::LargeMessage).await?;
    let secured = client.queue().await?;
    let key = client.secure(&secured).await?;
    client.ok(secured.auth(), secured.recipient(), &Command::Suspend).await?;
    client.refused(&key, secured.sender(), &send(b"1"), ErrorType::Auth).await?;
    client.expect_quiet().await
}

async fn a_suspended_queue_can_still_be_read(context: &Context) -> CheckResult {
    let (mut client, mut other) = context.connect_two().await?;
    let queue = client.create(NewOptions::messaging().unsubscribed()).await?;
    client.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    client.ok(Auth::None, queue.sender(), &send(b"2")).await?;
    client.ok(queue.auth(), queue.recipient(), &Command::Suspend).await?;
    let first = other.subscribe_and_receive(&queue).await?;
    let second = other.ack(&queue, &first.id).await?.context("the second message is missing")?;
    ensure!(second.body() == Some(&b"2"[..]), "{second:?}");
    other.ack_last(&queue, &second.id).await
}

async fn suspending_can_be_repeated(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    for _ in 0..2 {
        client.ok(queue.auth(), queue.recipient(), &Command::Suspend).await?;
    }
    client.refused(Auth::None, queue.sender(), &send(b"1"), ErrorType::Auth).await
}

async fn a_deleted_queue_is_unknown(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    client.ok(queue.auth(), queue.recipient(), &Command::Delete).await?;
    for command in [Command::Delete, Command::Subscribe, Command::Suspend, Command::Get, Command::QueueInfo] {
        client.refused(queue.auth(), queue.recipient(), &command, ErrorType::Auth).await?;
    }
    client.refused(Auth::None, queue.sender(), &send(b"1"), ErrorType::Auth).await?;
    let key = sender_key(context.version);
    let skey = Command::SenderSecure(key.public_key().into());
    client.refused(&key, queue.sender(), &skey, ErrorType::Auth).await?;
    // The client that deletes is not told.
    client.expect_quiet().await
}

async fn a_deleted_queue_loses_its_messages(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    client.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    let message = client.message(&queue).await?;
    client.ok(queue.auth(), queue.recipient(), &Command::Delete).await?;
    let ack = Command::Acknowledge(message.id);
    client.refused(queue.auth(), queue.recipient(), &ack, ErrorType::Auth).await
}

/// The ID of the link can be used again.
async fn a_deleted_queue_loses_its_link(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let id = LinkId::generate(&mut rand::rng());
    for user in [b"1", b"2"] {
        let queue = client.create(NewOptions::contact()).await?;
        let data = LinkData { fixed: LargeString::new(&b"f"[..])?, user: LargeString::new(&user[..])? };
        let lset = Command::SetLink(id.clone(), data.clone());
        client.ok(queue.auth(), queue.recipient(), &lset).await?;
        let link = client.ask(Auth::None, &id, &Command::GetLink).await?;
        ensure!(link == BrokerMessage::Link(queue.sender().clone(), data), "LGET was answered with {link:?}");
        client.ok(queue.auth(), queue.recipient(), &Command::Delete).await?;
        client.refused(Auth::None, &id, &Command::GetLink, ErrorType::Auth).await?;
    }
    Ok(())
}

/// Before version 10 there was only one word for it.
async fn the_subscriber_is_told_of_a_deletion_by_another(context: &Context) -> CheckResult {
    let (mut subscriber, mut other) = context.connect_two().await?;
    let queue = subscriber.queue().await?;
    other.ok(queue.auth(), queue.recipient(), &Command::Delete).await?;
    let told = subscriber.receive().await?;
    let expected = if context.since(SmpVersion::DELETED_EVENT) { &b"DELD"[..] } else { b"END" };
    ensure!(told.correlation_id.is_empty() && told.raw.ends_with(expected), "{told:?}");
    ensure!(told.entity_id == queue.recipient().into(), "about another queue");
    subscriber.expect_quiet().await
}

async fn only_the_recipient_can_suspend_delete_and_look(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    let sender = client.secure(&queue).await?;
    for command in [Command::Suspend, Command::Delete, Command::QueueInfo, Command::Get] {
        for kind in KeyKind::all(context.version) {
            client.refused(&kind.generate(), queue.recipient(), &command, ErrorType::Auth).await?;
        }
        client.refused(&sender, queue.recipient(), &command, ErrorType::Auth).await?;
        client.refused(&sender, queue.sender(), &command, ErrorType::Auth).await?;
        client.refused(queue.auth(), queue.sender(), &command, ErrorType::Auth).await?;
    }
    client.ok(&sender, queue.sender(), &send(b"still there")).await?;
    client.expect_message(&queue, b"still there").await
}

async fn look(client: &mut Client, queue: &Queue) -> anyhow::Result<QueueInfo> {
    match client.ask(queue.auth(), queue.recipient(), &Command::QueueInfo).await? {
        BrokerMessage::QueueInfo(info) => Ok(*info),
        other => anyhow::bail!("QUE was answered with {other:?}"),
    }
}

/// The JSON is read by its names: order and spaces have no meaning.
async fn the_state_of_a_queue_is_shown(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.create(NewOptions::messaging().unsubscribed()).await?;
    let empty = look(&mut client, &queue).await?;
    ensure!(!empty.sender_secured && !empty.notifications && empty.size == 0, "{empty:?}");
    ensure!(empty.subscription.is_none() && empty.message.is_none(), "{empty:?}");
    client.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    client.ok(Auth::None, queue.sender(), &send(b"2")).await?;
    client.secure(&queue).await?;
    let full = look(&mut client, &queue).await?;
    ensure!(full.sender_secured && full.size == 2 && full.subscription.is_none(), "{full:?}");
    let first = full.message.context("the first message is not shown")?;
    ensure!(first.kind == MessageKind::Message, "{first:?}");
    let message = client.subscribe_and_receive(&queue).await?;
    ensure!(is_base64(&first.id, message.id.as_bytes()), "{first:?} and {message:?}");
    Ok(())
}

/// Both implementations write the standard alphabet, relays of ours before that base64url: people read it, no program.
fn is_base64(text: &str, bytes: &[u8]) -> bool {
    text == base64url::encode(bytes) || text.replace('+', "-").replace('/', "_") == base64url::encode(bytes)
}

async fn the_state_shows_what_was_delivered(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    let idle = look(&mut client, &queue).await?.subscription.context("there is no subscription")?;
    ensure!(idle.thread == SubscriptionThread::NoSub && idle.delivered.is_none(), "{idle:?}");
    client.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    let message = client.message(&queue).await?;
    let busy = look(&mut client, &queue).await?.subscription.context("there is no subscription")?;
    let delivered = busy.delivered.context("no delivered message is shown")?;
    ensure!(is_base64(&delivered, message.id.as_bytes()), "{delivered}");
    client.ack_last(&queue, &message.id).await?;
    let info = look(&mut client, &queue).await?;
    ensure!(info.size == 0 && info.message.is_none(), "{info:?}");
    let got = client.create(NewOptions::messaging().unsubscribed()).await?;
    client.ok(got.auth(), got.recipient(), &Command::Get).await?;
    let info = look(&mut client, &got).await?.subscription.context("there is no subscription")?;
    ensure!(info.thread == SubscriptionThread::ProhibitSub, "{info:?}");
    // Another connection has no subscription.
    let other = look(&mut context.connect().await?, &queue).await?;
    ensure!(other.subscription.is_none(), "{other:?}");
    Ok(())
}
