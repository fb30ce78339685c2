//! `SEND`, `MSG` and `ACK`.

use anyhow::{Context as _, ensure};
use smp_protocol::body::{ReceivedBody, max_message_length};
use smp_protocol::command::Command;
use smp_protocol::error::{CommandError, ErrorType};
use smp_protocol::id::MessageId;
use smp_protocol::message::BrokerMessage;

use super::client::{Auth, Client};
use super::queue::{KeyKind, Queue, no_message_id, send};
use super::{CheckResult, Context, checks};

checks! { "messages":
    6..=19 => bodies_up_to_the_limit_of_the_version_arrive,
    6..=19 => a_larger_body_is_refused,
    6..=19 => flags_and_time_arrive,
    6..=19 => flags_of_the_future_are_dropped,
    6..=19 => messages_come_one_at_a_time_and_in_order,
    6..=19 => ids_of_messages_are_never_repeated,
    6..=19 => only_the_delivered_message_can_be_acknowledged,
    6..=19 => nothing_is_acknowledged_without_subscription,
    6..=19 => an_empty_message_id_deletes_nothing,
    6..=19 => a_repeated_acknowledgement_deletes_nothing,
    6..=19 => after_the_last_one_the_next_comes_at_once,
}

/// Random, so that a body that was cut or filled is noticed.
fn body(length: usize) -> Vec<u8> {
    let mut body = vec![0; length];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut body);
    body
}

async fn bodies_up_to_the_limit_of_the_version_arrive(context: &Context) -> CheckResult {
    let (mut recipient, mut sender) = context.connect_two().await?;
    let queue = recipient.queue().await?;
    let key = sender.secure(&queue).await?;
    let limit = max_message_length(context.version);
    for length in [0, 1, 1000, limit - 1, limit] {
        let body = body(length);
        sender.ok(&key, queue.sender(), &send(&body)).await.with_context(|| format!("{length} bytes"))?;
        recipient.expect_message(&queue, &body).await?;
    }
    Ok(())
}

/// The limit is looked at after the authorization, and before the state of the queue.
async fn a_larger_body_is_refused(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    let body = body(max_message_length(context.version) + 1);
    client.refused(Auth::None, queue.sender(), &send(&body), ErrorType::LargeMessage).await?;
    let key = client.secure(&queue).await?;
    client.refused(&key, queue.sender(), &send(&body), ErrorType::LargeMessage).await?;
    client.refused(Auth::None, queue.sender(), &send(&body), ErrorType::Auth).await?;
    client.expect_quiet().await
}

async fn flags_and_time_arrive(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    let before = now();
    for (flag, notification) in [(&b"SEND T text"[..], true), (b"SEND F text", false)] {
        let answer = client.ask_bytes(Auth::None, queue.sender().as_bytes(), flag).await?;
        ensure!(answer.message == BrokerMessage::Ok, "{:?}", answer.message);
        let message = client.message(&queue).await?;
        let ReceivedBody::Message { time, flags, body } = &message.content else {
            anyhow::bail!("not a message: {message:?}")
        };
        ensure!(flags.notification == notification && **body == *b"text", "{message:?}");
        // Clocks may differ somewhat.
        ensure!((time.0 - before).abs() < 600, "the time is {}", time.0);
        client.ack_last(&queue, &message.id).await?;
    }
    for bytes in [&b"SEND"[..], b"SEND ", b"SEND T", b"SEND X text", b"SEND  text"] {
        client.refused_bytes(Auth::None, queue.sender(), bytes, CommandError::Syntax).await?;
    }
    client.expect_quiet().await
}

fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

/// More characters may follow the flag; relays of today do not pass them on.
async fn flags_of_the_future_are_dropped(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    let answer = client.ask_bytes(Auth::None, queue.sender().as_bytes(), b"SEND Txyz text").await?;
    ensure!(answer.message == BrokerMessage::Ok, "{:?}", answer.message);
    client.expect_message(&queue, b"text").await
}

