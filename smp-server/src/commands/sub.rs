//! `SUB`: delivers the messages of a queue to this session. The answer is `SOK`; the first message follows it.
//!
//! In a session of a service the queue becomes the service's, otherwise nobody's.

use smp_protocol::{
    error::{CommandError, ErrorType},
    message::BrokerMessage,
};

use super::{Context, Outcome};
use crate::{
    session::{Answer, Then},
    store::{QueueChange, QueueRecord},
};

pub(super) async fn run(cx: &Context, queue: &QueueRecord) -> Outcome {
    let id = &queue.recipient_id;
    if cx.session.got(id).is_some() {
        return Err(CommandError::Prohibited.into());
    }
    let service = cx.service_id();
    cx.keep_service().await?;
    // Also if it seems to be so already: `queue` is as it was before, and others subscribe at the same time.
    let change = QueueChange::RecipientService(service.cloned());
    let updated = cx.change(queue, change).await?;
    let previous = updated.before.recipient_service.as_ref();
    cx.broker.subscribe(queue, previous, service, &cx.session).map_err(|_| ErrorType::Internal)?;
    Ok(Answer::from(BrokerMessage::Subscribed(service.cloned())).then(Then::Deliver(id.clone())))
}
