//! `KEY` and `SKEY`: who may secure a queue, and who may send to it then.

use anyhow::Context as _;
use smp_crypto::PrivateAuthKey;
use smp_protocol::command::Command;
use smp_protocol::error::{CommandError, ErrorType};
use smp_protocol::key::SenderAuthKey;

use super::client::{Auth, Client};
use super::queue::{KeyKind, NewOptions, Queue, send, sender_key};
use super::{CheckResult, Context, checks};

checks! { "secure":
    6..=19 => key_secures_with_every_kind_of_key,
    6..=19 => key_can_be_repeated_but_not_changed,
    6..=19 => key_is_for_the_recipient,
    6..=19 => key_secures_contact_queues_too,
    9..=19 => skey_secures_with_every_kind_of_key,
    9..=19 => skey_can_be_repeated_but_not_changed,
    9..=19 => skey_must_be_authorized_by_the_key_in_it,
    9..=19 => skey_is_not_for_contact_queues,
    6..=8 => skey_is_not_for_queues_without_mode,
    9..=19 => key_and_skey_exclude_each_other,
    6..=19 => an_unsecured_queue_takes_no_authorization,
    6..=19 => a_secured_queue_takes_only_its_sender,
}

fn key_command(key: &PrivateAuthKey) -> Command<'static> {
    Command::Secure(SenderAuthKey(key.public_key()))
}

fn skey_command(key: &PrivateAuthKey) -> Command<'static> {
    Command::SenderSecure(SenderAuthKey(key.public_key()))
}

async fn sends(client: &mut Client, queue: &Queue, auth: Auth<'_>) -> CheckResult {
    client.ok(auth, queue.sender(), &send(b"body")).await?;
    client.expect_message(queue, b"body").await
}

async fn key_secures_with_every_kind_of_key(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    for kind in KeyKind::all(context.version) {
        let (queue, key) = (client.queue().await?, kind.generate());
        client.ok(queue.auth(), queue.recipient(), &key_command(&key)).await?;
        sends(&mut client, &queue, Auth::Key(&key)).await.with_context(|| format!("{kind:?}"))?;
    }
    Ok(())
}

/// An answer may get lost, so a repeated command must succeed.
async fn key_can_be_repeated_but_not_changed(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let (queue, key) = (client.queue().await?, sender_key(context.version));
    for _ in 0..2 {
        client.ok(queue.auth(), queue.recipient(), &key_command(&key)).await?;
    }
    let other = sender_key(context.version);
    client.refused(queue.auth(), queue.recipient(), &key_command(&other), ErrorType::Auth).await?;
    client.refused(&other, queue.sender(), &send(b"1"), ErrorType::Auth).await?;
    sends(&mut client, &queue, Auth::Key(&key)).await
}

async fn key_is_for_the_recipient(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let (queue, key) = (client.queue().await?, KeyKind::Ed25519.generate());
    client.refused(&key, queue.recipient(), &key_command(&key), ErrorType::Auth).await?;
    client.refused(queue.auth(), queue.sender(), &key_command(&key), ErrorType::Auth).await?;
    client.refused_bytes(queue.auth(), queue.recipient(), b"KEY ", CommandError::Syntax).await?;
    sends(&mut client, &queue, Auth::None).await
}

async fn key_secures_contact_queues_too(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let (queue, key) = (client.create(NewOptions::contact()).await?, sender_key(context.version));
    client.ok(queue.auth(), queue.recipient(), &key_command(&key)).await?;
    client.refused(Auth::None, queue.sender(), &send(b"1"), ErrorType::Auth).await?;
    sends(&mut client, &queue, Auth::Key(&key)).await
}

async fn skey_secures_with_every_kind_of_key(context: &Context) -> CheckResult {
    let (mut recipient, mut sender) = context.connect_two().await?;
    for kind in KeyKind::all(context.version) {
        let (queue, key) = (recipient.queue().await?, kind.generate());
        sender.ok(&key, queue.sender(), &skey_command(&key)).await?;
        sender.ok(&key, queue.sender(), &send(b"body")).await?;
        recipient.expect_message(&queue, b"body").await.with_context(|| format!("{kind:?}"))?;
    }
    Ok(())
}

