//! `SUBS` and `NSUBS`: a service subscribes to all its queues at once. After `SUBS` what is in them is delivered, then `ALLS`
//! is sent.

use smp_protocol::{
    command::{IdsHash, ServiceQueues},
    error::ErrorType,
    message::BrokerMessage,
};

use super::{Context, Outcome};
use crate::{
    session::{Answer, Then},
    store::{self, ServiceRole, StoreError},
};

pub(super) async fn run(cx: &Context) -> Outcome {
    // It has been authorized as a service.
    let service = cx.service.as_ref().ok_or(ErrorType::Service)?;
    let services = cx.broker.services(service.role);
    if let Some(queues) = services.subscribed(&service.id, &cx.session) {
        return Ok(BrokerMessage::SubscribedAll(queues).into());
    }
    let stored = cx.broker.store.service_queues(&service.id, service.role).await;
    let stored = match stored {
        // Services are kept when they get their first queue.
        Err(StoreError::NotFound) => store::ServiceQueues::default(),
        stored => stored?,
    };
    let queues = ServiceQueues {
        count: i64::try_from(stored.count).unwrap_or(i64::MAX),
        ids_hash: IdsHash(stored.ids_hash),
    };
    if stored.count > 0 {
        cx.session.guest.note_known();
    }
    let displaced = services.subscribe_all(&service.id, &cx.session, queues);
    let displaced = displaced.map_err(|_| ErrorType::Internal)?;
    cx.broker.service_displaced(&service.id, displaced);
    let then = match service.role {
        ServiceRole::Messaging => Then::DeliverAll(service.id.clone()),
        ServiceRole::Notifier => Then::NotifyAll(service.id.clone()),
    };
    Ok(Answer::from(BrokerMessage::SubscribedAll(queues)).then(then))
}
