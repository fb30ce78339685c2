//! `NEW`: in all its forms.

use anyhow::{Context as _, ensure};
use smp_protocol::address::Password;
use smp_protocol::command::{Command, NewQueue, QueueMode, SubscriptionMode};
use smp_protocol::error::{CommandError, ErrorType};
use smp_protocol::id::ID_BYTES;
use smp_protocol::message::BrokerMessage;
use smp_protocol::version::SmpVersion;

use super::client::{Auth, Client};
use super::queue::{KeyKind, NewOptions, dh_key, send};
use super::{CheckResult, Context, checks};

checks! { "create":
    6..=19 => every_kind_of_key_can_own_a_queue,
    6..=19 => ids_are_new_and_all_different,
    6..=19 => the_answer_tells_the_mode,
    6..=19 => a_subscribed_queue_delivers_at_once,
    6..=19 => an_unsubscribed_queue_does_not_deliver,
    6..=19 => it_must_be_authorized_by_its_own_key,
    6..=19 => what_cannot_be_read_is_a_syntax_error,
    6..=19 => a_password_is_compared,
    6..=19 => the_same_key_can_own_many_queues,
}

async fn every_kind_of_key_can_own_a_queue(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    for kind in KeyKind::all(context.version) {
        let queue = client.create(NewOptions { key: kind.generate(), ..NewOptions::messaging() }).await?;
        client.ok(Auth::None, queue.sender(), &send(b"1")).await?;
        client.expect_message(&queue, b"1").await.with_context(|| format!("{kind:?}"))?;
        client.ok(queue.auth(), queue.recipient(), &Command::Delete).await?;
    }
    client.expect_quiet().await
}

async fn ids_are_new_and_all_different(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..8 {
        let ids = client.queue().await?.ids;
        for id in [ids.recipient_id.as_bytes(), ids.sender_id.as_bytes()] {
            ensure!(id.len() >= 16, "an ID of {} bytes can be guessed", id.len());
            ensure!(seen.insert(id.to_vec()), "an ID was given twice");
        }
        ensure!(ids.link_id.is_none() && ids.service_id.is_none() && ids.notifier.is_none(), "{ids:?}");
    }
    Ok(())
}

/// Before version 9 there are no modes; up to version 14 no mode and contact look the same.
async fn the_answer_tells_the_mode(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let messaging = client.queue().await?.ids.mode;
    let contact = client.create(NewOptions::contact()).await?.ids.mode;
    let none = client.create(NewOptions { request: None, ..NewOptions::messaging() }).await?.ids.mode;
    let expected = if context.since(SmpVersion::SHORT_LINKS) {
        (Some(QueueMode::Messaging), Some(QueueMode::Contact), None)
    } else if context.since(SmpVersion::SENDER_AUTH_KEY) {
        (Some(QueueMode::Messaging), Some(QueueMode::Contact), Some(QueueMode::Contact))
    } else {
        (None, None, None)
    };
    ensure!((messaging, contact, none) == expected, "{:?} and not {expected:?}", (messaging, contact, none));
    Ok(())
}

async fn a_subscribed_queue_delivers_at_once(context: &Context) -> CheckResult {
    let (mut recipient, mut sender) = context.connect_two().await?;
    let queue = recipient.queue().await?;
    sender.ok(Auth::None, queue.sender(), &send(b"at once")).await?;
    recipient.expect_message(&queue, b"at once").await
}

async fn an_unsubscribed_queue_does_not_deliver(context: &Context) -> CheckResult {
    let (mut recipient, mut sender) = context.connect_two().await?;
    let queue = recipient.create(NewOptions::messaging().unsubscribed()).await?;
    sender.ok(Auth::None, queue.sender(), &send(b"later")).await?;
    recipient.expect_quiet().await?;
    let message = recipient.subscribe_and_receive(&queue).await?;
    ensure!(message.body() == Some(&b"later"[..]), "{message:?}");
    Ok(())
}

/// The relay verifies `NEW` with the key inside it, so that nobody can register the key of another.
async fn it_must_be_authorized_by_its_own_key(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let (command, _) = client.new_command(&NewOptions::messaging());
    for kind in KeyKind::all(context.version) {
        client.refused(&kind.generate(), [], &command, ErrorType::Auth).await?;
    }
    client.refused_bytes(Auth::Bytes(&[0; 64]), [], &command.to_bytes(context.version), ErrorType::Auth).await
}

async fn what_cannot_be_read_is_a_syntax_error(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let options = NewOptions::messaging();
    let command = client.new_command(&options).0.to_bytes(context.version);
    let cut = &command[..command.len() - 1];
    let longer = [&command[..], b"T"].concat();
    let mut other_key = command.clone();
    // A byte of the algorithm of the first key.
    other_key[12] ^= 0x20;
    for bytes in [cut, &longer, &other_key, b"NEW", b"NEW "] {
        client.refused_bytes(options_auth(&options), [], bytes, CommandError::Syntax).await?;
    }
    Ok(())
}

fn options_auth<'a>(options: &'a NewOptions<'_>) -> Auth<'a> {
    Auth::Key(&options.key)
}

/// A relay without a password takes any; one with a password takes only that.
async fn a_password_is_compared(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let wants_password = client.password().is_some();
    for password in [None, Some(Password::new("not-the-password")?)] {
        let key = KeyKind::Ed25519.generate();
        let command = Command::New(Box::new(NewQueue {
            auth_key: key.public_key().into(),
            dh_key: dh_key().public_key().into(),
            password,
            subscription: SubscriptionMode::OnlyCreate,
            request: None,
            notifier: None,
        }));
        let answer = client.ask(&key, [], &command).await?;
        match answer {
            BrokerMessage::Error(ErrorType::Auth) if wants_password => {}
            BrokerMessage::QueueIds(_) if !wants_password => {}
            other => anyhow::bail!("answered with {other:?}"),
        }
    }
    client.queue().await?;
    Ok(())
}

async fn the_same_key_can_own_many_queues(context: &Context) -> CheckResult {
    let mut client: Client = context.connect().await?;
    let key = KeyKind::Ed25519.generate();
    let options = NewOptions { key: key.clone(), ..NewOptions::messaging() };
    let first = client.create(options.clone()).await?;
    let second = client.create(options).await?;
    ensure!(first.recipient() != second.recipient() && first.sender() != second.sender(), "the same queue");
    ensure!(first.recipient().as_bytes().len() == ID_BYTES, "queue IDs have 24 bytes");
    client.ok(&key, first.recipient(), &Command::Delete).await?;
    client.ok(Auth::None, second.sender(), &send(b"1")).await?;
    client.expect_message(&second, b"1").await
}