async fn skey_can_be_repeated_but_not_changed(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let (queue, key) = (client.queue().await?, sender_key(context.version));
    for _ in 0..2 {
        client.ok(&key, queue.sender(), &skey_command(&key)).await?;
    }
    let other = sender_key(context.version);
    client.refused(&other, queue.sender(), &skey_command(&other), ErrorType::Auth).await?;
    sends(&mut client, &queue, Auth::Key(&key)).await?;
    // Not even when there has been a message.
    client.ok(&key, queue.sender(), &skey_command(&key)).await
}

async fn skey_must_be_authorized_by_the_key_in_it(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    for kind in KeyKind::all(context.version) {
        let (key, other) = (kind.generate(), kind.generate());
        client.refused(&other, queue.sender(), &skey_command(&key), ErrorType::Auth).await?;
        client.refused(queue.auth(), queue.sender(), &skey_command(&key), ErrorType::Auth).await?;
        client.refused(&key, queue.recipient(), &skey_command(&key), ErrorType::Auth).await?;
    }
    sends(&mut client, &queue, Auth::None).await
}

async fn skey_is_not_for_contact_queues(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.create(NewOptions::contact()).await?;
    let key = sender_key(context.version);
    client.refused(&key, queue.sender(), &skey_command(&key), ErrorType::Auth).await?;
    sends(&mut client, &queue, Auth::None).await
}

/// The command is known in all versions, but these queues were not made for it.
async fn skey_is_not_for_queues_without_mode(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let (queue, key) = (client.queue().await?, KeyKind::Ed25519.generate());
    client.refused(&key, queue.sender(), &skey_command(&key), ErrorType::Auth).await?;
    sends(&mut client, &queue, Auth::None).await
}

async fn key_and_skey_exclude_each_other(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let (first, second) = (sender_key(context.version), sender_key(context.version));
    let by_recipient = client.queue().await?;
    client.ok(by_recipient.auth(), by_recipient.recipient(), &key_command(&first)).await?;
    client.refused(&second, by_recipient.sender(), &skey_command(&second), ErrorType::Auth).await?;
    client.ok(&first, by_recipient.sender(), &skey_command(&first)).await?;
    let by_sender = client.queue().await?;
    client.ok(&first, by_sender.sender(), &skey_command(&first)).await?;
    client.refused(by_sender.auth(), by_sender.recipient(), &key_command(&second), ErrorType::Auth).await?;
    client.ok(by_sender.auth(), by_sender.recipient(), &key_command(&first)).await?;
    sends(&mut client, &by_recipient, Auth::Key(&first)).await?;
    sends(&mut client, &by_sender, Auth::Key(&first)).await
}

async fn an_unsecured_queue_takes_no_authorization(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    for kind in KeyKind::all(context.version) {
        client.refused(&kind.generate(), queue.sender(), &send(b"1"), ErrorType::Auth).await?;
    }
    client.refused(queue.auth(), queue.sender(), &send(b"1"), ErrorType::Auth).await?;
    client.refused(Auth::None, queue.recipient(), &send(b"1"), ErrorType::Auth).await?;
    sends(&mut client, &queue, Auth::None).await?;
    client.expect_quiet().await
}

async fn a_secured_queue_takes_only_its_sender(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    let key = client.secure(&queue).await?;
    client.refused(Auth::None, queue.sender(), &send(b"1"), ErrorType::Auth).await?;
    for kind in KeyKind::all(context.version) {
        client.refused(&kind.generate(), queue.sender(), &send(b"1"), ErrorType::Auth).await?;
    }
    client.refused(queue.auth(), queue.sender(), &send(b"1"), ErrorType::Auth).await?;
    client.refused(&key, queue.recipient(), &send(b"1"), ErrorType::Auth).await?;
    sends(&mut client, &queue, Auth::Key(&key)).await?;
    client.expect_quiet().await
}
