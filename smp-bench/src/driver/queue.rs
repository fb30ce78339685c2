//! Queues of a measurement.

use anyhow::{Context as _, Result, bail};
use smp_crypto::{PrivateAuthKey, PublicAuthKey, X25519PublicKey};
use smp_protocol::command::{Command, NewQueue, QueueRequest, SubscriptionMode};
use smp_protocol::id::{EntityId, RecipientId, SenderId};
use smp_protocol::message::BrokerMessage;

use super::exchange::exchange;
use super::link::Link;
use super::prepare::Preparer;
use super::target::Target;

/// Requests in flight while queues are made or deleted.
const WINDOW: usize = 256;

/// The keys of a queue that is to be created.
#[derive(Debug)]
pub struct NewKeys {
    /// Authorizes the recipient's commands.
    pub recipient: PrivateAuthKey,
    /// The public key of `recipient`.
    pub recipient_public: PublicAuthKey,
    /// Authorizes the sender's commands.
    pub sender: PrivateAuthKey,
    /// The public key of `sender`.
    pub sender_public: PublicAuthKey,
    /// For the secret between relay and recipient.
    pub dh_key: X25519PublicKey,
}

/// A queue that exists and is secured.
#[derive(Debug, Clone)]
pub struct Queue {
    /// For the recipient's commands.
    pub recipient_id: RecipientId,
    /// For the sender's commands.
    pub sender_id: SenderId,
    /// Authorizes the recipient's commands.
    pub recipient: PrivateAuthKey,
    /// Authorizes the sender's commands.
    pub sender: PrivateAuthKey,
}

/// The `NEW` for these keys.
#[must_use]
pub fn new_queue(keys: &NewKeys, target: &Target, subscription: SubscriptionMode) -> Command<'static> {
    Command::New(Box::new(NewQueue {
        auth_key: keys.recipient_public.into(),
        dh_key: keys.dh_key.into(),
        password: target.address.password.clone(),
        subscription,
        request: Some(QueueRequest::Messaging(None)),
        notifier: None,
    }))
}

/// Creates queues and secures them.
///
/// # Errors
/// If the connection is lost, or the relay refuses.
pub async fn create(
    link: &mut Link,
    target: &Target,
    keys: Vec<NewKeys>,
    subscription: SubscriptionMode,
) -> Result<Vec<Queue>> {
    let mut preparer = Preparer::new(&link.session);
    let mut requests = Vec::with_capacity(keys.len());
    for keys in &keys {
        let key = preparer.ready(&keys.recipient)?;
        requests.push(preparer.transmission(
            Some(&key),
            &EntityId::empty(),
            &new_queue(keys, target, subscription),
        )?);
    }
    let mut ids = vec![None; keys.len()];
    exchange(link, &requests, WINDOW, |incoming| {
        match (incoming.request, incoming.message) {
            (Some(number), BrokerMessage::QueueIds(created)) => {
                let place = usize::try_from(number).ok().and_then(|number| ids.get_mut(number));
                *place.context("the relay answers what was not asked")? =
                    Some((created.recipient_id, created.sender_id));
            }
            (_, other) => refused("NEW", &other)?,
        }
        Ok(())
    })
    .await?;
    let queues = keys.into_iter().zip(ids).map(|(keys, ids)| {
        let (recipient_id, sender_id) = ids.context("the relay left a NEW unanswered")?;
        let (recipient, sender) = (keys.recipient, keys.sender);
        Ok((Queue { recipient_id, sender_id, recipient, sender }, keys.sender_public))
    });
    let queues: Vec<(Queue, PublicAuthKey)> = queues.collect::<Result<_>>()?;
    secure(link, &queues).await?;
    Ok(queues.into_iter().map(|(queue, _)| queue).collect())
}

async fn secure(link: &mut Link, queues: &[(Queue, PublicAuthKey)]) -> Result<()> {
    let secure = queues.iter().map(|(queue, sender)| (queue, Command::Secure((*sender).into())));
    all_ok(link, "KEY", secure).await
}

/// Deletes queues.
///
/// # Errors
/// If the connection is lost, or the relay refuses.
pub async fn delete(link: &mut Link, queues: &[Queue]) -> Result<()> {
    all_ok(link, "DEL", queues.iter().map(|queue| (queue, Command::Delete))).await
}

/// Runs commands of recipients that are answered by `OK`.
async fn all_ok(
    link: &mut Link,
    name: &str,
    commands: impl Iterator<Item = (&Queue, Command<'static>)>,
) -> Result<()> {
    let mut preparer = Preparer::new(&link.session);
    let mut requests = Vec::new();
    for (queue, command) in commands {
        let key = preparer.ready(&queue.recipient)?;
        requests.push(preparer.transmission(Some(&key), &(&queue.recipient_id).into(), &command)?);
    }
    exchange(link, &requests, WINDOW, |incoming| match (incoming.request, incoming.message) {
        (Some(_), BrokerMessage::Ok) | (None, _) => Ok(()),
        (Some(_), other) => refused(name, &other),
    })
    .await
}

fn refused(command: &str, answer: &BrokerMessage<'_>) -> Result<()> {
    match answer {
        BrokerMessage::Error(error) => bail!("the relay answers {command} with {error}"),
        _ => bail!("the relay answers {command} with {}", answer.tag().name()),
    }
}
