//! `NSUB`: delivers the notifications of a queue to this session.
//!
//! In a session of a service the notifier becomes the service's, otherwise nobody's.

use smp_protocol::{error::ErrorType, message::BrokerMessage};

use super::{Context, Outcome};
use crate::{
    session::{Answer, Then, store_error},
    store::{QueueChange, QueueRecord},
};

pub(super) async fn run(cx: &Context, queue: &QueueRecord) -> Outcome {
    let notifier = queue.notifier.as_ref().ok_or(ErrorType::Auth)?;
    let service = cx.service_id();
    if notifier.service.as_ref() != service {
        let change = QueueChange::NotifierService(service.cloned());
        cx.change(queue, change).await.map_err(|error| store_error(&error))?;
    }
    cx.broker.subscribe_notifications(notifier, service, &cx.session);
    Ok(Answer::from(BrokerMessage::Subscribed(service.cloned())).then(Then::Notify(notifier.id.clone())))
}
