//! `NEW`: creates a queue.

use rand::CryptoRng;
use smp_crypto::{X25519PrivateKey, hash};
use smp_protocol::{
    command::{NewQueue, QueueRequest, SubscriptionMode},
    error::{CommandError, ErrorType},
    id::{ID_BYTES, LinkId, NotifierId, RecipientId, SenderId, ServiceId},
    message::{BrokerMessage, QueueIds, RelayNotifierCredentials},
};

use super::{
    context::Context,
    outcome::{CommandResult, Effect, Outcome},
    turn::wait_for_turn,
};
use crate::{
    broker::{ClientEnded, Subscribed},
    metrics::Limit,
    store::{
        self, Day, LinkData, Notifier, QueueLink, QueueMode, QueueRecord, QueueStatus, ServiceRole,
        StoreError,
    },
};

/// How often other random IDs are tried if one is taken.
const ATTEMPTS: usize = 3;

pub(super) async fn run(cx: &Context<'_>, request: NewQueue<'_>) -> CommandResult {
    let config = cx.node.config();
    let settings = &config.queues;
    let password_fits = settings.create_password.is_none() || request.password == settings.create_password;
    if !settings.new_queues || !password_fits {
        return Err(ErrorType::Auth);
    }
    if cx.service.is_some() && request.subscription == SubscriptionMode::OnlyCreate {
        return Err(CommandError::Prohibited.into());
    }
    let too_often = || ErrorType::Store("too many new queues, try again later".to_owned());
    wait_for_turn(cx, &cx.node.creation, config.limits.new_queues(), too_often).await?;
    refuse_too_many(cx, config.limits.max_queues)?;
    let link = requested_link(cx, &request)?;
    cx.keep_service().await?;
    let today = Day::of(cx.node.clock.now());
    let mut result = Err(StoreError::Duplicate);
    for _ in 0..ATTEMPTS {
        let (queue, ids) = build(&request, link.clone(), cx.service_id(), today, &mut cx.node.rng());
        result = cx.node.store.create_queue(queue).await.map(|record| (record, ids));
        match &result {
            // IDs that the client has chosen stay the same.
            Err(StoreError::Duplicate) if link.is_none() => {}
            _ => break,
        }
    }
    let (record, ids) = match result {
        Err(StoreError::Duplicate) if link.is_none() => return Err(ErrorType::Internal),
        result => result?,
    };
    let answer = Outcome::from(BrokerMessage::QueueIds(Box::new(ids)));
    if request.subscription == SubscriptionMode::OnlyCreate {
        return Ok(answer);
    }
    // If the client has ended the queue is there all the same.
    let _ = subscribe(cx, &record);
    Ok(match record.link {
        Some(_) => answer.then(Effect::Deliver(record.recipient_id.clone())),
        None => answer,
    })
}

/// # Errors
///
/// `STORE` if the relay has as many queues as it may have; those that are being created are not counted yet.
fn refuse_too_many(cx: &Context<'_>, max_queues: u64) -> Result<(), ErrorType> {
    if max_queues == 0 || cx.node.store.counts().queues < max_queues {
        return Ok(());
    }
    cx.node.metrics.refusals.note(Limit::Queues, max_queues);
    Err(ErrorType::Store("no room for new queues".to_owned()))
}

/// In a session of a service the queue is the service's from the beginning.
fn subscribe(cx: &Context<'_>, queue: &QueueRecord) -> Result<(), ClientEnded> {
    let (id, dh) = (&queue.recipient_id, &queue.recipient_dh);
    let subscriptions = &cx.node.hub.subscriptions;
    let subscribed = match queue.link {
        // With the link the sender ID was known before the queue was there: something may have been sent already.
        Some(_) => subscriptions.subscribe(id, dh, &cx.caller.client),
        None => subscriptions.subscribe_new(id, dh, &cx.caller.client),
    };
    if let Subscribed::Ended = subscribed {
        return Err(ClientEnded);
    }
    match cx.service_id() {
        Some(service) => {
            cx.node.hub.join_service(service, ServiceRole::Messaging, &cx.caller.client, id.into(), true)
        }
        None => Ok(()),
    }
}

/// IDs and data that the client has chosen: the link ID of contact queues, and the sender ID.
#[derive(Clone)]
struct RequestedLink {
    link_id: Option<LinkId>,
    sender_id: SenderId,
    data: LinkData,
}

