//! `SUBS` and `NSUBS`: a service subscribes to all its queues at once. After `SUBS` what is in them is delivered, then `ALLS`
//! is sent.

use smp_protocol::{
    command::{IdsHash, ServiceQueues},
    error::ErrorType,
    message::BrokerMessage,
};

use super::{
    context::Context,
    outcome::{CommandResult, Effect, Outcome},
};
use crate::store::{self, StoreError};

pub(super) async fn run(cx: &Context<'_>) -> CommandResult {
    // It has been authorized as a service.
    let service = cx.service.ok_or(ErrorType::Service)?;
    let services = cx.node.hub.services(service.role);
    if let Some(queues) = services.subscribed(&service.id, &cx.caller.client) {
        return Ok(BrokerMessage::SubscribedAll(queues).into());
    }
    let stored = cx.node.store.service_queues(&service.id, service.role).await;
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
        cx.caller.guest.note_known();
    }
    let subscribed = cx.node.hub.subscribe_service(&service.id, service.role, &cx.caller.client, queues);
    subscribed.map_err(|_| ErrorType::Internal)?;
    let effect = Effect::DeliverAll(service.role, service.id.clone());
    Ok(Outcome::from(BrokerMessage::SubscribedAll(queues)).then(effect))
}
