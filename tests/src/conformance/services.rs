//! Services: certificates in the handshake, queues that belong to a service, `SUBS`, `NSUBS`, `SOKS`, `ENDS`, `ALLS`.

use anyhow::{Context as _, Result, bail, ensure};
use smp_protocol::command::{Command, IdsHash, ServiceQueues};
use smp_protocol::error::{CommandError, ErrorType, HandshakeError, TransportError};
use smp_protocol::handshake::{ServiceResponse, ServiceRole};
use smp_protocol::id::{EntityId, ServiceId};
use smp_protocol::message::BrokerMessage;
use smp_protocol::version::SmpVersion;
use smp_transport::identity::{CertificateAuthority, KeyAlgorithm, RelayIdentity};
use time::OffsetDateTime;

use super::client::{Auth, Client};
use super::notifications;
use super::queue::{KeyKind, NewOptions, Queue, send, send_notified};
use super::wire::{Greeted, Introduction};
use super::{CheckResult, Context, checks};

checks! { "services":
    16..=19 => a_service_keeps_its_id,
    16..=19 => a_service_has_one_role,
    16..=19 => the_certificates_must_be_those_of_tls,
    16..=19 => the_role_limits_the_commands,
    16..=19 => new_queues_belong_to_the_service,
    16..=19 => a_service_must_sign_too,
    16..=19 => a_subscription_adopts_the_queue,
    19..=19 => commands_for_all_queues_are_for_services,
    19..=19 => all_queues_are_subscribed_at_once,
    19..=19 => the_displaced_service_is_told,
    19..=19 => another_client_takes_a_queue_away,
    16..=19 => a_notifier_is_told_of_all_its_queues,
}

/// A service with certificates of its own.
fn identity() -> Result<RelayIdentity> {
    let (now, rng) = (OffsetDateTime::now_utc(), &mut rand::rng());
    let authority = CertificateAuthority::generate(KeyAlgorithm::Ed25519, now, rng);
    Ok(authority.issue("service.example", KeyAlgorithm::Ed25519, now, rng)?)
}

async fn connect(context: &Context, role: ServiceRole, identity: &RelayIdentity) -> Result<Client> {
    Client::connect_service(&context.target, context.version, role, identity).await
}

fn id(client: &Client) -> Result<ServiceId> {
    Ok(client.service.as_ref().context("not a service")?.id.clone())
}

async fn a_service_keeps_its_id(context: &Context) -> CheckResult {
    let (first, second) = (identity()?, identity()?);
    let a = id(&connect(context, ServiceRole::Messaging, &first).await?)?;
    let b = id(&connect(context, ServiceRole::Messaging, &first).await?)?;
    let c = id(&connect(context, ServiceRole::Messaging, &second).await?)?;
    ensure!(a == b, "another ID for the same service");
    ensure!(a != c && !a.is_empty(), "the same ID for another service");
    Ok(())
}

async fn refusal(
    context: &Context,
    in_tls: &RelayIdentity,
    hello_of: &RelayIdentity,
    role: ServiceRole,
) -> Result<TransportError> {
    let key = smp_crypto::Ed25519PrivateKey::generate(&mut rand::rng());
    let mut greeted = Greeted::connect(&context.target, Some(in_tls)).await?;
    let introduction =
        Introduction { service: Some((role, hello_of, &key)), ..Introduction::client(context.version) };
    let (hello, _) = greeted.answer(&context.target, &introduction)?;
    greeted.introduce(&hello).await?;
    let answer = greeted.wire.read().await?.context("closed without an answer")?;
    match ServiceResponse::read(&answer)? {
        ServiceResponse::Refused(error) => {
            greeted.wire.expect_close().await?;
            Ok(error)
        }
        ServiceResponse::Registered(_) => bail!("it was registered"),
    }
}

async fn a_service_has_one_role(context: &Context) -> CheckResult {
    let identity = identity()?;
    // A relay may forget a service that has no queue.
    let mut service = connect(context, ServiceRole::Messaging, &identity).await?;
    service.queue().await?;
    let error = refusal(context, &identity, &identity, ServiceRole::Notifier).await?;
    ensure!(error == TransportError::Handshake(HandshakeError::BadService), "refused with {error}");
    Ok(())
}

async fn the_certificates_must_be_those_of_tls(context: &Context) -> CheckResult {
    let (ours, other) = (identity()?, identity()?);
    let error = refusal(context, &ours, &other, ServiceRole::Messaging).await?;
    ensure!(error == TransportError::Handshake(HandshakeError::BadAuth), "refused with {error}");
    Ok(())
}

async fn the_role_limits_the_commands(context: &Context) -> CheckResult {
    let prohibited = || ErrorType::Command(CommandError::Prohibited);
    let mut notifier = connect(context, ServiceRole::Notifier, &identity()?).await?;
    let options = NewOptions::messaging();
    let (new, _) = notifier.new_command(&options);
    notifier.refused(Auth::WithService(&options.key), [], &new, prohibited()).await?;
    notifier.refused(Auth::None, [1; 24], &send(b"1"), prohibited()).await?;
    let mut messaging = connect(context, ServiceRole::Messaging, &identity()?).await?;
    let key = KeyKind::Ed25519.generate();
    let nsub = Command::SubscribeNotifications;
    messaging.refused(Auth::WithService(&key), [1; 24], &nsub, prohibited()).await?;
    let rfwd = Command::RelayForward(b"anything".as_slice().into());
    messaging.refused(Auth::None, [], &rfwd, prohibited()).await?;
    messaging.expect_quiet().await?;
    notifier.expect_quiet().await
}