/// # Errors
///
/// `PROHIBITED` unless the sender ID follows from the correlation ID: otherwise it could be tried out which IDs there are.
fn requested_link(cx: &Context<'_>, request: &NewQueue<'_>) -> Result<Option<RequestedLink>, ErrorType> {
    let (link_id, link) = match &request.request {
        Some(QueueRequest::Messaging(Some(link))) => (None, link),
        Some(QueueRequest::Contact(Some((id, link)))) => (Some(id.clone()), link),
        _ => return Ok(None),
    };
    let digest = hash::sha3_384(cx.corr_id.as_bytes());
    if link.sender_id.as_bytes() != &digest[..ID_BYTES] {
        return Err(CommandError::Prohibited.into());
    }
    let data =
        LinkData { fixed: link.data.fixed.as_bytes().to_vec(), user: link.data.user.as_bytes().to_vec() };
    Ok(Some(RequestedLink { link_id, sender_id: link.sender_id.clone(), data }))
}

fn build(
    request: &NewQueue<'_>,
    link: Option<RequestedLink>,
    service: Option<&ServiceId>,
    today: Day,
    rng: &mut (impl CryptoRng + ?Sized),
) -> (store::NewQueue, QueueIds) {
    let dh = X25519PrivateKey::generate(rng);
    let (notifier, relay_notifier) = notifier(request, rng).unzip();
    let sender_id = link.as_ref().map_or_else(|| SenderId::generate(rng), |link| link.sender_id.clone());
    let link_data = link.as_ref().map(|link| link.data.clone());
    let queue_link =
        link.map(|link| QueueLink::new(link.link_id.unwrap_or_else(|| LinkId::generate(rng)), &link.data));
    let mode = request.request.as_ref().map(QueueRequest::mode);
    let record = QueueRecord {
        recipient_id: RecipientId::generate(rng),
        recipient_keys: vec![request.auth_key.0],
        recipient_dh: dh.agree(&request.dh_key.0),
        sender_id,
        sender_key: None,
        mode: mode.map(QueueMode::from),
        link: queue_link,
        notifier,
        status: QueueStatus::Active,
        updated: Some(today),
        recipient_service: service.cloned(),
    };
    let ids = QueueIds {
        recipient_id: record.recipient_id.clone(),
        sender_id: record.sender_id.clone(),
        dh_key: dh.public_key().into(),
        mode,
        link_id: record.link.as_ref().map(|link| link.id.clone()),
        service_id: service.cloned(),
        notifier: relay_notifier,
    };
    (store::NewQueue { record, link_data }, ids)
}

fn notifier(
    request: &NewQueue<'_>,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Option<(Notifier, RelayNotifierCredentials)> {
    let credentials = request.notifier.as_ref()?;
    let dh = X25519PrivateKey::generate(rng);
    let id = NotifierId::generate(rng);
    let notifier = Notifier {
        id: id.clone(),
        key: credentials.auth_key.0,
        dh: dh.agree(&credentials.dh_key.0),
        service: None,
    };
    Some((notifier, RelayNotifierCredentials { notifier_id: id, dh_key: dh.public_key().into() }))
}

impl From<smp_protocol::command::QueueMode> for QueueMode {
    fn from(mode: smp_protocol::command::QueueMode) -> Self {
        match mode {
            smp_protocol::command::QueueMode::Messaging => Self::Messaging,
            smp_protocol::command::QueueMode::Contact => Self::Contact,
        }
    }
}

#[cfg(test)]
mod tests {
    use smp_crypto::{Ed25519PrivateKey, PublicAuthKey};
    use smp_protocol::{
        command::{LinkData, LinkRequest},
        encoding::LargeString,
    };

    use super::*;
    use crate::{broker::DeliveryState, testing};

    fn request(request: Option<QueueRequest<'static>>) -> NewQueue<'static> {
        let key: PublicAuthKey = Ed25519PrivateKey::generate(&mut rand::rng()).public_key().into();
        NewQueue {
            auth_key: key.into(),
            dh_key: X25519PrivateKey::generate(&mut rand::rng()).public_key().into(),
            password: None,
            subscription: SubscriptionMode::Subscribe,
            request,
            notifier: None,
        }
    }

    /// Between the creation and the subscription: whoever has the link knows the sender ID before.
    #[tokio::test]
    async fn what_is_sent_before_the_subscription_is_there_is_looked_for() {
        let node = testing::node();
        let caller = testing::caller();
        let cx = testing::context(&node, &caller, RecipientId::empty());
        let data = || LinkData {
            fixed: LargeString::new(b"fixed").unwrap(),
            user: LargeString::new(b"user").unwrap(),
        };
        let digest = hash::sha3_384(cx.corr_id.as_bytes());
        let link = LinkRequest { sender_id: SenderId::new(&digest[..ID_BYTES]).unwrap(), data: data() };
        let outcome = run(&cx, request(Some(QueueRequest::Messaging(Some(link))))).await.unwrap();
        let Effect::Deliver(queue) = outcome.effect else { panic!("{:?}", outcome.effect) };
        assert_eq!(node.hub.subscriptions.delivery(&queue, &caller.client), Some(DeliveryState::Scheduled));
        let outcome = run(&cx, request(None)).await.unwrap();
        assert!(matches!(outcome.effect, Effect::Nothing));
    }
}
