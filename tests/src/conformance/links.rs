//! The data of short links: `NEW` with it, `LSET`, `LDEL`, `LKEY` and `LGET`.

use anyhow::{Context as _, Result, bail, ensure};
use smp_crypto::hash::sha3_384;
use smp_protocol::command::{Command, LinkData, LinkRequest, QueueRequest};
use smp_protocol::encoding::LargeString;
use smp_protocol::error::{CommandError, ErrorType};
use smp_protocol::id::{CorrelationId, ID_BYTES, LinkId, SenderId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::version::SmpVersion;

use super::client::{Auth, Client};
use super::queue::{KeyKind, NewOptions, Queue, send, sender_key};
use super::{CheckResult, Context, checks};

checks! { "links":
    15..=19 => a_messaging_queue_is_created_with_a_link,
    15..=19 => a_contact_queue_is_created_with_a_link,
    15..=19 => the_sender_id_must_follow_from_the_correlation_id,
    15..=19 => a_link_id_that_is_taken_is_refused,
    9..=19 => a_link_is_set_and_read,
    9..=19 => user_data_can_be_replaced_but_not_fixed_data,
    9..=19 => a_link_id_can_only_be_replaced_after_deletion,
    9..=19 => deleting_can_be_repeated,
    9..=19 => a_secured_queue_gets_no_link,
    9..=19 => lkey_secures_and_can_be_repeated,
    9..=19 => lkey_is_for_messaging_and_lget_for_contact,
    9..=19 => the_first_message_of_the_sender_ends_the_link,
    6..=8 => a_queue_without_mode_has_contact_links,
    15..=19 => link_data_of_the_largest_size_is_kept,
}

fn data<'a>(fixed: &'a [u8], user: &'a [u8]) -> Result<LinkData<'a>> {
    Ok(LinkData { fixed: LargeString::new(fixed)?, user: LargeString::new(user)? })
}

fn link_id() -> LinkId {
    LinkId::generate(&mut rand::rng())
}

/// The sender ID that a queue gets if it is created with a link by a command with this correlation ID.
fn sender_id(correlation_id: &CorrelationId) -> Result<SenderId> {
    Ok(SenderId::new(&sha3_384(correlation_id.as_bytes())[..ID_BYTES])?)
}

/// Sends `NEW` with a chosen correlation ID.
async fn create(
    client: &mut Client,
    correlation_id: &CorrelationId,
    request: QueueRequest<'_>,
) -> Result<Result<Queue, ErrorType>> {
    let options = NewOptions { request: Some(request), ..NewOptions::messaging() };
    let (command, dh) = client.new_command(&options);
    let bytes = command.to_bytes(client.version());
    match client.ask_as(correlation_id, Auth::Key(&options.key), &[], &bytes).await?.message {
        BrokerMessage::QueueIds(ids) => {
            let box_key = dh.agree(&ids.dh_key.0).box_key();
            Ok(Ok(Queue { key: options.key, ids: *ids, box_key }))
        }
        BrokerMessage::Error(error) => Ok(Err(error)),
        other => bail!("NEW was answered with {other:?}"),
    }
}

fn expect_link(answer: BrokerMessage<'_>, queue: &Queue, expected: LinkData<'_>) -> CheckResult {
    let BrokerMessage::Link(sender, found) = answer else { bail!("not LNK: {answer:?}") };
    ensure!(sender == *queue.sender(), "another sender ID");
    ensure!(found == expected, "other data: {found:?}");
    Ok(())
}

async fn a_messaging_queue_is_created_with_a_link(context: &Context) -> CheckResult {
    let (mut recipient, mut sender) = context.connect_two().await?;
    let id = Client::correlation_id();
    let link = LinkRequest { sender_id: sender_id(&id)?, data: data(b"fixed", b"user")? };
    let queue = create(&mut recipient, &id, QueueRequest::Messaging(Some(link))).await??;
    ensure!(*queue.sender() == sender_id(&id)?, "another sender ID was given");
    let link_id = queue.ids.link_id.clone().context("no link ID was given")?;
    let key = sender_key(context.version);
    let lkey = Command::SecureAndGetLink(key.public_key().into());
    expect_link(sender.ask(&key, &link_id, &lkey).await?, &queue, data(b"fixed", b"user")?)?;
    sender.ok(&key, queue.sender(), &send(b"1")).await?;
    recipient.expect_message(&queue, b"1").await
}

async fn a_contact_queue_is_created_with_a_link(context: &Context) -> CheckResult {
    let (mut recipient, mut sender) = context.connect_two().await?;
    let (id, link_id) = (Client::correlation_id(), link_id());
    let link = LinkRequest { sender_id: sender_id(&id)?, data: data(b"fixed", b"user")? };
    let queue = create(&mut recipient, &id, QueueRequest::Contact(Some((link_id.clone(), link)))).await??;
    ensure!(queue.ids.link_id.as_ref() == Some(&link_id), "another link ID was given");
    ensure!(*queue.sender() == sender_id(&id)?, "another sender ID was given");
    // It can be read any number of times, also after messages.
    for _ in 0..2 {
        let answer = sender.ask(Auth::None, &link_id, &Command::GetLink).await?;
        expect_link(answer, &queue, data(b"fixed", b"user")?)?;
        sender.ok(Auth::None, queue.sender(), &send(b"request")).await?;
        recipient.expect_message(&queue, b"request").await?;
    }
    Ok(())
}

/// Otherwise it could be tried out which IDs there are.
async fn the_sender_id_must_follow_from_the_correlation_id(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    for contact in [false, true] {
        let other = sender_id(&Client::correlation_id())?;
        let link = LinkRequest { sender_id: other, data: data(b"fixed", b"user")? };
        let request = if contact {
            QueueRequest::Contact(Some((link_id(), link)))
        } else {
            QueueRequest::Messaging(Some(link))
        };
        let refused = create(&mut client, &Client::correlation_id(), request).await?;
        let error = refused.err().context("it was accepted")?;
        ensure!(error == ErrorType::Command(CommandError::Prohibited), "refused with {error}");
    }
    Ok(())
}

async fn a_link_id_that_is_taken_is_refused(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let link_id = link_id();
    for attempt in 0..2 {
        let id = Client::correlation_id();
        let link = LinkRequest { sender_id: sender_id(&id)?, data: data(b"fixed", b"user")? };
        let created = create(&mut client, &id, QueueRequest::Contact(Some((link_id.clone(), link)))).await?;
        match created {
            Ok(_) if attempt == 0 => {}
            Err(ErrorType::Auth) if attempt == 1 => {}
            other => bail!("attempt {attempt}: {other:?}"),
        }
    }
    let queue = client.create(NewOptions::contact()).await?;
    let set = Command::SetLink(link_id, data(b"fixed", b"user")?);
    client.refused(queue.auth(), queue.recipient(), &set, ErrorType::Auth).await
}

async fn a_link_is_set_and_read(context: &Context) -> CheckResult {
    let (mut client, mut reader) = context.connect_two().await?;
    let queue = client.create(NewOptions::contact()).await?;
    let link_id = link_id();
    reader.refused(Auth::None, &link_id, &Command::GetLink, ErrorType::Auth).await?;
    let set = Command::SetLink(link_id.clone(), data(b"fixed", b"user")?);
    for kind in KeyKind::all(context.version) {
        client.refused(&kind.generate(), queue.recipient(), &set, ErrorType::Auth).await?;
    }
    client.refused(queue.auth(), queue.sender(), &set, ErrorType::Auth).await?;
    client.ok(queue.auth(), queue.recipient(), &set).await?;
    let answer = reader.ask(Auth::None, &link_id, &Command::GetLink).await?;
    expect_link(answer, &queue, data(b"fixed", b"user")?)?;
    // Other IDs of the queue do not name the link, and that of the link does not name the queue.
    reader.refused(Auth::None, queue.sender(), &Command::GetLink, ErrorType::Auth).await?;
    reader.refused(Auth::None, queue.recipient(), &Command::GetLink, ErrorType::Auth).await?;
    reader.refused(Auth::None, &link_id, &send(b"1"), ErrorType::Auth).await?;
    client.refused(queue.auth(), &link_id, &Command::Subscribe, ErrorType::Auth).await
}

async fn user_data_can_be_replaced_but_not_fixed_data(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.create(NewOptions::contact()).await?;
    let id = link_id();
    for user in [&b"user"[..], b"other", b"other"] {
        client
            .ok(queue.auth(), queue.recipient(), &Command::SetLink(id.clone(), data(b"fixed", user)?))
            .await?;
    }
    let changed = Command::SetLink(id.clone(), data(b"changed", b"user")?);
    client.refused(queue.auth(), queue.recipient(), &changed, ErrorType::Auth).await?;
    let answer = client.ask(Auth::None, &id, &Command::GetLink).await?;
    expect_link(answer, &queue, data(b"fixed", b"other")?)
}

async fn a_link_id_can_only_be_replaced_after_deletion(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.create(NewOptions::contact()).await?;
    let (first, second) = (link_id(), link_id());
    client.ok(queue.auth(), queue.recipient(), &Command::SetLink(first.clone(), data(b"1", b"1")?)).await?;
    let other = Command::SetLink(second.clone(), data(b"1", b"1")?);
    client.refused(queue.auth(), queue.recipient(), &other, ErrorType::Auth).await?;
    client.ok(queue.auth(), queue.recipient(), &Command::DeleteLink).await?;
    client.refused(Auth::None, &first, &Command::GetLink, ErrorType::Auth).await?;
    client.ok(queue.auth(), queue.recipient(), &other).await?;
    client.refused(Auth::None, &first, &Command::GetLink, ErrorType::Auth).await?;
    expect_link(client.ask(Auth::None, &second, &Command::GetLink).await?, &queue, data(b"1", b"1")?)
}

async fn deleting_can_be_repeated(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.create(NewOptions::contact()).await?;
    client.ok(queue.auth(), queue.recipient(), &Command::DeleteLink).await?;
    client.ok(queue.auth(), queue.recipient(), &Command::SetLink(link_id(), data(b"1", b"1")?)).await?;
    client.refused(queue.auth(), queue.sender(), &Command::DeleteLink, ErrorType::Auth).await?;
    let stranger = KeyKind::Ed25519.generate();
    client.refused(&stranger, queue.recipient(), &Command::DeleteLink, ErrorType::Auth).await?;
    for _ in 0..2 {
        client.ok(queue.auth(), queue.recipient(), &Command::DeleteLink).await?;
    }
    Ok(())
}

async fn a_secured_queue_gets_no_link(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    client.secure(&queue).await?;
    let set = Command::SetLink(link_id(), data(b"1", b"1")?);
    client.refused(queue.auth(), queue.recipient(), &set, ErrorType::Auth).await?;
    // A contact queue gets one even then: nobody's messages depend on the link.
    let contact = client.create(NewOptions::contact()).await?;
    let key = Command::Secure(sender_key(context.version).public_key().into());
    client.ok(contact.auth(), contact.recipient(), &key).await?;
    client.ok(contact.auth(), contact.recipient(), &set).await
}

async fn lkey_secures_and_can_be_repeated(context: &Context) -> CheckResult {
    let (mut recipient, mut sender) = context.connect_two().await?;
    let queue = recipient.queue().await?;
    let (id, key, other) = (link_id(), sender_key(context.version), sender_key(context.version));
    recipient.ok(queue.auth(), queue.recipient(), &Command::SetLink(id.clone(), data(b"f", b"u")?)).await?;
    let lkey = Command::SecureAndGetLink(key.public_key().into());
    sender.refused(&other, &id, &lkey, ErrorType::Auth).await?;
    sender.refused(&key, queue.sender(), &lkey, ErrorType::Auth).await?;
    for _ in 0..2 {
        expect_link(sender.ask(&key, &id, &lkey).await?, &queue, data(b"f", b"u")?)?;
    }
    let too_late = Command::SecureAndGetLink(other.public_key().into());
    sender.refused(&other, &id, &too_late, ErrorType::Auth).await?;
    sender.refused(Auth::None, queue.sender(), &send(b"1"), ErrorType::Auth).await?;
    // Securing by the sender ID with the same key is a repetition, too.
    sender.ok(&key, queue.sender(), &Command::SenderSecure(key.public_key().into())).await?;
    sender.ok(&key, queue.sender(), &send(b"1")).await?;
    recipient.expect_message(&queue, b"1").await
}

async fn lkey_is_for_messaging_and_lget_for_contact(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let (messaging, contact) = (client.queue().await?, client.create(NewOptions::contact()).await?);
    let (of_messaging, of_contact) = (link_id(), link_id());
    for (queue, id) in [(&messaging, &of_messaging), (&contact, &of_contact)] {
        client.ok(queue.auth(), queue.recipient(), &Command::SetLink(id.clone(), data(b"f", b"u")?)).await?;
    }
    let key = sender_key(context.version);
    let lkey = Command::SecureAndGetLink(key.public_key().into());
    client.refused(&key, &of_contact, &lkey, ErrorType::Auth).await?;
    client.refused(Auth::None, &of_messaging, &Command::GetLink, ErrorType::Auth).await?;
    client.ok(Auth::None, contact.sender(), &send(b"not secured")).await?;
    client.expect_message(&contact, b"not secured").await
}

/// It has served its purpose: nobody else shall find the queue by it.
async fn the_first_message_of_the_sender_ends_the_link(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    let (id, key) = (link_id(), sender_key(context.version));
    client.ok(queue.auth(), queue.recipient(), &Command::SetLink(id.clone(), data(b"f", b"u")?)).await?;
    // A message to a queue that is not secured does not end it.
    client.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    client.expect_message(&queue, b"1").await?;
    let lkey = Command::SecureAndGetLink(key.public_key().into());
    expect_link(client.ask(&key, &id, &lkey).await?, &queue, data(b"f", b"u")?)?;
    client.ok(&key, queue.sender(), &send(b"2")).await?;
    client.expect_message(&queue, b"2").await?;
    client.refused(&key, &id, &lkey, ErrorType::Auth).await
}

/// Such queues are from before there were modes; they may have been contact addresses for years.
async fn a_queue_without_mode_has_contact_links(context: &Context) -> CheckResult {
    ensure!(!context.since(SmpVersion::SENDER_AUTH_KEY), "queues have modes");
    let mut client = context.connect().await?;
    let queue = client.queue().await?;
    let id = link_id();
    client.ok(queue.auth(), queue.recipient(), &Command::SetLink(id.clone(), data(b"f", b"u")?)).await?;
    expect_link(client.ask(Auth::None, &id, &Command::GetLink).await?, &queue, data(b"f", b"u")?)?;
    let key = KeyKind::Ed25519.generate();
    let lkey = Command::SecureAndGetLink(key.public_key().into());
    client.refused(&key, &id, &lkey, ErrorType::Auth).await?;
    // Once it is secured it is no contact address.
    client.ok(queue.auth(), queue.recipient(), &Command::Secure(key.public_key().into())).await?;
    client.refused(Auth::None, &id, &Command::GetLink, ErrorType::Auth).await
}

/// Links pad their data to 2,008 and 13,784 bytes, and each has a tag and a nonce.
async fn link_data_of_the_largest_size_is_kept(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let queue = client.create(NewOptions::contact()).await?;
    let (fixed, user) = (vec![1; 2048], vec![2; 13_824]);
    let id = link_id();
    client.ok(queue.auth(), queue.recipient(), &Command::SetLink(id.clone(), data(&fixed, &user)?)).await?;
    expect_link(client.ask(Auth::None, &id, &Command::GetLink).await?, &queue, data(&fixed, &user)?)
}
