//! What a service gets after it has subscribed to all its queues.

use std::sync::Arc;

use smp_protocol::{
    id::{EntityId, RecipientId, ServiceId},
    message::BrokerMessage,
    version::SmpVersion,
};

use super::{Reply, Session, store_error};
use crate::{
    broker::Broker,
    commands::blocked,
    store::{QueueRecord, QueueStatus, ServiceRole, StoreError},
};

/// Queues that are looked at before what they have is sent.
const PAGE: usize = 100;

/// Delivers what is in the queues of a service, and says when that is done.
pub(super) async fn deliver_all(session: Arc<Session>, broker: Arc<Broker>, service: ServiceId) {
    match deliver_pages(&session, &broker, service).await {
        Ok(()) if session.parameters.version >= SmpVersion::SERVICE_SUBSCRIPTIONS => {
            session.event(Reply::event(EntityId::empty(), BrokerMessage::AllDelivered));
        }
        Ok(()) => {}
        Err(error) => session.event(Reply::event(EntityId::empty(), store_error(&error).into())),
    }
}

async fn deliver_pages(
    session: &Arc<Session>,
    broker: &Broker,
    service: ServiceId,
) -> Result<(), StoreError> {
    let mut pages = Pages::new(service, ServiceRole::Messaging);
    while let Some(queues) = pages.next(broker).await? {
        for queue in queues {
            if let QueueStatus::Blocked(info) = &queue.status {
                session.event(Reply::event(&queue.recipient_id, blocked(info).into()));
            } else if broker.store.first_message(&queue.recipient_id).await?.is_some() {
                broker.deliver_to_service(&queue, session);
            }
        }
        if !session.outbox.drained().await {
            break;
        }
    }
    Ok(())
}

/// Sends the notifications that waited for a service.
pub(super) async fn notify_all(broker: Arc<Broker>, service: ServiceId) {
    let mut pages = Pages::new(service, ServiceRole::Notifier);
    // If the store fails, what waits is sent when the service subscribes again.
    while let Ok(Some(queues)) = pages.next(&broker).await {
        for queue in queues {
            broker.flush_notifications(&queue);
        }
    }
}

/// The queues of a service, a page at a time.
struct Pages {
    service: ServiceId,
    role: ServiceRole,
    after: Option<RecipientId>,
    is_done: bool,
}

impl Pages {
    fn new(service: ServiceId, role: ServiceRole) -> Self {
        Self { service, role, after: None, is_done: false }
    }

    async fn next(&mut self, broker: &Broker) -> Result<Option<Vec<Arc<QueueRecord>>>, StoreError> {
        if self.is_done {
            return Ok(None);
        }
        let page =
            broker.store.service_queue_page(&self.service, self.role, self.after.as_ref(), PAGE).await?;
        self.is_done = page.len() < PAGE;
        self.after = page.last().map(|queue| queue.recipient_id.clone());
        Ok(Some(page))
    }
}
