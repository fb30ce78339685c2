//! Missing and superfluous credentials, unknown commands, and commands that cannot be read.

use anyhow::{Context as _, Result};
use smp_protocol::command::{Command, LinkData, ServiceQueues};
use smp_protocol::encoding::{LargeString, NonEmpty};
use smp_protocol::error::{CommandError, ErrorType};
use smp_protocol::id::MessageId;

use super::client::{Auth, Client};
use super::queue::{KeyKind, NewOptions, dh_key, no_message_id, send, unknown_id};
use super::{CheckResult, Context, checks};

checks! { "credentials":
    6..=19 => new_needs_an_authorization_and_no_entity,
    6..=19 => queue_commands_need_both,
    6..=19 => send_needs_an_entity,
    6..=19 => reading_links_and_proxy_sessions_needs_an_entity_only,
    6..=19 => ping_and_proxy_commands_need_nothing,
    6..=19 => unknown_commands_are_refused,
    6..=19 => superfluous_and_missing_parameters_are_refused,
    6..=19 => keys_of_the_wrong_kind_are_refused,
    16..=19 => a_service_signature_without_a_service_is_refused,
}

const ID: [u8; 24] = [1; 24];
/// Whether it is right is looked at last.
const SIGNATURE: Auth<'static> = Auth::Bytes(&[1; 64]);

/// Sends a command with and without authorization and entity, as `[with both, authorization, entity, nothing]`.
/// A command that is not refused because of its credentials is `None`, and not looked at.
async fn try_all(
    client: &mut Client,
    command: &Command<'_>,
    expected: [Option<CommandError>; 4],
) -> CheckResult {
    let credentials = [(SIGNATURE, &ID[..]), (SIGNATURE, &[]), (Auth::None, &ID), (Auth::None, &[])];
    for ((auth, entity_id), expected) in credentials.into_iter().zip(expected) {
        if let Some(error) = expected {
            client
                .refused(auth, entity_id, command, error)
                .await
                .with_context(|| format!("{auth:?} with {} bytes of entity ID", entity_id.len()))?;
        }
    }
    Ok(())
}

async fn new_needs_an_authorization_and_no_entity(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let (command, _) = client.new_command(&NewOptions::messaging());
    let no_auth = Some(CommandError::NoAuth);
    try_all(&mut client, &command, [Some(CommandError::HasAuth), None, no_auth, no_auth]).await
}

fn link_data() -> Result<LinkData<'static>> {
    Ok(LinkData { fixed: LargeString::new(&b"f"[..])?, user: LargeString::new(&b"u"[..])? })
}

async fn queue_commands_need_both(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let key = KeyKind::Ed25519.generate().public_key();
    let dh = dh_key().public_key();
    let no_auth = Some(CommandError::NoAuth);
    for command in [
        Command::Subscribe,
        Command::SubscribeAll(ServiceQueues::default()),
        Command::Secure(key.into()),
        Command::SetRecipientKeys(NonEmpty::one(key.into())),
        Command::SetLink(unknown_id().into(), link_data()?),
        Command::DeleteLink,
        Command::SetNotifier(key.into(), dh.into()),
        Command::DeleteNotifier,
        Command::Get,
        Command::Acknowledge(no_message_id()),
        Command::Suspend,
        Command::Delete,
        Command::QueueInfo,
        Command::SenderSecure(key.into()),
        Command::SecureAndGetLink(key.into()),
        Command::SubscribeNotifications,
        Command::SubscribeAllNotifications(ServiceQueues::default()),
    ] {
        try_all(&mut client, &command, [None, no_auth, no_auth, no_auth]).await?;
    }
    Ok(())
}

async fn send_needs_an_entity(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let no_entity = Some(CommandError::NoEntity);
    try_all(&mut client, &send(b"text"), [None, no_entity, None, no_entity]).await
}

async fn reading_links_and_proxy_sessions_needs_an_entity_only(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let key = dh_key().public_key();
    let forward = Command::ProxyForward {
        version: context.version,
        key: key.into(),
        transmission: b"box".as_slice().into(),
    };
    let no_entity = Some(CommandError::NoEntity);
    for command in [Command::GetLink, forward] {
        let expected = [Some(CommandError::HasAuth), no_entity, None, no_entity];
        try_all(&mut client, &command, expected).await?;
    }
    Ok(())
}