async fn messages_come_one_at_a_time_and_in_order(context: &Context) -> CheckResult {
    const MESSAGES: u8 = 20;
    let (mut recipient, mut sender) = context.connect_two().await?;
    let queue = recipient.queue().await?;
    let key = sender.secure(&queue).await?;
    for number in 0..MESSAGES {
        sender.ok(&key, queue.sender(), &send(&[number])).await?;
    }
    let mut next = Some(recipient.message(&queue).await?);
    recipient.expect_quiet().await?;
    for number in 0..MESSAGES {
        let message = next.take().context("a message is missing")?;
        ensure!(message.body() == Some(&[number][..]), "{message:?} and not {number}");
        next = recipient.ack(&queue, &message.id).await?;
    }
    ensure!(next.is_none(), "one too many: {next:?}");
    recipient.expect_quiet().await
}

async fn ids_of_messages_are_never_repeated(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..10 {
        client.ok(Auth::None, queue.sender(), &send(b"the same")).await?;
        let message = client.message(&queue).await?;
        ensure!(message.id.as_bytes().len() == 24, "an ID of {} bytes", message.id.as_bytes().len());
        client.ack_last(&queue, &message.id).await?;
        // It is the nonce of the body's box, too.
        ensure!(seen.insert(message.id), "an ID was used twice");
    }
    Ok(())
}

async fn no_message(client: &mut Client, queue: &Queue, id: &MessageId) -> CheckResult {
    let ack = Command::Acknowledge(id.clone());
    client.refused(queue.auth(), queue.recipient(), &ack, ErrorType::NoMessage).await
}

async fn only_the_delivered_message_can_be_acknowledged(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    // Nothing was delivered.
    no_message(&mut client, &queue, &no_message_id()).await?;
    client.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    let message = client.message(&queue).await?;
    no_message(&mut client, &queue, &no_message_id()).await?;
    no_message(&mut client, &queue, &MessageId::new(&message.id.as_bytes()[..23])?).await?;
    client.ack_last(&queue, &message.id).await
}

async fn nothing_is_acknowledged_without_subscription(context: &Context) -> CheckResult {
    let (mut client, mut other) = context.connect_two().await?;
    let queue = client.queue().await?;
    client.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    let message = client.message(&queue).await?;
    no_message(&mut other, &queue, &message.id).await?;
    let (stranger, ack) = (KeyKind::Ed25519.generate(), Command::Acknowledge(message.id.clone()));
    other.refused(&stranger, queue.recipient(), &ack, ErrorType::Auth).await?;
    client.ack_last(&queue, &message.id).await
}

/// The reference implementation takes it for a question about the delivered message and sends that again; refusing it
/// is as good. In both cases the message is still there.
async fn an_empty_message_id_deletes_nothing(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    client.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    let message = client.message(&queue).await?;
    let ack = Command::Acknowledge(MessageId::empty());
    match client.ask(queue.auth(), queue.recipient(), &ack).await? {
        BrokerMessage::Error(ErrorType::NoMessage) => {}
        again @ BrokerMessage::Message(..) => {
            let again = queue.open(again)?;
            ensure!(again == message, "another message: {again:?}");
        }
        other => anyhow::bail!("answered with {other:?}"),
    }
    client.ack_last(&queue, &message.id).await
}

/// After a lost answer a client acknowledges again. By then the next message may have been delivered, and it must stay.
async fn a_repeated_acknowledgement_deletes_nothing(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    client.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    client.ok(Auth::None, queue.sender(), &send(b"2")).await?;
    let first = client.message(&queue).await?;
    let second = client.ack(&queue, &first.id).await?.context("there is no second message")?;
    no_message(&mut client, &queue, &first.id).await?;
    ensure!(second.body() == Some(&b"2"[..]), "{second:?}");
    client.ack_last(&queue, &second.id).await?;
    no_message(&mut client, &queue, &second.id).await?;
    client.expect_quiet().await
}

async fn after_the_last_one_the_next_comes_at_once(context: &Context) -> CheckResult {
    let (mut recipient, mut sender) = context.connect_two().await?;
    let queue = recipient.queue().await?;
    for number in 0..5 {
        sender.ok(Auth::None, queue.sender(), &send(&[number])).await?;
        recipient.expect_message(&queue, &[number]).await?;
    }
    recipient.expect_quiet().await
}
