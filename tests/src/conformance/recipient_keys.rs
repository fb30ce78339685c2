//! `RKEY`: several owners of one contact queue.

use anyhow::Context as _;
use smp_crypto::PrivateAuthKey;
use smp_protocol::command::Command;
use smp_protocol::encoding::NonEmpty;
use smp_protocol::error::{CommandError, ErrorType};
use smp_protocol::key::RecipientAuthKey;
use smp_protocol::version::SmpVersion;

use super::client::Auth;
use super::queue::{KeyKind, NewOptions, send};
use super::{CheckResult, Context, checks};

checks! { "recipient_keys":
    9..=19 => the_new_keys_replace_the_old_ones,
    6..=19 => they_are_for_contact_queues_only,
    9..=19 => an_empty_list_is_a_syntax_error,
}

fn command(keys: &[&PrivateAuthKey]) -> anyhow::Result<Command<'static>> {
    let keys = keys.iter().map(|key| RecipientAuthKey(key.public_key())).collect();
    Ok(Command::SetRecipientKeys(NonEmpty::new(keys).context("no keys")?))
}

async fn the_new_keys_replace_the_old_ones(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.create(NewOptions::contact()).await?;
    let kinds = KeyKind::all(context.version);
    let owners: Vec<_> = kinds.iter().chain(kinds).map(|kind| kind.generate()).collect();
    let all: Vec<_> = owners.iter().collect();
    client.ok(queue.auth(), queue.recipient(), &command(&all)?).await?;
    client.refused(queue.auth(), queue.recipient(), &Command::QueueInfo, ErrorType::Auth).await?;
    for owner in &owners {
        client.ask(owner, queue.recipient(), &Command::QueueInfo).await?;
        // A subscription that is there stays.
        client.ok(Auth::None, queue.sender(), &send(b"request")).await?;
        let message = client.message(&queue).await?;
        client.ok(owner, queue.recipient(), &Command::Acknowledge(message.id)).await?;
    }
    // One owner can take the queue away from the others.
    client.ok(&owners[0], queue.recipient(), &command(&[&owners[0]])?).await?;
    client.refused(&owners[1], queue.recipient(), &Command::QueueInfo, ErrorType::Auth).await?;
    client.ok(&owners[0], queue.recipient(), &Command::Delete).await
}

async fn they_are_for_contact_queues_only(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let owner = KeyKind::Ed25519.generate();
    let mut queues = vec![client.queue().await?];
    // Up to version 14 a queue without a mode is a contact queue; before version 9 no queue has one.
    let has_no_mode = context.since(SmpVersion::SHORT_LINKS) || !context.since(SmpVersion::SENDER_AUTH_KEY);
    if has_no_mode {
        queues.push(client.create(NewOptions { request: None, ..NewOptions::messaging() }).await?);
    }
    for queue in queues {
        client.refused(queue.auth(), queue.recipient(), &command(&[&owner])?, ErrorType::Auth).await?;
        client.ok(queue.auth(), queue.recipient(), &Command::Suspend).await?;
    }
    Ok(())
}

async fn an_empty_list_is_a_syntax_error(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.create(NewOptions::contact()).await?;
    client.refused_bytes(queue.auth(), queue.recipient(), b"RKEY \0", CommandError::Syntax).await?;
    client.ok(queue.auth(), queue.recipient(), &Command::Suspend).await
}
