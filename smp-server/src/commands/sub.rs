//! `SUB`: delivers the messages of a queue to this session. The answer is `SOK`; the first message follows it.
//!
//! In a session of a service the queue becomes the service's, otherwise nobody's.

use smp_protocol::{
    error::{CommandError, ErrorType},
    message::BrokerMessage,
};

use super::{Context, Outcome};
use crate::{
    session::{Answer, Then, store_error},
    store::{QueueChange, QueueRecord},
};

pub(super) async fn run(cx: &Context, queue: &QueueRecord) -> Outcome {
    let id = &queue.recipient_id;
    if cx.session.got(id).is_some() {
        return Err(CommandError::Prohibited.into());
    }
    let (previous, service) = (queue.recipient_service.as_ref(), cx.service_id());
    if previous != service {
        cx.keep_service().await?;
        let change = QueueChange::RecipientService(service.cloned());
        cx.change(queue, change).await.map_err(|error| store_error(&error))?;
    }
    cx.broker.subscribe(queue, previous, service, &cx.session).map_err(|_| ErrorType::Internal)?;
    Ok(Answer::from(BrokerMessage::Subscribed(service.cloned())).then(Then::Deliver(id.clone())))
}
