//! `GET`: reading without a subscription.

use anyhow::{Context as _, Result, bail, ensure};
use smp_protocol::command::Command;
use smp_protocol::error::{CommandError, ErrorType};
use smp_protocol::id::MessageId;
use smp_protocol::message::BrokerMessage;

use super::client::{Auth, Client};
use super::queue::{Delivered, NewOptions, Queue, no_message_id, send};
use super::{CheckResult, Context, checks};

checks! { "get":
    6..=19 => one_message_is_the_answer,
    6..=19 => an_empty_queue_answers_ok,
    6..=19 => getting_again_gives_the_same_message,
    6..=19 => an_acknowledgement_gives_no_next_message,
    6..=19 => only_what_was_got_can_be_acknowledged,
    6..=19 => nothing_is_delivered_without_asking,
    6..=19 => it_excludes_a_subscription_of_the_same_connection,
    6..=19 => a_subscription_of_another_connection_goes_on,
}

/// Asks for a message.
async fn get(client: &mut Client, queue: &Queue) -> Result<Option<Delivered>> {
    match client.ask(queue.auth(), queue.recipient(), &Command::Get).await? {
        BrokerMessage::Ok => Ok(None),
        message @ BrokerMessage::Message(..) => queue.open(message).map(Some),
        other => bail!("GET was answered with {other:?}"),
    }
}

/// A queue without subscription, with these messages.
async fn queue_of(client: &mut Client, bodies: &[&[u8]]) -> Result<Queue> {
    let queue = client.create(NewOptions::messaging().unsubscribed()).await?;
    for body in bodies {
        client.ok(Auth::None, queue.sender(), &send(body)).await?;
    }
    Ok(queue)
}

async fn one_message_is_the_answer(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = queue_of(&mut client, &[b"1", b"2"]).await?;
    for body in [b"1", b"2"] {
        let message = get(&mut client, &queue).await?.context("a message is missing")?;
        ensure!(message.body() == Some(&body[..]), "{message:?}");
        client.ack_last(&queue, &message.id).await?;
    }
    ensure!(get(&mut client, &queue).await?.is_none(), "a message was not deleted");
    client.expect_quiet().await
}

async fn an_empty_queue_answers_ok(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = queue_of(&mut client, &[]).await?;
    for _ in 0..2 {
        ensure!(get(&mut client, &queue).await?.is_none(), "there is a message");
    }
    Ok(())
}

async fn getting_again_gives_the_same_message(context: &Context) -> CheckResult {
    let (mut client, mut other) = context.connect_two().await?;
    let queue = queue_of(&mut client, &[b"1", b"2"]).await?;
    let first = get(&mut client, &queue).await?;
    let again = get(&mut client, &queue).await?;
    let elsewhere = get(&mut other, &queue).await?;
    ensure!(first.is_some() && first == again && first == elsewhere, "{first:?}, {again:?}, {elsewhere:?}");
    Ok(())
}

async fn an_acknowledgement_gives_no_next_message(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = queue_of(&mut client, &[b"1", b"2"]).await?;
    let first = get(&mut client, &queue).await?.context("a message is missing")?;
    client.ack_last(&queue, &first.id).await?;
    client.expect_quiet().await?;
    let second = get(&mut client, &queue).await?.context("a message is missing")?;
    ensure!(second.body() == Some(&b"2"[..]), "{second:?}");
    Ok(())
}

async fn only_what_was_got_can_be_acknowledged(context: &Context) -> CheckResult {
    let (mut client, mut other) = context.connect_two().await?;
    let queue = queue_of(&mut client, &[b"1", b"2"]).await?;
    let first = get(&mut client, &queue).await?.context("a message is missing")?;
    let refused = |id: &MessageId| Command::Acknowledge(id.clone());
    let random = refused(&no_message_id());
    client.refused(queue.auth(), queue.recipient(), &random, ErrorType::NoMessage).await?;
    // Another connection has got nothing.
    other.refused(queue.auth(), queue.recipient(), &refused(&first.id), ErrorType::NoMessage).await?;
    client.ack_last(&queue, &first.id).await?;
    client.refused(queue.auth(), queue.recipient(), &refused(&first.id), ErrorType::NoMessage).await?;
    let second = get(&mut client, &queue).await?.context("the second message is gone")?;
    ensure!(second.body() == Some(&b"2"[..]), "{second:?}");
    Ok(())
}

async fn nothing_is_delivered_without_asking(context: &Context) -> CheckResult {
    let (mut client, mut sender) = context.connect_two().await?;
    let queue = queue_of(&mut client, &[]).await?;
    ensure!(get(&mut client, &queue).await?.is_none(), "there is a message");
    sender.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    client.expect_quiet().await?;
    ensure!(get(&mut client, &queue).await?.is_some(), "there is no message");
    Ok(())
}

/// Whichever comes first, and whether there are messages or not.
async fn it_excludes_a_subscription_of_the_same_connection(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let prohibited = || ErrorType::Command(CommandError::Prohibited);
    let subscribed = client.queue().await?;
    client.refused(subscribed.auth(), subscribed.recipient(), &Command::Get, prohibited()).await?;
    for bodies in [&[][..], &[&b"1"[..]]] {
        let queue = queue_of(&mut client, bodies).await?;
        get(&mut client, &queue).await?;
        client.refused(queue.auth(), queue.recipient(), &Command::Subscribe, prohibited()).await?;
        // It can still be got.
        ensure!(get(&mut client, &queue).await?.is_none() == bodies.is_empty(), "another answer");
        // Another connection can subscribe.
        let mut other = context.connect().await?;
        if bodies.is_empty() {
            ensure!(other.subscribe(&queue).await?.is_none(), "there is a message");
        } else {
            other.subscribe_and_receive(&queue).await?;
        }
    }
    // The subscription has not suffered.
    client.ok(Auth::None, subscribed.sender(), &send(b"1")).await?;
    client.expect_message(&subscribed, b"1").await
}

async fn a_subscription_of_another_connection_goes_on(context: &Context) -> CheckResult {
    let (mut subscriber, mut getter) = context.connect_two().await?;
    let queue = subscriber.queue().await?;
    ensure!(get(&mut getter, &queue).await?.is_none(), "there is a message");
    subscriber.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    let delivered = subscriber.message(&queue).await?;
    let got = get(&mut getter, &queue).await?.context("there is no message")?;
    ensure!(delivered == got, "{delivered:?} and {got:?}");
    subscriber.ack_last(&queue, &delivered.id).await?;
    subscriber.expect_quiet().await
}
