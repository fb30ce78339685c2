//! Full queues: `QUOTA`, the marker for the recipient, and when the queue can be sent to again.

use anyhow::{Context as _, Result, bail, ensure};
use smp_protocol::body::ReceivedBody;
use smp_protocol::command::Command;
use smp_protocol::error::ErrorType;
use smp_protocol::message::{BrokerMessage, MessageKind};

use super::client::{Auth, Client};
use super::queue::{NewOptions, Queue, send};
use super::{CheckResult, Context, checks};

checks! { "quota":
    6..=19 => a_full_queue_takes_nothing_until_all_was_received,
    6..=19 => other_queues_are_not_full,
    6..=19 => the_marker_is_shown_and_can_be_got,
}

/// A relay that takes more than this is not checked to its end.
const MOST: usize = 2_000;
/// Messages in one block.
const BATCH: usize = 64;

/// Sends until the queue is full. Returns how many messages it took.
async fn fill(client: &mut Client, queue: &Queue) -> Result<usize> {
    let mut taken = 0;
    let mut full = false;
    while taken < MOST {
        let mut ids = Vec::new();
        let mut batch = Vec::new();
        for number in taken..taken + BATCH {
            let id = Client::correlation_id();
            let command = send(&(number as u32).to_be_bytes()).to_bytes(client.version());
            batch.push(client.transmission(
                Auth::None,
                id.as_bytes(),
                queue.sender().as_bytes(),
                &command,
            )?);
            ids.push(id);
        }
        client.send(&batch).await?;
        for id in ids {
            match client.answer(id.as_bytes()).await?.message {
                BrokerMessage::Ok if !full => taken += 1,
                BrokerMessage::Error(ErrorType::Quota) => full = true,
                other => bail!("SEND was answered with {other:?}, full: {full}"),
            }
        }
        if full {
            return Ok(taken);
        }
    }
    bail!("the queue takes more than {MOST} messages")
}

async fn a_full_queue_takes_nothing_until_all_was_received(context: &Context) -> CheckResult {
    let (mut recipient, mut sender) = context.connect_two().await?;
    let queue = recipient.create(NewOptions::messaging().unsubscribed()).await?;
    let taken = fill(&mut sender, &queue).await?;
    ensure!(taken > 0, "the queue takes nothing");
    let full = send(b"one more");
    sender.refused(Auth::None, queue.sender(), &full, ErrorType::Quota).await?;

    let mut next = Some(recipient.subscribe_and_receive(&queue).await?);
    for number in 0..taken {
        let message = next.take().context("a message is missing")?;
        let expected = (number as u32).to_be_bytes();
        ensure!(message.body() == Some(&expected[..]), "{message:?} and not {number} of {taken}");
        if number == taken / 2 {
            // There is room, but not all was received.
            sender.refused(Auth::None, queue.sender(), &full, ErrorType::Quota).await?;
        }
        next = recipient.ack(&queue, &message.id).await?;
    }
    let marker = next.context("there is no marker")?;
    ensure!(matches!(marker.content, ReceivedBody::Quota { .. }), "not the marker: {marker:?}");
    sender.refused(Auth::None, queue.sender(), &full, ErrorType::Quota).await?;
    // However often a message was refused, there is one marker.
    recipient.ack_last(&queue, &marker.id).await?;
    sender.ok(Auth::None, queue.sender(), &send(b"again")).await?;
    recipient.expect_message(&queue, b"again").await?;
    recipient.ok(queue.auth(), queue.recipient(), &Command::Delete).await?;
    recipient.expect_quiet().await
}

/// Also who reads by `GET` learns that the queue was full.
async fn the_marker_is_shown_and_can_be_got(context: &Context) -> CheckResult {
    let (mut recipient, mut sender) = context.connect_two().await?;
    let queue = recipient.create(NewOptions::messaging().unsubscribed()).await?;
    let taken = fill(&mut sender, &queue).await?;
    let marker = loop {
        let message = match recipient.ask(queue.auth(), queue.recipient(), &Command::Get).await? {
            message @ BrokerMessage::Message(..) => queue.open(message)?,
            other => bail!("GET was answered with {other:?}"),
        };
        if message.body().is_none() {
            break message;
        }
        recipient.ack_last(&queue, &message.id).await?;
    };
    let answer = recipient.ask(queue.auth(), queue.recipient(), &Command::QueueInfo).await?;
    let BrokerMessage::QueueInfo(info) = answer else { bail!("QUE was answered with {answer:?}") };
    let kind = info.message.map(|message| message.kind);
    ensure!(info.size == 1 && kind == Some(MessageKind::Quota), "after {taken} messages: {kind:?}");
    sender.refused(Auth::None, queue.sender(), &send(b"1"), ErrorType::Quota).await?;
    recipient.ack_last(&queue, &marker.id).await?;
    sender.ok(Auth::None, queue.sender(), &send(b"again")).await?;
    recipient.ok(queue.auth(), queue.recipient(), &Command::Delete).await
}

async fn other_queues_are_not_full(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.create(NewOptions::messaging().unsubscribed()).await?;
    fill(&mut client, &queue).await?;
    let other = client.queue().await?;
    client.ok(Auth::None, other.sender(), &send(b"1")).await?;
    client.expect_message(&other, b"1").await?;
    client.ok(queue.auth(), queue.recipient(), &Command::Delete).await?;
    // Its messages are gone with it.
    client.refused(queue.auth(), queue.recipient(), &Command::Subscribe, ErrorType::Auth).await
}