/// They are subscribed by `SUBS` only, so that creating without subscription makes no sense.
async fn new_queues_belong_to_the_service(context: &Context) -> CheckResult {
    let mut service = connect(context, ServiceRole::Messaging, &identity()?).await?;
    let queue = service.queue().await?;
    ensure!(queue.ids.service_id == Some(id(&service)?), "the queue is not the service's: {:?}", queue.ids);
    let options = NewOptions::messaging().unsubscribed();
    let (new, _) = service.new_command(&options);
    service.refused(Auth::WithService(&options.key), [], &new, CommandError::Prohibited).await?;
    let mut sender = context.connect().await?;
    sender.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    service.expect_message(&queue, b"1").await
}

/// Both signatures are needed in a service session for `NEW`, `SUB` and `NSUB`, and one only for all else.
async fn a_service_must_sign_too(context: &Context) -> CheckResult {
    let mut service = connect(context, ServiceRole::Messaging, &identity()?).await?;
    let queue = service.queue().await?;
    service.refused(queue.auth(), queue.recipient(), &Command::Subscribe, ErrorType::Service).await?;
    let wrong = Auth::WithSignature(&queue.key, &[1; 64]);
    service.refused(wrong, queue.recipient(), &Command::Subscribe, ErrorType::Service).await?;
    let both = Auth::WithService(&queue.key);
    service.refused(both, queue.recipient(), &Command::Suspend, ErrorType::Service).await?;
    // The service's own signature does not make up for the queue's.
    let other = KeyKind::Ed25519.generate();
    service
        .refused(Auth::WithService(&other), queue.recipient(), &Command::Subscribe, ErrorType::Auth)
        .await?;
    service.ok(queue.auth(), queue.recipient(), &Command::Suspend).await
}

async fn subscribe(client: &mut Client, queue: &Queue) -> Result<BrokerMessage<'static>> {
    client.ask(Auth::WithService(&queue.key), queue.recipient(), &Command::Subscribe).await
}

async fn a_subscription_adopts_the_queue(context: &Context) -> CheckResult {
    let mut client = context.connect().await?;
    let mut service = connect(context, ServiceRole::Messaging, &identity()?).await?;
    let queue = client.queue().await?;
    let answer = subscribe(&mut service, &queue).await?;
    ensure!(answer == BrokerMessage::Subscribed(Some(id(&service)?)), "answered with {answer:?}");
    client.expect_event(queue.recipient(), &BrokerMessage::End).await?;
    client.ok(Auth::None, queue.sender(), &send(b"1")).await?;
    service.expect_message(&queue, b"1").await?;
    client.expect_quiet().await
}

async fn commands_for_all_queues_are_for_services(context: &Context) -> CheckResult {
    let all = [
        Command::SubscribeAll(ServiceQueues::default()),
        Command::SubscribeAllNotifications(ServiceQueues::default()),
    ];
    let mut client = context.connect().await?;
    let key = KeyKind::Ed25519.generate();
    for command in &all {
        client.refused(&key, [1; 24], command, ErrorType::Service).await?;
    }
    let mut service = connect(context, ServiceRole::Messaging, &identity()?).await?;
    let service_id = id(&service)?;
    service.refused(Auth::Service, [1; 24], &all[0], ErrorType::Service).await?;
    service.refused(&key, &service_id, &all[0], ErrorType::Service).await?;
    service.refused(Auth::Service, &service_id, &all[1], CommandError::Prohibited).await?;
    service.expect_quiet().await
}

/// The count and hash that a service says of its queues, as the relay says them.
fn queues(queues: &[&Queue]) -> ServiceQueues {
    let hash = queues.iter().fold(IdsHash::default(), |hash, queue| hash.combine(queue.recipient().into()));
    ServiceQueues { count: queues.len() as i64, ids_hash: hash }
}

async fn subscribe_all(client: &mut Client, ours: ServiceQueues) -> Result<ServiceQueues> {
    let service_id = id(client)?;
    match client.ask(Auth::Service, &service_id, &Command::SubscribeAll(ours)).await? {
        BrokerMessage::SubscribedAll(theirs) => Ok(theirs),
        other => bail!("SUBS was answered with {other:?}"),
    }
}

