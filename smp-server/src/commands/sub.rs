//! `SUB`: delivers the messages of a queue to this session. The answer is `SOK`; the first message follows it.
//!
//! In a session of a service the queue becomes the service's, otherwise nobody's.

use smp_protocol::{
    error::{CommandError, ErrorType},
    message::BrokerMessage,
};

use super::{
    context::Context,
    outcome::{CommandResult, Effect, Outcome},
};
use crate::store::{QueueChange, QueueRecord};

pub(super) async fn run(cx: &Context<'_>, queue: &QueueRecord) -> CommandResult {
    let id = &queue.recipient_id;
    if cx.caller.got(id).is_some() {
        return Err(CommandError::Prohibited.into());
    }
    let service = cx.service_id();
    cx.keep_service().await?;
    // Also if it seems to be so already: `queue` is as it was before, and others subscribe at the same time.
    let change = QueueChange::RecipientService(service.cloned());
    let updated = cx.change(queue, change).await?;
    let previous = updated.before.recipient_service.as_ref();
    cx.node.hub.subscribe(queue, previous, service, &cx.caller.client).map_err(|_| ErrorType::Internal)?;
    Ok(Outcome::from(BrokerMessage::Subscribed(service.cloned())).then(Effect::Deliver(id.clone())))
}
