//! `SUB`: who gets the messages, and what happens to who had them before.

use anyhow::ensure;
use smp_protocol::command::Command;
use smp_protocol::error::ErrorType;
use smp_protocol::message::BrokerMessage;

use super::client::{Auth, Client};
use super::queue::{KeyKind, NewOptions, send};
use super::{CheckResult, Context, checks};

checks! { "subscribe":
    6..=19 => the_answer_is_of_the_version,
    6..=19 => the_first_message_follows,
    6..=19 => the_last_connection_to_subscribe_gets_the_messages,
    6..=19 => the_displaced_subscriber_cannot_acknowledge,
    6..=19 => subscribing_again_delivers_again,
    6..=19 => a_message_that_was_not_acknowledged_comes_again,
    6..=19 => an_ended_connection_leaves_no_subscription,
    6..=19 => only_the_recipient_can_subscribe,
    6..=19 => other_versions_deliver_the_same_message,
}

/// `OK` before version 16, `SOK` without a service since then: the codec of the version has read it.
async fn the_answer_is_of_the_version(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.create(NewOptions::messaging().unsubscribed()).await?;
    let answer = client.ask_bytes(queue.auth(), queue.recipient().as_bytes(), b"SUB").await?;
    let expected = if context.version.0 >= 16 { &b"SOK 0"[..] } else { b"OK" };
    ensure!(answer.raw.ends_with(expected), "{:?}", answer.message);
    client.expect_quiet().await
}

/// The message may be the answer or come after it, but never before it.
async fn the_first_message_follows(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.create(NewOptions::messaging().unsubscribed()).await?;
    client.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    client.ok(Auth::None, queue.sender(), &send(b"2")).await?;
    let id = Client::correlation_id();
    let sub = client.transmission(queue.auth(), id.as_bytes(), queue.recipient().as_bytes(), b"SUB")?;
    client.send(&[sub]).await?;
    let answer = client.receive().await?;
    ensure!(answer.correlation_id == id, "before the answer came {answer:?}");
    let first = match answer.message {
        message @ BrokerMessage::Message(..) => queue.open(message)?,
        _ => client.message(&queue).await?,
    };
    ensure!(first.body() == Some(&b"1"[..]), "{first:?}");
    // One message at a time.
    client.expect_quiet().await?;
    let second = client.ack(&queue, &first.id).await?;
    ensure!(second.as_ref().and_then(|message| message.body()) == Some(&b"2"[..]), "{second:?}");
    Ok(())
}

async fn the_last_connection_to_subscribe_gets_the_messages(context: &Context) -> CheckResult {
    let (mut first, mut second) = context.connect_two().await?;
    let queue = first.queue().await?;
    ensure!(second.subscribe(&queue).await?.is_none(), "there is a message");
    first.expect_event(queue.recipient(), &BrokerMessage::End).await?;
    second.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    second.expect_message(&queue, b"1").await?;
    first.expect_quiet().await?;
    // And back again.
    ensure!(first.subscribe(&queue).await?.is_none(), "there is a message");
    second.expect_event(queue.recipient(), &BrokerMessage::End).await?;
    second.ok(Auth::None, queue.sender(), &send(b"2")).await?;
    first.expect_message(&queue, b"2").await?;
    second.expect_quiet().await
}

/// A message that the new subscriber has not acknowledged must not be deleted by the old one.
async fn the_displaced_subscriber_cannot_acknowledge(context: &Context) -> CheckResult {
    let (mut first, mut second) = context.connect_two().await?;
    let queue = first.queue().await?;
    first.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    let message = first.message(&queue).await?;
    let again = second.subscribe_and_receive(&queue).await?;
    ensure!(again == message, "another message: {again:?}");
    first.expect_event(queue.recipient(), &BrokerMessage::End).await?;
    let ack = Command::Acknowledge(message.id.clone());
    first.refused(queue.auth(), queue.recipient(), &ack, ErrorType::NoMessage).await?;
    second.ack_last(&queue, &message.id).await
}

async fn subscribing_again_delivers_again(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    ensure!(client.subscribe(&queue).await?.is_none(), "there is a message");
    client.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    let first = client.message(&queue).await?;
    let again = client.subscribe_and_receive(&queue).await?;
    ensure!(first == again, "{first:?} and {again:?}");
    client.ack_last(&queue, &first.id).await?;
    // Nobody was displaced.
    client.expect_quiet().await
}

async fn a_message_that_was_not_acknowledged_comes_again(context: &Context) -> CheckResult {
    let mut first = context.connect().await?;
    let queue = first.queue().await?;
    first.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    let message = first.message(&queue).await?;
    drop(first);
    let mut second = context.connect().await?;
    let again = second.subscribe_and_receive(&queue).await?;
    ensure!(message == again, "{message:?} and {again:?}");
    second.ack_last(&queue, &again.id).await?;
    ensure!(second.subscribe(&queue).await?.is_none(), "it was not deleted");
    second.expect_quiet().await
}

async fn an_ended_connection_leaves_no_subscription(context: &Context) -> CheckResult {
    let (mut first, mut second) = context.connect_two().await?;
    let queue = first.queue().await?;
    drop(first);
    // Kept, although the relay may not know yet that nobody is there.
    second.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    let message = second.subscribe_and_receive(&queue).await?;
    second.ack_last(&queue, &message.id).await?;
    second.ok(Auth::None, queue.sender(), &send(b"2")).await?;
    second.expect_message(&queue, b"2").await
}

async fn only_the_recipient_can_subscribe(context: &Context) -> CheckResult {
    let (mut client, mut other) = context.connect_two().await?;
    let queue = client.queue().await?;
    for kind in KeyKind::all(context.version) {
        other.refused(&kind.generate(), queue.recipient(), &Command::Subscribe, ErrorType::Auth).await?;
    }
    other.refused(queue.auth(), queue.sender(), &Command::Subscribe, ErrorType::Auth).await?;
    // A client that was refused has displaced nobody.
    other.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    client.expect_message(&queue, b"1").await?;
    client.expect_quiet().await
}

/// A queue does not belong to a version.
async fn other_versions_deliver_the_same_message(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    client.ok(Auth::None, queue.sender(), &send(b"for all")).await?;
    let message = client.message(&queue).await?;
    for version in [6, 19] {
        let version = smp_protocol::version::SmpVersion(version);
        let mut other = Client::connect(&context.target, version).await?;
        let again = other.subscribe_and_receive(&queue).await?;
        ensure!(again == message, "in version {}: {again:?}", version.0);
    }
    Ok(())
}