async fn ping_and_proxy_commands_need_nothing(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let relay = Box::new(context.target.address.without_password());
    let has_auth = Some(CommandError::HasAuth);
    for command in [
        Command::Ping,
        Command::ProxySession { relay, password: None },
        Command::RelayForward(b"box".as_slice().into()),
    ] {
        try_all(&mut client, &command, [has_auth, has_auth, has_auth, None]).await?;
    }
    client.expect_quiet().await
}

/// With any credentials. An answer of relays is no command, and neither is one that only later versions know.
async fn unknown_commands_are_refused(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let commands = [
        &b""[..],
        b" ",
        b"NONE",
        b"sub",
        b"SUBX",
        b"SU",
        b"PING\0",
        b"\xff\xff",
        b"OK",
        b"MSG ",
        b"SOK",
        b"END",
        b"PONG",
        b"ERR AUTH",
        b"IDS ",
        b"RSLV x",
    ];
    for command in commands {
        for (auth, entity_id) in [(Auth::None, &[][..]), (SIGNATURE, &ID)] {
            client.refused_bytes(auth, entity_id, command, CommandError::Unknown).await?;
        }
    }
    client.expect_quiet().await
}

/// Before credentials are looked at.
async fn superfluous_and_missing_parameters_are_refused(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    for name in ["SUB", "LDEL", "NDEL", "GET", "OFF", "DEL", "QUE", "PING", "LGET", "NSUB"] {
        for rest in [" ", " x"] {
            let command = [name, rest].concat();
            client.refused_bytes(Auth::None, [], command.as_bytes(), CommandError::Syntax).await?;
        }
    }
    for name in ["NEW", "KEY", "RKEY", "LSET", "NKEY", "ACK", "SKEY", "SEND", "LKEY", "PRXY", "PFWD", "RFWD"]
    {
        client.refused_bytes(Auth::None, [], name.as_bytes(), CommandError::Syntax).await?;
        if name != "RFWD" {
            let command = [name, " "].concat();
            client.refused_bytes(Auth::None, [], command.as_bytes(), CommandError::Syntax).await?;
        }
    }
    let longer = [Command::Acknowledge(MessageId::new(&ID)?).to_bytes(context.version), vec![0]].concat();
    client.refused_bytes(SIGNATURE, ID, &longer, CommandError::Syntax).await?;
    client.refused_bytes(SIGNATURE, ID, b"ACK \x18cut", CommandError::Syntax).await?;
    let all = if context.version.0 >= 19 { &b"SUBS"[..] } else { b"SUBS \0\0\0\0\0\0\0\0" };
    client.refused_bytes(SIGNATURE, ID, all, CommandError::Syntax).await?;
    client.expect_quiet().await
}

async fn keys_of_the_wrong_kind_are_refused(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    let ed448 = KeyKind::Ed448.generate().public_key().to_der();
    let key = KeyKind::Ed25519.generate().public_key().to_der();
    let short = |der: &[u8]| [&[der.len() as u8], der].concat();
    // A key that signs where one is wanted that agrees.
    let notifier = [&b"NKEY "[..], &short(&key), &short(&ed448)].concat();
    client.refused_bytes(queue.auth(), queue.recipient(), &notifier, CommandError::Syntax).await?;
    // X448 authorizes nothing. Its algorithm differs in one byte from that of Ed448.
    let mut x448 = ed448.clone();
    let algorithm = x448.iter_mut().find(|byte| **byte == 0x71).context("not an Ed448 key")?;
    *algorithm = 0x6f;
    for bytes in [&x448[..], &key[..key.len() - 1], &key[1..], b""] {
        let command = [&b"KEY "[..], &short(bytes)].concat();
        client.refused_bytes(queue.auth(), queue.recipient(), &command, CommandError::Syntax).await?;
    }
    client.ok(Auth::None, queue.sender(), &send(b"not secured")).await?;
    client.expect_message(&queue, b"not secured").await
}

async fn a_service_signature_without_a_service_is_refused(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    let auth = Auth::WithSignature(&queue.key, &[1; 64]);
    for command in [Command::Subscribe, Command::Suspend, Command::Delete] {
        client.refused(auth, queue.recipient(), &command, ErrorType::Service).await?;
    }
    client.ok(Auth::None, queue.sender(), &send(b"still there")).await?;
    client.expect_message(&queue, b"still there").await
}