/// The answer tells what the relay has, whatever the service believes. Stored messages follow, one of each queue, and
/// then `ALLS`.
async fn all_queues_are_subscribed_at_once(context: &Context) -> CheckResult {
    let identity = identity()?;
    let mut first = connect(context, ServiceRole::Messaging, &identity).await?;
    let (a, b, c) = (first.queue().await?, first.queue().await?, first.queue().await?);
    drop(first);
    let mut sender = context.connect().await?;
    for body in [b"1", b"2"] {
        sender.ok(Auth::None, a.sender(), &send(body)).await?;
        sender.ok(Auth::None, b.sender(), &send(body)).await?;
    }
    let mut service = connect(context, ServiceRole::Messaging, &identity).await?;
    let theirs = subscribe_all(&mut service, ServiceQueues::default()).await?;
    ensure!(theirs == queues(&[&a, &b, &c]), "{theirs:?}");
    let mut delivered = Vec::new();
    loop {
        let (entity, message) = service.event().await?;
        if message == BrokerMessage::AllDelivered {
            ensure!(entity.is_empty(), "ALLS is about no queue");
            break;
        }
        let queue = [&a, &b, &c].into_iter().find(|queue| entity == EntityId::from(queue.recipient()));
        let queue = queue.context("about another queue")?;
        let message = queue.open(message)?;
        ensure!(message.body() == Some(&b"1"[..]), "{message:?}");
        delivered.push((queue, message.id));
    }
    ensure!(delivered.len() == 2, "{} messages", delivered.len());
    for (queue, first) in delivered {
        let second = service.ack(queue, &first).await?.context("the second message is missing")?;
        service.ack_last(queue, &second.id).await?;
    }
    sender.ok(Auth::None, c.sender(), &send(b"3")).await?;
    service.expect_message(&c, b"3").await?;
    service.ok(c.auth(), c.recipient(), &Command::Delete).await?;
    let mut again = connect(context, ServiceRole::Messaging, &identity).await?;
    let theirs = subscribe_all(&mut again, queues(&[&a, &b])).await?;
    ensure!(theirs == queues(&[&a, &b]), "{theirs:?}");
    Ok(())
}

async fn the_displaced_service_is_told(context: &Context) -> CheckResult {
    let identity = identity()?;
    let mut first = connect(context, ServiceRole::Messaging, &identity).await?;
    let (a, b) = (first.queue().await?, first.queue().await?);
    let ours = queues(&[&a, &b]);
    let mut second = connect(context, ServiceRole::Messaging, &identity).await?;
    ensure!(subscribe_all(&mut second, ours).await? == ours, "other queues");
    first.expect_event(id(&first)?, &BrokerMessage::EndAll(ours)).await?;
    let (entity, all) = second.event().await?;
    ensure!(entity.is_empty() && all == BrokerMessage::AllDelivered, "{all:?}");
    let mut sender = context.connect().await?;
    sender.ok(Auth::None, a.sender(), &send(b"1")).await?;
    second.expect_message(&a, b"1").await?;
    first.expect_quiet().await
}

async fn another_client_takes_a_queue_away(context: &Context) -> CheckResult {
    let identity = identity()?;
    let mut service = connect(context, ServiceRole::Messaging, &identity).await?;
    let (a, b) = (service.queue().await?, service.queue().await?);
    let mut client = context.connect().await?;
    ensure!(client.subscribe(&a).await?.is_none(), "there is a message");
    service.expect_event(a.recipient(), &BrokerMessage::End).await?;
    client.ok(Auth::None, a.sender(), &send(b"1")).await?;
    client.expect_message(&a, b"1").await?;
    let mut again = connect(context, ServiceRole::Messaging, &identity).await?;
    let theirs = subscribe_all(&mut again, queues(&[&b])).await?;
    ensure!(theirs == queues(&[&b]), "{theirs:?}");
    Ok(())
}

/// `NSUBS` has no parameters before version 19, and its answer no hash.
async fn a_notifier_is_told_of_all_its_queues(context: &Context) -> CheckResult {
    let identity = identity()?;
    let mut recipient = context.connect().await?;
    let queue = recipient.queue().await?;
    let notifier = notifications::allow(&mut recipient, &queue, KeyKind::Ed25519).await?;
    let mut first = connect(context, ServiceRole::Notifier, &identity).await?;
    notifications::subscribe(&mut first, &notifier).await?;
    recipient.ok(Auth::None, queue.sender(), &send_notified(b"1")).await?;
    let message = recipient.message(&queue).await?;
    ensure!(notifications::notification(&mut first, &notifier).await? == message.id, "another message");
    recipient.ack_last(&queue, &message.id).await?;
    drop(first);
    let mut second = connect(context, ServiceRole::Notifier, &identity).await?;
    let ids_hash = if context.since(SmpVersion::SERVICE_SUBSCRIPTIONS) {
        IdsHash::of(notifier.id.as_bytes())
    } else {
        IdsHash::default()
    };
    let ours = ServiceQueues { count: 1, ids_hash };
    let service_id = id(&second)?;
    let answer = second.ask(Auth::Service, &service_id, &Command::SubscribeAllNotifications(ours)).await?;
    ensure!(answer == BrokerMessage::SubscribedAll(ours), "answered with {answer:?}");
    recipient.ok(Auth::None, queue.sender(), &send_notified(b"2")).await?;
    let message = recipient.message(&queue).await?;
    ensure!(notifications::notification(&mut second, &notifier).await? == message.id, "another message");
    second.expect_quiet().await
}
